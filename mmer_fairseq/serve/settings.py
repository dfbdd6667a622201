"""What a server allows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mmer_fairseq.errors import InputError


@dataclass(frozen=True)
class Settings:
    """Limits of one server.

    Attributes:
        max_mb: of an upload, in 10^6 bytes.
        max_minutes: of its media.
        max_uploads: held at once.
        timeout: seconds of a prediction, and of drawing its picture.
        keep: minutes that an upload stays after its last use.
        parallel: predictions at once.
    """

    max_mb: float = 500.0
    max_minutes: float = 60.0
    max_uploads: int = 20
    timeout: float = 600.0
    keep: float = 30.0
    parallel: int = 1

    def __post_init__(self) -> None:
        for name in ("max_mb", "max_minutes", "timeout", "keep"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                self._refuse(name, "more than 0", value)
        for name in ("max_uploads", "parallel"):
            if getattr(self, name) < 1:
                self._refuse(name, "1 or more", getattr(self, name))

    @staticmethod
    def _refuse(name: str, expected: str, value: float) -> None:
        raise InputError.of(
            where="--" + name.replace("_", "-"), expected=expected, found=f"{value:g}", remedy="correct it"
        )

    @property
    def max_bytes(self) -> int:
        return int(self.max_mb * 1e6)
