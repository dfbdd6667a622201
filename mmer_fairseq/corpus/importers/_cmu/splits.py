"""Splits of CMU-MOSEI and CMU-MOSI: the user's lists, those of the labels, or the videos dealt out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from mmer_fairseq.corpus.importers._cmu.labels import Label
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.splits import read_split_files
from mmer_fairseq.corpus.importers._public.write import refuse
from mmer_fairseq.corpus.splitting import split_groups

SHARES = {"train": 0.7, "valid": 0.1, "test": 0.2}
SEED = 1


def make_splits(
    args: argparse.Namespace, labels: Mapping[str, Label], unlabelled: Mapping[str, str], left_out: LeftOut
) -> dict[str, str]:
    """Clip → split, and a note of where the splits are from.

    Args:
        args: ``splits`` (folder of lists, or None) and ``seed`` (or None).
        labels: of the clips.
        unlabelled: other clips that lists may name → their videos.
        left_out: told.

    Raises:
        InputError: the lists are at fault.
    """
    videos = {clip: label.video for clip, label in labels.items()}
    if args.splits is not None:
        refuse(args, "--splits", "--seed")
        members: dict[str, list[str]] = {clip: [clip] for clip in (*labels, *unlabelled)}
        for clip, video in {**videos, **unlabelled}.items():
            if video not in labels:
                members.setdefault(video, []).append(clip)
        splits = read_split_files(args.splits, members, "a video or a clip of the labels or transcripts")
    elif args.seed is None and any(label.split for label in labels.values()):
        splits = {clip: label.split for clip, label in labels.items()}
    else:
        seed = SEED if args.seed is None else args.seed
        splits = dict(zip(labels, split_groups(list(videos.values()), SHARES, seed=seed)))
        shares = ", ".join(f"{split} {share:.0%}" for split, share in SHARES.items())
        left_out.notes.append(
            f"no split is given: the videos were dealt out ({shares}, --seed {seed}), which is no official split; "
            "scores do not compare with published ones (--splits reads lists)"
        )
    return splits
