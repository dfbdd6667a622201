"""Names of activation functions mean what they mean in fairseq."""

from __future__ import annotations

import math

import pytest
import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.activations import ACTIVATIONS, activation

X = torch.linspace(-3, 3, 13, dtype=torch.float64)

EXPECTED = {
    "gelu": X * 0.5 * (1 + torch.erf(X / math.sqrt(2))),
    "gelu_fast": 0.5 * X * (1 + torch.tanh(math.sqrt(2 / math.pi) * (X + 0.044715 * X**3))),
    "gelu_accurate": 0.5 * X * (1 + torch.tanh(math.sqrt(2 / math.pi) * (X + 0.044715 * X**3))),
    "leaky_relu": torch.maximum(X, 0.01 * X),
    "linear": X,
    "relu": X.clamp(min=0),
    "swish": X / (1 + torch.exp(-X)),
    "tanh": torch.tanh(X),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_function(name: str):
    torch.testing.assert_close(activation(name)(X), EXPECTED[name], rtol=0, atol=1e-12)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(InputError) as error:
        activation("gelu2", "--pooler-activation-fn")
    text = str(error.value)
    assert text.startswith("--pooler-activation-fn: expected one of gelu, ")
    assert "found 'gelu2'" in text
    assert "Name one of these." in text
