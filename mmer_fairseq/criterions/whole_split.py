"""What needs all scores of an evaluated split at once: AUC, and thresholds to choose."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class WholeSplit:
    """Keeps the scores of one split until every clip of it has been scored, by this process or another.

    Attributes:
        split: name of the split that is evaluated.
    """

    def __init__(self) -> None:
        self.begin("", 0)

    def begin(self, split: str, size: int) -> None:
        """Forget what was kept; ``size`` clips of a split follow."""
        self.split, self._size, self._seen = split, size, 0
        self._rows: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, index: Tensor, margins: Tensor, wanted: Tensor) -> None:
        """Keep a batch.

        Args:
            index: LongTensor [B], positions of the clips in their split.
            margins: float64 [B, N], see ``MetricSet.margins``.
            wanted: BoolTensor [B, N].
        """
        self._rows.append((index.cpu(), margins, wanted))

    def count(self, clips: int) -> bool:
        """Count clips scored in all processes; True once, when the split is whole: then all call :meth:`gather`."""
        self._seen += clips
        return clips > 0 and self._seen == self._size

    def gather(self) -> tuple[Tensor, Tensor]:
        """All margins [M, N] and targets [M, N] of the split, in its order, the same in every process."""
        rows, self._rows = self._rows, []
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            parts: list[Any] = [None] * dist.get_world_size()
            dist.all_gather_object(parts, rows)
            rows = [row for part in parts for row in part]
        index, order = torch.cat([row[0] for row in rows]).sort(stable=True)
        # a process that has a batch less than others is given the first one again, which fairseq does not count
        order = order[torch.cat([index.new_ones(1, dtype=torch.bool), index[1:] != index[:-1]])]
        margins, wanted = (torch.cat([row[part] for row in rows])[order] for part in (1, 2))
        return margins, wanted
