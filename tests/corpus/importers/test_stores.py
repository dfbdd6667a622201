"""Importers write feature stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq.corpus.importers._stores import save_vectors
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.store import FeatureStore


def test_save(tmp_path: Path) -> None:
    vectors = [("a", np.zeros((0, 0))), ("b", np.array([[1.5, 2.0]]))]
    save_vectors(tmp_path, "f", "audio", vectors, 10.0, "float16")
    store = FeatureStore.open(tmp_path / "features/f")
    assert list(store.ids()) == ["b"]
    assert (store.modality, store.rate, store.dim) == ("audio", 10.0, 2)
    assert store.get("b").tolist() == [[1.5, 2.0]]


def test_an_unknown_modality(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        save_vectors(tmp_path, "f", "vidio", [("a", np.zeros((1, 2)))], 0.0, "float32")
    assert str(caught.value) == (
        "features 'f': expected the modality to be one of text, audio, video, physio; found 'vidio'. Write "
        "'video'."
    )
