"""Writing a feature store: shard by shard, each there whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import socket
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Union

import numpy as np
from safetensors.numpy import save
from torch import Tensor

from mmer_fairseq.corpus.write import writing
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.index import DTYPES, Made, shard_name, write_index

Array = Union[np.ndarray, Tensor]

#: Clips in a shard: what a killed extraction can lose at most.
SHARD_CLIPS = 32


def as_stored(clip_id: str, array: Array, made: Made, where: str) -> np.ndarray:
    """Check one clip's vectors and bring them to the type of the store.

    Args:
        clip_id: the clip, for messages.
        array: [T, D], T ≥ 1, finite.
        made: what the store holds.
        where: the store or the corpus row, for messages.

    Raises:
        InputError: another shape, no steps, NaN or infinity, or too large for half precision.
    """
    if isinstance(array, Tensor):
        array = array.detach().cpu().float().numpy()
    values = np.ascontiguousarray(array)
    expected = f"vectors [T, {made.dim}] of clip '{clip_id}', T at least 1"
    if values.ndim != 2 or values.shape[1] != made.dim or len(values) == 0:
        found = f"an array of shape {list(values.shape)}"
        remedy = "give every clip at least one vector, and all of one width"
        raise InputError.of(where=where, expected=expected, found=found, remedy=remedy)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            stored = values.astype(made.dtype)
    except (TypeError, ValueError) as error:
        raise InputError.of(
            where=where, expected=expected, found=f"values of type {values.dtype}", remedy="give numbers"
        ) from error
    if not np.isfinite(stored).all():
        step = int(np.argmax(~np.isfinite(stored).all(axis=1)))
        value = values[step][~np.isfinite(stored[step])][0]
        remedy = "store single precision" if np.isfinite(value) else "repair or leave out the clip"
        raise InputError.of(
            where=where,
            expected=f"finite {made.dtype} values for clip '{clip_id}'",
            found=f"{value} at step {step}",
            remedy=remedy,
        )
    return stored


def save_shard(
    folder: Path, number: int, clips: Mapping[str, np.ndarray], made: Made, skipped: Mapping[str, str]
) -> None:
    """Write shard ``number``; until the last byte is on the disk it has another name.

    Args:
        folder: of the store.
        number: from 0.
        clips: id → array in the store's type, see :func:`as_stored`.
        made: what the store holds.
        skipped: id → reason, for the clips of this shard that were left out.
    """
    crcs = {clip_id: zlib.crc32(array.tobytes()) for clip_id, array in clips.items()}
    ours: dict[str, Any] = {"made": asdict(made), "crc32": crcs, "skipped": dict(skipped)}
    # one key only: safetensors writes several in no fixed order, and equal stores shall be equal files
    content = save(dict(clips), metadata={"mmer": json.dumps(ours, sort_keys=True)})
    # processes of several machines may have one number
    partial = folder / f".{shard_name(number)}.{socket.gethostname()}.{os.getpid()}"
    with writing(folder / shard_name(number)), open(partial, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, folder / shard_name(number))


def write_store(
    path: str | Path,
    items: Iterable[tuple[str, Array]],
    *,
    modality: str,
    rate: float = 0.0,
    encoder: str = "",
    fingerprint: str = "",
    dtype: str = "float32",
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a whole store from arrays; the folder appears when it is complete.

    Args:
        path: folder of the store.
        items: (clip id, array [T, D]), read one by one.
        modality: what the vectors are of.
        rate: vectors a second, in Hz (0: no clock).
        encoder: what made the vectors.
        fingerprint: sha256 of its checkpoint.
        dtype: ``float32`` or ``float16``.
        options: anything else worth remembering, as JSON.
        overwrite: replace what is there.

    Returns:
        The folder.

    Raises:
        InputError: something is there already, no items, an id twice, or an array that cannot be stored.
    """
    folder = Path(path).absolute()
    check_dtype(dtype)
    if folder.exists() and not overwrite:
        raise InputError.of(
            where=folder,
            expected="nothing there yet",
            found="a store or another folder",
            remedy="choose another name",
        )
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}")
    with writing(folder):
        scratch.mkdir(parents=True)
    try:
        about = (modality, float(rate), encoder, fingerprint, dtype, dict(options or {}))
        _fill(scratch, items, folder, about)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _fill(scratch: Path, items: Iterable[tuple[str, Array]], folder: Path, about: tuple[Any, ...]) -> None:
    modality, rate, encoder, fingerprint, dtype, options = about
    made: Made | None = None
    shard: dict[str, np.ndarray] = {}
    seen: set[str] = set()
    count = 0
    for clip_id, array in items:
        check_id(clip_id, seen, str(folder))
        if made is None:
            dim = int(array.shape[-1]) if array.ndim else 0
            made = Made(modality, dim, rate, encoder, fingerprint, dtype, options)
        shard[clip_id] = as_stored(clip_id, array, made, str(folder))
        if len(shard) == SHARD_CLIPS:
            save_shard(scratch, count, shard, made, {})
            shard, count = {}, count + 1
    if made is None:
        raise InputError.of(
            where=folder, expected="one clip at least", found="none", remedy="give the vectors of some clips"
        )
    if shard:
        save_shard(scratch, count, shard, made, {})
        count += 1
    write_index(scratch, made, count)


def check_id(clip_id: str, seen: set[str], where: str) -> None:
    """Refuse an id that is there already or that safetensors keeps for itself; remember it in ``seen``."""
    if clip_id in seen or clip_id in ("", "__metadata__"):
        raise InputError.of(
            where=where,
            expected="ids that are unique, not empty and not '__metadata__'",
            found=f"'{clip_id}'" + (" twice" if clip_id in seen else ""),
            remedy="rename the clip",
        )
    seen.add(clip_id)


def check_dtype(dtype: str) -> None:
    """Refuse what a store cannot hold."""
    if dtype not in DTYPES:
        raise InputError.of(
            where="--dtype", expected=" or ".join(DTYPES), found=repr(dtype), remedy="write one of them"
        )
