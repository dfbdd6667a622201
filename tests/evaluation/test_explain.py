"""Finding clips, and what a model's selection becomes before it is drawn."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import mmer_fairseq
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.errors import InputError
from mmer_fairseq.evaluation.explain import (
    Seen,
    Selects,
    check_selects,
    corpus_of,
    find_clips,
    pictures_of,
)

mmer_fairseq.register()


def test_clips_are_found_in_any_split_or_in_one(toy):
    corpus = Corpus.load(toy)
    assert find_clips(corpus, ["valid01-1", "test01-2"], None) == {"valid01-1": "valid", "test01-2": "test"}
    assert find_clips(corpus, ["test01-2"], "test") == {"test01-2": "test"}


def test_an_unknown_clip(toy):
    corpus = Corpus.load(toy)
    with pytest.raises(InputError) as error:
        find_clips(corpus, ["tets01-1"], None)
    text = str(error.value)
    where = f"--clip: expected the id of a clip of {corpus.directory}, train, valid, test; found 'tets01-1'. "
    assert text.startswith(where + "Write one of test01-1, ")
    assert text.count("test0") == 4
    with pytest.raises(InputError, match=r"found '###'\. Write one of them: test01-1, .* \(8 in all\)\.$"):
        find_clips(corpus, ["###"], "test")
    with pytest.raises(
        InputError, match=r"found 'valid01-1', which is in valid\. Write --split valid, or leave"
    ):
        find_clips(corpus, ["valid01-1"], "test")
    with pytest.raises(InputError, match="expected the split to be one of train, valid, test; found 'tset'"):
        find_clips(corpus, ["test01-1"], "tset")


def test_a_clip_whose_label_is_left_out(tmp_path):
    (tmp_path / "corpus.yaml").write_text(
        "name: x\nlicence: MIT\nmedia_root: .\ntext: words\nlabels:\n"
        "  emotion: {kind: classes, column: emotion, classes: [joy, anger], ignore: [xxx]}\n"
    )
    (tmp_path / "train.tsv").write_text("id\ttext\temotion\na\thello\tjoy\nb\tgo\tanger\nc\tno\txxx\n")
    with pytest.raises(
        InputError, match=r"found 'c' \(.*train\.tsv:4\), whose label is left out\. Write one"
    ):
        find_clips(Corpus.load(tmp_path), ["c"], None)


def test_the_corpus_of_the_training(tmp_path):
    assert corpus_of("m.pt", str(tmp_path)) == str(tmp_path)
    for data, found in ((None, "none recorded"), ("gone/away", "no folder 'gone/away'")):
        with pytest.raises(InputError) as error:
            corpus_of("m.pt", data)
        assert str(error.value) == (
            "--path m.pt: expected the corpus of its training, which clips are read from unless another one is "
            f"named; found {found}. Name the corpus: mmer explain DATA --path m.pt."
        )


class Fixed:
    """Any model with these two can be explained."""

    encoders = None

    def selection(self, streams, lengths):
        return {}


def test_models_are_known_by_what_they_can_do():
    assert isinstance(Fixed(), Selects)
    task = SimpleNamespace(over_time=False, labels=SimpleNamespace(name="affect"))
    check_selects(SimpleNamespace(model=Fixed(), task=task), "m.pt")
    with pytest.raises(InputError) as error:
        check_selects(SimpleNamespace(model=torch.nn.Linear(1, 1), task=task), "m.pt")
    assert str(error.value) == (
        "--path m.pt: expected a model that selects what it computes (--arch mme2e_sparse or mme2e_sparse_wide); "
        "found Linear, which computes everything. Name a checkpoint of one of these."
    )
    task.over_time = True
    with pytest.raises(InputError) as error:
        check_selects(SimpleNamespace(model=Fixed(), task=task), "m.pt")
    assert str(error.value) == (
        "--path m.pt: expected labels of whole clips; found affect (trace). Name another checkpoint."
    )


def test_frames_are_the_pictures_themselves():
    frames = torch.rand(3, 3, 8, 8)
    shown = pictures_of(frames, torch.zeros(2, 9), np.ones((2, 4, 4), bool))
    np.testing.assert_array_equal(shown, frames[:2].permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize(("channels", "side"), [(1, 1), (1, 2), (3, 2), (1, 4), (3, 1)])
def test_features_become_pictures_by_their_width(channels, side):
    images = torch.randn(2, channels, 4 * side, 2 * side)
    shown = pictures_of(torch.randn(500), images.flatten(1), np.ones((2, 4, 2), bool))
    assert shown.shape == (2, 4 * side, 2 * side) + ((3,) if channels == 3 else ())
    assert 0 <= shown.min() < shown.max() <= 1
    expected = (images[:, 0] if channels == 1 else images.permute(0, 2, 3, 1)).numpy()
    order = np.argsort(expected.ravel())
    assert (np.diff(shown.ravel()[order]) >= 0).all()


def test_power_is_shown_by_its_logarithm():
    power = torch.logspace(-5, 5, 32).view(1, 32)
    shown = pictures_of(torch.zeros(9), power, np.ones((1, 4, 2), bool)).ravel()
    np.testing.assert_allclose(np.diff(shown)[3:-3], np.diff(shown)[10], rtol=0.05)


def test_shares_and_numbers_of_a_modality():
    stage = np.zeros((2, 2, 2), bool)
    stage[1] = True
    seen = Seen("video", np.zeros((2, 4, 4, 3)), (stage, stage[:, :1, :1]), 0.5, 1.0)
    assert seen.shares == (0.5, 0.5)
    assert seen.about() == {
        "pictures": 2,
        "starts in seconds": [0.0, 0.5],
        "stages": [
            {"sites": [2, 2], "kept": 0.5, "kept of each picture": [0.0, 1.0]},
            {"sites": [1, 1], "kept": 0.5, "kept of each picture": [0.0, 1.0]},
        ],
    }
    assert Seen("video", seen.pictures, seen.kept, 0.0, 0.0).about()["starts in seconds"] is None
