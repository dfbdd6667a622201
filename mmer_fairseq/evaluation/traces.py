"""A model's output over a whole recording: the windows that take turns in predicting its steps, put together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmer_fairseq.corpus import Clip
from mmer_fairseq.criterions.objectives import fit_steps
from mmer_fairseq.errors import InputError
from mmer_fairseq.evaluation.sweep import plainly
from mmer_fairseq.evaluation.trained import Trained


@dataclass(frozen=True)
class ClipTrace:
    """What a model predicts for one clip.

    Attributes:
        clip: which.
        rate: steps a second, in Hz.
        prediction: float64 [T, N].
        target: float64 [T, N], NaN where there is no label.
    """

    clip: Clip
    rate: float
    prediction: Tensor
    target: Tensor


@torch.no_grad()
def predicted_traces(trained: Trained, batch_size: int, workers: int) -> Iterator[ClipTrace]:
    """Predict every step of every clip of a split; a clip is handed on as soon as it is complete.

    Args:
        trained: a model of traces and the split.
        batch_size: windows together.
        workers: reading processes.

    Raises:
        InputError: the labels are no traces, a medium cannot be read, or the output is not finite.
    """
    dataset, labels = trained.dataset, trained.task.labels
    if not trained.task.over_time:
        raise InputError.of(
            where="--path",
            expected="a checkpoint that was trained on traces",
            found=f"one for {labels.name} ({labels.kind})",
            remedy="name another checkpoint, or choose a label space of traces with --labels",
        )
    numbers = {clip.id: number for number, clip in enumerate(dataset.clips)}
    open_: dict[int, tuple[Tensor, int]] = {}  # clip → its trace so far, steps that are lacking
    for batch in plainly(trained.batches(batch_size, workers)):
        logits = trained.model(**batch["net_input"])["logits"].double().cpu()
        logits = _finite(fit_steps(logits, batch["target"].shape[1]), batch, dataset)
        for row, index in enumerate(batch["id"].tolist()):
            number = numbers[dataset.clip_of(index).id]
            length = len(dataset.traces[number])
            empty = logits.new_full((length, logits.shape[2]), torch.nan), length
            trace, lacking = open_.get(number, empty)
            steps = torch.from_numpy(dataset.steps_of(index))
            trace[steps] = logits[row, : len(steps)]
            open_[number] = trace, lacking - len(steps)
            if lacking == len(steps):
                clip = dataset.clips[number]
                done = open_.pop(number)[0]
                yield ClipTrace(clip, labels.rate_of(clip), done, dataset.traces[number].double())


def _finite(logits: Tensor, batch: dict[str, Any], dataset: Any) -> Tensor:
    for row, index in enumerate(batch["id"].tolist()):
        steps = dataset.steps_of(index)
        if not bool(logits[row, : len(steps)].isfinite().all()):
            clip = dataset.clip_of(index)
            raise InputError.of(
                where=clip.where,
                expected=f"finite predictions for clip '{clip.id}'",
                found=f"NaN or infinity from step {int(steps[0])} on",
                remedy="check its features, or train again",
            )
    return logits
