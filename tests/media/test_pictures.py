from __future__ import annotations

import av
import numpy as np
import pytest

from mmer_fairseq.media.pictures import Pictures


def frame(height: int, width: int, seed: int = 0) -> tuple[av.VideoFrame, np.ndarray]:
    image = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return av.VideoFrame.from_ndarray(image, "rgb24"), image.transpose(2, 0, 1)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (50, 70), (7, 33), (1, 1)])
def test_pictures_are_copied_exactly_whatever_the_padding_of_rows(height: int, width: int):
    pictures = Pictures(None, 2)
    given, wanted = frame(height, width)
    pictures.add(given)
    np.testing.assert_array_equal(pictures.all(), wanted[None])


def test_the_buffer_grows_and_shrinks():
    frames = [frame(8, 6, seed) for seed in range(20)]
    for likely in (0, 1, 20, 1000):
        pictures = Pictures(None, likely)
        for given, _ in frames:
            pictures.add(given)
        result = pictures.all()
        np.testing.assert_array_equal(result, np.stack([wanted for _, wanted in frames]))
        assert result.base is None or result.base.size <= 2 * result.size
        assert result.flags.c_contiguous


def test_a_picture_shown_again_stays_the_same():
    first, wanted = frame(8, 6, 1)
    second, other = frame(8, 6, 2)
    pictures = Pictures(None, 1)
    for given in (first, first, first, second, second):
        pictures.add(given)
    np.testing.assert_array_equal(pictures.all(), np.stack([wanted, wanted, wanted, other, other]))


def test_a_change_of_size_inside_a_video_is_scaled_away():
    pictures = Pictures(None, 2)
    pictures.add(frame(8, 6)[0])
    pictures.add(av.VideoFrame.from_ndarray(np.full((20, 30, 3), 99, dtype=np.uint8), "rgb24"))
    assert pictures.all().shape == (2, 3, 8, 6)
    assert np.abs(pictures.all()[1].astype(int) - 99).max() <= 1
