"""A model's scores under many conditions in one pass over the data: every clip is decoded once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmer_fairseq.criterions.emotion_prediction_cri import HIDDEN
from mmer_fairseq.errors import InputError
from mmer_fairseq.evaluation.conditions import Condition
from mmer_fairseq.evaluation.variants import Chance, variant


@dataclass
class Result:
    """Scores under one condition.

    Attributes:
        condition: which.
        clips: that were scored.
        lacking: of them, those with nothing to keep or nothing to spoil, see ``variants.Variant``.
        silent: of them, those to whose silence no noise was added.
        values: metric → value over the whole split.
    """

    condition: Condition
    clips: int = 0
    lacking: int = 0
    silent: int = 0
    values: dict[str, float] = field(default_factory=dict)


def sweep(
    task: Any,
    model: Any,
    criterion: Any,
    dataset: Any,
    batches: Iterable[dict[str, Any]],
    conditions: Sequence[Condition],
    chance: Chance,
) -> list[Result]:
    """Score a split under every condition.

    Args:
        task: of the checkpoint; its ``valid_step`` runs the model as validation does.
        model: of the checkpoint, on the batches' device.
        criterion: of the checkpoint; gives the sums and the metrics.
        dataset: of the split.
        batches: all of the split, each clip once.
        conditions: see :func:`mmer_fairseq.evaluation.conditions.plan_conditions`.
        chance: where noise comes from.

    Returns:
        One result a condition, in their order.

    Raises:
        InputError: a medium cannot be read, or a clip does not fit the model.
    """
    results = [Result(condition) for condition in conditions]
    totals = [criterion.metrics.zeros() for _ in conditions]
    for batch in plainly(batches):
        clip_ids = [dataset.clip_of(index).id for index in batch["id"].tolist()]
        for result, total in zip(results, totals):
            made = variant(batch, result.condition, clip_ids, chance, dataset.padding_idx)
            logged = task.valid_step(made.batch, model, criterion)[2]
            result.clips += logged["clips"]
            result.lacking += made.lacking
            result.silent += made.silent
            for key in total:
                total[key] += logged[HIDDEN + key]
    for result, total in zip(results, totals):
        if result.clips != len(dataset):
            raise RuntimeError(
                f"{result.clips} clips were scored, but the split has {len(dataset)}: the metrics are wrong"
            )
        result.values = {name: float(value) for name, value in criterion.metrics.compute(total).items()}
    return results


def plainly(batches: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """The batches; a fault that a data-loading process found comes without that process's traceback."""
    try:
        yield from batches
    except InputError as error:
        marker = f"{InputError.__module__}.{InputError.__qualname__}: "
        raise InputError(str(error).rsplit(marker, 1)[-1].strip()) from error
