"""A corpus on disk: ``corpus.yaml`` with its split files, or the older SSE-FT layout, behind one loader."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmer_fairseq.corpus.clip import Clip
from mmer_fairseq.corpus.description import FILE, Description, FeatureEntry, parse_description
from mmer_fairseq.corpus.faults import Fault, hint, some, stop
from mmer_fairseq.corpus.labels import LabelSpace
from mmer_fairseq.corpus.legacy import is_legacy, read_legacy
from mmer_fairseq.corpus.rows import LeftOut, RowReader
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.corpus.tsv import Table, parse_table
from mmer_fairseq.errors import InputError

SPLIT_ORDER = ("train", "valid", "test")


@dataclass(frozen=True)
class Corpus:
    """A data set: its clips by split, and what their labels mean.

    Attributes:
        description: name, licence, media root, label spaces and feature stores.
        directory: absolute path of the folder.
        label_space: the one that the labels of the clips belong to.
        ids: every id, also of clips left out → ``path:line``.
        others: clips in no split, because their label is left out (or, when checking, at fault).
        left_out: split → (id, label) of the clips whose label the label space leaves out on purpose.
        remarks: what a user should know and nothing is wrong with.
    """

    description: Description
    directory: Path
    label_space: LabelSpace
    left_out: Mapping[str, LeftOut]
    clips_of: Mapping[str, list[Clip]] = field(repr=False)
    ids: Mapping[str, str] = field(repr=False)
    others: tuple[Clip, ...] = field(default=(), repr=False)
    remarks: tuple[str, ...] = ()

    @classmethod
    def load(
        cls, directory: str | Path, labels: str | None = None, legacy_labels: LabelSpace | None = None
    ) -> Corpus:
        """Read a corpus in either layout. Every row, label and number is checked; no medium is opened.

        Args:
            directory: folder with ``corpus.yaml`` and ``<split>.tsv``, or in the SSE-FT layout.
            labels: name of the label space (default: the first one).
            legacy_labels: label space of an SSE-FT layout (default: inferred from its labels).

        Raises:
            InputError: the first fault. ``mmer check`` lists all of them.
        """
        corpus = read_corpus(directory, labels, legacy_labels, stop)
        assert corpus is not None
        return corpus

    @property
    def name(self) -> str:
        return self.description.name

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self.clips_of)

    @property
    def features(self) -> Mapping[str, FeatureEntry]:
        return self.description.features

    @property
    def text_form(self) -> str:
        """``words``, or ``ids`` where text files hold RoBERTa's BPE ids."""
        return self.description.text_form

    def clips(self, split: str) -> list[Clip]:
        """The clips of a split, in the order of its file.

        Raises:
            InputError: there is no such split.
        """
        if split not in self.clips_of:
            raise InputError.of(
                where=self.directory,
                expected=f"the split to be one of {', '.join(self.splits)}",
                found=f"'{split}'",
                remedy=hint(split, self.splits, f"name one of them, or add {split}.tsv"),
            )
        return self.clips_of[split]


def read_corpus(
    directory: str | Path, labels: str | None, legacy_labels: LabelSpace | None, fault: Fault
) -> Corpus | None:
    """Read a corpus and hand every fault to ``fault``; None when too little of it can be read."""
    folder = Path(directory).absolute()
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        what = {FileNotFoundError: "no such folder", NotADirectoryError: "a file"}
        found = what.get(type(error)) or error.strerror or type(error).__name__
        remedy = "correct the path" if type(error) in what else "make the folder readable"
        fault(_no_corpus(folder, found, remedy))
        return None
    if FILE not in names:
        if is_legacy(folder):
            return _legacy(folder, labels, legacy_labels, fault)
        found = some(names) or "an empty folder"
        fault(_no_corpus(folder, found, f"write {FILE} or name another folder"))
        return None
    text = read_utf8(folder / FILE, "a corpus description", fault)
    description = parse_description(text, folder / FILE, fault) if text is not None else None
    if description is None:
        return None
    texts = {path.stem: read_utf8(path, "a split file", fault) for path in split_files(folder)}
    if not texts:
        fault(
            InputError.of(
                where=folder,
                expected="one <split>.tsv at least",
                found="none",
                remedy="add train.tsv, valid.tsv or test.tsv",
            )
        )
    return build_corpus(folder, description, texts, labels, fault)


def split_files(folder: Path) -> list[Path]:
    """The split files of a folder: train, valid, test, then the others by name."""
    paths = [path for path in folder.glob("*.tsv") if not path.name.startswith(".")]
    rank = {name: index for index, name in enumerate(SPLIT_ORDER)}
    return sorted(paths, key=lambda path: (rank.get(path.stem, len(rank)), path.stem))


def build_corpus(
    folder: Path,
    description: Description,
    texts: Mapping[str, str | None],
    labels: str | None,
    fault: Fault,
) -> Corpus | None:
    """Build a corpus from the texts of its split files (None: unreadable, and reported already)."""
    space = _choose(description, labels, folder / FILE, fault)
    if space is None:
        return None
    reader = RowReader(description, space, fault)
    clips, left_out = {}, {}
    for split, text in texts.items():
        path = folder / f"{split}.tsv"
        table: Table | None = None
        if not split.replace("-", "").replace("_", "").replace(".", "").isalnum():
            fault(
                InputError.of(
                    where=path,
                    expected="a split name of letters, digits, '_', '-' and '.'",
                    found=f"'{split}'",
                    remedy="rename the file",
                )
            )
        elif text is not None:
            required = ("id", *space.columns)
            table = parse_table(text, path, fault, known=description.columns, required=required)
        if table is not None:
            clips[split], left_out[split] = reader.clips(table, split)
    return Corpus(description, folder, space, left_out, clips, reader.ids.seen, tuple(reader.others))


def _choose(description: Description, labels: str | None, path: Path, fault: Fault) -> LabelSpace | None:
    spaces = description.labels
    if labels is None:
        return next(iter(spaces.values()))
    if labels not in spaces:
        fault(
            InputError.of(
                where=path,
                expected=f"the label space to be one of {', '.join(spaces)}",
                found=f"'{labels}'",
                remedy=hint(labels, spaces, "name one of them"),
            )
        )
    return spaces.get(labels)


def _legacy(
    folder: Path, labels: str | None, legacy_labels: LabelSpace | None, fault: Fault
) -> Corpus | None:
    read = read_legacy(folder, legacy_labels, fault)
    if read is None:
        return None
    space = read.label_space
    description = Description(
        name=folder.name,
        media_root=folder,
        text_form="ids",
        labels={space.name: space},
        features=read.features,
    )
    corpus = Corpus(
        description, folder, space, read.left_out, read.clips, read.ids, tuple(read.others), read.remarks
    )
    return corpus if labels is None or _choose(description, labels, folder, fault) else None


def _no_corpus(folder: Path, found: str, remedy: str) -> InputError:
    expected = f"a corpus: a folder with {FILE} and <split>.tsv, or with <split>_a.tsv, <split>_t.tsv, "
    return InputError.of(
        where=folder,
        expected=expected + "<split>_v.tsv and label_file_<split>.csv",
        found=found,
        remedy=remedy,
    )
