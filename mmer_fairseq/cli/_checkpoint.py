"""What the commands share that run a checkpoint over a split of a corpus."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from mmer_fairseq.errors import InputError

_LOWEST = {"batch_size": 1, "num_workers": 0, "draw": 0}


def add_checkpoint_arguments(parser: argparse.ArgumentParser, *, batch_size: int, unit: str) -> None:
    """Declare corpus, checkpoint, split, and how they are read.

    Args:
        parser: of the command.
        batch_size: default.
        unit: what a batch is made of, in words.
    """
    parser.add_argument("data", metavar="DATA", help="corpus folder")
    add_model_arguments(parser, split="test")
    parser.add_argument(
        "--batch-size",
        type=int,
        default=batch_size,
        metavar="N",
        help=f"{unit} at once (default: {batch_size})",
    )
    parser.add_argument(
        "--num-workers", type=int, default=1, metavar="N", help="reading processes (default: 1)"
    )


def add_model_arguments(parser: argparse.ArgumentParser, *, split: str | None) -> None:
    """Declare the checkpoint and what it reads of a corpus.

    Args:
        parser: of the command.
        split: default; None: the command looks in all.
    """
    parser.add_argument("--path", required=True, metavar="CKPT", help="checkpoint of fairseq-train")
    parser.add_argument("--split", default=split, metavar="NAME", help=f"default: {split or 'any'}")
    parser.add_argument("--labels", metavar="NAME", help="label space (default: that of the training)")
    parser.add_argument(
        "--modalities",
        metavar="M[,M…]",
        help="read these alone, the others are missing (default: all of the model)",
    )
    parser.add_argument("--features", metavar="M=NAME,…", help="stored features (default: as in training)")
    parser.add_argument("--cpu", action="store_true", help="do not use a GPU")


def check_numbers(args: argparse.Namespace) -> None:
    """Refuse numbers below their lowest value.

    Raises:
        InputError: naming the flag.
    """
    for name, lowest in _LOWEST.items():
        if getattr(args, name, lowest) < lowest:
            raise InputError.of(
                where="--" + name.replace("_", "-"),
                expected=f"{lowest} or more",
                found=getattr(args, name),
                remedy="correct it or leave the flag out",
            )


def load(args: argparse.Namespace, split: str) -> Any:
    """The checkpoint, ready for a split: see :func:`mmer_fairseq.evaluation.trained.load_trained`."""
    from mmer_fairseq.evaluation.trained import load_trained

    flags = {name: getattr(args, name) for name in ("labels", "modalities", "features")}
    return load_trained(args.path, args.data, split, flags=flags, cpu=args.cpu)


def writable(folder: Path) -> Path:
    """Make the folder that results go to: better refused before the work than after it.

    Raises:
        InputError: nothing can be written there.
    """
    from mmer_fairseq.evaluation.report import unwritable

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder
