"""Durations are read once and remembered beside the corpus."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import pytest

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.streams import RawOptions
from mmer_fairseq.data import sources
from mmer_fairseq.data.durations import Durations
from mmer_fairseq.data.sources import RawSource


@pytest.fixture
def corpus(toy, tmp_path):
    shutil.copytree(toy, tmp_path / "toy")
    shutil.rmtree(tmp_path / "toy" / ".mmer", ignore_errors=True)
    return Corpus.load(tmp_path / "toy")


def test_headers_are_read_once(corpus, monkeypatch):
    source, clip = RawSource("audio", RawOptions()), corpus.clips("train")[0]
    first = Durations(corpus.directory)
    seconds = first(source, clip)
    assert 1.0 <= seconds <= 2.5
    first.save()

    def forbidden(*_):
        raise AssertionError("the header was read again")

    monkeypatch.setattr(sources, "stream_seconds", forbidden)
    assert Durations(corpus.directory)(source, clip) == seconds


def test_a_changed_medium_is_read_again(corpus):
    source, clip = RawSource("audio", RawOptions()), corpus.clips("train")[0]
    first = Durations(corpus.directory)
    first(source, clip)
    first.save()
    other = corpus.clips("train")[1].media["audio"]
    shutil.copyfile(other, clip.media["audio"])
    os.utime(clip.media["audio"], ns=(1, 1))
    assert Durations(corpus.directory)(source, clip) == source.seconds(corpus.clips("train")[1])


@pytest.mark.parametrize("content", ["{", "[1]", ""])
def test_a_broken_memory_costs_only_time(corpus, content):
    path = Durations(corpus.directory).path
    path.parent.mkdir()
    path.write_text(content)
    durations = Durations(corpus.directory)
    assert durations(RawSource("audio", RawOptions()), corpus.clips("train")[0]) > 1
    durations.save()
    assert len(json.loads(path.read_text())) == 1


def test_text_has_no_duration(corpus):
    assert Durations(corpus.directory)(RawSource("text", RawOptions()), corpus.clips("train")[0]) == 0


def test_one_picture_is_not_remembered(corpus):
    face = replace(corpus.clips("train")[0], media={"video": "/nowhere/face.jpg"})
    durations = Durations(corpus.directory)
    assert durations(RawSource("video", RawOptions(picture_rate=20.0)), face) == 1 / 20
    durations.save()
    assert not durations.path.exists()
