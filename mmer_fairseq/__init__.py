"""Multimodal emotion recognition for fairseq: what ``--user-dir mmer_fairseq`` imports.

With fairseq loaded, importing the package registers its task, criterion, schedule and models. Without fairseq the
rooms below are plain PyTorch and nothing is registered until :func:`register` is called.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

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


if "fairseq" in sys.modules:
    register()
