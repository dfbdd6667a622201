"""Media and stores as sources of tensors."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.streams import RawOptions
from mmer_fairseq.data.sources import RawSource, StoredSource
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.store import FeatureStore
from mmer_fairseq.features.write import write_store
from mmer_fairseq.media.augment import PictureAugmentation


@pytest.fixture
def clips(toy):
    return Corpus.load(toy).clips("train")


@pytest.fixture
def store(clips, tmp_path) -> FeatureStore:
    items = [(clip.id, torch.full((index + 1, 3), float(index))) for index, clip in enumerate(clips)]
    write_store(tmp_path / "store", items, modality="audio", rate=10.0)
    return FeatureStore.open(tmp_path / "store")


def test_stored_features_come_by_clip(clips, store):
    source = StoredSource("audio", store)
    source.check(clips)
    assert source.present(clips[2])
    assert source.steps(clips[2], 0.0) == 3
    assert source.read(clips[2], random=None).tolist() == [[2.0] * 3] * 3


def test_a_store_that_lacks_clips_is_refused_with_their_names(clips, store):
    stranger = replace(clips[0], id="stranger", where="train.tsv:99")
    with pytest.raises(
        InputError, match=r"found none for 1 of them, the first at train.tsv:99: stranger. Run `mmer"
    ):
        StoredSource("audio", store).check([*clips, stranger])


def test_a_clip_without_the_modality_need_not_be_in_the_store(clips, store):
    silent = replace(clips[0], id="silent", media={"text": "words"})
    source = StoredSource("audio", store)
    source.check([*clips, silent])
    assert not source.present(silent)


def test_clips_that_extraction_skipped_are_named_and_missing(clips, store, caplog):
    store.meta["skipped"] = {"lost": "broken"}
    with caplog.at_level(logging.WARNING):
        StoredSource("audio", store).check([replace(clips[0], id="lost")])
    assert "1 clips without audio, skipped by mmer extract: lost" in caplog.text


def test_media_are_not_looked_for_where_there_are_only_features(clips):
    stored = replace(clips[0], media={"audio": "store:egemaps"})
    source = RawSource("audio", RawOptions())
    assert not source.present(stored)
    with pytest.raises(InputError, match="Read the store with --features audio=egemaps"):
        source.check([stored])


def test_short_sound_is_padded_with_silence(clips):
    whole = RawSource("audio", RawOptions()).read(clips[0], random=None)
    padded = RawSource("audio", RawOptions(), min_samples=100000).read(clips[0], random=None)
    assert len(padded) == 100000
    assert torch.equal(padded[: len(whole)], whole)
    assert padded[len(whole) :].abs().sum() == 0


def test_speed_is_drawn_anew_in_training_only(clips):
    plain = RawSource("audio", RawOptions()).read(clips[0], random=None)
    source = RawSource("audio", RawOptions(), speed_perturbation=0.25)
    assert torch.equal(source.read(clips[0], random=None), plain)
    random = np.random.default_rng(1)
    lengths = [len(source.read(clips[0], random=random)) / len(plain) for _ in range(40)]
    assert 0.8 <= min(lengths) < 0.85
    assert 1.2 < max(lengths) <= 1.25
    again = source.read(clips[0], random=np.random.default_rng(1))
    assert torch.equal(again, source.read(clips[0], random=np.random.default_rng(1)))


def test_pictures_are_changed_in_training_only(clips):
    plain = RawSource("video", RawOptions()).read(clips[0], random=None)
    source = RawSource("video", RawOptions(), augmentation=PictureAugmentation(flip=1.0))
    assert torch.equal(source.read(clips[0], random=None), plain)
    assert torch.equal(source.read(clips[0], random=np.random.default_rng(1)), plain.flip(-1))


def test_speed_is_changed_before_the_crop(clips):
    source = RawSource("audio", RawOptions(), max_samples=8000, speed_perturbation=0.25)
    assert len(source.read(clips[0], random=np.random.default_rng(1))) == 8000


def test_steps_foretell_what_is_read(clips):
    for source in (RawSource("audio", RawOptions()), RawSource("video", RawOptions(frame_rate=10.0))):
        foretold = source.steps(clips[0], source.seconds(clips[0]))
        assert foretold == pytest.approx(len(source.read(clips[0], random=None)), abs=2)
