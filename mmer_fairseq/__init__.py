"""Multimodal emotion recognition for fairseq: what ``--user-dir mmer_fairseq`` imports.

With fairseq loaded, importing the package registers its task, criterion, schedule and models. Without fairseq the
rooms below are plain PyTorch and nothing is registered until :func:`register` is called.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from typing import Any

__version__ = "0.1.0"


def register() -> None:
    """Register task, criterion, schedule and every model with fairseq. Calling it twice does no harm.

    fairseq itself scans ``tasks/`` and ``models/`` of a user-dir only when it is the first to import the
    package; a program that imported us before must come through here.
    """
    from mmer_fairseq import compat

    compat.apply()
    for room in ("criterions", "optim", "tasks", "models"):
        package = importlib.import_module(f"{__name__}.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_"):
                importlib.import_module(f"{package.__name__}.{module.name}")


def load(path: Any, device: str = "cpu", **options: Any) -> Any:
    """Load a checkpoint to predict with: see :func:`mmer_fairseq.predict.load`.

    >>> from mmer_fairseq import load                     # doctest: +SKIP
    >>> load("checkpoint_best.pt")("clip.mp4")            # doctest: +SKIP

    Returns:
        :class:`mmer_fairseq.predict.Predictor`: called with a file, a list of segments with times, scores and label.
    """
    from mmer_fairseq.predict import load as load_predictor  # imports torch: not before it is asked for

    return load_predictor(path, device, **options)


if "fairseq" in sys.modules:
    register()
