"""Importers write feature stores here alone: that room comes after ``corpus``, so it is imported late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mmer_fairseq.corpus.clip import MODALITIES
from mmer_fairseq.corpus.faults import hint
from mmer_fairseq.errors import InputError


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
                yield clip, array

    write_store(
        folder / "features" / store,
        items(),
        modality=modality,
        rate=rate,
        encoder="import",
        fingerprint="",
        dtype=dtype,
    )
