"""Packing: what it drops and what it puts back."""

from __future__ import annotations

import torch

from mmer_fairseq.modules.rows import Rows


def test_ragged_batch_goes_to_rows_and_back():
    x = torch.arange(1.0, 13.0).view(3, 4, 1)
    rows = Rows(torch.tensor([4, 1, 2]))
    packed = rows.pack(x)
    assert packed.flatten().tolist() == [1, 2, 3, 4, 5, 9, 10]
    assert rows.unpack(packed)[..., 0].tolist() == [[1, 2, 3, 4], [5, 0, 0, 0], [9, 10, 0, 0]]
    assert rows.padding is not None
    assert rows.padding.sum().item() == 5


def test_full_batch_costs_no_copy_and_has_no_mask():
    x = torch.randn(2, 3, 5)
    rows = Rows(torch.tensor([3, 3]))
    assert rows.padding is None
    assert rows.pack(x).data_ptr() == x.data_ptr()
    assert rows.unpack(rows.pack(x)).data_ptr() == x.data_ptr()


def test_gradient_reaches_real_steps_alone():
    x = torch.randn(2, 3, 2, requires_grad=True)
    rows = Rows(torch.tensor([3, 1]))
    rows.unpack(rows.pack(x)).sum().backward()
    assert x.grad is not None
    assert x.grad[:, :, 0].tolist() == [[1, 1, 1], [1, 0, 0]]
