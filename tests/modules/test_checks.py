"""Numbers from flags."""

from __future__ import annotations

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.checks import check_range


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_inside(value: float):
    check_range("--dropout", value, 0, 1)


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_outside(value: float):
    with pytest.raises(InputError, match=r"--dropout: expected a number from 0 to 1; found .* Change it\."):
        check_range("--dropout", value, 0, 1)


def test_open_end():
    with pytest.raises(InputError, match="--encoder-layers: expected 1 or more; found 0"):
        check_range("--encoder-layers", 0, 1)
