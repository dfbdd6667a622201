"""``mmer check DIR``: every fault of a corpus with its file and line, and what is in each split."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

from mmer_fairseq.corpus.check import check
from mmer_fairseq.errors import InputError

HELP = "check a corpus: print every fault with file and line, and a summary of each split"

EPILOG = """Headers of all media are read; --decode reads every medium and stored feature to its end
(truncated files, silence). Exit status: 0 without faults, 1 with faults.

  mmer check data/toy
  mmer check data/toy --decode --jobs 4"""

T = TypeVar("T")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer check``."""
    parser.add_argument("directory", metavar="DIR", help="folder of the corpus")
    parser.add_argument(
        "--decode", action="store_true", help="decode every medium, read every stored feature"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="processes (default: one, with --decode one per processor)",
    )
    parser.add_argument("--allow-silent", action="store_true", help="take sound whose samples are all equal")
    parser.add_argument("--labels", metavar="NAME", help="check this label space only (default: all)")


def run(args: argparse.Namespace) -> int:
    """Print the faults, then the summary."""
    from mmer_fairseq.features.store import FeatureStore

    if args.jobs is not None and args.jobs < 1:
        raise InputError.of(
            where="--jobs", expected="1 or more processes", found=args.jobs, remedy="write a whole number"
        )
    report = check(
        args.directory,
        decode=args.decode,
        jobs=args.jobs or ((os.cpu_count() or 1) if args.decode else 1),
        labels=args.labels,
        allow_silent=args.allow_silent,
        open_store=FeatureStore.open,
        progress=_progress,
    )
    for fault in report.faults:
        print(fault)
    for line in report.lines():
        print(line)
    count = len(report.faults)
    print("no faults" if not count else "1 fault" if count == 1 else f"{count} faults")
    return 1 if count else 0


def _progress(items: Iterable[T], total: int) -> Iterable[T]:
    return tqdm(items, total=total, unit="clip", desc="checking", leave=False, disable=None)
