"""What both forms of data sets give, and dealing it out into splits."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mmer_fairseq.corpus.faults import hint, number
from mmer_fairseq.corpus.importers._public.splits import split_of
from mmer_fairseq.corpus.importers._public.write import SPLITS
from mmer_fairseq.corpus.splitting import split_groups
from mmer_fairseq.errors import InputError

SEED = 1
FRACTIONS = {"train": 0.8, "valid": 0.1, "test": 0.1}


@dataclass(frozen=True)
class Picture:
    """One labelled picture.

    Attributes:
        path: from the root of the data set.
        label: as the data set calls it.
        group: whose pictures must stay together ('': nothing is known).
    """

    path: str
    label: str
    group: str = ""


def add_split_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that :func:`deal_out` reads."""
    shares = " ".join(f"{split}={share:g}" for split, share in FRACTIONS.items())
    parser.add_argument(
        "--fractions",
        nargs="+",
        metavar="SPLIT=SHARE",
        help=f"deal the pictures out, where the data set has no splits (default: {shares})",
    )
    parser.add_argument("--seed", type=int, metavar="N", help=f"of the dealing (default {SEED})")


def refuse_to_deal(args: argparse.Namespace, there: str) -> None:
    """The data set has splits.

    Raises:
        InputError: ``--fractions`` or ``--seed`` was given.
    """
    for flag, value in (("--fractions", args.fractions), ("--seed", args.seed)):
        if value is not None:
            raise InputError.of(
                where=flag,
                expected="a data set without splits",
                found=there,
                remedy=f"leave out {flag}, or name another folder with --root",
            )


def deal_out(args: argparse.Namespace, pictures: Sequence[Picture], root: object) -> dict[str, list[Picture]]:
    """Split → its pictures.

    Groups stay together; where nothing is known of any, each class is dealt out by itself, so that it has about its
    share in each split.

    Raises:
        InputError: the fractions are none, or there are fewer groups, or pictures of a class, than splits.
    """
    shares = _shares(args.fractions)
    seed = SEED if args.seed is None else args.seed
    dealt: dict[str, list[Picture]] = {split: [] for split in SPLITS if split in shares}
    if any(picture.group for picture in pictures):
        for picture, split in zip(pictures, split_groups([one.group for one in pictures], shares, seed=seed)):
            dealt[split].append(picture)
        return dealt
    by_label: dict[str, list[Picture]] = {}
    for picture in pictures:
        by_label.setdefault(picture.label, []).append(picture)
    for label, members in by_label.items():
        if len(members) < len(shares):
            raise InputError.of(
                where=root,
                expected=f"{len(shares)} pictures of '{label}' at least, one for each of {', '.join(shares)}",
                found=len(members),
                remedy="add some, make fewer splits with --fractions, or leave the class out with --drop",
            )
        for picture, split in zip(members, split_groups([one.path for one in members], shares, seed=seed)):
            dealt[split].append(picture)
    return dealt


def _shares(words: Collection[str] | None) -> dict[str, float]:
    if not words:
        return FRACTIONS
    shares: dict[str, float] = {}
    for word in (part for given in words for part in given.split(",") if part):
        name, _, cell = word.partition("=")
        split, share = split_of(name), number(cell)
        if split is None or share is None or share <= 0 or split in shares:
            raise InputError.of(
                where="--fractions",
                expected="train=0.8 valid=0.1 test=0.1 or fewer of them, each share above 0",
                found=f"'{word}'" + (" again" if split in shares else ""),
                remedy="correct it" if split else hint(name, SPLITS, "correct it"),
            )
        shares[split] = share
    return shares
