"""Statistics of a store agree with NumPy's over the same vectors."""

from __future__ import annotations

import numpy as np
import pytest

from mmer_fairseq.features.statistics import mean_and_deviation
from mmer_fairseq.features.store import FeatureStore, write_store


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    scale, offset = np.array([1e-3, 1.0, 1e3]), np.array([0.0, 1e4, -5.0])
    return {
        f"c{k}": (random.normal(size=(1 + k % 5, 3)) * scale + offset).astype("float32") for k in range(60)
    }


@pytest.fixture
def store(tmp_path, arrays) -> FeatureStore:
    return FeatureStore.open(write_store(tmp_path / "s", arrays.items(), modality="audio"))


def test_every_step_of_every_clip_counts_once(store, arrays):
    mean, deviation = mean_and_deviation(store, list(arrays)[:40])
    together = np.concatenate(list(arrays.values())[:40]).astype("float64")
    np.testing.assert_allclose(mean, together.mean(0), rtol=1e-9)
    np.testing.assert_allclose(deviation, together.std(0), rtol=1e-6)


def test_of_many_clips_some_at_even_distances(store, arrays):
    mean, _ = mean_and_deviation(store, list(arrays), clips=6)
    some = np.concatenate([arrays[f"c{k}"] for k in range(0, 60, 10)]).astype("float64")
    np.testing.assert_allclose(mean, some.mean(0), rtol=1e-9)


def test_clips_that_the_store_lacks_count_for_nothing(store, arrays):
    assert mean_and_deviation(store, ["x", "c3", "y"]) == mean_and_deviation(store, ["c3"])
    assert mean_and_deviation(store, ["x"]) == ((), ())


def test_constant_feature(tmp_path):
    items = [(f"c{k}", np.full((2, 1), 1e5 + 0.1, dtype="float32")) for k in range(5)]
    store = FeatureStore.open(write_store(tmp_path / "s", items, modality="audio"))
    mean, deviation = mean_and_deviation(store, [clip for clip, _ in items])
    assert deviation == (0.0,)
    assert mean == (float(np.float32(1e5 + 0.1)),)
