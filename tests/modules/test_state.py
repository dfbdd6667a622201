"""Foreign weights are refused in words; an output layer of another size starts afresh."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor, nn

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.state import CheckedLoading, check_state


class Model(CheckedLoading):
    output_layers = ("head",)

    def __init__(self, width: int = 4, outputs: int = 3) -> None:
        super().__init__()
        self.body = nn.Linear(2, width)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def test_the_same_model_loads():
    source, model = Model(), Model()
    model.load_state_dict(source.state_dict())
    assert torch.equal(model.head.weight, source.head.weight)


def test_foreign_weights_are_named():
    state = {f"other.{i}": torch.zeros(1) for i in range(5)}
    with pytest.raises(InputError) as error:
        Model().load_state_dict(state)
    text = str(error.value)
    assert text.startswith("checkpoint: expected the 4 tensors of this Model; found 4 missing (body.weight, ")
    assert "5 unknown (other.0, other.1, other.2, …)" in text
    assert "Give the flags (architecture, sizes" in text


def test_another_width_is_named_with_both_shapes():
    with pytest.raises(InputError, match=r"3 of another shape \(body.weight \(5, 2\) in place of \(4, 2\), "):
        Model(4).load_state_dict(Model(5).state_dict())


def test_what_is_no_tensor_is_named():
    with pytest.raises(InputError, match=r"body.bias str in place of \(4,\)"):
        check_state(Model(), {**Model().state_dict(), "body.bias": "text"}, "file.pt")


def test_another_number_of_outputs_keeps_the_new_layer(caplog: pytest.LogCaptureFixture):
    source, model = Model(outputs=7), Model(outputs=3)
    before = model.head.weight.clone()
    with caplog.at_level(logging.WARNING):
        model.load_state_dict(source.state_dict())
    assert torch.equal(model.head.weight, before)
    assert torch.equal(model.body.weight, source.body.weight)
    assert "head starts from its initial weights: 7 outputs in the checkpoint, 3 needed" in caplog.text


def test_a_new_output_layer_predicts_only_after_training():
    model = Model(outputs=3)
    model.load_state_dict(Model(outputs=7).state_dict())
    x = torch.randn(1, 2)
    model.eval()
    with pytest.raises(InputError) as error:
        model(x)
    assert str(error.value) == (
        "checkpoint, head: expected an output layer trained for 3 outputs; found one for 7. Train on these "
        "labels first (fairseq-train --finetune-from-model), or choose the labels it was trained on."
    )
    model.train()
    model(x)
    model.eval()
    model(x)


def test_loading_fitting_weights_lifts_the_refusal():
    model = Model(outputs=3)
    model.load_state_dict(Model(outputs=7).state_dict())
    model.load_state_dict(Model(outputs=3).state_dict())
    model.eval()(torch.randn(1, 2))


def test_a_required_output_layer_is_not_replaced():
    model = Model(outputs=3)
    model.load_checkpoint_heads = True
    with pytest.raises(InputError) as error:
        model.load_state_dict(Model(outputs=7).state_dict())
    text = str(error.value)
    assert text.startswith(
        "--load-checkpoint-heads: expected a checkpoint whose output layer head has 3 outputs"
    )
    assert "found 7. Leave the flag out" in text


class WithEncoder(Model):
    def __init__(self, checkpoint: str | None = "encoder.pt", frozen: bool = True) -> None:
        super().__init__()
        self.encoder = nn.Linear(2, 2)
        self.encoder.checkpoint, self.encoder.frozen = checkpoint, frozen


def test_a_frozen_encoder_from_a_file_need_not_be_in_the_weights(caplog: pytest.LogCaptureFixture):
    model, source = WithEncoder(), Model()
    before = model.encoder.weight.clone()
    with caplog.at_level(logging.INFO):
        model.load_state_dict(source.state_dict())
    assert torch.equal(model.encoder.weight, before)
    assert torch.equal(model.body.weight, source.body.weight)
    assert "encoder keeps the frozen weights of encoder.pt" in caplog.text


@pytest.mark.parametrize(("checkpoint", "frozen"), [(None, True), ("encoder.pt", False)])
def test_any_other_encoder_must_be_there(checkpoint: str | None, frozen: bool):
    with pytest.raises(InputError, match=r"2 missing \(encoder.weight, encoder.bias\)"):
        WithEncoder(checkpoint, frozen).load_state_dict(Model().state_dict())


def test_half_of_a_frozen_encoder_is_refused():
    state = WithEncoder().state_dict()
    del state["encoder.bias"]
    with pytest.raises(InputError, match=r"1 missing \(encoder.bias\)"):
        WithEncoder().load_state_dict(state)
