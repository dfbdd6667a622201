"""What is in a corpus, in numbers and lines."""

from __future__ import annotations

import numpy as np

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.summary import Report, summarise

DESCRIPTION = """\
name: s
labels:
  emotion: {kind: classes, column: emotion, classes: [happy, sad, bored], ignore: [xxx]}
  both: {kind: multilabel, columns: [x, y]}
  valence: {kind: score, columns: [v], range: [-3, 3]}
  affect: {kind: trace, column: t, names: [v], rate: 10}
"""
HEADER = "id|text|audio|speaker|dialogue|emotion|x|y|v|t"


def report(folder, kit) -> Report:
    files = {
        "train.tsv": kit.tsv(
            HEADER,
            "a|hi|a.wav|ann|d1|happy|1|0|-1|t.npy",
            "b|yo||bob|d1|xxx|1|1|2|t.npy",
            "c|||ann|d2|sad|0|1|0.5|t.npy",
        ),
        "test.tsv": kit.tsv(HEADER, "d|hi|d.wav|ann|d3|sad|0|0|3|t.npy"),
    }
    directory = folder(files, description=DESCRIPTION)
    names = ("emotion", "both", "valence", "affect")
    corpora = [Corpus.load(directory, labels=name) for name in names]
    found = Report()
    summarise(found, corpora, {"a": 1800.0, "d": 3600.0})
    return found


def test_numbers(folder, kit) -> None:
    train = report(folder, kit).splits["train"]
    assert (train.clips, train.hours) == (2, 0.5)
    assert train.labels["emotion"].counts == {"happy": 1, "sad": 1, "bored": 0}
    assert train.labels["emotion"].left_out == {"xxx": 1}
    assert train.labels["both"].counts == {"x": 2, "y": 2}
    np.testing.assert_allclose(train.labels["valence"].scores["v"], (0.5, -1.0, 2.0))
    assert train.labels["affect"].counts == {"traces": 3}
    assert train.missing == {"text": 1, "audio": 1}
    assert train.bare == 1
    assert train.speakers == ("ann",)


def test_shared_between_splits(folder, kit) -> None:
    found = report(folder, kit)
    assert found.shared_speakers == {("train", "test"): ["ann"]}
    assert found.shared_dialogues == {}


def test_lines(folder, kit) -> None:
    assert list(report(folder, kit).lines()) == [
        "train: 2 clips, 0.50 h",
        "  emotion: happy 1, sad 1, bored 0; left out: xxx 1",
        "  both: x 2, y 2",
        "  valence: v mean 0.5 (-1 … 2)",
        "  affect: traces 3",
        "  missing: text 1, audio 1, all of them 1",
        "  speakers: 1",
        "  dialogues: 2",
        "test: 1 clip, 1.00 h",
        "  emotion: happy 0, sad 1, bored 0",
        "  both: x 0, y 0",
        "  valence: v mean 3 (3 … 3)",
        "  affect: traces 1",
        "  missing: none",
        "  speakers: 1",
        "  dialogues: 1",
        "train and test share 1 speaker: ann",
        "no split 'valid': to train, name others with --train-subset and --valid-subset",
    ]
