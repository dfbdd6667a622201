"""The encoder of MulT: its last step alone, another sequence that is not there, and padding."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmer_fairseq.modules.mult import Memory, MulTEncoder, MulTSizes
from mmer_fairseq.modules.rows import Rows

SIZES = MulTSizes(dim=12, heads=3, layers=2)
LENGTHS = torch.tensor([6, 2, 1])


def encoder(**flags: object) -> MulTEncoder:
    torch.manual_seed(0)
    made = MulTEncoder(SIZES, **flags).double().eval()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.4)
    return made


def rows() -> tuple[torch.Tensor, Rows]:
    torch.manual_seed(1)
    layout = Rows(LENGTHS)
    return torch.randn(int(LENGTHS.sum()), 12, dtype=torch.float64), layout


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("mixing", [True, False])
def test_the_last_step_alone_is_the_last_step(causal: bool, mixing: bool):
    made, (x, layout) = encoder(causal=causal, mixing=mixing), rows()
    last = LENGTHS.cumsum(0) - 1
    torch.testing.assert_close(made.last(x, layout, last), made(x, layout)[last], rtol=0, atol=1e-12)


def test_no_layers_leave_scale_and_norm():
    made = MulTEncoder(MulTSizes(dim=12, heads=3, layers=0)).double().eval()
    x, layout = rows()
    last = LENGTHS.cumsum(0) - 1
    expected = nn.functional.layer_norm(x * 12**0.5, (12,))
    torch.testing.assert_close(made(x, layout), expected)
    torch.testing.assert_close(made.last(x, layout, last), expected[last])


@pytest.mark.parametrize("causal", [True, False])
def test_a_clip_gives_in_a_batch_what_it_gives_alone(causal: bool):
    made, (x, layout) = encoder(causal=causal), rows()
    whole = made(x, layout).split(LENGTHS.tolist())
    for clip, part in zip(x.split(LENGTHS.tolist()), whole):
        torch.testing.assert_close(made(clip, Rows(torch.tensor([len(clip)]))), part, rtol=0, atol=1e-12)


def test_a_sequence_that_is_not_there_gives_zeros():
    made, (x, layout) = encoder(), rows()
    memory_rows = Rows(torch.tensor([1, 3, 1]))
    memory = torch.randn(5, 12, dtype=torch.float64)
    there = torch.tensor([1.0, 0.0, 1.0]).double()[:, None, None]
    whole = made(x, layout, memory=Memory(memory, memory_rows, there=there)).split(LENGTHS.tolist())
    changed = memory.clone()
    changed[1:4] += 5.0
    again = made(x, layout, memory=Memory(changed, memory_rows, there=there)).split(LENGTHS.tolist())
    for one, other in zip(whole, again):
        assert torch.equal(one, other)
    assert all(part.isfinite().all() for part in whole)


def test_mixing_is_a_weighted_mean():
    layer = encoder(mixing=True).layers[0]
    x, y = torch.ones(2, 12).double(), torch.full((2, 12), 3.0).double()
    with torch.no_grad():
        layer.alpha.fill_(0.25)
    assert torch.equal(layer._mixed(x, y), torch.full((2, 12), 2.5).double())
