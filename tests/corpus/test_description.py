"""``corpus.yaml``: what is read, and every fault with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmer_fairseq.corpus.description import FeatureEntry, parse_description
from mmer_fairseq.corpus.labels import LabelSpace

FULL = """\
name: full
licence: MIT
link: https://example.org
media_root: media
text: ids
physio: {rate: 512, channels: [eda, ecg, 3]}
labels:
  emotion: {kind: classes, column: emotion, classes: [neutral, happy, 3], ignore: [xxx]}
  emotions: {kind: multilabel, columns: [happy, sad]}
  sentiment: {kind: score, columns: [sentiment], range: [-3, 3]}
  affect: {kind: trace, column: trace, names: [valence, arousal], rate: 10, range: [-1, 1], invalid: -5}
features:
  wav2vec: {path: features/wav2vec, modality: audio}
  far: {path: /far/away, modality: video}
other_columns: [gender]
"""

START = "name: x\nlabels:\n"
GOOD = START + "  emotion: {kind: classes, column: emotion, classes: [a, b]}\n"


def parse(text: str):
    found: list[ValueError] = []
    description = parse_description(text, Path("/data/corpus.yaml"), found.append)
    return description, [str(error).replace("/data/", "") for error in found]


def test_everything_is_read() -> None:
    description, faults = parse(FULL)
    assert not faults
    assert description is not None
    assert description.media_root == Path("/data/media")
    assert description.text_form == "ids"
    assert (description.name, description.licence) == ("full", "MIT")
    assert (description.physio_rate, description.physio_channels) == (512.0, ("eda", "ecg", "3"))
    assert list(description.labels) == ["emotion", "emotions", "sentiment", "affect"]
    assert description.labels["emotion"] == LabelSpace(
        "emotion", "classes", ("neutral", "happy", "3"), ("emotion",), ignore=("xxx",)
    )
    assert description.labels["affect"] == LabelSpace(
        "affect", "trace", ("valence", "arousal"), ("trace",), (-1.0, 1.0), 10.0, -5.0
    )
    assert description.features == {
        "wav2vec": FeatureEntry("wav2vec", Path("/data/features/wav2vec"), "audio"),
        "far": FeatureEntry("far", Path("/far/away"), "video"),
    }
    assert {"id", "happy", "sad", "sentiment", "trace", "gender"} <= set(description.columns)


def test_defaults() -> None:
    description, faults = parse(GOOD)
    assert not faults
    assert description is not None
    assert description.media_root == Path("/data")
    assert description.text_form == "words"
    assert (description.physio_rate, description.physio_channels) == (0.0, ())


CASES = [
    (
        "labels: {e: {kind: classes, column: e, classes: [a]}}\n",
        "corpus.yaml:1: expected the key 'name' of corpus.yaml; found only labels. Add 'name:'.",
    ),
    (
        "name: x\n",
        "corpus.yaml:1: expected the key 'labels' of corpus.yaml; found only name. Add 'labels:'.",
    ),
    (
        GOOD + "licens: MIT\n",
        "corpus.yaml:4: expected the keys of corpus.yaml to be among name, labels, licence, link, "
        "media_root, "
        "text, physio, pictures, features, other_columns; found 'licens'. Write 'licence'.",
    ),
    (
        GOOD + "text: tokens\n",
        "corpus.yaml:4: expected 'text' to be words or ids; found 'tokens'. Write 'text: words' or 'text: "
        "ids'.",
    ),
    (
        GOOD + "link: [a]\n",
        "corpus.yaml:4: expected 'link' to be a text; found ['a'] (list). Write a text after 'link:', in "
        "quotes "
        "if need be.",
    ),
    (
        "name: x\nlabels: [emotion]\n",
        "corpus.yaml:2: expected 'labels' to be a mapping from names to entries; found ['emotion'] (list). "
        "Indent one 'name: {…}' a line.",
    ),
    (
        "name: x\nlabels: {}\n",
        "corpus.yaml:2: expected 'labels' to be one label space at least; found none. Describe the labels "
        "of the "
        "split files.",
    ),
    (
        GOOD + "physio: 512\n",
        "corpus.yaml:4: expected 'physio' to be a mapping with 'rate' and 'channels'; found 512 (int). Write "
        "{rate: …, channels: […]}.",
    ),
    (
        GOOD + "physio: {hz: 512}\n",
        "corpus.yaml:4: expected the keys of 'physio' to be among rate, channels; found 'hz'. Remove it.",
    ),
    (
        GOOD + "physio: {rate: fast}\n",
        "corpus.yaml:4: expected 'rate' to be a number; found 'fast' (str). Write a number after 'rate:'.",
    ),
    (
        GOOD + "physio: {rate: 0}\n",
        "corpus.yaml:4: expected 'rate' to be above 0 Hz; found 0. Write the steps a second of the biosignals.",
    ),
    (
        GOOD + "physio: {channels: []}\n",
        "corpus.yaml:4: expected 'channels' to be a list of one entry at least; found an empty list. Name them.",
    ),
    (
        GOOD + "features:\n  w: {path: w, modality: sound}\n",
        "corpus.yaml:5: expected 'modality' to be one of text, audio, video, physio; found 'sound'. Write "
        "one of "
        "text, audio, video, physio.",
    ),
    (
        GOOD + "features:\n  w: {path: w, modality: vidio}\n",
        "corpus.yaml:5: expected 'modality' to be one of text, audio, video, physio; found 'vidio'. Write "
        "'video'.",
    ),
    (
        GOOD + "features:\n  w: {modality: audio}\n",
        "corpus.yaml:5: expected the key 'path' of 'w'; found only modality. Add 'path:'.",
    ),
    (
        GOOD + "features:\n  w: w\n",
        "corpus.yaml:5: expected 'w' to be a mapping with 'path' and 'modality'; found 'w'. Write {path: …, "
        "modality: …}.",
    ),
    (
        GOOD + "features:\n  'a,b': {path: w, modality: audio}\n",
        "corpus.yaml:5: expected 'a,b' to be a name of letters, digits, '_', '-', '.' and '+'; found 'a,b'. "
        "Rename the store.",
    ),
    (
        GOOD + "other_columns: gender\n",
        "corpus.yaml:4: expected 'other_columns' to be a list of texts; found 'gender' (str). Write [first, "
        "second].",
    ),
]


@pytest.mark.parametrize(("text", "fault"), CASES)
def test_faults(text: str, fault: str) -> None:
    assert parse(text)[1] == [fault]


def test_all_faults_are_told_at_once() -> None:
    assert len(parse("text: tokens\nmedia_root: [x]\nlabels: 3\nfeatures: 4\n")[1]) == 5


def test_columns_of_a_faulty_label_space_are_known() -> None:
    text = GOOD + "  affect: {kind: trace, column: trace, names: [a], rate: 0}\n"
    description, faults = parse(text)
    assert len(faults) == 1
    assert description is not None
    assert "trace" in description.columns
