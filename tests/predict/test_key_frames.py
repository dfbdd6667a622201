"""The moments and faces that stand above a timeline."""

from __future__ import annotations

import numpy as np

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.predict.key_frames import SIZE, key_faces, moments


def test_moments_lie_in_spans_one_in_each_part():
    assert moments([(0.0, 10.0)], 10.0, 2) == [2.5, 7.5]
    found = moments([(1.0, 2.0), (8.0, 9.0)], 10.0, 5)
    assert len(found) == 2
    assert 1.0 <= found[0] < 2.0
    assert 8.0 <= found[1] < 9.0
    assert moments([], 10.0, 3) == []


def test_faces_of_a_video(twelve):
    clip = Corpus.load(twelve).clips("test")[0]
    found = key_faces(clip.media["video"], [0.2, 0.6, 1e6], 30.0)
    assert [time for time, _ in found] == [0.2, 0.6]  # there is no picture at the last
    assert all(face.shape == (SIZE, SIZE, 3) and face.dtype == np.uint8 for _, face in found)
