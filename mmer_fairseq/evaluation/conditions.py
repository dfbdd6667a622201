"""The conditions under which a model is scored: which modalities are kept, and what is done to one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from mmer_fairseq.errors import InputError


@dataclass(frozen=True)
class Spoiling:
    """A way to spoil one modality.

    Attributes:
        modality: which one.
        form: in which the modality must be read.
        low: lowest level.
        high: highest level.
        unit: of the level.
    """

    modality: str
    form: str
    low: float
    high: float
    unit: str


#: Kind of condition, which is also its flag → what it does.
SPOILINGS = {
    "snr": Spoiling("audio", "samples", -100, 100, "dB"),
    "blur": Spoiling("video", "frames", 0.1, 100, "pixels"),
    "occlusion": Spoiling("video", "frames", 0.001, 1, "of the picture's area"),
}
SUBSET = "subset"


@dataclass(frozen=True)
class Condition:
    """One way to feed a model.

    Attributes:
        kind: ``subset``, or a key of ``SPOILINGS``.
        kept: modalities that are not taken away.
        level: of the spoiling (None: a subset).
    """

    kind: str
    kept: tuple[str, ...]
    level: float | None = None

    @property
    def modality(self) -> str:
        """The spoilt modality, '' where none is."""
        return SPOILINGS[self.kind].modality if self.kind in SPOILINGS else ""

    @property
    def name(self) -> str:
        """As tables show it."""
        if self.level is None:
            return " + ".join(self.kept)
        shown = {
            "snr": f"noise at {self.level:g} dB",
            "blur": f"blur of {self.level:g} px",
            "occlusion": f"{100 * self.level:g} % covered",
        }
        return f"{self.modality}: {shown[self.kind]}"


def check_levels(levels: Mapping[str, Sequence[float]]) -> None:
    """Refuse levels that mean nothing.

    Args:
        levels: kind → its levels.

    Raises:
        InputError: naming the flag.
    """
    for kind, given in levels.items():
        spoiling = SPOILINGS[kind]
        for level in given:
            if not spoiling.low <= level <= spoiling.high:  # NaN is not
                raise InputError.of(
                    where=f"--{kind}",
                    expected=f"numbers from {spoiling.low:g} to {spoiling.high:g} ({spoiling.unit})",
                    found=f"{level:g}",
                    remedy="correct it, or leave it out",
                )


def plan_conditions(
    forms: Mapping[str, str], levels: Mapping[str, Sequence[float]]
) -> tuple[list[Condition], list[str]]:
    """Every condition that a model can be put under.

    Args:
        forms: modality → the form in which it is read (``features``: nothing can be added to it).
        levels: kind of spoiling → its levels; one given twice counts once.

    Returns:
        The conditions, the complete input first and then the larger subsets before the smaller; and a line for each
        modality that would be spoilt if it were read from media.
    """
    modalities = tuple(forms)
    conditions = [
        Condition(SUBSET, kept)
        for size in range(len(modalities), 0, -1)
        for kept in combinations(modalities, size)
    ]
    not_raw: dict[str, None] = {}
    for kind, given in levels.items():
        spoiling = SPOILINGS[kind]
        if not given or spoiling.modality not in forms:
            continue
        if forms[spoiling.modality] == spoiling.form:
            conditions += [Condition(kind, modalities, level) for level in dict.fromkeys(given)]
        else:
            not_raw[spoiling.modality] = None
    return conditions, [
        f"{m}: stored features are read, to which no noise can be added; this needs its media"
        for m in not_raw
    ]
