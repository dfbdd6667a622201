"""Heads computed at once against one at a time."""

from __future__ import annotations

import torch
from torch import nn

from mmer_fairseq.modules.regressors import PooledHead, Regressors


def test_regressors_are_separate_networks():
    torch.manual_seed(0)
    heads = Regressors(dim=6, hidden=5, dropouts=(0.0, 0.0, 0.0)).double()
    x = torch.randn(7, 6).double()
    found = heads(x)
    for i in range(3):
        one = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 1)).double()
        one[0].weight.data, one[0].bias.data = heads.hidden_weight[i].data, heads.hidden_bias[i].data
        one[2].weight.data, one[2].bias.data = heads.weight[i : i + 1].data, heads.bias[i : i + 1].data
        torch.testing.assert_close(found[:, i], one(x)[:, 0], rtol=0, atol=1e-12)


def test_initial_weights_are_those_of_linear_layers():
    torch.manual_seed(0)
    heads = Regressors(dim=400, hidden=100, dropouts=(0.0, 0.0))
    for parameter, width in zip(heads.parameters(), (400, 400, 100, 100)):
        assert float(parameter.detach().abs().max()) <= width**-0.5
    assert float(heads.hidden_weight.detach().std()) > 0.5 * 400**-0.5


def test_dropout_is_of_training_alone():
    torch.manual_seed(0)
    x = torch.randn(4, 6)
    for head in (
        Regressors(dim=6, hidden=50, dropouts=(0.5, 0.5)),
        PooledHead(dim=6, hidden=50, outputs=2, dropout=0.5),
    ):
        assert not torch.equal(head(x), head(x))
        assert torch.equal(head.eval()(x), head(x))


def test_a_pooled_head_is_two_layers():
    head = PooledHead(dim=6, hidden=5, outputs=3, dropout=0.0)
    x = torch.randn(2, 6)
    torch.testing.assert_close(head(x), head.out_proj(head.dense(x).relu()))
