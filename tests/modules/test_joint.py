"""Attention to several sequences, and the fusion of tokens, against torch's attention."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mmer_fairseq.modules.attention import RowAttention
from mmer_fairseq.modules.init import attention_init
from mmer_fairseq.modules.joint import SharedAttention, TokenFusion
from mmer_fairseq.modules.layers import LayerSizes
from mmer_fairseq.modules.masks import padding_mask
from mmer_fairseq.modules.rows import Rows

DIM = 8
SIZES = {"ffn_dim": 12, "dropout": 0.0, "attention_dropout": 0.0, "activation": "relu"}


def randomised(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.double()


def torchs(ours: nn.Module) -> nn.MultiheadAttention:
    """torch's module with our weights."""
    theirs = nn.MultiheadAttention(DIM, ours.heads, batch_first=True, dtype=torch.float64)
    state = {
        "in_proj_weight": torch.cat([getattr(ours, f"{p}_proj").weight for p in "qkv"]),
        "in_proj_bias": torch.cat([ours.q_proj.bias, torch.randn(DIM).double(), ours.v_proj.bias]),
        "out_proj.weight": ours.out_proj.weight,
        "out_proj.bias": ours.out_proj.bias,
    }
    theirs.load_state_dict(state)
    return theirs


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("lengths", [[7, 3, 1], [2, 1], [6, 6]], ids=str)
def test_shared_attention_is_torchs_for_each_memory(lengths: list[int], heads: int):
    torch.manual_seed(0)
    ours = randomised(SharedAttention(dim=DIM, heads=heads))
    theirs, rows = torchs(ours), Rows(torch.tensor(lengths))
    x, *memories = (torch.randn(len(lengths), rows.steps, DIM).double() for _ in range(4))
    mask = padding_mask(torch.tensor(lengths), rows.steps)
    found = ours(rows.pack(x), [rows.pack(m) for m in memories], rows)
    assert len(found) == 3
    for y, memory in zip(found, memories):
        expected, _ = theirs(x, memory, memory, key_padding_mask=mask, need_weights=False)
        torch.testing.assert_close(y, expected[~mask], rtol=0, atol=1e-10)


@pytest.mark.parametrize("lengths", [[7, 3, 1], [5, 5]], ids=str)
def test_multiplying_matrices_first_changes_nothing(lengths: list[int]):
    torch.manual_seed(1)
    ours, rows = randomised(RowAttention(dim=DIM, heads=1)), Rows(torch.tensor(lengths))
    x = torch.randn(sum(lengths), DIM).double()
    hidden = torch.rand(len(lengths), rows.steps) < 0.4
    hidden |= padding_mask(torch.tensor(lengths), rows.steps)
    hidden[:, 0] = False
    assert ours._folds(x)
    for mask in (None, hidden):
        folded = ours(x, rows, None, None, mask)
        ours._folds = lambda _: False
        torch.testing.assert_close(folded, ours(x, rows, None, None, mask), rtol=0, atol=1e-10)
        del ours._folds


def test_folding_is_for_one_head_many_rows_and_no_dropout():
    x = torch.zeros(DIM + 1, DIM)
    assert RowAttention(dim=DIM, heads=1)._folds(x)
    assert not RowAttention(dim=DIM, heads=1)._folds(x[1:])
    assert not RowAttention(dim=DIM, heads=2)._folds(x)
    dropping = RowAttention(dim=DIM, heads=1, dropout=0.1)
    assert not dropping._folds(x)
    assert dropping.eval()._folds(x)


def whole(fusion: TokenFusion, tokens: Tensor) -> Tensor:
    """All tokens of one step through all of the last attention."""
    rows = Rows(torch.tensor([len(tokens)]))
    x = fusion.encoder(tokens, rows)[None]
    return torchs(fusion.attention)(x, x, x, need_weights=False)[0][0]


@pytest.mark.parametrize("heads", [1, 2])
def test_token_fusion_gives_the_last_token_that_is_there(heads: int):
    torch.manual_seed(2)
    fusion = randomised(TokenFusion(dim=DIM, sizes=LayerSizes(heads=heads, **SIZES), layers=2))
    tokens = torch.randn(4, 5, DIM).double()
    absent = torch.zeros(4, 5, dtype=torch.bool)
    absent[1, 4] = absent[2, :3] = absent[3, 1:] = True
    for mask in (None, absent):
        found = fusion(tokens, mask)
        for step in range(4):
            seen = tokens[step] if mask is None else tokens[step, ~mask[step]]
            torch.testing.assert_close(found[step], whole(fusion, seen)[-1], rtol=0, atol=1e-10)


def test_initial_weights_are_those_of_torchs_attention():
    torch.manual_seed(0)
    ours = SharedAttention(dim=64, heads=4)
    attention_init(ours)
    bound = (6 / (4 * 64)) ** 0.5
    for part in "qkv":
        weight = getattr(ours, f"{part}_proj").weight.detach()
        assert bound * 0.95 < float(weight.abs().max()) <= bound
    for layer in (ours.q_proj, ours.v_proj, ours.out_proj):
        assert not layer.bias.any()
    norm = nn.Linear(3, 3)
    before = norm.weight.clone()
    attention_init(norm)
    assert torch.equal(norm.weight, before)
