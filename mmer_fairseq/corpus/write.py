"""Writing a corpus: whole or not at all, and only what loads again."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mmer_fairseq.corpus.clip import CLIP_COLUMNS
from mmer_fairseq.corpus.corpus import build_corpus, split_files
from mmer_fairseq.corpus.description import FILE, parse_description, parse_features
from mmer_fairseq.corpus.faults import some, stop
from mmer_fairseq.corpus.legacy import FEATURES_FILE, is_legacy
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.corpus.yamlfile import Lines, parse_yaml
from mmer_fairseq.errors import InputError

Rows = Mapping[str, Sequence[Mapping[str, str]]]


def write_corpus(directory: str | Path, *, description: Mapping[str, Any], rows: Rows) -> None:
    """Write ``corpus.yaml`` and the split files.

    Everything is read back in memory before the disk is touched, each file appears whole, and
    ``corpus.yaml`` last: an interrupted write leaves no folder that loads as something else. Files of the
    same names are replaced.

    Args:
        directory: the folder; it is made when it does not exist.
        description: what ``corpus.yaml`` is to say.
        rows: split → rows (column → cell; a column that a row lacks is an empty cell).

    Raises:
        InputError: a cell holds a tab or a line break, what would be written is no correct corpus, or the
        folder holds
            split files that ``rows`` does not replace.
    """
    folder = Path(directory).absolute()
    path = folder / FILE
    text = _dump(description)
    texts = {split: _table(split_rows, folder / f"{split}.tsv") for split, split_rows in rows.items()}
    parsed = parse_description(text, path, stop)
    assert parsed is not None
    for space in parsed.labels:
        build_corpus(folder, parsed, texts, space, stop)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    others = [found.name for found in split_files(folder) if found.stem not in texts]
    if others:
        raise InputError.of(
            where=folder,
            expected=f"no split files besides {', '.join(f'{split}.tsv' for split in texts)}",
            found=some(others),
            remedy="remove them or choose another folder",
        )
    with _alone(folder):
        path.unlink(missing_ok=True)
        for split, table in texts.items():
            replace_file(folder / f"{split}.tsv", table)
        replace_file(path, text)


def register_features(directory: str | Path, *, name: str, path: str | Path, modality: str) -> None:
    """Name a feature store in ``corpus.yaml`` (in ``features.yaml`` of an SSE-FT layout).

    What else the file says stays as it is, comments too. An entry of the same name is replaced.

    Args:
        directory: folder of the corpus.
        name: of the store.
        path: of the store; written relative to the corpus folder when it lies inside it.
        modality: what it was made from.

    Raises:
        InputError: the folder is no corpus, or the entry would not be correct.
    """
    folder = Path(directory).absolute()
    target = Path(path).absolute()
    shown = target.relative_to(folder) if folder in target.parents else target
    entry = {"path": str(shown), "modality": modality}
    legacy = not (folder / FILE).exists() and is_legacy(folder)
    file = folder / (FEATURES_FILE if legacy else FILE)
    with _alone(folder):
        old = "" if legacy and not file.exists() else read_utf8(file, "a corpus description", stop)
        keys = () if legacy else ("features",)
        replace_file(file, _with_entry(old or "", file, keys, name, entry))


def replace_file(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        try:
            with open(scratch, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(scratch, path)
        finally:
            scratch.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """A full disk or a missing permission is a fault that the user can mend.

    Raises:
        InputError: naming the path, in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise InputError.of(
            where=path,
            expected="room on the disk and permission to write",
            found=error.strerror or type(error).__name__,
            remedy="mend it and run the same command again",
        ) from error


def _table(rows: Sequence[Mapping[str, str]], path: Path) -> str:
    used = list(dict.fromkeys(column for row in rows for column in row))
    columns = [column for column in CLIP_COLUMNS if column in used]
    columns += [column for column in used if column not in CLIP_COLUMNS]
    lines = ["\t".join(columns)]
    for number, row in enumerate(rows, start=2):
        cells = [str(row.get(column, "")) for column in columns]
        for column, cell in zip(columns, cells):
            if any(character in cell for character in "\t\n\r\x00"):
                raise InputError.of(
                    where=f"{path}:{number}",
                    expected=f"{column} without tabs, line breaks and NUL",
                    found=repr(cell),
                    remedy="replace them by blanks",
                )
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One writer at a time; the lock goes with the process that holds it, however that ends."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise InputError.of(
            where=folder, expected="a folder", found=error.strerror, remedy="correct the path"
        ) from error
    try:
        with contextlib.suppress(OSError):  # some network disks know no locks: better without than not at all
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _with_entry(text: str, path: Path, keys: tuple[str, ...], name: str, entry: dict[str, str]) -> str:
    """The YAML text with one more feature store; around ``features`` it stays as the user wrote it."""
    value = {}
    if text.strip():
        parsed, lines = parse_yaml(text, path, stop)
        value = parsed or {}
    else:
        lines = Lines(path)
    stores = {**(value.get("features") or {} if keys else value), name: entry}
    parse_features(stores, path.parent, lines, stop, keys)
    value = {**value, "features": stores} if keys else stores
    if keys:
        block = _dump({"features": stores})
        edited = _without(text, "features") + block
        with contextlib.suppress(yaml.YAMLError):  # '...' at the end, or a file that is one pair of braces
            if yaml.safe_load(edited) == value:
                return edited
    return _dump(value)


def _dump(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, width=110)


def _without(text: str, key: str) -> str:
    """A YAML text without one of its top-level keys; comments after its value stay."""
    lines = text.rstrip("\n").split("\n")
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    for found, value in node.value if node else ():
        if found.value == key:
            first = found.start_mark.line
            end = value.end_mark.line + (value.end_mark.column > 0)
            while end > first + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
                end -= 1
            lines[first:end] = []
    return "\n".join(lines) + "\n"
