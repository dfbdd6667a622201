"""What the importers of public corpora share: their flags, and the corpus they write."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, TypeVar

from mmer_fairseq.corpus.faults import hint
from mmer_fairseq.corpus.importers._public.flags import add_places
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.votes import RULES, TIE, Verdict
from mmer_fairseq.corpus.write import write_corpus, writing
from mmer_fairseq.errors import InputError

SPLITS = ("train", "valid", "test")

Said = TypeVar("Said")


def add_shared(parser: argparse.ArgumentParser, root: str) -> None:
    """The flags that all of these importers have."""
    add_places(parser, root)
    add = parser.add_argument
    add(
        "--rule",
        choices=RULES,
        help="plurality: the emotion with the most votes, ties left out; majority: more than half of the votes; "
        "distribution: the most votes, and the share of each class as the label space 'shares', whose clips "
        f"may be ties ('{TIE}', which 'emotion' leaves out) (default: plurality)",
    )
    add(
        "--partition-file",
        metavar="CSV",
        help="a label file of AuxFormer, which gives labels and splits: name of the sound file, one column for "
        "each class, and last the partition (Train, Development, Test)",
    )
    add(
        "--leave-out",
        nargs="+",
        default=[],
        metavar="CLIP",
        help="clips that are not wanted, such as those whose recordings 'mmer check' finds at fault",
    )


def without(
    unwanted: Sequence[str],
    media: Mapping[str, Said],
    left_out: LeftOut,
    known: str = "clips with recordings",
) -> dict[str, Said]:
    """The clips besides those of ``--leave-out``, which must be ``known`` (what they are, for the message).

    Raises:
        InputError: one of them is no clip.
    """
    for clip in unwanted:
        if clip not in media:
            raise InputError.of(
                where="--leave-out",
                expected=known,
                found=f"'{clip}'",
                remedy=hint(clip, media, "correct the name"),
            )
        left_out.add("as --leave-out says", clip)
    return {clip: paths for clip, paths in media.items() if clip not in unwanted}


def refuse(args: argparse.Namespace, flag: str, *others: str) -> None:
    """Flags that mean nothing beside ``flag``.

    Raises:
        InputError: one of them was given.
    """
    for other in others:
        if getattr(args, other[2:].replace("-", "_")) is not None:
            raise InputError.of(
                where=f"{flag}, {other}",
                expected="one of them",
                found="both",
                remedy=f"leave out {other}, or {flag}",
            )


def vacant(directory: str | Path) -> Path:
    """The folder to write, as an absolute path.

    Raises:
        InputError: there is something in it.
    """
    folder = Path(directory).absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError.of(
            where=folder,
            expected="a folder that does not exist or is empty",
            found="one with files in it" if folder.is_dir() else "a file",
            remedy="choose another folder or remove it",
        )
    return folder


def label_cells(verdict: Verdict, classes: Sequence[str]) -> dict[str, str]:
    """The columns that :func:`label_spaces` describes."""
    shares = {f"share_{name}": f"{share:.6f}" for name, share in zip(classes, verdict.shares)}
    return {"emotion": verdict.label, **shares}


def label_spaces(classes: Sequence[str], cells: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """``emotion`` (classes), and ``shares`` (scores) where the rows hold shares."""
    cells = list(cells)
    emotion: dict[str, Any] = {"kind": "classes", "column": "emotion", "classes": list(classes)}
    columns = [f"share_{name}" for name in classes]
    if not any(columns[0] in row for row in cells):
        return {"emotion": emotion}
    if any(row["emotion"] == TIE for row in cells):
        emotion["ignore"] = [TIE]
    return {"emotion": emotion, "shares": {"kind": "score", "columns": columns, "range": [0, 1]}}


def finish(
    folder: Path,
    shown: str,
    description: Mapping[str, Any],
    rows: Mapping[str, Sequence[Mapping[str, str]]],
    left_out: LeftOut,
    *,
    splits: Sequence[str] = SPLITS,
    fill: Callable[[Path], None] | None = None,
) -> int:
    """Write the corpus and print what is in it, and what is not.

    Args:
        folder: from :func:`vacant`.
        shown: the folder as the user wrote it.
        description: what ``corpus.yaml`` is to say.
        rows: split → rows.
        left_out: what there is to tell.
        splits: those that must have clips.
        fill: writes the files that the rows name into the folder it is given; that one becomes ``folder`` when all of
            it is there.

    Raises:
        InputError: a split has no clips, or the corpus would not be correct.
    """
    empty = [split for split in splits if not rows.get(split)]
    if empty:
        reasons = "; ".join(left_out.lines())
        raise InputError.of(
            where=description["media_root"],
            expected=f"clips in each of {', '.join(splits)}",
            found=f"none in {', '.join(empty)}" + (f" ({reasons})" if reasons else ""),
            remedy="add the recordings that are missing, or choose other flags",
        )
    ordered = {split: rows[split] for split in SPLITS if rows.get(split)}
    if fill is None:
        write_corpus(folder, description=description, rows=ordered)
    else:
        _write_whole(folder, description, ordered, fill)
    for line in left_out.lines():
        print(line)
    counts = ", ".join(f"{split} {len(ordered[split])}" for split in ordered)
    print(f"{folder}: {counts} clips; look at it with: mmer check {shown}")
    return 0


def common_root(*folders: Path) -> Path:
    """The media root of a corpus whose files lie in several folders, such as traces beside recordings."""
    return Path(os.path.commonpath([str(folder) for folder in folders]))


def _write_whole(
    folder: Path,
    description: Mapping[str, Any],
    rows: Mapping[str, Sequence[Mapping[str, str]]],
    fill: Callable[[Path], None],
) -> None:
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        with writing(folder):
            scratch.mkdir(parents=True)
            fill(scratch)
        write_corpus(scratch, description=description, rows=rows)
        with writing(folder):
            if folder.exists():
                folder.rmdir()
            scratch.rename(folder)
    except InputError as error:  # the user knows nothing of the scratch folder
        raise InputError(str(error).replace(str(scratch), str(folder))) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
