"""The configurations that a converted checkpoint carries."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any


def fairseq_flags(
    system: str, model: Mapping[str, Any], task: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Complete what is known of a checkpoint with the defaults of every other flag.

    Args:
        system: the file of the model in ``models/``, which defines one configuration.
        model: flags of the model.
        task: flags of the task.

    Returns:
        "model_flags", "task_flags", "criterion_flags", as :func:`fairseq_form.checkpoint` takes them.
    """
    import mmer_fairseq  # fairseq takes seconds to import: not before the file is known to be good

    mmer_fairseq.register()
    from mmer_fairseq.criterions.emotion_prediction_cri import EmotionPredictionCriterionConfig
    from mmer_fairseq.tasks.emotion_prediction import EmotionPredictionConfig

    module = importlib.import_module(f"mmer_fairseq.models.{system}")
    config = next(
        value
        for name, value in vars(module).items()
        if name.endswith("Config") and getattr(value, "__module__", "") == module.__name__
    )
    return {
        "model_flags": {**asdict(config()), **model},
        "task_flags": {
            **asdict(EmotionPredictionConfig()),
            "_name": "emotion_prediction",
            "data": "",
            **task,
        },
        "criterion_flags": {**asdict(EmotionPredictionCriterionConfig()), "_name": "emotion_prediction_cri"},
    }
