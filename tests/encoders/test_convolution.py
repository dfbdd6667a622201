"""Lengths of convolution chains, masked norms, and reading layer descriptions."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mmer_fairseq.encoders.convolution import (
    chain_length,
    conv_length,
    masked_group_norm,
    masked_layer_norm,
    parse_layers,
    receptive_field,
    total_stride,
)
from mmer_fairseq.errors import InputError

WAV2VEC = [(512, 10, 5), (512, 8, 4), (512, 4, 2), (512, 4, 2), (512, 4, 2), (512, 1, 1), (512, 1, 1)]


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (4, 2), (10, 5), (3, 4)])
def test_conv_length_is_that_of_torch(kernel, stride):
    layer = nn.Conv1d(1, 1, kernel, stride)
    for n in range(kernel, 40):
        assert conv_length(torch.tensor(n), kernel, stride) == layer(torch.zeros(1, 1, n)).size(2)
    assert conv_length(torch.tensor([0, kernel - 1]), kernel, stride).tolist() == [0, 0]


def test_wav2vec_chain():
    assert receptive_field(WAV2VEC) == 465
    assert total_stride(WAV2VEC) == 160
    assert chain_length(torch.tensor([0, 1, 465, 624, 625, 16000]), WAV2VEC).tolist() == [0, 1, 1, 1, 2, 98]


@pytest.mark.parametrize("groups", [1, 3, 6])
@pytest.mark.parametrize("affine", [True, False])
def test_masked_group_norm_is_group_norm_of_each_clip(groups, affine):
    x = torch.randn(3, 6, 20) * 3 + 20  # a mean far from 0 shows careless variance
    lengths = torch.tensor([20, 7, 2])
    weight, bias = (torch.randn(6), torch.randn(6)) if affine else (None, None)
    y = masked_group_norm(x, lengths, groups, weight, bias, 1e-5)
    assert y.isfinite().all()
    for index, n in enumerate(lengths.tolist()):
        expected = F.group_norm(x[index : index + 1, :, :n], groups, weight, bias, 1e-5)
        torch.testing.assert_close(y[index, :, :n], expected[0], atol=1e-5, rtol=1e-5)


def test_masked_group_norm_has_the_gradient_of_the_clip_alone():
    x = torch.randn(2, 4, 9, dtype=torch.float32)
    whole, alone = x.clone().requires_grad_(), x[1:, :, :5].clone().requires_grad_()
    masked_group_norm(whole, torch.tensor([9, 5]), 1, None, None, 1e-5)[1, :, :5].square()[
        ..., 0
    ].sum().backward()
    F.group_norm(alone, 1, eps=1e-5).square()[..., 0].sum().backward()
    torch.testing.assert_close(whole.grad[1:, :, :5], alone.grad, atol=1e-5, rtol=1e-4)
    assert not whole.grad[1, :, 5:].any()


def test_masked_layer_norm():
    x = torch.randn(2, 30) + 4
    y = masked_layer_norm(x, torch.tensor([30, 11]))
    torch.testing.assert_close(y[1, :11], F.layer_norm(x[1, :11], (11,)), atol=1e-5, rtol=1e-5)
    assert not y[1, 11:].any()


def test_parse_layers():
    assert parse_layers(str(WAV2VEC), "x") == WAV2VEC
    text = "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]"
    assert parse_layers(text, "x") == eval(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "[(1, 2)]",
        "[(1, 2, 0)]",
        "[(1, 2, 3)] * 1000000",
        "[(1,2,3)] * -1",
        "exit()",
        "[(1,2,3.0)]",
        "(",
    ],
)
def test_bad_layers(text):
    with pytest.raises(
        InputError, match=r"^here: expected convolution layers as .* Use a checkpoint written by"
    ):
        parse_layers(text, "here")
