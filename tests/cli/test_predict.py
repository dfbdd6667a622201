"""``mmer predict`` as a user runs it, on models with fresh weights."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from omegaconf import OmegaConf

import mmer_fairseq
from mmer_fairseq import load
from mmer_fairseq.checkpoints.fairseq_form import checkpoint
from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus

mmer_fairseq.register()

from mmer_fairseq.criterions.emotion_prediction_cri import EmotionPredictionCriterionConfig  # noqa: E402
from mmer_fairseq.models.lf import LFConfig  # noqa: E402
from mmer_fairseq.tasks.emotion_prediction import EmotionPrediction, EmotionPredictionConfig  # noqa: E402


def flags(config, name):
    return {**OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True), "_name": name}


def written(corpus, file, labels):
    config = EmotionPredictionConfig(data=str(corpus), frame_rate=5.0, frame_size=16, labels=labels)
    task = EmotionPrediction.setup_task(config)
    torch.manual_seed(0)
    model = flags(LFConfig(feature_dim=8), "lf_rnn")
    made = task.build_model(OmegaConf.create(model))
    parts = {
        "model_flags": model,
        "task_flags": {**flags(config, "emotion_prediction"), "data": "/nowhere"},
        "criterion_flags": flags(EmotionPredictionCriterionConfig(), "emotion_prediction_cri"),
    }
    torch.save({**checkpoint(made.state_dict(), **parts), "task_state": task.state_dict()}, file)
    return file


@pytest.fixture(scope="module")
def model(twelve, tmp_path_factory) -> Path:
    return written(twelve, tmp_path_factory.mktemp("predict") / "classes.pt", "emotion")


@pytest.fixture
def clip(twelve):
    return Corpus.load(twelve).clips("test")[0]


def predict(*words) -> int:
    return main(["predict", *map(str, words)])


def table(path):
    with open(path, encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def test_a_video(model, clip, tmp_path, capsys):
    out = tmp_path / "out"
    assert predict("--path", model, clip.media["video"], "--text", clip.media["text"], "--out", out) == 0
    said = capsys.readouterr().out
    assert "sound and picture, as one clip" in said
    assert "× real time" in said
    (row,) = table(out / "predictions.tsv")
    video = clip.media["video"]
    wanted = load(model).clip(text=clip.media["text"], audio=video, video=video)
    assert row["label"] == wanted.label
    assert row["text"] == clip.media["text"]
    for name, score in wanted.scores.items():
        assert float(row[f"score_{name}"]) == pytest.approx(score, abs=1e-6)
    about = json.loads((out / "predictions.json").read_text())
    assert about["segments"][0]["label"] == wanted.label
    assert about["missing"] == {}
    assert about["notes"] == []
    assert (out / "predictions.vtt").read_text().startswith("WEBVTT\n\nNOTE predictions of ")
    assert (
        f"00:00:00.000 --> 00:00:0{float(row['end']):.3f}\n{wanted.label} "
        in (out / "predictions.vtt").read_text()
    )
    assert (out / "timeline.png").read_bytes()[:4] == b"\x89PNG"
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_what_is_missing_is_said(model, clip, tmp_path, capsys):
    shutil.copy(clip.media["audio"], tmp_path / "a.wav")
    assert predict("--path", model, tmp_path / "a.wav") == 0
    said = capsys.readouterr().out
    assert (
        "  text is missing: no subtitles are given, and a.vtt, .srt or .txt is not beside the file\n" in said
    )
    assert "  video is missing: the file has no picture\n" in said


def test_a_folder_with_a_broken_file(model, clip, tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(clip.media["audio"], folder / "a.wav")
    (folder / "a.txt").write_text("the day is wonderful\n")
    (folder / "b.mp4").write_bytes(b"no film\n" * 9)
    (folder / "c.txt").write_text("one\ntwo\n")
    (folder / "readme.md").write_text("nothing to predict\n")
    assert predict("--path", model, folder, "--out", tmp_path / "out") == 2
    said = capsys.readouterr()
    assert "b.mp4: expected an MP4 or QuickTime file" in said.err
    assert "1 of 3 files could not be read" in said.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.wav", "c.txt"]
    assert table(tmp_path / "out" / "a.wav" / "predictions.tsv")[0]["text"] == "the day is wonderful"
    assert len(table(tmp_path / "out" / "c.txt" / "predictions.tsv")) == 2


def test_an_empty_folder(model, tmp_path, capsys):
    assert predict("--path", model, tmp_path) == 2
    assert capsys.readouterr().err.strip() == (
        f"error: {tmp_path}: expected a folder with videos, sounds or texts; found none, by their names. "
        "Name another folder, or the files themselves."
    )


def test_subtitles_for_several_files(model, tmp_path, capsys):
    assert predict("--path", model, "a.wav", "b.wav", "--subtitles", "a.vtt") == 2
    assert capsys.readouterr().err.strip() == (
        "error: --subtitles: expected one file, whose words they are; found 2 files. "
        "Predict it by itself, or put subtitles of the same name beside each file."
    )


def test_a_wrong_encoder_flag(model, tmp_path, capsys):
    assert predict("--path", model, "a.wav", "--encoder", "logmel") == 2
    assert capsys.readouterr().err.strip() == (
        "error: --encoder: expected MODALITY=NAME:PATH; found 'logmel'. Write it so."
    )


@pytest.mark.parametrize("labels", ["emotions", "sentiment"])
def test_other_labels(twelve, tmp_path, labels, capsys):
    path = written(twelve, tmp_path / "model.pt", labels)
    sound = np.random.default_rng(0).normal(size=48000) * 0.1
    soundfile.write(tmp_path / "a.wav", sound, 16000)
    assert predict("--path", path, tmp_path / "a.wav", "--window", "1", "--out", tmp_path / "out") == 0
    rows = table(tmp_path / "out" / "predictions.tsv")
    assert [row["start"] for row in rows] == ["0.000", "1.000", "2.000"]
    names = load(path).labels.names
    assert all(float(row[f"score_{name}"]) is not None for row in rows for name in names)


@pytest.mark.slow
def test_trained_validated_and_predicted_without_the_corpus(twelve, command, tmp_path):
    """The commands as a user types them; the corpus is removed before the prediction."""
    corpus = tmp_path / "corpus"
    shutil.copytree(twelve, corpus, ignore=shutil.ignore_patterns(".mmer"))
    shared = ("--user-dir", "mmer_fairseq", "--task", "emotion_prediction")
    command(
        [
            "fairseq-train", corpus, *shared, "--arch", "robertaEMO_small", "--criterion", "emotion_prediction_cri",
            "--frame-rate", "5", "--frame-size", "16", "--optimizer", "adam", "--lr", "1e-3", "--batch-size", "3",
            "--max-update", "3", "--num-workers", "0", "--save-dir", tmp_path / "run", "--disable-validation",
            "--no-epoch-checkpoints",
        ]
    )  # fmt: skip
    path, saved = tmp_path / "run" / "checkpoint_last.pt", tmp_path / "saved.tsv"
    words = ["--path", path, "--valid-subset", "test", "--save-predictions", saved, "--batch-size", "3"]
    command(["fairseq-validate", corpus, *shared, *words])
    clips = Corpus.load(twelve).clips("test")
    shutil.rmtree(corpus)
    predictor, wanted = load(path), {row["id"]: row for row in table(saved)}
    for clip in clips:
        whole = predictor.clip(**{m: clip.media[m] for m in ("text", "audio", "video")})
        assert whole.label == wanted[clip.id]["prediction"]
        for name, score in whole.scores.items():
            assert float(wanted[clip.id][f"score_{name}"]) == pytest.approx(score, abs=1e-5)
    out, heard = tmp_path / "out", clips[0].media["audio"]
    command(["mmer", "predict", "--path", path, heard, "--text", clips[0].media["text"], "--out", out])
    (row,) = table(out / "predictions.tsv")
    segment = predictor.clip(text=clips[0].media["text"], audio=heard)
    for name, score in segment.scores.items():
        assert float(row[f"score_{name}"]) == pytest.approx(score, abs=1e-5)
