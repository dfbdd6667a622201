"""What a checkpoint says of its making."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.reporting.choices import Choice, note_choice, read_origin


def checkpoint(path: Path, *, valid="valid", thresholds=None, weights=None, **dataset) -> Path:
    cfg = {
        "checkpoint": {"best_checkpoint_metric": "uar", "maximize_best_checkpoint_metric": True},
        "dataset": {"train_subset": "train", "valid_subset": valid, "disable_validation": False, **dataset},
        "task": {"data": "/data/mine", "labels": "emotion"},
        "common": {"seed": 3},
        "model": {"_name": "lf_rnn"},
    }
    labels = {"name": "emotion", "kind": "classes", "names": ["calm", "glad"]}
    state = {"labels": labels, "thresholds": thresholds, "label_weights": weights, "streams": {"text": {}}}
    torch.save({"cfg": cfg, "task_state": state, "extra_state": {"best": 0.8125}, "model": {}}, path)
    return path


def test_the_epoch_the_thresholds_and_the_weights(tmp_path):
    chosen = {"split": "valid", "values": [0.5, 0.35]}
    origin = read_origin(
        checkpoint(tmp_path / "checkpoint_best.pt", valid="valid,test", thresholds=chosen, weights=[1.0, 2.0])
    )
    assert origin.choices == (
        Choice("the epoch", "the highest UAR of all epochs", "valid", "0.812"),
        Choice("the thresholds", "the highest F1 of each label", "valid", "calm 0.5, glad 0.35"),
        Choice("the weights of the labels in the loss", "how often each label occurs", "train"),
    )
    assert (origin.seed, origin.arch, origin.data, origin.modalities) == (
        3,
        "lf_rnn",
        "/data/mine",
        ("text",),
    )
    assert [choice.what for choice in origin.chosen_on("valid")] == ["the epoch", "the thresholds"]
    assert origin.chosen_on("test") == []


def test_classes_that_may_be_loaded_stay_so(tmp_path):
    was = torch.serialization.get_safe_globals()
    torch.serialization.add_safe_globals([argparse.Namespace])
    try:
        read_origin(checkpoint(tmp_path / "checkpoint_best.pt"))
        assert argparse.Namespace in torch.serialization.get_safe_globals()
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(was)


@pytest.mark.parametrize(
    ("name", "extra"), [("checkpoint_last.pt", {}), ("checkpoint_best.pt", {"disable_validation": True})]
)
def test_nothing_was_chosen(name, extra, tmp_path):
    assert read_origin(checkpoint(tmp_path / name, **extra)).choices == ()


@pytest.mark.parametrize("content", ["text", "tensor", "other"])
def test_files_that_are_no_checkpoint(content, tmp_path):
    path = tmp_path / "checkpoint_best.pt"
    if content == "text":
        path.write_text("hello")
    else:
        torch.save(torch.zeros(1) if content == "tensor" else {"cfg": {}, "model": {}}, path)
    with pytest.raises(
        InputError, match=r"expected a checkpoint of fairseq-train with this plugin; found .+\. Move it"
    ):
        read_origin(path)


def test_what_was_chosen_outside_of_the_run_is_read_beside_it(tmp_path):
    tuned = Choice("the learning rate", "the highest UAR of 1e-3, 3e-4", "valid", "3e-4")
    path = checkpoint(tmp_path / "checkpoint_last.pt")
    note_choice(tmp_path, tuned)
    assert read_origin(path).choices == (tuned,)
    assert read_origin(path).chosen_on("valid") == [tuned]


def test_a_broken_note(tmp_path):
    path = checkpoint(tmp_path / "checkpoint_last.pt")
    (tmp_path / "choices.json").write_text('[{"how": "?"}]')
    with pytest.raises(InputError) as error:
        read_origin(path)
    assert str(error.value).startswith(
        f"{tmp_path}/choices.json: expected a list of choices: what, how, split, value; found TypeError: "
    )
    assert str(error.value).endswith("Write it again with mmer compare, or remove it if nothing was tuned.")
