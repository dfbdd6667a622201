"""A checkpoint in fairseq's form, for ``fairseq-train --restore-file`` and ``fairseq-validate --path``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError


def checkpoint(
    model: Mapping[str, Tensor],
    *,
    model_flags: Mapping[str, Any],
    task_flags: Mapping[str, Any],
    criterion_flags: Mapping[str, Any],
) -> dict[str, Any]:
    """Make the content of a checkpoint that no optimizer has touched yet.

    Args:
        model: the whole model's state dict.
        model_flags, task_flags, criterion_flags: their configurations, each with ``_name`` and every field:
            fairseq lets the command line change only what a checkpoint's configuration has.
    """
    return {
        "args": None,
        "cfg": {
            "_name": None,
            "model": dict(model_flags),
            "task": dict(task_flags),
            "criterion": dict(criterion_flags),
        },
        "model": dict(model),
        "optimizer_history": [
            {
                "criterion_name": "EmotionPredictionCriterion",
                "optimizer_name": "FairseqAdam",
                "lr_scheduler_state": {},
                "num_updates": 0,
            }
        ],
        "last_optimizer_state": None,
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0, "shuffle": True}},
    }


def save(content: Mapping[str, Any], path: Path) -> None:
    """Write a file as a whole or not at all.

    Raises:
        InputError: the file exists already, or cannot be written there.
    """
    refuse_existing(path)
    partial = path.with_name(path.name + ".partial")
    try:
        torch.save(dict(content), partial)
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # torch says RuntimeError where the folder is missing
        partial.unlink(missing_ok=True)
        raise InputError.of(
            where=path,
            expected="a place to write to",
            found=str(error).splitlines()[0],
            remedy="name a file in an existing folder with enough space",
        ) from error


def refuse_existing(path: Path) -> None:
    """Raise an InputError where a file would be overwritten."""
    if path.exists():
        raise InputError.of(
            where=path, expected="a new file", found="one that exists", remedy="delete it or name another"
        )
