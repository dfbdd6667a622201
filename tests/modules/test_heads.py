"""The classification head."""

from __future__ import annotations

import torch

from mmer_fairseq.modules.heads import ClassificationHead


def test_it_is_two_linear_layers_with_tanh_between():
    torch.manual_seed(0)
    head = ClassificationHead(dim=6, outputs=3)
    x = torch.randn(4, 6)
    inner = torch.tanh(x @ head.dense.weight.T + head.dense.bias)
    expected = inner @ head.out_proj.weight.T + head.out_proj.bias
    torch.testing.assert_close(head(x), expected)


def test_dropout_acts_in_training_alone():
    torch.manual_seed(0)
    head = ClassificationHead(dim=64, outputs=3, dropout=0.5)
    x = torch.randn(4, 64)
    assert not torch.equal(head(x), head(x))
    head.eval()
    assert torch.equal(head(x), head(x))
