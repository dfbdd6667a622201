"""Splits of Aff-Wild2: the official ones, folds over training and validation videos, or a list of the user."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmer_fairseq.corpus.faults import hint
from mmer_fairseq.corpus.importers._aff_wild2.annotations import read_names
from mmer_fairseq.corpus.importers._aff_wild2.media import base_of
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.splitting import split_groups
from mmer_fairseq.errors import InputError

SEED = 1


def fold_splits(official: Mapping[str, str], folds: int, fold: int) -> dict[str, str]:
    """Validation is fold ``fold`` of the videos that are not test; both persons of a video stay together.

    Args:
        official: video → train, valid or test.
        folds: 2 or more.
        fold: 1 … folds.

    Raises:
        InputError: ``folds`` or ``fold`` is out of its range, or there are fewer videos than folds.
    """
    if folds < 2 or not 1 <= fold <= folds:
        raise InputError.of(
            where="--folds, --fold",
            expected="2 folds or more, and one of them (counted from 1) for validation",
            found=f"fold {fold} of {folds}",
            remedy="correct --folds or --fold",
        )
    known = [video for video, split in official.items() if split != "test"]
    shares = {str(k): 1.0 for k in range(1, folds + 1)}
    placed = dict(zip(known, split_groups([base_of(video) for video in known], shares, seed=SEED)))
    return {
        video: split if split == "test" else ("valid" if placed[video] == str(fold) else "train")
        for video, split in official.items()
    }


def listed_splits(official: Mapping[str, str], path: str | Path) -> dict[str, str]:
    """Validation is what the list names, training the other videos that are not test.

    Raises:
        InputError: the list is missing or empty, or names no training or validation video.
    """
    known = [video for video, split in official.items() if split != "test"]
    listed = read_names(path, "a list of validation videos")
    for video, (where, _) in listed.items():
        if video not in known:
            raise InputError.of(
                where=where,
                expected="a video of the training or validation set",
                found=f"'{video}'" + (" of the test set" if video in official else ""),
                remedy=hint(video, known, "correct the name, or remove the line"),
            )
    return {
        video: split if split == "test" else ("valid" if video in listed else "train")
        for video, split in official.items()
    }


def tell_shared(splits: Mapping[str, str], left_out: LeftOut) -> None:
    """Name the videos whose two persons are in different splits."""
    sets: dict[str, set[str]] = {}
    for video, split in splits.items():
        sets.setdefault(base_of(video), set()).add(split)
    left_out.note("whose two persons are in different splits", [v for v, s in sets.items() if len(s) > 1])
