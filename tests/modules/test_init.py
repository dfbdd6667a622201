"""BERT's initial weights."""

from __future__ import annotations

import torch
from torch import nn

from mmer_fairseq.modules.init import bert_init


def test_weights_are_normal_and_biases_zero():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(300, 300), nn.LayerNorm(300), nn.Embedding(300, 300, padding_idx=1))
    network.apply(bert_init)
    linear, norm, embedding = network.requires_grad_(False)
    for weight in (linear.weight, embedding.weight[2:]):
        assert abs(float(weight.mean())) < 1e-3
        assert abs(float(weight.std()) - 0.02) < 1e-3
    assert linear.bias.abs().max() == 0
    assert embedding.weight[1].abs().max() == 0
    assert embedding.weight[0].abs().max() > 0
    assert norm.weight.eq(1).all()
    assert norm.bias.eq(0).all()
