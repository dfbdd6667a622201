"""The older SSE-FT layout: three lists of files and a table of labels a split.

``<split>_a.tsv``, ``<split>_t.tsv``, ``<split>_v.tsv``: the root folder in line 1, then one file name a line
(``<id>.wav``, ``<id>.txt``, ``<id>.mp4``; what follows a tab is not read), the same ids in the same order.
``label_file_<split>.csv``: a header, then ``<id>,<label>[,…]``. Text files hold RoBERTa's BPE ids. Any of
the three lists may be absent. ``features.yaml`` (name → {path, modality}) may name feature stores.

Source: Siriwardhana et al., IEEE Access 2020 (SSE-FT), the data folder of its repository.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmer_fairseq.corpus.clip import Clip, Label
from mmer_fairseq.corpus.description import FeatureEntry, parse_features
from mmer_fairseq.corpus.faults import Fault, count, number, some
from mmer_fairseq.corpus.labels import LabelSpace
from mmer_fairseq.corpus.legacy_files import LegacySplit, clip_id, read_split, split_names
from mmer_fairseq.corpus.rows import Identifiers, LeftOut, path_inside
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.corpus.yamlfile import parse_yaml
from mmer_fairseq.errors import InputError

FEATURES_FILE = "features.yaml"

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
    ids: Mapping[str, str] = field(default_factory=dict)
    others: list[Clip] = field(default_factory=list)
    remarks: tuple[str, ...] = ()


def is_legacy(folder: Path) -> bool:
    """Whether a folder holds any file of this layout."""
    return bool(split_names(folder))


def read_legacy(folder: Path, label_space: LabelSpace | None, fault: Fault) -> LegacyRead | None:
    """Read all splits of a folder.

    Args:
        folder: absolute path.
        label_space: what the labels mean (default: the one of ``LEGACY_SPACES`` that most labels belong to).
        fault: told about every fault.

    Returns:
        What was read; None when the labels belong to no known label space.
    """
    splits = {name: read_split(folder, name, fault) for name in split_names(folder)}
    usable = {name: split for name, split in splits.items() if split is not None}
    space = label_space or _infer(folder, usable, fault)
    if space is None:
        return None
    read = LegacyRead(space, _features(folder, fault))
    ids, folders, remarks = Identifiers(), _Folders(), []
    for name, split in usable.items():
        _read_clips(read, name, split, ids, folders, fault)
        listed = {clip_id(file) for file in next(iter(split.names.values()))}
        unused = [found for found in split.labels if found not in listed]
        if unused:
            remarks.append(
                f"{split.label_path}: {count(len(unused), 'label')} of ids in no list: {some(unused)}"
            )
    read.ids, read.remarks = ids.seen, tuple(remarks)
    return read


def _infer(folder: Path, splits: Mapping[str, LegacySplit], fault: Fault) -> LabelSpace | None:
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
                expected="labels of IEMOCAP (neu, sad, …) or MELD (neutral, joy, …), or numbers from -3 to 3",
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


def _read_clips(
    read: LegacyRead, name: str, split: LegacySplit, ids: Identifiers, folders: _Folders, fault: Fault
) -> None:
    """Add the clips of one split to ``read``."""
    read.clips[name], read.left_out[name] = [], []
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
        where, clip = f"{split.paths[first]}:{index + 2}", clip_id(file)
        try:
            ids.add(clip, where)
            media = _media(split, index, folders)
        except InputError as error:
            fault(error)
            continue
        label: Label | None = None
        try:
            label = _label(clip, split, read.label_space, where)
            if label is None:
                read.left_out[name].append((clip, split.labels[clip][0]))
        except InputError as error:
            fault(error)
        place = read.others if label is None else read.clips[name]
        place.append(Clip(clip, media, "text" in media, None, None, "", "", "", label or 0, where, name))


def _media(split: LegacySplit, index: int, folders: _Folders) -> dict[str, str]:
    media = {}
    for modality, names in split.names.items():
        where = f"{split.paths[modality]}:{index + 2}"
        remedy = "move the file there, or write another root folder in line 1"
        path = path_inside(
            split.roots[modality], names[index], "a file inside the root folder", where, remedy
        )
        media[modality] = folders.audio(path) if modality == "audio" else path
    return media


def _label(name: str, split: LegacySplit, space: LabelSpace, where: str) -> Label | None:
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
