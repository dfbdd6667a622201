from __future__ import annotations

import torch

from mmer_fairseq.modules.dense import dense, everywhere, is_dense, largest, longest
from mmer_fairseq.modules.rows import Rows


def test_only_while_it_lasts():
    with dense():
        with dense():
            assert is_dense()
        assert is_dense()
    assert not is_dense()


def test_data_is_not_looked_at():
    lengths, mask = torch.tensor([2, 3]), torch.tensor([True, True])
    assert (longest(lengths, 7), everywhere(mask), largest(2, 5)) == (3, True, 5)
    with dense():
        assert (longest(lengths, 7), everywhere(mask), largest(2, 5)) == (7, False, 5)


def test_rows_are_all_steps():
    lengths, x = torch.tensor([1, 3]), torch.arange(16.0).view(2, 4, 2)
    with dense():
        rows = Rows(lengths, steps=4)
        assert rows.pack(x).shape == (8, 2)
        assert torch.equal(rows.pack(x)[rows.last(lengths)], torch.stack([x[0, 0], x[1, 2]]))
        laid = rows.unpack(rows.pack(x))
    packed = Rows(lengths)
    cut = x[:, :3]
    assert torch.equal(laid[:, :3], packed.unpack(packed.pack(cut)))
    assert not laid[:, 3].any()
    assert torch.equal(packed.pack(cut)[packed.last(lengths)], torch.stack([x[0, 0], x[1, 2]]))
