"""Features that someone has as arrays → vectors of each clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

import numpy as np

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


def standardised(
    vectors: Sequence[tuple[str, np.ndarray]], groups: Sequence[Any]
) -> list[tuple[str, np.ndarray]]:
    """Bring each feature to zero mean and unit variance within each group (a speaker, say).

    No label is looked at. What differs between people (pitch, the shape of a face) goes, what moves stays.

    Args:
        vectors: (id, [T_i, D]) of N clips, as :func:`clip_vectors` gives them.
        groups: of each clip. A feature that is constant in its group becomes 0.

    Returns:
        The same clips, in double precision.
    """
    of_group: dict[str, list[np.ndarray]] = {}
    for (_, array), group in zip(vectors, groups):
        if len(array):
            of_group.setdefault(str(group), []).append(array)
    norms = {}
    for group, arrays in of_group.items():
        steps = np.concatenate(arrays).astype(np.float64)
        mean, deviation = steps.mean(0), steps.std(0)
        norms[group] = mean, np.where(deviation > 1e-6 * np.abs(mean), deviation, np.inf)
    return [
        (clip, (array - norms[str(group)][0]) / norms[str(group)][1] if len(array) else array)
        for (clip, array), group in zip(vectors, groups)
    ]
