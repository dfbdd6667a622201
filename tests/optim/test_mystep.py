"""JMT's schedule, and its optimiser among fairseq's own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from fairseq.optim.lr_scheduler import build_lr_scheduler
from fairseq.optim.nag import NAG
from omegaconf import OmegaConf

import mmer_fairseq
from mmer_fairseq.errors import InputError
from mmer_fairseq.optim.mystep import MyStep, MyStepConfig

mmer_fairseq.register()


class Optimizer:
    """What a schedule needs of one."""

    lr = 0.0

    def set_lr(self, lr: float) -> None:
        self.lr = lr

    def get_lr(self) -> float:
        return self.lr


@pytest.fixture(autouse=True)
def any_optimizer(monkeypatch):
    monkeypatch.setattr("fairseq.optim.lr_scheduler.fairseq_lr_scheduler.FairseqOptimizer", Optimizer)


def config(**changes) -> SimpleNamespace:
    return SimpleNamespace(**{"lr": [0.01], "step_size": 3, "gamma": 0.1, "min_lr": 1e-4, **changes})


def test_the_rate_falls_every_step_size_epochs_down_to_the_lowest():
    schedule = MyStep(config(), Optimizer())
    assert schedule.optimizer.lr == 0.01
    rates = [schedule.step_begin_epoch(epoch) for epoch in range(1, 12)]
    assert rates == pytest.approx([0.01] * 3 + [1e-3] * 3 + [1e-4] * 5)
    assert schedule.step(3) == pytest.approx(1e-4)


def test_a_resumed_run_gets_the_rate_of_its_epoch():
    schedule = MyStep(config(), Optimizer())
    schedule.load_state_dict(MyStep(config(), Optimizer()).state_dict())
    assert schedule.step_begin_epoch(5) == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": [0.1, 0.01]}, "--lr-scheduler mystep, --lr: expected one learning rate; found [0.1, 0.01]."),
        ({"step_size": 0}, "--lr-scheduler mystep, --step-size: expected 1 epoch or more; found 0."),
        ({"gamma": 1.5}, "--lr-scheduler mystep, --gamma: expected a number above 0, at most 1; found 1.5."),
        ({"min_lr": -1.0}, "--lr-scheduler mystep, --min-lr: expected 0 or more; found -1.0."),
    ],
)
def test_numbers_that_cannot_be(changes, message):
    with pytest.raises(InputError) as error:
        MyStep(config(**changes), Optimizer())
    assert str(error.value) == message + " Correct it."


def test_it_is_registered_under_the_originals_name():
    assert MyStepConfig().step_size == 40
    built = build_lr_scheduler(OmegaConf.create({"_name": "mystep", **vars(config())}), Optimizer())
    assert isinstance(built, MyStep)


def test_fairseqs_nag_is_torchs_sgd_with_nesterov_momentum():
    torch.manual_seed(0)
    start, target = torch.randn(7), torch.randn(7)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    nag = NAG([ours], lr=0.1, momentum=0.9)
    sgd = torch.optim.SGD([theirs], lr=0.1, momentum=0.9, nesterov=True)
    for _ in range(20):
        for parameter, optimizer in ((ours, nag), (theirs, sgd)):
            optimizer.zero_grad()
            (parameter - target).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(ours, theirs)
