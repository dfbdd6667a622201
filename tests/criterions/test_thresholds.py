"""When thresholds are chosen, when stored ones are used, and what is refused."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import torch

from mmer_fairseq import compat
from mmer_fairseq.criterions import thresholds
from mmer_fairseq.errors import InputError
from mmer_fairseq.metrics.multilabel import MultilabelMetrics

NAMES = ("sad", "joy")


def task(flag="valid", kind="multilabel", stored=None):
    labels = SimpleNamespace(name="mine", kind=kind, names=NAMES)
    return SimpleNamespace(cfg=SimpleNamespace(thresholds=flag), labels=labels, thresholds=stored)


@pytest.fixture
def run(monkeypatch):
    """Pretend that a command runs."""

    def start(command: str, **flags) -> None:
        dataset = {
            "valid_subset": "valid,test",
            "disable_validation": False,
            "max_valid_steps": None,
            **flags,
        }
        cfg = SimpleNamespace(dataset=SimpleNamespace(**dataset))
        monkeypatch.setattr(compat, "RUN", {"command": command, "cfg": cfg})

    return start


def test_asked_for_by_the_flag_alone(run):
    run("train")
    assert thresholds.asked(task())
    assert not thresholds.asked(task("0.5"))
    assert not thresholds.asked(task("0.5", kind="classes"))


def test_chosen_in_training_on_the_first_validated_split_alone(run):
    run("train")
    assert thresholds.chooses("valid")
    assert not thresholds.chooses("test")
    run("validate")
    assert not thresholds.chooses("valid")


def test_what_is_chosen_is_kept_and_said(run, caplog):
    caplog.set_level(logging.INFO)
    made, metrics = task(), MultilabelMetrics(NAMES)
    margins = torch.logit(torch.tensor([[0.62, 0.1], [0.33, 0.3]]).double())
    wanted = torch.tensor([[True, True], [False, True]])
    exact = thresholds.choose(made, metrics, "valid", margins, wanted)
    assert exact.tolist() == [2]
    assert made.thresholds == {"split": "valid", "values": [0.35, 0.05]}
    assert metrics.predict(margins).tolist() == [[1, 1], [0, 1]]
    assert "thresholds chosen on valid, whose metrics are at them: sad 0.35, joy 0.05" in caplog.text


def test_stored_ones_decide(run, caplog):
    caplog.set_level(logging.INFO)
    run("validate")
    metrics = MultilabelMetrics(NAMES)
    thresholds.use_stored(task(stored={"split": "dev", "values": [0.05, 0.95]}), metrics)
    assert metrics.thresholds == (0.05, 0.95)
    assert "decisions at thresholds chosen on dev: sad 0.05, joy 0.95" in caplog.text


def test_none_stored(run):
    metrics = MultilabelMetrics(NAMES)
    run("train")
    thresholds.use_stored(task(), metrics)
    assert metrics.thresholds == (0.5, 0.5)
    for command in ("validate", ""):
        run(command)
        with pytest.raises(InputError) as error:
            thresholds.use_stored(task(), metrics)
        assert str(error.value) == (
            "--thresholds valid: expected thresholds in the checkpoint, chosen in the validation of a training run "
            "with that flag; found none. Take another checkpoint, or decide at 0.5 with --thresholds 0.5."
        )


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({"disable_validation": True}, "--disable-validation"),
        ({"max_valid_steps": 3}, "--max-valid-steps"),
        ({"valid_subset": "test,valid"}, "--valid-subset test"),
    ],
)
def test_a_split_that_cannot_be_chosen_on(run, flags, found):
    run("train", **flags)
    with pytest.raises(InputError) as error:
        thresholds.asked(task())
    assert str(error.value) == (
        "--thresholds valid: expected the whole of a split to choose thresholds on, the first of --valid-subset, "
        f"which is not test; found {found}. Change that, or leave out --thresholds."
    )


def test_wrong_values_and_labels(run):
    run("train")
    with pytest.raises(InputError) as error:
        thresholds.asked(task("0.4"))
    assert str(error.value) == "--thresholds: expected 0.5 or valid; found '0.4'. Give --thresholds valid."
    with pytest.raises(InputError) as error:
        thresholds.asked(task(kind="classes"))
    assert str(error.value) == (
        "--thresholds valid: expected labels of kind multilabel, each decided by itself; found mine of kind classes. "
        "Leave the flag out, or choose another label space with --labels."
    )
