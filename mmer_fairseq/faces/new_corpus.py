"""A corpus → the same one with folders of faces in place of its videos."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmer_fairseq.corpus import MODALITIES, Clip, Corpus
from mmer_fairseq.corpus.corpus import split_files
from mmer_fairseq.corpus.description import FILE, Description
from mmer_fairseq.corpus.faults import stop
from mmer_fairseq.corpus.streams import RawOptions
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.corpus.tsv import parse_table
from mmer_fairseq.corpus.write import write_corpus, writing
from mmer_fairseq.corpus.yamlfile import parse_yaml
from mmer_fairseq.errors import InputError

#: Column that nothing else reads: the half of the picture that shows the clip's speaker, and what it may say.
SIDE, SIDES = "side", ("", "left", "right")
# Trained on the texts of a corpus, and looked for in its folder.
_BESIDE = ("tokenizer.model",)


@dataclass(frozen=True)
class Source:
    """The corpus whose faces are wanted.

    Attributes:
        corpus: read with its first label space.
        splits: which of its splits.
        spaces: label space that is wanted → corpus read with it.
    """

    corpus: Corpus
    splits: tuple[str, ...]
    spaces: Mapping[str, Corpus]

    @classmethod
    def load(
        cls, directory: str | Path, splits: Sequence[str] | None = None, labels: Sequence[str] | None = None
    ) -> Source:
        """Read it.

        Args:
            directory: the corpus.
            splits: wanted (default: all).
            labels: label spaces that are wanted (default: all).

        Raises:
            InputError: no corpus, one in the older layout, or an unknown split or label space.
        """
        corpus = Corpus.load(directory)
        if not (corpus.directory / FILE).exists():
            raise InputError.of(
                where=corpus.directory,
                expected=f"a corpus with {FILE}",
                found="one in the layout of SSE-FT",
                remedy=f"write {FILE} and <split>.tsv for it",
            )
        for split in splits or ():
            corpus.clips(split)  # an unknown split is an error
        wanted = labels or list(corpus.description.labels)
        spaces = {name: Corpus.load(directory, labels=name) for name in wanted}
        return cls(corpus, tuple(splits or corpus.splits), spaces)

    def each(self) -> Iterator[Clip]:
        """Every clip of the splits; where several label spaces know it, as each of them reads it."""
        for corpus in self.spaces.values():
            for split in self.splits:
                yield from corpus.clips(split)
            yield from (clip for clip in corpus.others if clip.split in self.splits)

    def picture_rate(self, clip: Clip) -> float:
        """Frames a second, in Hz, that the numbers of the clip's pictures count, if its video is a folder of them."""
        traces = (space for space in self.corpus.description.labels.values() if space.kind == "trace")
        return clip.rate or next((space.rate for space in traces), RawOptions.picture_rate)

    def sides(self) -> dict[str, str]:
        """Clip id → half of the picture that shows its speaker, where the column 'side' says so.

        Raises:
            InputError: it says something else than left or right.
        """
        found: dict[str, str] = {}
        if SIDE not in self.corpus.description.other_columns:
            return found
        for split in self.splits:
            path = self.corpus.directory / f"{split}.tsv"
            table = parse_table(
                read_utf8(path, "a split file", stop) or "", path, stop, known=self.corpus.description.columns
            )
            for line, cells in table.rows if table is not None else ():
                side = cells.get(SIDE, "")
                if side not in SIDES:
                    raise InputError.of(
                        where=f"{path}:{line}",
                        expected=f"left or right in column '{SIDE}', the half that shows the speaker, or nothing",
                        found=repr(side),
                        remedy="correct it, or give the column another name",
                    )
                found[cells["id"]] = side
        return found

    @property
    def unwanted_columns(self) -> set[str]:
        """Columns that only unwanted label spaces read."""
        every = {column for space in self.corpus.description.labels.values() for column in space.columns}
        return every - {column for corpus in self.spaces.values() for column in corpus.label_space.columns}

    @property
    def with_video(self) -> list[Clip]:
        """The clips with a video as a medium, each once."""
        found: dict[str, Clip] = {}
        for clip in self.each():
            if clip.has("video") and not clip.stores("video"):
                found.setdefault(clip.id, clip)
        return list(found.values())

    def trace_rate(self, clip: Clip) -> float:
        """Steps a second of its traces in Hz; 0.0 where the corpus has none.

        Raises:
            InputError: several label spaces with other rates.
        """
        spaces = [corpus.label_space for corpus in self.spaces.values()]
        rates = sorted({space.rate_of(clip) for space in spaces if space.kind == "trace"})
        if len(rates) > 1:
            raise InputError.of(
                where=clip.where,
                expected="traces of one rate, which the column 'rate' gives to the pictures too",
                found=" and ".join(f"{rate:g} Hz" for rate in rates),
                remedy="name the label space of one of them with --labels",
            )
        return rates[0] if rates else 0.0


