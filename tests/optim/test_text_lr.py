"""``--text-lr-factor``: what moves more slowly, and what stays as it was."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmer_fairseq.errors import InputError
from mmer_fairseq.optim import text_lr

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1),
}


class Model(nn.Module):
    def __init__(self, head: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoders = nn.Module()
        self.encoders.encoder = nn.ModuleDict({m: nn.Linear(3, 2) for m in ("text", "audio")})
        self.network = nn.Module()
        self.network.heads = nn.ModuleDict({m: nn.Linear(2, 1) for m in ("text", "audio")[not head :]})

    def slow(self) -> set[str]:
        return {name for name, _ in self.named_parameters() if ".text." in name}


def update(model: Model, optimizer, factor: float, times: int = 1) -> None:
    for _ in range(times):
        for i, p in enumerate(model.parameters()):
            p.grad = torch.full_like(p, 0.5 + i)
        with text_lr.slowed(SimpleNamespace(optimizer=optimizer), factor):
            optimizer.step()


def moved(model: Model) -> dict[str, torch.Tensor]:
    start = dict(Model().named_parameters())
    return {name: (p - start[name]).detach() for name, p in model.named_parameters()}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_text_moves_by_its_share_and_the_rest_as_before(name):
    found = []
    for factor in (1.0, 8.0):
        model = Model()
        text_lr.mark(model, factor)
        update(model, OPTIMIZERS[name](model.parameters()), factor)
        found.append(moved(model))
    plain, slowed = found
    for parameter in plain:
        share = 1 / 8 if parameter in Model().slow() else 1
        assert torch.allclose(slowed[parameter], plain[parameter] * share, atol=1e-7)
        assert plain[parameter].abs().min() > 0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_groups_and_state_are_those_of_an_optimiser_without_it(name):
    model = Model()
    text_lr.mark(model, 8.0)
    optimizer = OPTIMIZERS[name](model.parameters())
    before = optimizer.param_groups[0]
    update(model, optimizer, 8.0)
    assert optimizer.param_groups == [before]
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert optimizer.param_groups[0]["params"] == list(model.parameters())
    other = OPTIMIZERS[name](Model().parameters())
    other.load_state_dict(optimizer.state_dict())  # a checkpoint of another factor


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_resumed_updates_are_those_of_one_run(name):
    whole, model = Model(), Model()
    for each in (whole, model):
        text_lr.mark(each, 4.0)
    update(whole, OPTIMIZERS[name](whole.parameters()), 4.0, times=4)
    first = OPTIMIZERS[name](model.parameters())
    update(model, first, 4.0, times=2)
    second = OPTIMIZERS[name](model.parameters())
    second.load_state_dict(first.state_dict())
    update(model, second, 4.0, times=2)
    for a, b in zip(whole.parameters(), model.parameters()):
        assert torch.equal(a, b)


def test_the_groups_come_back_after_an_error():
    model = Model()
    text_lr.mark(model, 2.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def overflow() -> None:
        with text_lr.slowed(SimpleNamespace(optimizer=optimizer), 2.0):
            assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.05]
            raise OverflowError

    with pytest.raises(OverflowError):
        overflow()
    assert [len(group["params"]) for group in optimizer.param_groups] == [8]


def test_what_an_optimiser_counts_in_its_group_goes_on():
    model = Model()
    text_lr.mark(model, 2.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with text_lr.slowed(SimpleNamespace(optimizer=optimizer), 2.0):
        for group in optimizer.param_groups:
            group["step"] = 7
    assert optimizer.param_groups[0]["step"] == 7


@pytest.mark.parametrize("wrapper", ["FP16Optimizer", "MemoryEfficientFP16Optimizer"])
def test_the_mark_survives_half_precision(wrapper):
    from fairseq import optim
    from fairseq.optim.adam import FairseqAdamConfig
    from omegaconf import OmegaConf

    adam = OmegaConf.create({**vars(FairseqAdamConfig(tpu=False, lr=[0.5])), "_name": "adam"})
    common = {"bf16": True, "fp16_scale_window": 1, "model_parallel_size": 1}
    cfg = OmegaConf.create({"common": common, "optimizer": adam, "optimization": {"update_freq": [1]}})
    found = []
    for factor in (1.0, 4.0):
        model = Model().to(torch.bfloat16)
        text_lr.mark(model, factor)
        optimizer = getattr(optim, wrapper).build_optimizer(cfg, list(model.parameters()))
        start = [p.detach().clone() for p in model.parameters()]
        optimizer.backward(sum(p.sum() for p in model.parameters()))
        with text_lr.slowed(optimizer, factor):
            optimizer.step()
        found.append([(p - q).abs().mean().item() for p, q in zip(model.parameters(), start)])
    names = [name for name, _ in Model().named_parameters()]
    for name, plain, slowed in zip(names, *found):
        assert slowed == pytest.approx(plain / (4 if ".text." in name else 1), rel=0.05), name


def test_a_network_without_heads_is_marked_too(caplog):
    caplog.set_level(logging.INFO)
    text_lr.mark(Model(head=False), 10.0)
    assert "8 parameters of the text encoder learn at --lr / 10" in caplog.text


def test_nothing_to_slow_down():
    model = Model()
    model.encoders.encoder["text"].requires_grad_(False)
    with pytest.raises(InputError) as error:
        text_lr.mark(model, 10.0)
    assert str(error.value) == (
        "--text-lr-factor 10: expected a text encoder that is trained; found none: the text is not used, is stored "
        "features, or its encoder is frozen. Leave the flag out, or train the encoder with --finetune text."
    )
    text_lr.mark(model, 1.0)


def test_parameters_joined_into_one():
    flat = torch.optim.SGD([nn.Parameter(torch.zeros(9))], lr=0.1)
    holder = SimpleNamespace(optimizer=flat)
    with pytest.raises(InputError) as error, text_lr.slowed(holder, 10.0):
        pass
    assert str(error.value) == (
        "--text-lr-factor 10: expected an optimiser that holds the text encoder's parameters one by one; found "
        "SimpleNamespace, which joins all parameters into one. Add --fp16-no-flatten-grads, or use "
        "--memory-efficient-fp16 or --amp in place of --fp16."
    )


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_wrong_factors(factor):
    with pytest.raises(InputError) as error:
        text_lr.check_factor(factor)
    assert str(error.value) == (
        "--text-lr-factor: expected a number above 0: the text encoder learns at --lr divided by it; "
        f"found {factor}. Give 10, or leave the flag out."
    )
