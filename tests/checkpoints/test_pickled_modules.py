"""Pickled models: their tensors, and what is no model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from mmer_fairseq.checkpoints.pickled_modules import state_of, without_wrapper
from mmer_fairseq.errors import InputError


def bare(module: nn.Module) -> Any:
    """A module's attributes without its class."""
    attributes = dict(vars(module))
    attributes["_modules"] = {name: bare(child) for name, child in module._modules.items()}
    return SimpleNamespace(**attributes)


def test_the_state_is_the_state_dict():
    module = nn.Sequential(nn.Linear(3, 2), nn.ModuleList([nn.LayerNorm(2), nn.BatchNorm1d(2)]))
    found, expected = state_of(bare(module), "file"), module.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], x) for name, x in expected.items())


def test_a_wrapper_is_no_part_of_the_names():
    state = nn.Linear(3, 2).state_dict()
    assert without_wrapper({f"module.{name}": x for name, x in state.items()}).keys() == state.keys()
    assert without_wrapper(state).keys() == state.keys()
    assert without_wrapper({"module.a": state["bias"], "b": state["bias"]}).keys() == {"module.a", "b"}
    assert without_wrapper({}) == {}


def test_what_is_no_module():
    itself = SimpleNamespace(_parameters={}, _buffers={}, _modules={})
    itself._modules["child"] = itself
    number = SimpleNamespace(_parameters={}, _buffers={}, _modules={"child": 3})
    listed = SimpleNamespace(_parameters=[1, 2], _buffers={}, _modules={})
    for module, found in (
        (itself, "one that contains itself"),
        (number, "a int among them"),
        (listed, "a SimpleN"),
    ):
        with pytest.raises(
            InputError, match=f"file: expected modules of torch inside each other; found {found}"
        ):
            state_of(module, "file")
