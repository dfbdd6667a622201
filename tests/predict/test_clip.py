"""One clip by ``load`` gives the numbers of ``fairseq-validate --save-predictions``, for every system."""

from __future__ import annotations

import csv

import pytest

from mmer_fairseq import load
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.criterions.objectives import fit_steps
from mmer_fairseq.criterions.predictions import Predictions
from mmer_fairseq.errors import InputError
from mmer_fairseq.evaluation.sweep import plainly
from mmer_fairseq.evaluation.trained import load_trained


def saved(path, corpus, file):
    """What ``--save-predictions`` writes for the test clips, in batches of two."""
    trained = load_trained(str(path), str(corpus), "test", flags={}, cpu=True)
    task = trained.task
    predictions = Predictions(str(file), task.labels, task.objective, trained.criterion.metrics.predict)
    for batch in plainly(trained.batches(2, 0)):
        logits = trained.model(**batch["net_input"])["logits"]
        if task.over_time:
            logits = fit_steps(logits, batch["target"].shape[1])
        predictions.add(batch["id"], logits, batch["target"], batch.get("target_mask"))
    predictions.write(trained.dataset)
    with open(file, encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def test_same_numbers_as_validation(system, twelve, tmp_path):
    _, path = system
    rows = saved(path, twelve, tmp_path / "test.tsv")
    predictor = load(path)
    corpus = Corpus.load(twelve, labels=predictor.labels.name)
    clips = corpus.clips("test")
    assert clips
    for clip in clips:
        mine = [row for row in rows if row["id"] == clip.id]
        around = sorted((c for c in clips if c.dialogue == clip.dialogue), key=lambda c: int(c.turn))
        at = around.index(clip)
        segment = predictor.clip(
            text=clip.media.get("text"), audio=clip.media.get("audio"), video=clip.media.get("video"),
            start=clip.start, end=clip.end, rate=clip.rate, steps=len(mine) if predictor.windows else None,
            before=[c.media["text"] for c in around[:at]], after=[c.media["text"] for c in around[at + 1 :]],
        )  # fmt: skip
        for name, number in zip(predictor.labels.names, range(9)):
            wanted = [float(row[f"score_{name}"]) for row in mine]
            found = [segment.scores[name]] if segment.trace is None else segment.trace[:, number].tolist()
            assert found == pytest.approx(wanted, abs=1e-5)
        if predictor.labels.kind in ("classes", "multilabel"):
            assert segment.label == mine[0]["prediction"]
        assert segment.missing == ()


def test_a_modality_that_is_not_given_is_missing(small, twelve):
    clip = Corpus.load(twelve).clips("test")[0]
    segment = load(small).clip(audio=clip.media["audio"])
    assert segment.missing == ("text", "video")
    assert segment.notes == ("text is missing: not given", "video is missing: not given")
    assert sum(segment.scores.values()) == pytest.approx(1.0)


def test_nothing_given(small):
    with pytest.raises(InputError) as error:
        load(small).clip(physio="x.npy")
    assert str(error.value) == (
        "clip: expected at least one of text, audio, video, which the model takes; found physio. "
        "Give one of them, or choose another checkpoint."
    )


def test_a_text_file_is_given_as_a_path(small, tmp_path):
    (tmp_path / "words.txt").write_text("the day is wonderful\n")
    predictor = load(small)
    said = predictor.clip(text="the day is wonderful")
    assert predictor.clip(text=tmp_path / "words.txt").scores == said.scores
