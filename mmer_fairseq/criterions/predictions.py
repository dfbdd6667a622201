"""``--save-predictions``: id, target, prediction and scores of every evaluated clip, in one table."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch.distributed as dist
from torch import Tensor

from mmer_fairseq.errors import InputError

#: Separates the values of a cell that holds several.
JOIN = "|"


class Predictions:
    """Collects the evaluated clips of one process and writes those of all processes.

    The file is tab-separated with a header: ``id``, ``split``, ``target``, ``prediction``, then ``score_<name>`` for
    each class, label or column. Classes: names, and probabilities as scores. Multilabel: the names that hold, joined
    by ``|``, and probabilities. Scores: the numbers themselves. Traces: one row a step, in the order of time, with
    ``step`` after ``split`` and an empty target where there is no label.

    Args:
        path: of the file; a second evaluated split is added to it.
        labels: the label space (``kind``, ``names``).
        objective: says how logits become scores.
        decide: logits → decisions, the same as the metrics'; asked when a split is written, as thresholds may be
            chosen at its end.

    Raises:
        InputError: the file cannot be written, or holds something else that would be lost.
    """

    def __init__(self, path: str, labels: Any, objective: str, decide: Callable[[Tensor], Tensor]) -> None:
        self.path = Path(path)
        self.kind = labels.kind
        self.names = list(labels.names)
        self.objective = objective
        self.decide = decide
        self._rows: dict[int, tuple[Tensor, Tensor, Tensor, Tensor | None]] = {}
        self._written: dict[str, list[str]] = {}
        self._check_path()

    def _check_path(self) -> None:
        """Before the first batch, not after the last."""
        found, remedy = "", "name another file"
        try:
            if self.path.exists():
                with open(self.path, "rb") as file:
                    if file.read(9) not in (b"", b"id\tsplit\t"):
                        found = "a file of another kind, which would be lost"
            self.path.parent.mkdir(parents=True, exist_ok=True)
            trial = self._partial()
            trial.touch()
            trial.unlink()
        except OSError as error:
            found, remedy = (
                error.strerror or type(error).__name__,
                "name a file in a folder that can be written",
            )
        if found:
            raise InputError.of(
                where=f"--save-predictions {self.path}",
                expected="a new file, or predictions of an earlier run",
                found=found,
                remedy=remedy,
            )

    def _partial(self) -> Path:
        return self.path.with_name(f".{self.path.name}.{os.getpid()}")

    def add(self, index: Tensor, logits: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
        """Collect a batch.

        Args:
            index: LongTensor [B], positions of the clips in their split.
            logits: the model's output, [B, C] or [B, T, N].
            target: the batch's targets.
            mask: BoolTensor of a trace, ``True`` = no label.
        """
        logits = logits.detach().cpu()
        scores = self._scores(logits.double())
        for row, position in enumerate(index.tolist()):
            here = None if mask is None else mask[row].cpu()
            self._rows[position] = (scores[row], logits[row], target[row].cpu(), here)

    def _scores(self, logits: Tensor) -> Tensor:
        if self.objective == "binary_softmax":
            return logits.reshape(len(logits), -1, 2).softmax(-1)[..., 1]
        if self.objective == "softmax":
            return logits.softmax(-1)
        return logits.sigmoid() if self.objective == "bce" else logits

    def write(self, dataset: Any) -> None:
        """Gather from all processes and write the file, in the order of the split; the first process writes.

        Args:
            dataset: the evaluated :class:`mmer_fairseq.data.dataset.EmotionDataset`.
        """
        rows, self._rows = self._rows, {}
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            parts: list[Any] = [None] * dist.get_world_size()
            dist.all_gather_object(parts, rows)
            if dist.get_rank() != 0:
                return
            rows = {position: row for part in parts for position, row in part.items()}
        split = dataset.clips[0].split
        self._written[split] = (
            self._trace_lines(rows, dataset)
            if self.kind == "trace"
            else ["\t".join([dataset.clip_of(i).id, split, *self._clip_cells(rows[i])]) for i in sorted(rows)]
        )
        header = ["id", "split"] + (["step"] if self.kind == "trace" else []) + ["target", "prediction"]
        header += [f"score_{name}" for name in self.names]
        partial = self._partial()
        lines = ["\t".join(header)] + [line for lines in self._written.values() for line in lines]
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.replace(partial, self.path)

    def _trace_lines(self, rows: dict[int, Any], dataset: Any) -> list[str]:
        """One line a step: windows of a clip take turns in predicting its steps."""
        order = {clip.id: number for number, clip in enumerate(dataset.clips)}
        placed: list[tuple[int, int, int, int]] = []
        for i in rows:
            number = order[dataset.clip_of(i).id]
            placed += [(number, int(step), i, at) for at, step in enumerate(dataset.steps_of(i))]
        lines = []
        for number, step, i, at in sorted(placed):
            scores, _, target, mask = rows[i]
            known = target[at] if mask is None else target[at].masked_fill(mask[at], float("nan"))
            clip = dataset.clips[number]
            lines.append(
                "\t".join([clip.id, clip.split, str(step), *self._cells(scores[at], scores[at], known)])
            )
        return lines

    def _clip_cells(self, row: tuple[Tensor, Tensor, Tensor, Tensor | None]) -> list[str]:
        scores, logits, target, _ = row
        return self._cells(scores, self.decide(logits[None])[0], target)

    def _cells(self, scores: Tensor, decision: Tensor, target: Tensor) -> list[str]:
        numbers = [f"{value:.9g}" for value in scores.tolist()]
        if self.kind == "classes":
            return [self.names[int(target)], self.names[int(decision)], *numbers]
        if self.kind == "multilabel":
            truth = JOIN.join(name for name, value in zip(self.names, target.tolist()) if value > 0.5)
            found = JOIN.join(name for name, value in zip(self.names, decision.tolist()) if value > 0.5)
            return [truth, found, *numbers]
        truth = JOIN.join("" if value != value else f"{value:.9g}" for value in target.tolist())
        return [truth, JOIN.join(numbers), *numbers]
