"""The files of the older SSE-FT layout: the lists of a split and its table of labels, as they stand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mmer_fairseq.corpus.faults import Fault
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError

SUFFIXES = {"text": "t", "audio": "a", "video": "v"}
_ORDER = ("train", "valid", "test")


@dataclass
class LegacySplit:
    """The lists of one split.

    Attributes:
        names: modality → file names; the ids are the same in all of them.
        roots: modality → absolute root folder.
        paths: modality → the list's own path.
        labels: id → (label, line).
        label_path: the label file.
    """

    names: dict[str, list[str]]
    roots: dict[str, str]
    paths: dict[str, Path]
    labels: dict[str, tuple[str, int]]
    label_path: Path


def split_names(folder: Path) -> list[str]:
    """Splits that a folder holds any file of."""
    names = {
        path.name[: -len("_a.tsv")] for letter in SUFFIXES.values() for path in folder.glob(f"*_{letter}.tsv")
    }
    names |= {path.stem[len("label_file_") :] for path in folder.glob("label_file_*.csv")}
    rank = {name: index for index, name in enumerate(_ORDER)}
    return sorted(names - {""}, key=lambda name: (rank.get(name, len(rank)), name))


def clip_id(file: str) -> str:
    """The id in a file name."""
    return os.path.splitext(os.path.basename(file))[0]


def read_split(folder: Path, split: str, fault: Fault) -> LegacySplit | None:
    """Read the files of one split; None when they cannot be read or do not fit together."""
    label_path = folder / f"label_file_{split}.csv"
    labels = _read_labels(label_path, fault)
    names, roots, paths = {}, {}, {}
    for modality, letter in SUFFIXES.items():
        path = folder / f"{split}_{letter}.tsv"
        if not path.exists():
            continue
        text = read_utf8(path, "a list of files", fault)
        if text is None:
            return None
        root, *files = text.rstrip("\n").split("\n")
        paths[modality], names[modality] = path, [line.split("\t")[0].strip() for line in files]
        roots[modality] = _root(root.split("\t")[0].strip(), path, fault)
    if not paths:
        fault(
            InputError.of(
                where=folder,
                expected=f"{split}_a.tsv, {split}_t.tsv or {split}_v.tsv beside {label_path.name}",
                found="none of them",
                remedy="add the lists of files, or remove the label file",
            )
        )
    if not paths or labels is None or not _same_order(names, paths, fault):
        return None
    return LegacySplit(names, roots, paths, labels, label_path)


def _root(root: str, path: Path, fault: Fault) -> str:
    """The root folder; a relative one starts from the list's own folder, else from the current one."""
    for base in (path.parent, Path.cwd()):
        if root and (base / root).is_dir():
            return os.path.normpath(base / root)
    fault(
        InputError.of(
            where=f"{path}:1",
            expected="the root folder of the files",
            found=f"'{root}', which is no folder",
            remedy="write the folder that holds the files in the first line",
        )
    )
    return os.path.normpath(path.parent / root)


def _same_order(names: dict[str, list[str]], paths: dict[str, Path], fault: Fault) -> bool:
    first, *others = names
    for other in others:
        ids, found = [clip_id(n) for n in names[first]], [clip_id(n) for n in names[other]]
        if ids == found:
            continue
        longest = max(len(ids), len(found))
        at = next(i for i in range(longest) if ids[i : i + 1] != found[i : i + 1])
        expected = f"'{ids[at]}'" if at < len(ids) else "the end of the list"
        fault(
            InputError.of(
                where=f"{paths[other]}:{at + 2}",
                expected=f"the same ids in the same order as {paths[first].name} ({expected} here)",
                found=f"'{found[at]}'" if at < len(found) else "the end of the list",
                remedy="list the same ids in the same order in all lists of the split",
            )
        )
        return False
    return True


def _read_labels(path: Path, fault: Fault) -> dict[str, tuple[str, int]] | None:
    text = read_utf8(path, "a label file", fault)
    if text is None:
        return None
    labels: dict[str, tuple[str, int]] = {}
    for line, row in enumerate(text.split("\n"), start=1):
        if line == 1 or not row.strip():
            continue
        cells = [cell.strip().strip('"') for cell in row.split(",")]
        if len(cells) < 2:
            expected, found = "'<id>,<label>'", repr(row)
        elif cells[0] in labels:
            expected, found = f"the id '{cells[0]}' once", f"it in line {labels[cells[0]][1]} as well"
        else:
            labels[cells[0]] = (cells[1], line)
            continue
        fault(
            InputError.of(where=f"{path}:{line}", expected=expected, found=found, remedy="correct the line")
        )
    return labels
