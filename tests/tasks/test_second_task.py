"""``--aux-data``: the face model learns from labelled faces, too, in the same run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

import mmer_fairseq
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.write import write_corpus
from mmer_fairseq.errors import InputError

mmer_fairseq.register()


from mmer_fairseq.criterions.emotion_prediction_cri import (  # noqa: E402
    EmotionPredictionCriterion,
    EmotionPredictionCriterionConfig,
)
from mmer_fairseq.tasks.emotion_prediction import EmotionPrediction, EmotionPredictionConfig  # noqa: E402

NAMES = ("happy", "content", "sad", "angry")
SIZES = ["--encoder-embed-dim", 16, "--encoder-ffn-embed-dim", 24, "--encoder-attention-heads", 2]
HEADS = ["--ta-heads", 2, "--tav-heads", 2]


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> Path:
    """Twelve pictures of four colours, which are their classes."""
    folder = tmp_path_factory.mktemp("faces")
    rows, random = [], np.random.default_rng(1)
    for k in range(12):
        pixels = random.integers(0, 60, (32, 32, 3)) + 150 * np.eye(4, 3, dtype=int)[k % 4]
        Image.fromarray(pixels.astype("uint8")).save(folder / f"{k}.png")
        rows.append({"id": f"f{k}", "video": f"{k}.png", "expression": NAMES[k % 4]})
    rows[0]["expression"] = "joy"
    space = {"kind": "classes", "column": "expression", "classes": list(NAMES), "map": {"joy": "happy"}}
    three = {"kind": "classes", "column": "three", "classes": ["a", "b", "c"]}
    for k, row in enumerate(rows):
        row["three"] = "abc"[k % 3]
    write_corpus(
        folder,
        description={
            "name": "faces",
            "licence": "MIT",
            "media_root": ".",
            "labels": {"expression": space, "three": three},
        },
        rows={"train": rows},
    )
    return folder


def task_of(toy, faces, **flags) -> EmotionPrediction:
    flags = {"modalities": "audio,video", "aux_batch_size": 6, "frame_rate": 2, **flags}
    return EmotionPrediction.setup_task(EmotionPredictionConfig(data=str(toy), aux_data=str(faces), **flags))


def model_of(task, arch="facialmmt_small", **flags):
    torch.manual_seed(0)
    cfg = {"encoder_embed_dim": 16, "encoder_ffn_embed_dim": 24, "encoder_attention_heads": 2, "dropout": 0}
    heads = {"ta_heads": 2, "tav_heads": 2}
    return task.build_model(OmegaConf.create({"_name": arch, **cfg, **heads, **flags}))


def batch_of(task, epoch=1, clips=(0, 1, 2)):
    if "train" not in task.datasets:
        task.load_dataset("train")
    dataset = task.datasets["train"]
    dataset.set_epoch(epoch)
    return dataset.collater([dataset[k] for k in clips])


def criterion_of(task):
    return EmotionPredictionCriterion(EmotionPredictionCriterionConfig(), task)


def gradients(task, model, sample, **changes):
    model.zero_grad()
    for name, value in changes.items():
        setattr(task.cfg, name, value)
    loss, size, log = criterion_of(task)(model, sample)
    loss.backward()
    with_gradient = {
        name for name, p in model.named_parameters() if p.grad is not None and bool(p.grad.any())
    }
    return with_gradient, float(loss.detach()), size, log


def test_both_tasks_reach_the_shared_face_model(toy, faces):
    task = task_of(toy, faces)
    model = model_of(task)
    sample = batch_of(task)
    assert model.emotions == 4
    assert sample["net_input"]["faces"].shape == (6, 3, 64, 64)
    assert float(sample["net_input"]["faces"].max()) <= 1
    # faces without the clips' loss, clips without the faces'
    alone = {"net_input": {"streams": {}, "lengths": {}, "faces": sample["net_input"]["faces"]}}
    of_faces, *_ = gradients(task, model, {**sample, **alone})
    plain = {key: value for key, value in sample.items() if key != "face_target"}
    plain["net_input"] = {k: v for k, v in sample["net_input"].items() if k != "faces"}
    of_clips, *_ = gradients(task, model, plain)
    shared = {name for name, _ in model.named_parameters() if name.startswith("encoders.encoder.video.")}
    assert of_faces == shared
    assert shared <= of_clips
    assert any(name.startswith("network.") for name in of_clips)


def test_the_losses_add_up(toy, faces):
    task = task_of(toy, faces)
    model = model_of(task).eval()  # no chance in it
    sample = batch_of(task)
    criterion = criterion_of(task)
    _, summed, size, log = gradients(task, model, sample, aux_weight=0.5)
    plain = {key: value for key, value in sample.items() if key != "face_target"}
    plain["net_input"] = {k: v for k, v in sample["net_input"].items() if k != "faces"}
    clips = criterion(model, plain)[0].detach()
    logits = model.face_logits(sample["net_input"]["faces"]).detach()
    mean = torch.nn.functional.cross_entropy(logits, sample["face_target"])
    assert summed == pytest.approx(float(clips) + 0.5 * size * float(mean), rel=1e-5)
    assert (log["aux_faces"], log["clips"], size) == (6, 3, 3)
    assert log["aux_right"] == int((logits.argmax(1) == sample["face_target"]).sum())


def test_faces_are_drawn_anew_and_can_be_drawn_again(toy, faces):
    task = task_of(toy, faces)
    first, again = batch_of(task, 1), batch_of(task, 1)
    assert torch.equal(first["face_target"], again["face_target"])
    assert torch.equal(first["net_input"]["faces"], again["net_input"]["faces"])
    others = [batch_of(task, 2)["net_input"]["faces"], batch_of(task, 1, (3, 4))["net_input"]["faces"]]
    assert not any(torch.equal(first["net_input"]["faces"], other) for other in others)
    # the class map of its corpus file
    corpus = Corpus.load(faces)
    assert corpus.label_space.target(corpus.clips("train")[0]) == 0


def test_alternation_learns_from_one_of_them_in_an_epoch(toy, faces):
    task = task_of(toy, faces, aux_schedule="alternate")
    model = model_of(task)
    sample = batch_of(task, 1)
    assert sample["net_input"]["streams"] == {}
    found, _, size, log = gradients(task, model, sample)
    assert found == {
        name for name, _ in model.named_parameters() if name.startswith("encoders.encoder.video.")
    }
    assert (size, log["clips"]) == (6, 0)
    sample = batch_of(task, 2)
    assert "face_target" not in sample
    found, _, size, log = gradients(task, model, sample)
    assert any(name.startswith("network.") for name in found)
    assert (size, log["clips"]) == (3, 3)


def test_evaluation_sees_no_faces(toy, faces):
    task = task_of(toy, faces)
    task.load_dataset("valid")
    dataset = task.datasets["valid"]
    assert "face_target" not in dataset.collater([dataset[0]])


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["together", "alternate"])
def test_training_with_faces(toy, faces, command, tmp_path, schedule):
    done = command(
        [
            "fairseq-train", toy, "--user-dir", "mmer_fairseq", "--task", "emotion_prediction", "--arch",
            "facialmmt_small", "--criterion", "emotion_prediction_cri", "--cpu", "--modalities", "audio,video",
            "--frame-rate", 2, "--max-sample-size", 16000, "--aux-data", faces, "--aux-schedule", schedule,
            "--aux-batch-size", 6, "--optimizer", "adam", "--lr", "1e-3", "--batch-size", 8, "--max-epoch", 2,
            "--num-workers", 1, "--no-epoch-checkpoints", "--save-dir", tmp_path, "--no-progress-bar",
            "--log-format", "json", *SIZES, *HEADS,
        ]
    )  # fmt: skip
    lines = re.findall(r"\| train \| (\{.*)$", done.stdout, flags=re.MULTILINE)
    first, second = (json.loads(line) for line in lines)
    assert {"train_aux_loss", "train_aux_accuracy"} <= first.keys()
    if schedule == "alternate":
        assert float(first["train_loss"]) == pytest.approx(float(first["train_aux_loss"]))
        assert "train_clips" not in first
        assert "train_clips" in second
        assert second["train_aux_loss"] is None
    else:
        assert float(first["train_clips"]) == float(second["train_clips"]) == 24
    assert (tmp_path / "checkpoint_best.pt").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"aux_schedule": "often"}, "--aux-schedule: expected together or alternate; found 'often'"),
        ({"aux_batch_size": 0}, "--aux-batch-size: expected 1 face or more; found 0"),
        ({"aux_weight": 0.0}, "--aux-weight: expected a number above 0; found 0.0"),
        ({"modalities": "audio"}, "--aux-data: expected a run that reads pictures; found no pictures"),
        ({"aux_labels": "nix"}, "nix"),
    ],
)
def test_bad_flags_are_refused(toy, faces, flags, message):
    with pytest.raises(InputError) as caught:
        task_of(toy, faces, **flags)
    assert message in str(caught.value)


def test_a_corpus_without_classes_is_refused(toy, faces):
    with pytest.raises(InputError, match="a label space of classes; found sentiment, which is of kind score"):
        task_of(toy, toy, aux_labels="sentiment")


def test_another_architecture_is_refused(toy, faces):
    task = task_of(toy, faces)
    with pytest.raises(
        InputError, match=r"an architecture with a face model of its own \(facialmmt…\); found lf_rnn"
    ):
        task.build_model(OmegaConf.create({"_name": "lf_rnn"}))


def test_another_number_of_emotions_is_refused(toy, faces):
    task = task_of(toy, faces, aux_labels="three")
    model = model_of(task)
    expected = "labels of the 4 emotions that the face model tells apart; found 3 classes"
    with pytest.raises(InputError, match=expected):
        gradients(task, model, batch_of(task))


def test_a_frozen_or_missing_face_model_is_refused(toy, faces):
    task = task_of(toy, faces, freeze="video")
    with pytest.raises(InputError, match="and is trained; found one whose weights are frozen"):
        gradients(task, model_of(task), batch_of(task))
    task = task_of(toy, faces)
    with pytest.raises(InputError, match="and is trained; found none"):
        gradients(task, model_of(task, frame_emotions=0), batch_of(task))


def test_faces_that_cannot_be_read(toy, faces, tmp_path, caplog):
    import shutil

    broken = tmp_path / "faces"
    shutil.copytree(faces, broken)
    (broken / "3.png").write_bytes(b"no picture")
    task = task_of(toy, broken, bad_clips="missing", aux_batch_size=12)
    sample = batch_of(task)
    assert len(sample["face_target"]) == 11
    assert "face f3 is left out" in caplog.text
    with pytest.raises(InputError, match=r"3\.png"):
        batch_of(task_of(toy, broken, aux_batch_size=12))
