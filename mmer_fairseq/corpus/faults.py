"""What every reader of the corpus shares: where a fault goes, and the hint at what may have been meant.

A reader never decides whether a fault ends the run. It hands the fault to ``fault`` and goes on as well as
it can: loading passes :func:`stop`, which raises it; checking passes the ``append`` of a list.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Callable

from mmer_fairseq.errors import InputError

Fault = Callable[[InputError], None]

SHOWN = 5


def stop(error: InputError) -> None:
    """End at the first fault."""
    raise error


def hint(word: str, options: Iterable[str], otherwise: str) -> str:
    """Remedy for a misspelt word: the closest option, or ``otherwise`` when none is close."""
    options = list(options)
    close = difflib.get_close_matches(word, options, n=1)
    if not close:
        lower = {option.lower(): option for option in options}
        close = [lower[word.lower()]] if word.lower() in lower else []
    return f"write '{close[0]}'" if close else otherwise


def some(items: Iterable[object]) -> str:
    """The first few items, and how many there are when that is more."""
    words = [str(item) for item in items]
    shown = ", ".join(words[:SHOWN])
    return shown if len(words) <= SHOWN else f"{shown}, … ({len(words)} in all)"


def count(number: int, thing: str) -> str:
    """``1 clip``, ``2 clips``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def number(cell: str) -> float | None:
    """The finite number a cell holds; None where it holds none (``1_000`` and ``0,5`` are none)."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None
