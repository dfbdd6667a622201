"""What the task decides from its flags, and what a checkpoint of it accepts."""

from __future__ import annotations

import logging
import shutil

import pytest
import torch

import mmer_fairseq
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.write import write_store

mmer_fairseq.register()

from mmer_fairseq.tasks.emotion_prediction import EmotionPrediction, EmotionPredictionConfig  # noqa: E402


def task(corpus, **flags) -> EmotionPrediction:
    return EmotionPrediction.setup_task(EmotionPredictionConfig(data=str(corpus), **flags))


def test_takes_every_modality_of_the_corpus_with_its_default_encoder(toy):
    made = task(toy)
    assert {m: spec.encoder for m, spec in made.streams.items()} == {
        "text": "embedding",
        "audio": "logmel",
        "video": "frames",
    }
    assert made.num_outputs == 4


@pytest.mark.parametrize(
    ("labels", "objective", "outputs"),
    [("emotion", "softmax", 4), ("emotions", "bce", 4), ("sentiment", "l1", 1), ("affect", "ccc", 2)],
)
def test_label_space_chooses_objective_and_outputs(toy, labels, objective, outputs):
    made = task(toy, labels=labels)
    assert (made.objective, made.num_outputs) == (objective, outputs)


def test_two_decisions_a_class_double_the_outputs(toy):
    assert task(toy, objective="binary_softmax").num_outputs == 8


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"modalities": "vidio"},
            r"--modalities: expected modalities out of text, audio, video, physio; found 'vidio'",
        ),
        (
            {"modalities": "physio"},
            r"expected modalities that the corpus has \(audio, text, video\); found 'physio'",
        ),
        ({"features": "audio"}, r"--features: expected MODALITY=STORE.*found 'audio'"),
        (
            {"features": "audio=none"},
            r"expected a feature store of .* \(none\); found 'none'\. Run `mmer extract",
        ),
        ({"audio_encoder": "frames"}, r"--audio-encoder frames: expected an encoder for samples"),
        ({"audio_encoder": "nothing"}, r"expected.*logmel.*found.*nothing"),
        (
            {"freeze": "audio", "finetune": "audio"},
            r"--freeze and --finetune: expected each modality in one of them",
        ),
        ({"num_classes": 7}, r"--num-classes: expected 4, the size of label space emotion; found 7"),
        ({"init_token": 5}, r"--init-token: expected 0; found 5"),
        (
            {"tokenizer": "/nowhere/t.model"},
            r"/nowhere/t.model: expected a sentencepiece model.*found no such file",
        ),
        ({"objective": "l1"}, r"objective: expected one that fits labels of kind classes"),
        (
            {"softmax_target_meld": True, "regression_target": True},
            r"expected one target; found --regression-target and",
        ),
    ],
)
def test_wrong_flags_are_explained(toy, flags, message):
    with pytest.raises(InputError, match=message):
        task(toy, **flags)


def test_a_store_takes_the_place_of_the_medium(toy, tmp_path):
    shutil.copytree(toy, tmp_path / "toy")
    corpus = Corpus.load(tmp_path / "toy")
    items = [(clip.id, torch.randn(3, 5)) for split in corpus.splits for clip in corpus.clips(split)]
    write_store(tmp_path / "toy" / "features" / "mine", items, modality="audio", rate=2.0)
    from mmer_fairseq.corpus import register_features

    register_features(
        tmp_path / "toy", name="mine", path=tmp_path / "toy" / "features" / "mine", modality="audio"
    )
    made = task(tmp_path / "toy", features="audio=mine", modalities="audio")
    assert (made.streams["audio"].form, made.streams["audio"].dim) == ("features", 5)
    made.load_dataset("valid")
    assert made.dataset("valid")[0]["streams"]["audio"].shape == (3, 5)
    with pytest.raises(InputError, match="expected a store of video features; found mine, which holds audio"):
        task(tmp_path / "toy", features="video=mine")
    with pytest.raises(InputError, match="expected no encoder for stored features"):
        task(tmp_path / "toy", features="audio=mine", audio_encoder="logmel")


def test_wrong_split_names_those_there_are(toy):
    with pytest.raises(InputError, match="valid"):
        task(toy).load_dataset("dev")


def test_clips_labelled_zero_are_left_out_of_evaluation_by_name(toy, tmp_path, caplog):
    shutil.copytree(toy, tmp_path / "toy")
    file = tmp_path / "toy" / "valid.tsv"
    rows = [line.split("\t") for line in file.read_text().splitlines()]
    column = rows[0].index("sentiment")
    rows[1][column] = "0"
    file.write_text("\n".join("\t".join(row) for row in rows) + "\n")
    made = task(tmp_path / "toy", labels="sentiment", eval_matric=True)
    with caplog.at_level(logging.WARNING):
        made.load_dataset("valid")
    assert len(made.dataset("valid")) == len(rows) - 2
    assert f"valid: 1 clips left out, --eval-matric leaves out the label 0: {rows[1][0]}" in caplog.text


def test_a_checkpoint_accepts_its_own_corpus_and_a_subset_of_modalities(toy):
    state = task(toy).state_dict()
    made = task(toy, modalities="audio")
    made.load_state_dict(state)
    assert list(made.streams) == ["text", "audio", "video"]
    made.load_dataset("valid")
    batch = made.dataset("valid").collater([made.dataset("valid")[0]])
    assert batch["net_input"]["lengths"]["text"].tolist() == [0]
    assert batch["net_input"]["lengths"]["audio"].item() > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocab_size": 99}, r"text stream: expected the checkpoint's vocabulary \(99\)"),
        ({"fingerprint": "other"}, r"expected the checkpoint's tokenizer \(other\)"),
        ({"form": "features"}, r"expected the checkpoint's input \(features\)"),
    ],
)
def test_a_checkpoint_refuses_other_text(toy, change, message):
    made = task(toy)
    state = made.state_dict()
    state["streams"]["text"].update(change)
    with pytest.raises(InputError, match=message):
        made.load_state_dict(state)


def test_a_checkpoint_refuses_a_modality_it_was_not_trained_on(toy):
    state = task(toy, modalities="text").state_dict()
    with pytest.raises(
        InputError, match=r"expected modalities that the checkpoint was trained on \(text\); found 'audio'"
    ):
        task(toy, modalities="text,audio").load_state_dict(state)


def test_clips_too_long_for_a_batch_are_named(toy, caplog):
    made = task(toy, modalities="audio")
    made.load_dataset("train")
    dataset = made.dataset("train")
    limit = int(sorted(dataset.steps)[-2])
    with caplog.at_level(logging.WARNING):
        kept = made.filter_indices_by_size(
            dataset.ordered_indices(), dataset, limit, ignore_invalid_inputs=True
        )
    longest = dataset.clips[int(dataset.steps.argmax())].id
    assert len(kept) == len(dataset) - 1
    assert f"1 clips left out, longer than --max-tokens ({limit} steps): {longest}" in caplog.text
    with pytest.raises(InputError, match=r"expected at most .* steps"):
        made.filter_indices_by_size(dataset.ordered_indices(), dataset, limit)


def test_a_split_that_was_not_wholly_scored_is_an_error(toy):
    made = task(toy)
    made.load_dataset("valid")
    made.evaluated = made.dataset("valid")
    with pytest.raises(RuntimeError, match="7 clips were scored, but the split has 8"):
        made._finish(7, None)
