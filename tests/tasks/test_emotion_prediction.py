"""What the task decides from its flags, and what a checkpoint of it accepts."""

from __future__ import annotations

import logging
import shutil
from types import SimpleNamespace

import pytest
import torch

import mmer_fairseq
from mmer_fairseq import compat
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.write import write_store

mmer_fairseq.register()

from mmer_fairseq.criterions.emotion_prediction_cri import (  # noqa: E402
    EmotionPredictionCriterion,
    EmotionPredictionCriterionConfig,
)
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
        (
            {"text_encoder": "identity"},
            r"found one for features\. Name stored features with --features text=",
        ),
        ({"audio_encoder": "nothing"}, r"--audio-encoder: expected.*logmel.*found.*nothing"),
        ({"modalities": ","}, r"--modalities: expected names separated by commas; found ','"),
        ({"frame_size": -3}, r"--frame-size: expected a number from 0 to 4096; found -3"),
        ({"max_sample_size": 0}, r"--max-sample-size: expected 1 or more; found 0"),
        (
            {"max_sample_size": 5, "min_sample_size": 9},
            r"--min-sample-size: expected at most --max-sample-size \(5\)",
        ),
        (
            {"freeze": "audio", "finetune": "audio"},
            r"--freeze and --finetune: expected each modality in one of them",
        ),
        ({"num_classes": 7}, r"--num-classes: expected 4, the size of label space emotion; found 7"),
        ({"init_token": 5}, r"--init-token: expected 0; found 5"),
        (
            {"tokenizer_model": "/nowhere/t.model"},
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
    with pytest.raises(InputError, match="expected identity or standardise for stored features"):
        task(tmp_path / "toy", features="audio=mine", audio_encoder="logmel")
    with pytest.raises(InputError, match="--features: expected different stores for audio; found mine twice"):
        task(tmp_path / "toy", features="audio=mine,audio=mine")
    description = tmp_path / "toy" / "corpus.yaml"
    description.write_text(description.read_text().replace("modality: audio", "modality: video"))
    with pytest.raises(
        InputError, match=r"expected a store of video features, as .* found one made from audio"
    ):
        task(tmp_path / "toy", features="video=mine")


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


def test_flags_of_a_modality_that_is_not_read_are_named(toy, caplog):
    with caplog.at_level(logging.WARNING):
        task(toy, modalities="text", audio_encoder="logmel", freeze="video")
    assert "--audio-encoder has no effect on audio: this run reads text" in caplog.text
    assert "--freeze has no effect on video" in caplog.text


def test_no_flag_of_ours_is_hidden_by_one_of_fairseqs(monkeypatch):
    """fairseq keeps its own flag of a name without a word."""
    import argparse
    import dataclasses

    from fairseq import options

    parsers = []
    parse = argparse.ArgumentParser.parse_known_args

    def remember(parser, *args, **kwargs):
        parsers.append(parser)
        return parse(parser, *args, **kwargs)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", remember)
    monkeypatch.setattr("sys.argv", ["fairseq-train"])
    words = ["DIR", "--task", "emotion_prediction", "--arch", "robertaEMO"]
    words += ["--criterion", "emotion_prediction_cri"]
    options.parse_args_and_arch(options.get_training_parser(), words)
    help_of = {action.dest: action.help for action in parsers[-1]._actions}
    for flag in dataclasses.fields(EmotionPredictionConfig):
        if "help" in flag.metadata:
            assert help_of[flag.name] == flag.metadata["help"], flag.name


def test_training_goes_on_from_its_own_checkpoint_alone(toy):
    state = task(toy).state_dict()
    task(toy).continue_from(state, fine_tuning=False)
    task(toy).continue_from({}, fine_tuning=False)
    other = task(toy, labels="sentiment")
    other.continue_from(state, fine_tuning=True)
    with pytest.raises(InputError, match=r"expected the checkpoint's label space \(classes: happy"):
        other.continue_from(state, fine_tuning=False)
    with pytest.raises(
        InputError,
        match=r"--modalities: expected those of the checkpoint .*; found text\. Give --modalities text,audio",
    ):
        task(toy, modalities="text").continue_from(state, fine_tuning=True)
    state["streams"]["text"]["fingerprint"] = "other"
    with pytest.raises(InputError, match="expected the checkpoint's tokenizer"):
        task(toy).continue_from(state, fine_tuning=True)


def test_fine_tuning_may_see_more_pictures_a_second(toy, caplog):
    state = task(toy, frame_rate=2.0).state_dict()
    finer = task(toy, frame_rate=8.0)
    finer.continue_from(state, fine_tuning=True)
    assert "video: fine-tuned on 8 pictures a second, trained on 2 pictures a second" in caplog.text
    assert state["streams"]["video"]["rate"] == 2.0
    with pytest.raises(
        InputError, match=r"video stream: expected the checkpoint's rate in Hz \(2.0\); found 8.0"
    ):
        finer.continue_from(state, fine_tuning=False)


def test_a_rate_that_was_not_given_is_told_in_words(toy, caplog):
    state = task(toy, modalities="video", video_encoder="face_pixels").state_dict()
    state["streams"]["video"]["rate"] = 0.0
    finer = task(toy, modalities="video", video_encoder="face_pixels", frame_rate=8.0)
    finer.continue_from(state, fine_tuning=True)
    assert "video: fine-tuned on 8 pictures a second, trained on every picture" in caplog.text


def test_another_criterion_is_refused(toy):
    from omegaconf import OmegaConf

    with pytest.raises(InputError, match="--criterion: expected emotion_prediction_cri; found cross_entropy"):
        task(toy).build_criterion(OmegaConf.create({"_name": "cross_entropy"}))


def test_a_split_without_a_predicted_label_is_refused(toy, tmp_path):
    shutil.copytree(toy, tmp_path / "toy")
    file = tmp_path / "toy" / "valid.tsv"
    rows = [line.split("\t") for line in file.read_text().splitlines()]
    column = rows[0].index("sentiment")
    for row in rows[1:]:
        row[column] = "0"
    file.write_text("\n".join("\t".join(row) for row in rows) + "\n")
    with pytest.raises(InputError, match="valid: expected clips with a label to predict"):
        task(tmp_path / "toy", labels="sentiment", eval_matric=True).load_dataset("valid")


def test_all_clips_too_long_is_an_error_in_training_too(toy):
    made = task(toy, modalities="audio")
    made.load_dataset("train")
    dataset = made.dataset("train")
    with pytest.raises(InputError, match=r"expected at most 5 steps \(--max-tokens\)"):
        made.filter_indices_by_size(dataset.ordered_indices(), dataset, 5, ignore_invalid_inputs=True)


def test_errors_of_a_batch_name_its_clips(toy):
    made = task(toy, modalities="audio")
    made.load_dataset("valid")
    made.evaluated = made.dataset("valid")
    clip = made.evaluated.clips[2]

    class Model:
        def eval(self) -> None: ...

    def criterion(model, sample):
        raise InputError("stream 'audio': expected at most 4 steps; found 9. Raise it.")

    with pytest.raises(InputError) as error:
        made.valid_step({"id": torch.tensor([2])}, Model(), criterion)
    assert str(error.value).endswith(f"Raise it. Rows of the batch: 0: {clip.id} ({clip.where}).")


class Linear(torch.nn.Module):
    """A model that keeps the type in which it computed."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, outputs)

    def forward(self, streams, lengths):
        logits = self.layer(streams["audio"].mean(dim=1))
        self.computed = logits.dtype
        return {"logits": logits, "aux": {"audio": logits}}


@pytest.mark.parametrize("asked", [False, True])
def test_mixed_precision_is_for_training_alone(toy, asked):
    made = task(toy, modalities="audio", autocast_bf16=asked)
    criterion = EmotionPredictionCriterion(EmotionPredictionCriterionConfig(), made)
    model = Linear(made.num_outputs)
    sample = {
        "id": torch.arange(2),
        "net_input": {"streams": {"audio": torch.randn(2, 5, 3)}, "lengths": {"audio": torch.tensor([5, 5])}},
        "target": torch.tensor([0, 1]),
        "ntokens": 10,
    }
    loss, size, _ = criterion(model.train(), sample)
    assert model.computed == (torch.bfloat16 if asked else torch.float32)
    assert (loss.dtype, size) == (torch.float32, 2)
    loss.backward()
    assert model.layer.weight.grad.dtype == torch.float32
    criterion(model.eval(), sample)
    assert model.computed == torch.float32


def test_one_half_precision_at_a_time(toy, monkeypatch):
    cfg = SimpleNamespace(common=SimpleNamespace(fp16=True, bf16=False, amp=False))
    monkeypatch.setitem(compat.RUN, "cfg", cfg)
    monkeypatch.setitem(compat.RUN, "command", "train")
    with pytest.raises(InputError) as error:
        task(toy, modalities="audio", autocast_bf16=True)
    assert str(error.value) == (
        "--autocast-bf16: expected no other flag of half precision beside it; found --fp16. Leave one of them out."
    )


def test_a_checkpoint_that_saw_copies_of_missing_faces_is_told_of(toy, tmp_path, caplog):
    shutil.copytree(toy, tmp_path / "toy")
    description = tmp_path / "toy" / "corpus.yaml"
    flags = {"modalities": "video", "video_encoder": "face_pixels", "labels": "emotion"}
    old = task(tmp_path / "toy", **flags).state_dict()
    del old["reading"]["streams"]["video"]["options"]["hold_gaps"]
    with caplog.at_level("WARNING"):
        task(tmp_path / "toy", **flags).load_state_dict(old)  # its videos are files
        assert "video: this version leaves out pictures" not in caplog.text
        description.write_text(description.read_text() + "pictures: {clock: clip}\n")
        faces = task(tmp_path / "toy", **flags)
        faces.continue_from(faces.state_dict(), fine_tuning=False)
        faces.continue_from(old, fine_tuning=True)
        assert "video: this version leaves out pictures" not in caplog.text
        faces.load_state_dict(old)
        assert "video: this version leaves out pictures that are missing; the one that trained" in caplog.text
        caplog.clear()
        faces.continue_from(old, fine_tuning=False)
        assert "and so does mmer predict with it" in caplog.text
