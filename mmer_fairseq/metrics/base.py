"""The one shape of every set of metrics: sums of a batch, which add up, and the numbers made from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Iterable, Mapping, NamedTuple, Sequence

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.metrics.checks import check_labels, check_objective
from mmer_fairseq.metrics.ranking import auc

LOWER_IS_BETTER = frozenset({"mae", "mse", "rmse"})


class Value(NamedTuple):
    """One number of a result: the metric, its value, and the label that it is about ("" = all of them)."""

    metric: str
    value: float
    label: str = ""


class MetricSet(ABC):
    """All metrics of one label space.

    ``sums`` of batches are added, in any order and over any number of machines, and ``compute`` turns the
    total into numbers: the result is that of the whole split, whatever the batches were.
    AUC is no matter of sums: ``margins`` of all batches are put together, and ``compute_ranked`` makes it from them.
    Letters: B clips, C classes, N labels or columns, T steps of time.

    Args:
        kind: of the label space: classes, multilabel, score or trace.
        labels: class or column names.
        objective: what the model was trained with; decides how its scores are read.
        prefix: put in front of every metric's name and every key of the sums.

    Raises:
        InputError: the names or the objective do not fit.
    """

    #: Whether there is an AUC.
    ranks = False

    def __init__(self, kind: str, labels: Sequence[str], objective: str, prefix: str = "") -> None:
        check_objective(kind, objective)
        self.kind = kind
        self.labels = check_labels(labels)
        self.objective = objective
        self.prefix = prefix
        self._keys = {key: tuple(shape) for key, shape in self._shapes().items()}
        empty = list(self._values({key: torch.zeros(shape).double() for key, shape in self._keys.items()}))
        self.names: tuple[str, ...] = tuple(self._name(value) for value in empty)
        self.higher_is_better = {self._name(value): value.metric not in LOWER_IS_BETTER for value in empty}
        nothing = self.compute_ranked(torch.zeros(0, len(self.labels)), torch.zeros(0, len(self.labels)) > 0)
        #: Metrics made by :meth:`compute_ranked`; of all of them a higher value is better.
        self.ranked_names: tuple[str, ...] = tuple(nothing) if self.ranks else ()
        every = self.names + self.ranked_names
        if len(set(every)) < len(every):
            twice = sorted({name for name in every if every.count(name) > 1})
            raise InputError.of(
                where="label space",
                expected="label names that give each metric a name of its own",
                found=f"two metrics called {', '.join(twice)}",
                remedy="rename the label",
            )

    def zeros(self) -> dict[str, Tensor]:
        """Sums over no clip at all: float64 zeros."""
        return {self.prefix + key: torch.zeros(shape).double() for key, shape in self._keys.items()}

    def sums(self, scores: Tensor, target: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Count one batch.

        Args:
            scores: the model's output, any floating type and device; shape as the class says.
            target: the labels; shape as the class says.
            mask: BoolTensor, ``True`` = does not count (padding); shape of the target or its leading part.

        Returns:
            float64 CPU tensors with the keys and shapes of :meth:`zeros`, to be added to those of other
            batches.

        Raises:
            InputError: shapes do not fit, a score is NaN or infinite, or a target is none of the labels.
        """
        counted = self._update(*self._check(scores, target, mask))
        return {self.prefix + key: value for key, value in counted.items()}

    def compute(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Turn the sums of a whole split into numbers.

        Args:
            sums: the total of what :meth:`sums` gave; other keys are ignored.

        Returns:
            name → value, in the order of ``names``; all finite, save that a metric over no clip is NaN.
        """
        own = {key: torch.as_tensor(sums[self.prefix + key]).cpu().double() for key in self._keys}
        return {self._name(value): value.value for value in self._values(own)}

    def margins(self, scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """What :meth:`compute_ranked` needs of a batch; only where ``ranks`` is true.

        Args:
            scores: as for :meth:`sums`.
            target: as for :meth:`sums`.

        Returns:
            float64 [B, N], which orders the clips by how likely each label is, and BoolTensor [B, N], whether it holds.
        """
        raise NotImplementedError

    def compute_ranked(self, margins: Tensor, wanted: Tensor) -> dict[str, float]:
        """AUC of each label against the rest, and their mean; a label that all clips have, or none, is left out of it.

        Args:
            margins: [M, N] of a whole split.
            wanted: BoolTensor [M, N].

        Returns:
            name → value; NaN where there is nothing to compare.
        """
        each = auc(margins, wanted)
        values = [Value("auc", each.nanmean().item())]
        values += [Value("auc", value, label) for label, value in zip(self.labels, each.tolist())]
        return {self._name(value): value.value for value in values}

    @abstractmethod
    def predict(self, scores: Tensor) -> Tensor:
        """The decision for each clip, on the CPU: class index, 0 or 1 per label, or the numbers."""

    @abstractmethod
    def _shapes(self) -> Mapping[str, Sequence[int]]:
        """Key → shape of the sums."""

    @abstractmethod
    def _check(self, scores: Tensor, target: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Checked scores in float64, target and "this counts", on the CPU."""

    @abstractmethod
    def _update(self, scores: Tensor, target: Tensor, kept: Tensor) -> dict[str, Tensor]:
        """Sums of a checked batch."""

    @abstractmethod
    def _values(self, sums: Mapping[str, Tensor]) -> Iterable[Value]:
        """The numbers, in the order in which they are shown."""

    def _name(self, value: Value) -> str:
        return self.prefix + value.metric + (f"_{value.label}" if value.label else "")
