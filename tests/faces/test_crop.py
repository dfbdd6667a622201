from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mmer_fairseq.faces.crop import as_jpeg, centre_box, cut, region, shrunk


@pytest.mark.parametrize(
    ("box", "margin", "expected"),
    [
        ((50.0, 40.0, 96.0, 86.0), 2, (49, 39, 97, 87)),  # 2 · 46 / (48 − 2) / 2 = 1 a side
        ((50.9, 40.9, 96.9, 86.9), 0, (50, 40, 96, 86)),
        ((-3.0, 40.0, 43.0, 132.0), 2, (0, 38, 44, 100)),  # cut off by the picture
        ((250.0, 10.0, 260.0, 20.0), 0, (250, 10, 200, 20)),  # outside: empty
    ],
)
def test_region_is_the_box_and_its_margin(box, margin, expected):
    assert region(box, margin, 48, width=200, height=100) == expected


def test_pixels_of_a_smaller_crop_are_means_of_areas():
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    crop = cut(picture, (3, 1, 39, 37), 12)
    wanted = picture[1:37, 3:39].reshape(12, 3, 12, 3, 3).mean(axis=(1, 3))
    assert crop.shape == (12, 12, 3)
    assert np.abs(crop - wanted).max() <= 0.5
    # 3 pixels → 2: each takes one and a half
    line = np.array([0, 60, 240], dtype=np.uint8)[None, :, None].repeat(3, 0).repeat(3, 2)
    assert cut(line, (0, 0, 3, 3), 2)[0, :, 0].tolist() == [20, 180]


def test_a_crop_may_be_larger_and_the_region_need_not_be_square():
    picture = np.zeros((10, 30, 3), dtype=np.uint8)
    picture[:, 15:] = 200
    crop = cut(picture, (10, 0, 20, 4), 16)
    assert crop.shape == (16, 16, 3)
    assert crop[:, 0].max() == 0
    assert crop[:, -1].min() == 200
    assert np.array_equal(cut(picture, (8, 0, 18, 10), 10), picture[:, 8:18])


@pytest.mark.parametrize(("width", "height"), [(224, 224), (640, 360), (101, 51), (1, 1)])
def test_the_middle_is_in_the_middle(width, height):
    x0, y0, x1, y1 = centre_box(width, height)
    assert x1 - x0 == y1 - y0 == max(1, round(min(width, height) / 2))
    assert abs(x0 - (width - x1)) <= 1
    assert abs(y0 - (height - y1)) <= 1


def test_jpegs_keep_colours():
    picture = np.zeros((8, 8, 3), dtype=np.uint8)
    picture[:, ::2] = (250, 10, 10)
    again = np.asarray(Image.open(io.BytesIO(as_jpeg(picture))))
    assert np.abs(again.astype(int) - picture).max() < 40


@pytest.mark.parametrize(
    ("shorter", "shape"), [(0, (90, 160)), (100, (90, 160)), (45, (45, 80)), (40, (40, 71))]
)
def test_detectors_get_smaller_pictures(shorter, shape):
    assert shrunk(np.zeros((90, 160, 3), dtype=np.uint8), shorter).shape == (*shape, 3)
