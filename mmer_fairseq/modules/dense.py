"""Computing a batch without a look at its data, so that one graph fits every batch: what exported models need.

Usually padding costs nothing, because the real steps are picked out first. Which they are depends on the lengths, and
a graph cannot depend on them: within :func:`dense` all steps are computed, and masks leave out the padding. Outputs are
the same. Only for evaluation, on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

_DENSE = False


@contextmanager
def dense() -> Iterator[None]:
    """Compute all steps while it lasts."""
    global _DENSE
    before, _DENSE = _DENSE, True
    try:
        yield
    finally:
        _DENSE = before


def is_dense() -> bool:
    """Whether all steps are to be computed."""
    return _DENSE


def longest(lengths: Tensor, steps: int) -> int:
    """The largest of ``lengths`` (LongTensor [B]); within :func:`dense` the padded length ``steps``."""
    return steps if _DENSE else int(lengths.max())


def everywhere(mask: Tensor) -> bool:
    """Whether a BoolTensor holds True alone; within :func:`dense` it is taken not to."""
    return not _DENSE and bool(mask.all())


def largest(*numbers: int) -> int:
    """The maximum; within :func:`dense` of numbers that the graph does not know yet."""
    if not _DENSE:
        return max(numbers)
    found: Any = numbers[0]
    for number in numbers[1:]:
        found = torch.sym_max(found, number)
    return found
