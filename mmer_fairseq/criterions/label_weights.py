"""``--pos-weight`` and ``--class-weight``: what the training split says of how rare each label is."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor

from mmer_fairseq import compat
from mmer_fairseq.criterions.objectives import class_weights, positive_weights
from mmer_fairseq.errors import InputError

NONE = "none"
#: Flag of the task → its other value, and the objective that can be weighed so.
FLAGS = {"pos_weight": ("train", "bce"), "class_weight": ("balanced", "softmax")}

logger = logging.getLogger(__name__)


def label_weights(task: Any) -> Tensor | None:
    """The weights that the task's flags ask for, one a label.

    Args:
        task: ``label_weights``: those of a checkpoint, which count before the corpus, so that evaluation gives the
            loss of the training run. Otherwise they are taken from its training split and put there.

    Raises:
        InputError: a flag has an unknown value or does not fit the objective.
    """
    if _asked(task) is None:
        task.label_weights = None
        return None
    if task.label_weights is None:
        split = compat.train_subset()
        labels = [clip.label for clip in task.corpus.clips(split)]
        if task.objective == "bce":
            weights = positive_weights(torch.tensor(labels, dtype=torch.float64))
        else:
            weights = class_weights(torch.tensor(labels, dtype=torch.long), task.labels.size)
        task.label_weights = weights.tolist()
        named = ", ".join(f"{name} {weight:.4g}" for name, weight in zip(task.labels.names, weights.tolist()))
        logger.info("weights in the loss, from %s: %s", split, named)
    return torch.tensor(task.label_weights)


def _asked(task: Any) -> str | None:
    """The flag that asks for weights."""
    asked = None
    for flag, (value, objective) in FLAGS.items():
        given = getattr(task.cfg, flag)
        where = "--" + flag.replace("_", "-")
        if given not in (NONE, value):
            raise InputError.of(
                where=where, expected=f"{NONE} or {value}", found=repr(given), remedy="correct it"
            )
        if given == value and task.objective != objective:
            raise InputError.of(
                where=f"{where} {given}",
                expected=f"the objective {objective}",
                found=f"{task.objective} for labels of kind {task.labels.kind}",
                remedy="leave the flag out, or change --objective or --labels",
            )
        asked = flag if given == value else asked
    return asked
