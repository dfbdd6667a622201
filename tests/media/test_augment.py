"""Pictures are changed at random, a clip's all alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.augment import PictureAugmentation, parse_augmentation


@pytest.fixture
def pictures():
    one = torch.arange(3 * 12 * 10, dtype=torch.uint8).view(1, 3, 12, 10)
    return one.repeat(4, 1, 1, 1)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_flip_mirrors_as_often_as_it_says(pictures):
    flip = PictureAugmentation(flip=0.25)
    random, mirrored = rng(), 0
    for _ in range(2000):
        out = flip(pictures, random)
        if not torch.equal(out, pictures):
            assert torch.equal(out, pictures.flip(-1))
            mirrored += 1
    assert 420 < mirrored < 580


@pytest.mark.parametrize("options", [{"flip": 1.0}, {"shift": 0.3}, {"colour": 0.5}])
def test_shape_type_and_the_original_stay_and_all_pictures_change_alike(pictures, options):
    before = pictures.clone()
    out = PictureAugmentation(**options)(pictures, rng())
    assert out.shape == pictures.shape
    assert out.dtype == torch.uint8
    assert torch.equal(pictures, before)
    assert not torch.equal(out, before)
    assert all(torch.equal(out[0], each) for each in out)


def test_the_same_seed_gives_the_same_change(pictures):
    change = PictureAugmentation(0.5, 0.2, 0.4)
    assert torch.equal(change(pictures, rng(3)), change(pictures, rng(3)))
    assert not torch.equal(change(pictures, rng(3)), change(pictures, rng(4)))


def test_shift_moves_a_spot_by_no_more_than_it_says():
    dark = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    dark[..., 30:34, 30:34] = 255
    random, places = rng(), []
    for _ in range(300):
        out = PictureAugmentation(shift=0.1)(dark, random)[0, 0].float()
        column = (out.sum(0) * torch.arange(64)).sum() / out.sum()
        places.append(float(column) - 31.5)
    assert 3 < max(map(abs, places)) < 0.1 * 64 + 1.5
    assert abs(np.mean(places)) < 0.6


def test_shift_leaves_something_of_a_tiny_picture():
    tiny = torch.full((2, 3, 1, 2), 7, dtype=torch.uint8)
    for seed in range(50):
        assert torch.equal(PictureAugmentation(shift=0.5)(tiny, rng(seed)), tiny)


def test_colour_changes_brightness_by_no_more_than_it_says():
    grey = torch.full((3, 3, 8, 8), 100, dtype=torch.uint8)
    random = rng()
    means = [float(PictureAugmentation(colour=0.3)(grey, random).float().mean()) for _ in range(300)]
    assert 70 <= min(means) < 75
    assert 125 < max(means) <= 130


def test_a_clip_without_pictures_stays_empty():
    none = torch.zeros(0, 3, 8, 8, dtype=torch.uint8)
    assert PictureAugmentation(1.0, 0.5, 0.5)(none, rng()).shape == none.shape


def test_numbers_have_defaults():
    assert parse_augmentation("flip, shift=0.2,colour") == PictureAugmentation(0.5, 0.2, 0.3)
    assert parse_augmentation(None) is None
    assert parse_augmentation("flip=0") is None


@pytest.mark.parametrize(
    "text", ["blur", "flip=2", "shift=0.6", "colour=red", "flip,flip", "shift=-1", "flip="]
)
def test_other_words_are_refused(text):
    with pytest.raises(InputError) as error:
        parse_augmentation(text)
    assert str(error.value).startswith("--picture-augmentation: expected each at most once, with or without")
    assert repr(text.split(",")[-1]) in str(error.value)
    assert "flip,shift=0.1,colour=0.3" in str(error.value)