def check_out(out: str | Path, source: Source, folder: str, plan: str) -> Path:
    """The absolute path of the new corpus, which must be no other one.

    Raises:
        InputError: it is the old corpus, or a corpus that ``mmer faces`` did not make.
    """
    target = Path(os.path.abspath(out))
    found = ""
    if os.path.realpath(target) == os.path.realpath(source.corpus.directory):
        found = "the corpus itself"
    elif target.exists() and not target.is_dir():
        found = "a file"
    elif ((target / FILE).exists() or split_files(target)) and not (target / folder / plan).exists():
        found = "another corpus"
    if found:
        raise InputError.of(
            where=f"--out {out}",
            expected="a folder for a new corpus, or one that mmer faces began",
            found=found,
            remedy="name another folder",
        )
    return target


def write_face_corpus(source: Source, out: Path, crops: Mapping[str, tuple[Path, float]]) -> None:
    """Write ``corpus.yaml`` and the split files.

    Args:
        source: whose labels, texts, sounds, signals and feature stores are referred to where they lie.
        out: folder of the new corpus.
        crops: clip id → folder of its faces, and their rate in Hz. Other clips have no picture.

    Raises:
        InputError: a transcript would get a blank in its path; the new corpus would not be correct.
    """
    description = source.corpus.description
    root = Path(os.path.commonpath([description.media_root, out]))
    known = {clip.id: clip for clip in source.each()}
    traces, unwanted = _traces(source), source.unwanted_columns
    rows: dict[str, list[dict[str, str]]] = {}
    for split in source.splits:
        path = source.corpus.directory / f"{split}.tsv"
        text = read_utf8(path, "a split file", stop)
        table = parse_table(text or "", path, stop, known=description.columns)
        assert table is not None
        rows[split] = []
        for _, cells in table.rows:
            row = {column: cell for column, cell in cells.items() if column not in unwanted}
            clip = known[row["id"]]
            row.update(_media(clip, root))
            for column, trace in traces.get(clip.id, {}).items():
                row[column] = _inside(trace, root)
            if clip.id in crops:
                folder, rate = crops[clip.id]
                row.update(video=_inside(str(folder), root), rate=f"{rate:.9g}")
            rows[split].append(row)
    write_corpus(out, description=_described(description, source, out, root), rows=rows)
    for name in _BESIDE:
        beside = source.corpus.directory / name
        if beside.is_file():
            with writing(out / name):
                shutil.copyfile(beside, out / name)


def _media(clip: Clip, root: Path) -> dict[str, str]:
    """Cells of its media; a video, whose faces may come later, is left empty."""
    cells = {}
    for modality in MODALITIES:
        if modality not in clip.media or clip.stores(modality):
            continue
        cell = clip.media[modality]
        if modality == "video":
            cells[modality] = ""
        elif modality != "text":
            cells[modality] = _inside(cell, root)
        elif clip.text_is_path:
            cells[modality] = _inside(cell, root)
            if " " in cells[modality]:  # it would be read as words
                raise InputError.of(
                    where=clip.where,
                    expected=f"transcripts whose path from {root} holds no blank",
                    found=f"'{cells[modality]}'",
                    remedy="rename the folder, or name an --out next to it",
                )
    return cells


def _traces(source: Source) -> dict[str, dict[str, str]]:
    """Clip id → column → absolute path of the trace."""
    found: dict[str, dict[str, str]] = {}
    for corpus in source.spaces.values():
        if corpus.label_space.kind == "trace":
            for split in source.splits:
                for clip in corpus.clips(split):
                    found.setdefault(clip.id, {})[corpus.label_space.columns[0]] = str(clip.label)
    return found


def _inside(path: str, root: Path) -> str:
    return os.path.relpath(path, root)


def _described(description: Description, source: Source, out: Path, root: Path) -> dict[str, Any]:
    path = source.corpus.directory / FILE
    value, _ = parse_yaml(read_utf8(path, "a corpus description", stop) or "", path, stop)
    assert value is not None
    value = {**value, "media_root": "/" if str(root) == "/" else os.path.relpath(root, out)}
    value["labels"] = {name: value["labels"][name] for name in source.spaces}
    value["pictures"] = {"clock": "clip"}
    if description.features:
        value["features"] = {
            name: {"path": os.path.relpath(entry.path, out), "modality": entry.modality}
            for name, entry in description.features.items()
        }
    return value
