"""Arrays in memory → a corpus with feature stores."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np

from mmer_fairseq.corpus.clip import MODALITIES, STORE_PREFIX
from mmer_fairseq.corpus.faults import hint
from mmer_fairseq.corpus.importers._arrays.labels import Labels
from mmer_fairseq.corpus.write import write_corpus
from mmer_fairseq.errors import InputError

Arrays = Union[np.ndarray, Sequence[Any]]


def import_arrays(
    directory: str | Path,
    *,
    ids: Sequence[str],
    labels: Labels | Sequence[Labels],
    splits: Sequence[str],
    features: Mapping[str, tuple[str, Arrays]],
    lengths: Mapping[str, Sequence[int]] | None = None,
    rates: Mapping[str, float] | None = None,
    texts: Sequence[str] | None = None,
    speakers: Sequence[Any] | None = None,
    dialogues: Sequence[Any] | None = None,
    turns: Sequence[Any] | None = None,
    dtype: str = "float32",
    name: str = "",
    licence: str = "",
    link: str = "",
) -> Path:
    """Write a corpus from arrays that someone already has.

    Args:
        directory: a folder that does not exist or is empty. It appears complete or not at all.
        ids: one of each of the N clips.
        labels: the label spaces; the first is the default.
        splits: ``train``, ``valid``, ``test`` or another name for each clip (see ``corpus.splitting``).
        features: name of the store → (modality, array [N, D], array [N, T, D], or one array [T_i, D] a
            clip). None or an array of no steps: the clip has no such modality.
        lengths: store → valid steps of each clip of an array [N, T, D] (0: no such modality).
        rates: store → vectors a second in Hz (default 0: no clock).
        texts: transcripts ('': none).
        speakers: of each clip ('': unknown).
        dialogues: of each clip.
        turns: position of each clip in its dialogue.
        dtype: ``float32`` or ``float16``, of the stored features.
        name: of the corpus (default: of the folder).
        licence: of the data.
        link: where the data come from.

    Returns:
        The folder.

    Raises:
        InputError: lengths or ids do not fit together, a value is not finite, a label is wrong, or the
        folder is
            not empty.
    """
    spaces = [labels] if isinstance(labels, Labels) else list(labels)
    target = Path(directory).absolute()
    _vacant(target)
    _same_length(
        len(ids),
        {
            "splits": splits,
            **{f"labels '{space.name}'": space.values for space in spaces},
            **{f"features '{store}'": array for store, (_, array) in features.items()},
            **{f"lengths '{store}'": array for store, array in (lengths or {}).items()},
            **{"texts": texts, "speakers": speakers, "dialogues": dialogues, "turns": turns},
        },
    )
    ids = [str(clip).strip() for clip in ids]
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    scratch.mkdir(parents=True)
    try:
        cells: list[dict[str, str]] = [{"id": clip} for clip in ids]
        for store, (modality, arrays) in features.items():
            rate = (rates or {}).get(store, 0.0)
            vectors = _vectors(store, ids, arrays, (lengths or {}).get(store))
            _write_store(scratch, store, modality, vectors, rate, dtype)
            for row, (_, array) in zip(cells, vectors):
                if len(array):
                    before = row.get(modality)
                    row[modality] = f"{before},{store}" if before else STORE_PREFIX + store
        for column, values in (
            ("text", texts),
            ("speaker", speakers),
            ("dialogue", dialogues),
            ("turn", turns),
        ):
            for row, value in zip(cells, values if values is not None else ()):
                text = " ".join(str(value).split())
                row[column] = text or row.get(column, "")
        for space in spaces:
            for row, labelled in zip(cells, space.cells(scratch, ids)):
                row.update(labelled)
        rows: dict[str, list[dict[str, str]]] = {}
        for split, row in zip(splits, cells):
            rows.setdefault(str(split), []).append(row)
        write_corpus(
            scratch, description=_description(target, spaces, features, name, licence, link), rows=rows
        )
        _vacant(target)
        if target.exists():
            target.rmdir()
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _description(
    target: Path,
    spaces: Iterable[Labels],
    features: Mapping[str, tuple[str, Arrays]],
    name: str,
    licence: str,
    link: str,
) -> dict[str, Any]:
    description: dict[str, Any] = {"name": name or target.name}
    description.update({key: text for key, text in (("licence", licence), ("link", link)) if text})
    description["labels"] = {space.name: space.describe() for space in spaces}
    description["features"] = {
        store: {"path": f"features/{store}", "modality": modality}
        for store, (modality, _) in features.items()
    }
    return description


def _vacant(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError.of(
            where=target,
            expected="a folder that does not exist or is empty",
            found="one with files in it" if target.is_dir() else "a file",
            remedy="choose another folder or remove it",
        )


def _same_length(clips: int, given: Mapping[str, Any]) -> None:
    for what, values in given.items():
        if values is not None and len(values) != clips:
            raise InputError.of(
                where=what,
                expected=f"one entry for each of the {clips} ids",
                found=len(values),
                remedy="give all arrays the same clips in the same order",
            )


def _vectors(
    store: str, ids: Sequence[str], arrays: Arrays, lengths: Sequence[int] | None
) -> list[tuple[str, np.ndarray]]:
    """Id and vectors [T, D] of every clip; T is 0 where the clip has none."""
    found: list[tuple[str, np.ndarray]] = []
    width = None
    for index, (clip, entry) in enumerate(zip(ids, arrays)):
        where = f"features '{store}' of {clip}"
        array = np.zeros((0, 0), np.float32) if entry is None else np.asarray(entry)
        if array.dtype.kind not in "fiu":
            raise InputError.of(
                where=where, expected="numbers", found=array.dtype, remedy="convert the array to floats"
            )
        array = array[None] if array.ndim == 1 and array.size else array
        if lengths is not None:
            steps = int(lengths[index])
            if not 0 <= steps <= len(array):
                raise InputError.of(
                    where=where,
                    expected=f"a length from 0 to {len(array)}",
                    found=steps,
                    remedy="correct the lengths",
                )
            array = array[:steps]
        if array.size and width is None and array.ndim == 2:
            width = array.shape[1]
        if array.size and (array.ndim != 2 or array.shape[1] != width):
            raise InputError.of(
                where=where,
                expected=f"vectors of the same width as before ({width})" if width else "an array [T, D]",
                found=f"shape {list(array.shape)}",
                remedy="give every clip an array [T, D]",
            )
        if not np.isfinite(array).all():
            bad = int((~np.isfinite(array)).sum())
            raise InputError.of(
                where=where,
                expected="finite numbers",
                found=f"NaN or infinity ({bad} of {array.size} values)",
                remedy="repair them, or give the clip a length of 0 if it has no such modality",
            )
        found.append((clip, array if array.size else array[:0]))
    if width is None:
        raise InputError.of(
            where=f"features '{store}'",
            expected="vectors of one clip at least",
            found="none",
            remedy="leave it out",
        )
    return found


def _write_store(
    folder: Path,
    store: str,
    modality: str,
    vectors: Sequence[tuple[str, np.ndarray]],
    rate: float,
    dtype: str,
) -> None:
    from mmer_fairseq.features.store import write_store

    if modality not in MODALITIES:
        raise InputError.of(
            where=f"features '{store}'",
            expected=f"the modality to be one of {', '.join(MODALITIES)}",
            found=f"'{modality}'",
            remedy=hint(modality, MODALITIES, "write one of them"),
        )

    def items() -> Iterator[tuple[str, np.ndarray]]:
        for clip, array in vectors:
            if len(array):
                yield clip, array.astype(dtype)

    write_store(
        folder / "features" / store,
        items(),
        modality=modality,
        rate=rate,
        encoder="import",
        fingerprint="",
        dtype=dtype,
    )
