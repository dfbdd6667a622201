"""Both attentions against torch's, and the two forms of cross-attention against each other."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmer_fairseq.modules.attention import CrossAttention, RowAttention
from mmer_fairseq.modules.masks import padding_mask
from mmer_fairseq.modules.rows import Rows

LENGTHS = torch.tensor([7, 3, 1])


def torch_attention(ours: nn.Module, dim: int, memory_dim: int) -> nn.MultiheadAttention:
    """torch's module with our weights; its key bias is not zero, which must not matter."""
    theirs = nn.MultiheadAttention(
        dim, ours.heads, kdim=memory_dim, vdim=memory_dim, batch_first=True, dtype=torch.float64
    )
    state = {
        "in_proj_bias": torch.cat([ours.q_proj.bias, torch.randn(dim).double(), ours.v_proj.bias]),
        "out_proj.weight": ours.out_proj.weight,
        "out_proj.bias": ours.out_proj.bias,
    }
    weights = {name: getattr(ours, f"{name}_proj").weight for name in "qkv"}
    if memory_dim == dim:
        state["in_proj_weight"] = torch.cat(list(weights.values()))
    else:
        state.update({f"{name}_proj_weight": weight for name, weight in weights.items()})
    theirs.load_state_dict(state)
    return theirs


@pytest.mark.parametrize("lengths", [LENGTHS, torch.tensor([5, 5])], ids=["padded", "full"])
def test_self_attention_is_torchs(lengths: torch.Tensor):
    torch.manual_seed(0)
    ours = RowAttention(dim=12, heads=3).double()
    theirs = torch_attention(ours, 12, 12)
    x = torch.randn(len(lengths), int(lengths.max()), 12).double()
    rows = Rows(lengths)
    mask = padding_mask(lengths, x.shape[1])
    expected, _ = theirs(x, x, x, key_padding_mask=mask, need_weights=False)
    torch.testing.assert_close(ours(rows.pack(x), rows), expected[~mask], rtol=0, atol=1e-12)


@pytest.mark.parametrize("queries", [1, 4])
@pytest.mark.parametrize(("dim", "memory_dim", "heads"), [(12, 8, 1), (8, 8, 4), (6, 20, 6)])
def test_cross_attention_is_torchs_in_both_forms(dim: int, memory_dim: int, heads: int, queries: int):
    torch.manual_seed(0)
    ours = CrossAttention(query_dim=dim, memory_dim=memory_dim, heads=heads).double()
    theirs = torch_attention(ours, dim, memory_dim)
    query, memory = torch.randn(3, queries, dim).double(), torch.randn(3, 7, memory_dim).double()
    padding = padding_mask(LENGTHS, 7)
    expected, _ = theirs(query, memory, memory, key_padding_mask=padding, need_weights=False)
    for form in (True, False):
        ours.absorbs = lambda *_, form=form: form
        torch.testing.assert_close(ours(query, memory, padding), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_gradients_of_both_forms_are_equal(dropout: float):
    torch.manual_seed(0)
    attention = CrossAttention(query_dim=12, memory_dim=8, heads=3, dropout=dropout).double()
    query = torch.randn(3, 1, 12, dtype=torch.float64, requires_grad=True)
    memory = torch.randn(3, 7, 8, dtype=torch.float64, requires_grad=True)
    inputs = [query, memory, *attention.parameters()]
    found = []
    for form in (True, False):
        attention.absorbs = lambda *_, form=form: form
        torch.manual_seed(1)  # the same weights are dropped
        y = attention(query, memory, padding_mask(LENGTHS, 7))
        found.append([y, *torch.autograd.grad((y**2).sum(), inputs)])
    for absorbed, projected in zip(*found):
        torch.testing.assert_close(absorbed, projected, rtol=0, atol=1e-11)
    assert all(g.abs().max() > 1e-3 for g in found[0])


def test_the_cheaper_form_is_chosen():
    attention = CrossAttention(query_dim=1024, memory_dim=512, heads=4)
    assert attention.absorbs(queries=1, steps=400)
    assert not attention.absorbs(queries=1, steps=1)  # one step: projecting it costs less than both
    assert not attention.absorbs(queries=300, steps=400)


def test_dropout_acts_in_training_alone():
    torch.manual_seed(0)
    attention = CrossAttention(query_dim=8, memory_dim=8, heads=2, dropout=0.5)
    query, memory = torch.randn(2, 1, 8), torch.randn(2, 9, 8)
    assert not torch.equal(attention(query, memory), attention(query, memory))
    attention.eval()
    assert torch.equal(attention(query, memory), attention(query, memory))


def test_masked_steps_do_not_matter():
    torch.manual_seed(0)
    attention = CrossAttention(query_dim=8, memory_dim=8, heads=2)
    query, memory = torch.randn(3, 1, 8), torch.randn(3, 7, 8)
    padding = padding_mask(LENGTHS, 7)
    other = torch.where(padding[..., None], torch.randn(3, 7, 8) * 100, memory)
    assert torch.equal(attention(query, memory, padding), attention(query, other, padding))
