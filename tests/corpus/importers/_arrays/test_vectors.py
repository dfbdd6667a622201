"""Features someone has as arrays."""

from __future__ import annotations

import numpy as np
import pytest

from mmer_fairseq.corpus.importers._arrays.vectors import clip_vectors, standardised
from mmer_fairseq.errors import InputError

IDS = ["a", "b"]


def shapes(arrays, lengths=None) -> list[tuple[int, ...]]:
    return [array.shape for _, array in clip_vectors("f", IDS, arrays, lengths)]


def test_forms() -> None:
    assert shapes(np.zeros((2, 3))) == [(1, 3), (1, 3)]
    assert shapes(np.zeros((2, 5, 3)), [2, 5]) == [(2, 3), (5, 3)]
    assert shapes([np.zeros((4, 3)), np.zeros((1, 3))]) == [(4, 3), (1, 3)]


def test_missing() -> None:
    assert [len(array) for _, array in clip_vectors("f", IDS, [None, np.zeros((1, 3))], None)] == [0, 1]
    assert shapes(np.zeros((2, 5, 3)), [0, 5])[0][0] == 0
    assert [len(array) for _, array in clip_vectors("f", IDS, np.zeros((2, 3)), [0, 1])] == [0, 1]


CASES = [
    (
        [np.array([[0.0, np.nan]]), np.zeros((1, 2))],
        None,
        "of a: expected finite numbers; found NaN or infinity (1 of 2 values). Repair them, or give the "
        "clip a length of "
        "0 if it has no such modality.",
    ),
    (
        [np.zeros((1, 2)), np.zeros((1, 3))],
        None,
        "of b: expected vectors of the same width as before (2); found shape [1, 3]. Give every clip an "
        "array [T, D].",
    ),
    (
        np.zeros((2, 4, 3)),
        [4, 5],
        "of b: expected a length from 0 to 4; found 5. Correct the lengths.",
    ),
    (
        [np.array(["x"]), np.zeros((1, 2))],
        None,
        "of a: expected numbers; found <U1. Convert the array to floats.",
    ),
    (
        np.zeros((2, 2, 2, 2)),
        None,
        "of a: expected an array [T, D]; found shape [2, 2, 2]. Give every clip an array [T, D].",
    ),
]


@pytest.mark.parametrize(("arrays", "lengths", "fault"), CASES)
def test_faults(arrays, lengths, fault: str) -> None:
    with pytest.raises(InputError) as caught:
        clip_vectors("f", IDS, arrays, lengths)
    assert str(caught.value) == f"features 'f' {fault}"


def test_no_vectors_at_all() -> None:
    with pytest.raises(InputError) as caught:
        clip_vectors("f", IDS, [None, None], None)
    assert (
        str(caught.value) == "features 'f': expected vectors of one clip at least; found none. Leave it out."
    )


def test_standardised_within_each_speaker() -> None:
    noise = np.random.default_rng(0)
    arrays = [noise.normal(3 * k, k + 1, size=(k + 2, 4)) for k in range(6)] + [np.zeros((0, 4))]
    arrays[0][:, 3] = arrays[2][:, 3] = 7.0
    speakers = ["ann", "ben", "ann", "ben", "ann", "ben", "cy"]
    arrays[4][:, 3] = 7.0
    done = [array for _, array in standardised([(str(k), a) for k, a in enumerate(arrays)], speakers)]
    for first in (0, 1):
        whole, raw = np.concatenate(done[first:6:2]), np.concatenate(arrays[first:6:2])
        wanted = (raw - raw.mean(0)) / np.maximum(raw.std(0), 1e-9)
        np.testing.assert_allclose(whole, wanted, atol=1e-12)
    assert not np.concatenate(done[0:6:2])[:, 3].any()
    assert len(done[6]) == 0
