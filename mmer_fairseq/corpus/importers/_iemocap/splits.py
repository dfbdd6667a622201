"""Splits of IEMOCAP: by session, by speaker, or as the user's files say."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from mmer_fairseq.corpus.importers._iemocap.names import SESSIONS, Name
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.splits import read_split_files, tell_shared
from mmer_fairseq.corpus.importers._public.write import refuse
from mmer_fairseq.corpus.splitting import split_groups
from mmer_fairseq.errors import InputError

FOLDS = (5, 10)
SEED = 1


def add_split_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that :func:`make_splits` reads."""
    add = parser.add_argument
    add(
        "--split",
        choices=("folds", "paper"),
        help="folds: no speaker is in two splits; paper: as --split-files say (default: folds)",
    )
    add(
        "--split-files",
        metavar="DIR",
        help="with --split paper: folder of train_split.txt, valid_split.txt and test_split.txt, an utterance a line",
    )
    add("--folds", type=int, choices=FOLDS, help="5 sessions or 10 speakers (default 5)")
    add("--fold", type=int, metavar="k", help="which session or speaker is test, 1 … 5 or 10 (default 1)")
    add("--valid-share", type=float, metavar="S", help="share of the other speakers (default: see below)")


def make_splits(args: argparse.Namespace, names: Mapping[str, Name]) -> dict[str, str]:
    """Utterance → split.

    Raises:
        InputError: flags contradict each other, or the split files are at fault.
    """
    if (args.split == "paper") != (args.split_files is not None):
        raise InputError.of(
            where="--split paper, --split-files",
            expected="both or none of them",
            found="one",
            remedy="add the other",
        )
    if args.split_files is not None:
        refuse(args, "--split paper", "--folds", "--fold", "--valid-share")
        members = {clip: (clip,) for clip in names}
        splits = read_split_files(args.split_files, members, "an utterance of the evaluations")
    else:
        of_speaker = _folds(args, sorted({name.speaker for name in names.values()}))
        splits = {clip: of_speaker[name.speaker] for clip, name in names.items()}
    return splits


def tell_known(splits: Mapping[str, str], names: Mapping[str, Name], left_out: LeftOut) -> None:
    """Say which speakers and dialogues two splits share, and what that means for test scores.

    Args:
        splits: utterance → split, those of the corpus alone.
        names: utterance → its name.
        left_out: told.
    """
    speakers = {clip: names[clip].speaker for clip in splits}
    tell_shared(splits, {"speaker": speakers, "dialogue": {c: names[c].dialogue for c in splits}}, left_out)
    known, tested = (
        {speakers[c] for c, split in splits.items() if split == one} for one in ("train", "test")
    )
    if known & tested:
        left_out.notes.append(
            "test scores of this split are of voices known from training: --folds holds speakers out"
        )


def _folds(args: argparse.Namespace, speakers: list[str]) -> dict[str, str]:
    """Split of each speaker; a session that is not there counts all the same."""
    folds, fold = args.folds or FOLDS[0], 1 if args.fold is None else args.fold
    if not 1 <= fold <= folds:
        raise InputError.of(
            where="--fold",
            expected=f"a {'session' if folds == len(SESSIONS) else 'speaker'} from 1 to {folds}",
            found=fold,
            remedy="correct it",
        )
    if folds == len(SESSIONS):
        test = {f"Ses0{fold}{gender}" for gender in "FM"}
        valid = {f"Ses0{fold % folds + 1}{gender}" for gender in "FM"}
    else:
        everyone = [f"Ses0{session}{gender}" for session in SESSIONS for gender in "FM"]
        test, valid = {everyone[fold - 1]}, {everyone[(fold - 1) ^ 1]}
    if args.valid_share is not None:
        if not 0 < args.valid_share < 1:
            raise InputError.of(
                where="--valid-share",
                expected="a share of the speakers above 0 and below 1",
                found=args.valid_share,
                remedy="correct it, or leave it out",
            )
        others = [speaker for speaker in speakers if speaker not in test]
        shares = {"train": 1 - args.valid_share, "valid": args.valid_share}
        placed = dict(zip(others, split_groups(others, shares, seed=SEED)))
        valid = {speaker for speaker, split in placed.items() if split == "valid"}
    return {
        speaker: "test" if speaker in test else "valid" if speaker in valid else "train"
        for speaker in speakers
    }
