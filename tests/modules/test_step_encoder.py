"""The encoder with learned positions: as torch's own layers, and steps that nobody sees."""

from __future__ import annotations

import torch
from torch import nn

from mmer_fairseq.modules.layers import LayerSizes
from mmer_fairseq.modules.rows import Rows
from mmer_fairseq.modules.step_encoder import StepEncoder

SIZES = LayerSizes(ffn_dim=10, heads=2, dropout=0.0, attention_dropout=0.0, norm_eps=1e-12)
LENGTHS = torch.tensor([5, 2])


def encoder() -> StepEncoder:
    torch.manual_seed(0)
    return StepEncoder(dim=8, steps=6, layers=2, sizes=SIZES).double().eval()


def of_torch(made: StepEncoder) -> nn.TransformerEncoder:
    """torch's layers with the same weights."""
    kind = nn.TransformerEncoderLayer(8, 2, 10, 0.0, "gelu", 1e-12, batch_first=True)
    plain = nn.TransformerEncoder(kind, 2, enable_nested_tensor=False).double().eval()
    with torch.no_grad():
        for ours, theirs in zip(made.encoder.layers, plain.layers):
            own = ours.attention
            theirs.self_attn.in_proj_weight.copy_(
                torch.cat([own.q_proj.weight, own.k_proj.weight, own.v_proj.weight])
            )
            none = torch.zeros(8)
            theirs.self_attn.in_proj_bias.copy_(torch.cat([own.q_proj.bias, none, own.v_proj.bias]))
            for part, name in (
                (theirs.self_attn.out_proj, own.out_proj),
                (theirs.linear1, ours.fc1),
                (theirs.linear2, ours.fc2),
                (theirs.norm1, ours.attention_norm),
                (theirs.norm2, ours.ffn_norm),
            ):
                part.load_state_dict(name.state_dict())
    return plain


def test_as_torch():
    made = encoder()
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    rows = Rows(LENGTHS)
    found = made(rows.pack(x), rows).split(LENGTHS.tolist())
    plain = of_torch(made)
    for clip, own in enumerate(found):
        steps = x[clip : clip + 1, : len(own)] + made.positions.weight[: len(own)]
        torch.testing.assert_close(own, plain(steps)[0], rtol=0, atol=1e-10)


def test_hidden_steps_are_computed_and_not_seen():
    made = encoder()
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    full, rows = Rows(torch.tensor([5, 5])), Rows(LENGTHS)
    hidden = torch.arange(5) >= LENGTHS[:, None]
    whole = full.unpack(made(full.pack(x), full, hidden))
    torch.testing.assert_close(rows.pack(whole), made(rows.pack(x), rows), rtol=0, atol=1e-12)
    assert whole[1, 2:].any()


def test_the_small_number_in_layer_norm():
    assert {m.eps for m in encoder().modules() if isinstance(m, nn.LayerNorm)} == {1e-12}
