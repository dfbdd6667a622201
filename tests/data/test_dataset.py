"""Clips of a split as fairseq sees them."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.streams import RawOptions
from mmer_fairseq.data.batching import BLOCK
from mmer_fairseq.data.dataset import EmotionDataset, nothing
from mmer_fairseq.data.sources import RawSource, StoredSource
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.store import FeatureStore
from mmer_fairseq.features.write import write_store


def dataset(toy, split="train", max_samples=None, **options) -> EmotionDataset:
    corpus = Corpus.load(toy)
    sources = {"audio": RawSource("audio", RawOptions(), max_samples)}
    return EmotionDataset(
        corpus.clips(split),
        sources,
        {"audio": nothing("samples")},
        corpus.label_space,
        directory=toy,
        **options,
    )


def test_items_hold_index_streams_and_target(toy):
    clips = dataset(toy)
    item = clips[3]
    assert item["index"] == 3
    assert item["streams"]["audio"].dtype == torch.float32
    assert item["target"] == clips.clips[3].label


@pytest.mark.parametrize(
    ("tokens", "sentences"), [(None, 1), (None, 7), (None, 64), (60000, None), (60000, 3)]
)
def test_every_clip_is_in_exactly_one_batch(toy, tokens, sentences):
    clips = dataset(toy)
    batches = clips.batch_by_size(clips.ordered_indices(), tokens, sentences, required_batch_size_multiple=8)
    assert sorted(np.concatenate(batches)) == list(range(len(clips)))


def test_evaluation_goes_from_long_to_short(toy):
    clips = dataset(toy)
    seconds = clips.seconds[clips.ordered_indices()]
    assert (np.diff(seconds) <= 0).all()
    assert seconds[0] > seconds[-1]


def test_training_order_differs_between_epochs_and_not_between_runs(toy):
    orders = []
    for epoch in (1, 2, 1):
        clips = dataset(toy, shuffle=True)
        clips.set_epoch(epoch)
        orders.append(clips.ordered_indices().tolist())
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == list(range(len(orders[0])))


def test_training_order_keeps_clips_of_similar_length_together(toy):
    clips = dataset(toy, shuffle=True)
    clips.seconds = np.random.default_rng(0).permutation(np.arange(1, 4 * BLOCK + 1))
    clips.clips = clips.clips[:1] * len(clips.seconds)
    blocks = clips.seconds[clips.ordered_indices()].reshape(4, BLOCK)
    assert sorted(block.max() - block.min() for block in blocks) == [BLOCK - 1] * 4


def test_crops_are_random_in_training_but_the_same_in_every_run(toy):
    first, second = (
        dataset(toy, max_samples=4000, training=True),
        dataset(toy, max_samples=4000, training=True),
    )
    assert torch.equal(first[0]["streams"]["audio"], second[0]["streams"]["audio"])
    second.set_epoch(2)
    assert not torch.equal(first[0]["streams"]["audio"], second[0]["streams"]["audio"])


def test_crops_start_at_the_beginning_in_evaluation(toy):
    whole, cut = dataset(toy), dataset(toy, max_samples=4000)
    assert torch.equal(cut[0]["streams"]["audio"], whole[0]["streams"]["audio"][:4000])


def broken(toy, tmp_path, **options) -> EmotionDataset:
    clips = dataset(toy, **options)
    (tmp_path / "broken.wav").write_bytes(b"")
    clips.clips[0] = replace(clips.clips[0], media={"audio": str(tmp_path / "broken.wav")})
    return clips


def test_medium_that_cannot_be_read_ends_the_run(toy, tmp_path):
    with pytest.raises(InputError, match=r"train.tsv:2.*broken.wav"):
        broken(toy, tmp_path)[0]


def test_medium_that_cannot_be_read_is_named_and_missing_if_asked(toy, tmp_path, caplog):
    clips = broken(toy, tmp_path, bad_clips="missing")
    with caplog.at_level(logging.WARNING):
        item = clips[0]
    assert item["streams"] == {}
    assert f"clip {clips.clips[0].id} goes on without audio" in caplog.text
    assert clips.collater([item])["net_input"]["lengths"]["audio"].tolist() == [0]


@pytest.mark.parametrize(
    ("form", "shape", "dtype"),
    [("tokens", (0,), torch.long), ("samples", (0,), torch.float32), ("features", (0, 5), torch.float32)],
)
def test_a_missing_modality_has_no_steps_and_the_right_shape(form, shape, dtype):
    assert nothing(form, dim=5).shape == shape
    assert nothing(form, dim=5).dtype == dtype
    assert nothing("frames", size=8).shape == (0, 3, 8, 8)


def test_order_is_the_same_for_media_and_for_features_stored_from_them(toy, tmp_path):
    raw = dataset(toy, shuffle=True)
    items = [(clip.id, torch.zeros(1 + int(raw.steps[k]) // 3200, 2)) for k, clip in enumerate(raw.clips)]
    write_store(tmp_path / "store", items, modality="audio", rate=5.0)
    stored = EmotionDataset(
        raw.clips,
        {"audio": StoredSource("audio", FeatureStore.open(tmp_path / "store"))},
        {"audio": nothing("features", dim=2)},
        raw.labels,
        directory=toy,
        shuffle=True,
    )
    assert (stored.steps < raw.steps).all()
    assert stored.ordered_indices().tolist() == raw.ordered_indices().tolist()


def test_a_clip_longer_than_a_batch_may_be_is_named(toy):
    clips = dataset(toy)
    longest = clips.clips[int(clips.steps.argmax())]
    with pytest.raises(
        InputError,
        match=rf"{longest.where}: expected at most 100 steps \(--max-tokens\); found \d+ in clip {longest.id}\. Raise",
    ):
        clips.batch_by_size(clips.ordered_indices(), max_tokens=100)
