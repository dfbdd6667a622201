"""One file per corpus: its own files → our layout. ``mmer import NAME`` finds them here by their file names.

An importer has ``HELP`` (one line), ``add_arguments(parser)`` and ``run(args) -> int``. Names that begin
with ``_`` are parts of importers. Importers may use ``mmer_fairseq.features`` inside a function, to write
feature stores; the rest of ``corpus`` may not.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def importers() -> dict[str, ModuleType]:
    """Name of each importer ('-' for '_' of its file) → its module."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {
        name.replace("_", "-"): importlib.import_module(f"{__name__}.{name}")
        for name in names
        if not name.startswith("_")
    }
