"""Features that someone has as arrays → vectors of each clip → a feature store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np

from mmer_fairseq.corpus.clip import MODALITIES
from mmer_fairseq.corpus.faults import hint
from mmer_fairseq.errors import InputError

Arrays = Union[np.ndarray, Sequence[Any]]


def clip_vectors(
    store: str, ids: Sequence[str], arrays: Arrays, lengths: Sequence[int] | None
) -> list[tuple[str, np.ndarray]]:
    """The vectors of every clip.

    Args:
        store: its name, for messages.
        ids: of the N clips.
        arrays: [N, D], [N, T, D], or an array [T_i, D] or None for each clip.
        lengths: valid steps of each clip (None: all of them).

    Returns:
        (id, [T_i, D]) of every clip; T_i is 0 where the clip has no such modality.

    Raises:
        InputError: not numbers, not finite, not all of one width, or a length that does not fit.
    """
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


def save_vectors(
    folder: Path,
    store: str,
    modality: str,
    vectors: Sequence[tuple[str, np.ndarray]],
    rate: float,
    dtype: str,
) -> None:
    """Write the feature store ``folder``/features/``store``; clips without vectors are not in it."""
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
