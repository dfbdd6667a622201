"""The older SSE-FT layout: three lists of files and a table of labels a split.

``<split>_a.tsv``, ``<split>_t.tsv``, ``<split>_v.tsv``: the root folder in line 1, then one file name a line
(``<id>.wav``, ``<id>.txt``, ``<id>.mp4``; what follows a tab is not read), the same ids in the same order.
``label_file_<split>.csv``: a header, then ``<id>,<label>[,…]``. Text files hold RoBERTa's BPE ids. Any of the three
lists may be absent. ``features.yaml`` (name → {path, modality}) may name feature stores.

Source: Siriwardhana et al., IEEE Access 2020 (SSE-FT), the data folder of its repository.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from .clip import Clip, Label
from .description import FeatureEntry, parse_features
from .faults import Fault, number, some
from .labels import LabelSpace
from .rows import Identifiers, LeftOut, path_inside
from .textfile import read_utf8
from .yamlfile import parse_yaml

SUFFIXES = {"text": "t", "audio": "a", "video": "v"}
FEATURES_FILE = "features.yaml"
_ORDER = ("train", "valid", "test")

LEGACY_SPACES = {
    "iemocap": LabelSpace(
        name="iemocap",
        kind="classes",
        names=("neu", "sad", "ang", "hap"),
        columns=("label",),
        ignore=("exc", "fru", "sur", "fea", "dis", "oth", "xxx"),
    ),
    "meld": LabelSpace(
        name="meld",
        kind="classes",
        names=("neutral", "sadness", "anger", "joy", "surprise", "fear", "disgust"),
        columns=("label",),
    ),
    "mosi": LabelSpace(
        name="mosi", kind="score", names=("sentiment",), columns=("label",), range=(-3.0, 3.0)
    ),
}


@dataclass
class LegacyRead:
    """What was read: as the fields of ``Corpus``."""

    label_space: LabelSpace
    features: Mapping[str, FeatureEntry]
    clips: dict[str, list[Clip]] = field(default_factory=dict)
    left_out: dict[str, LeftOut] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass
class _Split:
    """The lists of one split as they stand in its files."""

    names: dict[str, list[str]]
    roots: dict[str, str]
    paths: dict[str, Path]
    labels: dict[str, tuple[str, int]]
    label_path: Path


def is_legacy(folder: Path) -> bool:
    """Whether a folder holds any file of this layout."""
    return bool(_split_names(folder))


def read_legacy(folder: Path, label_space: LabelSpace | None, fault: Fault) -> LegacyRead | None:
    """Read all splits of a folder.

    Args:
        folder: absolute path.
        label_space: what the labels mean (default: the one of ``LEGACY_SPACES`` that most labels belong to).
        fault: told about every fault.

    Returns:
        What was read; None when the labels belong to no known label space.
    """
    splits = {name: _read_split(folder, name, fault) for name in _split_names(folder)}
    usable = {name: split for name, split in splits.items() if split is not None}
    space = label_space or _infer(folder, usable, fault)
    if space is None:
        return None
    read = LegacyRead(space, _features(folder, fault))
    ids, folders, remarks = Identifiers(), _Folders(), []
    for name, split in usable.items():
        read.clips[name], read.left_out[name] = _clips(name, split, space, ids, folders, fault)
        listed = {_id(file) for file in next(iter(split.names.values()))}
        unused = [found for found in split.labels if found not in listed]
        if unused:
            remarks.append(f"{split.label_path}: {len(unused)} labels of ids in no list: {some(unused)}")
    read.remarks = tuple(remarks)
    return read


def _split_names(folder: Path) -> list[str]:
    names = {
        path.name[: -len("_a.tsv")] for letter in SUFFIXES.values() for path in folder.glob(f"*_{letter}.tsv")
    }
    names |= {path.stem[len("label_file_") :] for path in folder.glob("label_file_*.csv")}
    rank = {name: index for index, name in enumerate(_ORDER)}
    return sorted(names - {""}, key=lambda name: (rank.get(name, len(rank)), name))


def _id(file: str) -> str:
    return os.path.splitext(os.path.basename(file))[0]


def _read_split(folder: Path, split: str, fault: Fault) -> _Split | None:
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
    return _Split(names, roots, paths, labels, label_path)


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
        ids, found = [_id(n) for n in names[first]], [_id(n) for n in names[other]]
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
    for line, row in enumerate(csv.reader(text.split("\n")), start=1):
        if line == 1 or not row:
            continue
        cells = [cell.strip() for cell in row]
        if len(cells) < 2:
            expected, found = "'<id>,<label>'", repr(row[0])
        elif cells[0] in labels:
            expected, found = f"the id '{cells[0]}' once", f"it in line {labels[cells[0]][1]} as well"
        else:
            labels[cells[0]] = (cells[1], line)
            continue
        fault(
            InputError.of(where=f"{path}:{line}", expected=expected, found=found, remedy="correct the line")
        )
    return labels


def _infer(folder: Path, splits: Mapping[str, _Split], fault: Fault) -> LabelSpace | None:
    labels = Counter(label for split in splits.values() for label, _ in split.labels.values())
    votes: Counter[str] = Counter()
    for label, times in labels.items():
        for name, space in LEGACY_SPACES.items():
            known = (
                number(label) is not None if space.kind == "score" else label in space.names + space.ignore
            )
            votes[name] += times * known
    if splits and not any(votes.values()):
        fault(
            InputError.of(
                where=folder,
                expected="labels of IEMOCAP (neu, sad, ang, hap), MELD (neutral, joy, …) or numbers from -3 to 3",
                found=some(labels) or "no labels",
                remedy="correct the second column of the label files, or write a corpus.yaml",
            )
        )
    return LEGACY_SPACES[votes.most_common(1)[0][0]] if any(votes.values()) else None


def _features(folder: Path, fault: Fault) -> Mapping[str, FeatureEntry]:
    path = folder / FEATURES_FILE
    text = read_utf8(path, "a list of feature stores", fault) if path.exists() else None
    if text is None:
        return {}
    value, lines = parse_yaml(text, path, fault)
    return parse_features(value, folder, lines, fault, keys=()) if value else {}


class _Folders:
    """Names of the files in a folder, read once: asking for every clip would be slow on network disks."""

    def __init__(self) -> None:
        self.names: dict[str, set[str]] = {}

    def audio(self, path: str) -> str:
        """The sound file, or the tensor beside it when only that exists."""
        folder, name = os.path.split(path)
        if folder not in self.names:
            self.names[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        tensor = os.path.splitext(name)[0] + ".pt"
        only_tensor = name not in self.names[folder] and tensor in self.names[folder]
        return os.path.join(folder, tensor) if only_tensor else path


def _clips(
    name: str, split: _Split, space: LabelSpace, ids: Identifiers, folders: _Folders, fault: Fault
) -> tuple[list[Clip], LeftOut]:
    clips: list[Clip] = []
    left_out: LeftOut = []
    first = next(iter(split.names))
    if not split.names[first]:
        fault(
            InputError.of(
                where=split.paths[first],
                expected="a root folder and one file name at least",
                found="only the root folder",
                remedy="list the files",
            )
        )
    for index, file in enumerate(split.names[first]):
        where = f"{split.paths[first]}:{index + 2}"
        try:
            ids.add(_id(file), where)
            label = _label(_id(file), split, space, where)
            media = {
                modality: path_inside(
                    split.roots[modality],
                    names[index],
                    "a file inside the root folder",
                    f"{split.paths[modality]}:{index + 2}",
                    "move the file there, or write another root folder in line 1",
                )
                for modality, names in split.names.items()
            }
        except InputError as error:
            fault(error)
            continue
        if label is None:
            left_out.append((_id(file), split.labels[_id(file)][0]))
            continue
        if "audio" in media:
            media["audio"] = folders.audio(media["audio"])
        clips.append(Clip(_id(file), media, "text" in media, None, None, "", "", "", label, where, name))
    return clips, left_out


def _label(name: str, split: _Split, space: LabelSpace, where: str) -> Label | None:
    """The label of an id; None when the label space leaves it out."""
    if name not in split.labels:
        raise InputError.of(
            where=where,
            expected=f"a label for every id in {split.label_path.name}",
            found=f"none for '{name}'",
            remedy="add the line, or take the id out of the lists (the first line of the file is its header)",
        )
    label, line = split.labels[name]
    cells = dict.fromkeys(space.columns, label)
    return None if space.left_out(cells) is not None else space.parse(cells, f"{split.label_path}:{line}")
