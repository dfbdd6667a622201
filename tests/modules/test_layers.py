"""Layers in both norm orders, against torch's encoder layer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.layers import LayerSizes, LayerStack, TransformerLayer
from mmer_fairseq.modules.masks import padding_mask
from mmer_fairseq.modules.rows import Rows

LENGTHS = torch.tensor([6, 2])


def with_weights_of(layer: TransformerLayer, normalize_before: bool) -> nn.TransformerEncoderLayer:
    """torch's layer with our weights."""
    theirs = nn.TransformerEncoderLayer(
        12, 2, 20, 0.0, "gelu", batch_first=True, norm_first=normalize_before, dtype=torch.float64
    )
    a = layer.attention
    theirs.self_attn.in_proj_weight.data = torch.cat([getattr(a, f"{n}_proj").weight for n in "qkv"]).detach()
    bias = torch.cat([a.q_proj.bias, torch.zeros(12).double(), a.v_proj.bias])
    theirs.self_attn.in_proj_bias.data = bias.detach()
    pairs = [
        (theirs.self_attn.out_proj, a.out_proj),
        (theirs.linear1, layer.fc1),
        (theirs.linear2, layer.fc2),
        (theirs.norm1, layer.attention_norm),
        (theirs.norm2, layer.ffn_norm),
    ]
    for to, source in pairs:
        to.load_state_dict(source.state_dict())
    return theirs


@pytest.mark.parametrize("normalize_before", [False, True])
def test_self_attention_layer_is_torchs(normalize_before: bool):
    torch.manual_seed(0)
    sizes = LayerSizes(
        ffn_dim=20, heads=2, dropout=0.0, attention_dropout=0.0, normalize_before=normalize_before
    )
    layer = TransformerLayer(dim=12, sizes=sizes).double()
    for norm in (layer.attention_norm, layer.ffn_norm):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    x, rows, mask = torch.randn(2, 6, 12).double(), Rows(LENGTHS), padding_mask(LENGTHS, 6)
    expected = with_weights_of(layer, normalize_before)(x, src_key_padding_mask=mask)
    torch.testing.assert_close(layer(rows.pack(x), rows), expected[~mask], rtol=0, atol=1e-11)


def test_a_pre_norm_stack_ends_in_a_norm():
    sizes = LayerSizes(ffn_dim=20, heads=2, dropout=0.0, normalize_before=True)
    stack = LayerStack(count=2, dim=8, sizes=sizes, memory_dim=4).eval()
    y = stack(torch.randn(3, 1, 8) * 10, torch.randn(3, 5, 4), None)
    assert y.shape == (3, 1, 8)
    torch.testing.assert_close(y.mean(-1), torch.zeros(3, 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.std(-1, unbiased=False), torch.ones(3, 1), atol=1e-3, rtol=0)
    post = LayerStack(count=2, dim=8, sizes=LayerSizes(ffn_dim=20, heads=2), memory_dim=4)
    assert not list(post.norm.parameters())


@pytest.mark.parametrize("rate", ["dropout", "attention_dropout", "activation_dropout"])
def test_each_dropout_acts_in_training(rate: str):
    torch.manual_seed(0)
    rates = {"dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, rate: 0.5}
    stack = LayerStack(count=1, dim=8, sizes=LayerSizes(ffn_dim=20, heads=2, **rates))
    x, rows = torch.randn(12, 8), Rows(LENGTHS.clone().fill_(6))
    assert not torch.equal(stack(x, rows), stack(x, rows))
    stack.eval()
    assert torch.equal(stack(x, rows), stack(x, rows))


def test_the_activation_function_is_used():
    sizes = {name: LayerSizes(ffn_dim=20, heads=2, activation=name) for name in ("relu", "tanh")}
    layers = [TransformerLayer(dim=8, sizes=s).eval() for s in sizes.values()]
    layers[1].load_state_dict(layers[0].state_dict())
    x, rows = torch.randn(12, 8), Rows(torch.tensor([6, 6]))
    assert not torch.allclose(layers[0](x, rows), layers[1](x, rows))
    with pytest.raises(InputError, match=r"--activation-fn: expected one of gelu, .*found 'mish'"):
        TransformerLayer(dim=8, sizes=LayerSizes(ffn_dim=20, heads=2, activation="mish"))
