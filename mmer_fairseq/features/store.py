"""Stored features: vectors of any clip by its id, without reading more than that clip."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.features.index import Made, read_header, read_index
from mmer_fairseq.features.weights import absolute
from mmer_fairseq.features.write import write_store

__all__ = ["FeatureStore", "write_store"]

#: Vectors that are read at once to check them.
_BLOCK = 4096


class FeatureStore:
    """A complete store, opened by :meth:`open`.

    Files are mapped into memory when a clip of them is first asked for, in each process by itself, so one
    store can be handed to data-loading workers, forked or spawned.

    Attributes:
        path: its folder.
        name: the folder's name.
        modality: what the vectors are of.
        dim: D, their width.
        rate: vectors a second, in Hz (0: no clock).
        meta: everything that the store says about itself, with ``encoder``, ``fingerprint``, ``dtype``,
            ``options`` (how the media were read), ``skipped`` (clip id → why it was left out) and ``weights``
            (``NAME:PATH`` of the encoder, the path absolute; '' where that is not known).
    """

    def __init__(
        self,
        path: Path,
        made: Made,
        where: dict[str, tuple[str, int, int]],
        skipped: dict[str, str],
        weights: str = "",
    ) -> None:
        self.path = path
        self.name = path.name
        self.modality, self.dim, self.rate = made.modality, made.dim, float(made.rate)
        self.meta: dict[str, Any] = {**asdict(made), "skipped": skipped, "weights": absolute(weights, path)}
        self._where = where  # clip id → (shard, steps, CRC-32)
        self._close()

    @classmethod
    def open(cls, path: str | Path) -> FeatureStore:
        """Open a store and check that all of its files are there, whole, and belong together.

        Raises:
            InputError: naming the file that is missing, unfinished, truncated, damaged or foreign.
        """
        folder = Path(os.path.abspath(path))
        made, shards, skipped, weights = read_index(folder)
        where: dict[str, tuple[str, int, int]] = {}
        for shard in shards:
            found, _ = read_header(folder / shard.file, made)
            if found != shard:
                raise InputError.of(
                    where=folder / shard.file,
                    expected="the shard that the store's index describes",
                    found="one with other clips",
                    remedy="restore the file, or make the store again",
                )
            where.update((clip_id, (shard.file, *about)) for clip_id, about in shard.clips.items())
        return cls(folder, made, where, skipped, weights)

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._where

    def __len__(self) -> int:
        return len(self._where)

    def ids(self) -> Iterator[str]:
        """Ids of all clips, shard by shard."""
        return iter(self._where)

    def length(self, clip_id: str) -> int:
        """T, the number of vectors of a clip."""
        return self._find(clip_id)[1]

    def get(self, clip_id: str) -> Tensor:
        """The vectors of one clip, FloatTensor [T, D].

        Raises:
            InputError: the store has no such clip, its bytes are not those that were written, or they hold NaN.
        """
        return self.rows(clip_id, 0, self.length(clip_id))

    def rows(self, clip_id: str, start: int, stop: int) -> Tensor:
        """Some vectors of one clip, FloatTensor [stop - start, D], without reading the others.

        The first time in a process that a clip is asked for, all of it is checked, block by block.

        Raises:
            InputError: as :meth:`get`.
        """
        file, steps, crc = self._find(clip_id)
        if self._process != os.getpid():
            self._close()
        try:
            if file not in self._open:
                self._open[file] = safe_open(str(self.path / file), framework="numpy")
            stored = self._open[file].get_slice(clip_id)
            if tuple(stored.get_shape()) != (steps, self.dim):
                raise self._damaged(file, clip_id, f"shape {list(stored.get_shape())}")
            if clip_id not in self._checked:  # once a process: checking costs as much as reading
                self._check(file, clip_id, stored, steps, crc)
            array: np.ndarray = stored[start:stop]
        except (SafetensorError, OSError) as error:
            raise self._damaged(file, clip_id, str(error)) from error
        return torch.from_numpy(array).float()

    def _check(self, file: str, clip_id: str, stored: Any, steps: int, crc: int) -> None:
        found, finite = 0, True
        for at in range(0, steps, _BLOCK):
            block: np.ndarray = stored[at : min(at + _BLOCK, steps)]
            found = zlib.crc32(block.tobytes(), found)
            finite = finite and bool(np.isfinite(block).all())
        if found != crc:
            raise self._damaged(file, clip_id, "other bytes than were written")
        if not finite:
            raise self._damaged(file, clip_id, "NaN or infinity among them")
        self._checked.add(clip_id)

    def _find(self, clip_id: str) -> tuple[str, int, int]:
        if clip_id not in self._where:
            why = self.meta["skipped"].get(clip_id)
            raise InputError.of(
                where=self.path,
                expected=f"{self.modality} features of clip '{clip_id}'",
                found=f"none, it was left out: {why}" if why else f"none among its {len(self)} clips",
                remedy="run mmer extract for this corpus, or leave the clip's cell empty",
            )
        return self._where[clip_id]

    def _damaged(self, file: str, clip_id: str, found: str) -> InputError:
        return InputError.of(
            where=self.path / file,
            expected=f"the vectors of clip '{clip_id}' as they were stored",
            found=found,
            remedy="restore the file, or make the store again",
        )

    def _close(self) -> None:
        self._process = os.getpid()
        self._open: dict[str, Any] = {}
        self._checked: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}, "_process": -1}
