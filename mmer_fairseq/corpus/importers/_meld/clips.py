"""MELD's clips: ``dia{dialogue}_utt{utterance}.mp4`` in a folder for each split. Nothing is decoded here."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from mmer_fairseq.corpus.faults import count, some
from mmer_fairseq.corpus.importers._meld.table import clip_id
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import files_under, recordings
from mmer_fairseq.errors import InputError

FOLDERS = {
    "train": ("train_splits", "train"),
    "valid": ("dev_splits_complete", "dev", "val", "valid"),
    "test": ("output_repeated_splits_test", "test"),
}
ENDING = ".mp4"

_NAME = re.compile(r"(final_videos_test)?dia(\d+)_utt(\d+)")

#: Names that are printed before there is only a number.
_LISTED = 100


def find_clips(
    root: Path, clips: Collection[str], splits: Collection[str], left_out: LeftOut
) -> dict[str, Path]:
    """The file of each clip that has one.

    The test folder holds some clips a second time, as ``final_videos_test…``; such a file is taken only where the other
    is missing or empty.

    Args:
        root: holds the folders of the splits, at any depth, or is one of them.
        clips: ids of the utterances.
        splits: that have a table.
        left_out: told about clips without a file, files without a row, and files that are passed over.

    Raises:
        InputError: two files are of one clip, or there is none of any utterance.
    """
    plain: dict[Path, str] = {}
    again: dict[Path, str] = {}
    astray, unknown, foreign = [], [], []
    for path in files_under(root):
        if path.suffix.lower() != ENDING:
            continue
        match, split = _NAME.fullmatch(path.stem), _split_of(path, root)
        if match is None:
            unknown.append(path)
        elif split is None:
            astray.append(path)
        elif split in splits:
            clip = clip_id(split, int(match[2]), int(match[3]))
            if clip in clips:
                (again if match[1] else plain)[path] = clip
            elif not match[1]:
                foreign.append(clip)
    found, empty = recordings(plain, (ENDING,), lambda _, path: plain[Path(path)])
    others, _ = recordings(again, (ENDING,), lambda _, path: again[Path(path)])
    spare = {clip: path for clip, path in others.items() if clip not in found}
    if not found and not spare:
        names = ", ".join(names[0] for names in FOLDERS.values())
        raise InputError.of(
            where=root,
            expected=f"clips dia0_utt0{ENDING} … in the folders {names}",
            found=f"{some(path.relative_to(root) for path in astray)}, in no such folder"
            if astray
            else "none",
            remedy="unpack MELD's archives there, correct --clips, or leave it out for text only",
        )
    found.update(spare)
    _tell(left_out, "with an empty file, taken as none", [clip for clip in empty if clip not in found])
    _tell(left_out, "without a file of its own, for which final_videos_test… is taken", spare)
    if len(again) > len(spare):
        left_out.notes.append(
            f"{count(len(again) - len(spare), 'file')} final_videos_test… passed over: repeats"
        )
    for what, paths in (("in no folder of a split", astray), ("with names of no clip", unknown)):
        if paths:
            left_out.notes.append(
                f"files {what}, passed over: {some(path.relative_to(root) for path in paths)}"
            )
    _tell(left_out, "without a row in the tables, passed over", sorted(foreign, key=_order))
    _tell(
        left_out,
        "with a row but without a file: text alone",
        [c for c in clips if c not in found and c not in empty],
    )
    return {clip: found[clip] for clip in clips if clip in found}


def _tell(left_out: LeftOut, what: str, clips: Collection[str]) -> None:
    if clips:
        names = ", ".join(clips) if len(clips) <= _LISTED else some(clips)
        left_out.notes.append(f"{count(len(clips), 'clip')} {what}: {names}")


def _order(clip: str) -> tuple[str, int, int]:
    split, dialogue, number = clip.split("-")
    return split, int(dialogue[1:]), int(number[1:])


def _split_of(path: Path, root: Path) -> str | None:
    """The split that the innermost folder with such a name says; ``root`` itself may be the one."""
    for folder in path.parents:
        for split, names in FOLDERS.items():
            if folder.name.lower() in names:
                return split
        if folder == root:
            break
    return None
