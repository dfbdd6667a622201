"""What the commands share that predict files with a checkpoint."""

from __future__ import annotations

import argparse
from typing import Any

from mmer_fairseq.errors import InputError


def add_reading_arguments(parser: Any) -> None:
    """Declare how files are read.

    Args:
        parser: of the command, or a group of it.
    """
    parser.add_argument("--modalities", metavar="M[,M…]", help="read these alone, the others are missing")
    parser.add_argument(
        "--faces",
        default="auto",
        metavar="HOW",
        help="cut the faces out first: mtcnn, haar, centre, none, or auto: as mmer faces did for the training corpus "
        "(default: auto)",
    )
    parser.add_argument(
        "--encoder",
        action="append",
        default=[],
        metavar="M=NAME:PATH",
        help="where a published encoder's weights lie now; for stored features, what made them",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="corpus, for checkpoints that do not say how they read (older, converted)",
    )
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda (default: cpu)")


def load_predictor(args: argparse.Namespace) -> Any:
    """The checkpoint ``--path``, ready to predict.

    Raises:
        InputError: see :func:`mmer_fairseq.load`; an ``--encoder`` of another form.
    """
    encoders = {}
    for word in args.encoder:
        modality, equals, encoder = word.partition("=")
        if not equals or not encoder:
            raise InputError.of(
                where="--encoder", expected="MODALITY=NAME:PATH", found=repr(word), remedy="write it so"
            )
        encoders[modality] = encoder
    from mmer_fairseq import load

    modalities = [word.strip() for word in (args.modalities or "").split(",") if word.strip()]
    return load(args.path, args.device, data=args.data, encoders=encoders, modalities=modalities or None)
