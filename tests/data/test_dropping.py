"""Training with modalities that are taken away."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.streams import RawOptions
from mmer_fairseq.data.dataset import EmotionDataset, nothing
from mmer_fairseq.data.dropping import dropped, parse_dropout
from mmer_fairseq.data.sources import RawSource
from mmer_fairseq.errors import InputError


def shares(probabilities: dict[str, float], present: tuple[str, ...], draws: int = 20000) -> Counter:
    random = np.random.default_rng(0)
    return Counter(tuple(sorted(dropped(probabilities, present, random))) for _ in range(draws))


def test_each_is_lost_with_its_probability_and_never_two_below_one():
    found = shares({"audio": 0.2, "video": 0.3}, ("audio", "video"))
    assert set(found) == {(), ("audio",), ("video",)}
    assert found[("audio",)] / 20000 == pytest.approx(0.2, abs=0.01)
    assert found[("video",)] / 20000 == pytest.approx(0.3, abs=0.01)


def test_above_one_two_are_lost_at_once_with_the_same_shares():
    names = ("text", "audio", "video")
    found = shares(dict.fromkeys(names, 0.5), names)
    for name in names:
        share = sum(n for lost, n in found.items() if name in lost) / 20000
        assert share == pytest.approx(0.5, abs=0.015)
        assert any(len(lost) == 2 and name in lost for lost in found)
    assert names not in found


def test_a_clip_keeps_one_of_what_it_has():
    assert set(shares({"audio": 0.9, "video": 0.9}, ("audio",))) == {()}
    assert ("audio", "video") not in shares({"audio": 0.9, "video": 0.9}, ("audio", "video"))
    assert set(shares({"audio": 0.9}, ())) == {()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("audio", "expected MODALITY=PROBABILITY, a number from 0 to below 1; found 'audio'. Write for"),
        ("audio=1", "a number from 0 to below 1; found 'audio=1'."),
        ("audio=-0.1", "found 'audio=-0.1'."),
        ("audio=0.2,audio=0.9", "expected each modality once; found 'audio' twice. Leave one out."),
        ("audio=nan", "found 'audio=nan'."),
        ("sound=0.2", "modalities out of text, audio, video, physio; found 'sound'. Correct the name."),
        ("text=0.2", "expected modalities of this run (audio, video); found 'text'. Leave it out, or choose"),
    ],
)
def test_what_is_refused(text: str, message: str):
    with pytest.raises(InputError) as error:
        parse_dropout(text, ("audio", "video"))
    assert str(error.value).startswith("--modality-dropout: ")
    assert message in str(error.value)


def test_parsing():
    assert parse_dropout("audio=0.2, video=0", ("audio", "video")) == {"audio": 0.2, "video": 0.0}
    assert parse_dropout(None, ("audio",)) == {}


def clips(toy, *, training: bool) -> EmotionDataset:
    corpus = Corpus.load(toy)
    sources = {m: RawSource(m, RawOptions(frame_size=16, frame_rate=2.0)) for m in ("audio", "video")}
    empty = {"audio": nothing("samples"), "video": nothing("frames", size=16)}
    return EmotionDataset(
        corpus.clips("train"), sources, empty, corpus.label_space, directory=toy, training=training,
        dropout={"audio": 0.3, "video": 0.3},
    )  # fmt: skip


def held(dataset: EmotionDataset) -> list[tuple[str, ...]]:
    return [tuple(dataset[k]["streams"]) for k in range(len(dataset))]


def test_training_alone_loses_modalities_and_always_the_same_ones(toy):
    data = clips(toy, training=True)
    first = held(data)
    assert {("audio",), ("video",), ("audio", "video")} == set(first)
    assert held(clips(toy, training=True)) == first
    data.set_epoch(2)
    assert held(data) != first
    assert set(held(clips(toy, training=False))) == {("audio", "video")}
