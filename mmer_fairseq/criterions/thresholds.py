"""``--thresholds valid``: each label's threshold is chosen on the validation split and kept in the checkpoint."""

from __future__ import annotations

import logging
from typing import Any

from torch import Tensor

from mmer_fairseq import compat
from mmer_fairseq.errors import InputError

HALF, VALID = "0.5", "valid"
FLAG = "--thresholds"

logger = logging.getLogger(__name__)


def asked(task: Any) -> bool:
    """Whether decisions are made at chosen thresholds.

    Raises:
        InputError: the flag has an unknown value, the labels are no yes/no decisions, or in training the split to
            choose on is never evaluated whole, or is called test.
    """
    given = str(task.cfg.thresholds)
    if given not in (HALF, VALID):
        raise InputError.of(
            where=FLAG, expected=f"{HALF} or {VALID}", found=repr(given), remedy=f"give {FLAG} {VALID}"
        )
    if given == HALF:
        return False
    if task.labels.kind != "multilabel":
        raise InputError.of(
            where=f"{FLAG} {VALID}",
            expected="labels of kind multilabel, each decided by itself",
            found=f"{task.labels.name} of kind {task.labels.kind}",
            remedy="leave the flag out, or choose another label space with --labels",
        )
    if compat.RUN["command"] == "train":
        _check_validation(compat.RUN["cfg"].dataset)
    return True


def _check_validation(dataset: Any) -> None:
    found = "--disable-validation" if dataset.disable_validation else ""
    found = found or ("--max-valid-steps" if dataset.max_valid_steps is not None else "")
    found = found or ("--valid-subset test" if _choosing_split() == "test" else "")
    if found:
        raise InputError.of(
            where=f"{FLAG} {VALID}",
            expected="the whole of a split to choose thresholds on, the first of --valid-subset, which is not test",
            found=found,
            remedy=f"change that, or leave out {FLAG}",
        )


def _choosing_split() -> str:
    return str(compat.RUN["cfg"].dataset.valid_subset).split(",")[0].strip()


def use_stored(task: Any, metrics: Any) -> None:
    """Decide at the thresholds of ``task.thresholds``; in training, at 0.5 as long as there are none.

    Raises:
        InputError: the checkpoint to evaluate has none.
    """
    stored = task.thresholds
    if stored is not None:
        metrics.set_thresholds(stored["values"])
        logger.info("decisions at thresholds chosen on %s: %s", stored["split"], _named(task, stored))
    elif compat.RUN["command"] != "train":
        raise InputError.of(
            where=f"{FLAG} {VALID}",
            expected="thresholds in the checkpoint, chosen in the validation of a training run with that flag",
            found="none",
            remedy=f"take another checkpoint, or decide at 0.5 with {FLAG} {HALF}",
        )


def chooses(split: str) -> bool:
    """Whether thresholds are chosen on this split: in training, on the first of ``--valid-subset``."""
    return compat.RUN["command"] == "train" and split == _choosing_split()


def choose(task: Any, metrics: Any, split: str, margins: Tensor, wanted: Tensor) -> Tensor:
    """Choose the thresholds with the highest F1 of each label, and keep them for the checkpoint.

    Args:
        task: keeps them in ``thresholds``.
        metrics: ``MultilabelMetrics``; decide at them from now on.
        split: that they are chosen on.
        margins: [M, N] of the split, see ``MetricSet.margins``.
        wanted: BoolTensor [M, N].

    Returns:
        float64 [1], the number of clips whose labels are all right: the one sum that depends on the thresholds.
    """
    metrics.set_thresholds(metrics.best_thresholds(margins, wanted))
    task.thresholds = {"split": split, "values": list(metrics.thresholds)}
    logger.info(
        "thresholds chosen on %s, whose metrics are at them: %s", split, _named(task, task.thresholds)
    )
    matches: Tensor = metrics.exact(margins, wanted)
    return matches


def _named(task: Any, chosen: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in zip(task.labels.names, chosen["values"]))
