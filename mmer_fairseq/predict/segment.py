"""What a model says of one stretch of a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Segment:
    """One prediction.

    Attributes:
        start: seconds from the beginning of the file; None: the clip is the whole file or has no clock.
        end: likewise.
        scores: name of a class, label or column → probability, or value where labels are numbers (of a trace, the
            mean over the segment). Empty where nothing of the segment could be read.
        label: the decision: a class; the labels that hold, joined by ``|``; numbers, joined likewise.
        missing: modalities of the model that it had nothing of.
        notes: why, and what else was left out, in words.
        text: the words that the model read.
        trace: of a model of traces float64 [T, N], every step; else None.
        rate: steps of the trace a second, in Hz.
    """

    start: float | None
    end: float | None
    scores: dict[str, float]
    label: str
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    text: str = ""
    trace: np.ndarray | None = field(default=None, compare=False, repr=False)
    rate: float = 0.0

    def about(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        plain: dict[str, Any] = {
            "start": None if self.start is None else round(self.start, 3),
            "end": None if self.end is None else round(self.end, 3),
            "label": self.label,
            "scores": self.scores,
            "missing": list(self.missing),
            "notes": list(self.notes),
            "text": self.text,
        }
        if self.trace is not None:
            plain.update(rate=self.rate, trace=self.trace.tolist())
        return plain
