"""``robustness.tsv`` beside a run's predictions, as ``mmer robustness`` has written it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmer_fairseq.errors import InputError

FILE = "robustness.tsv"
_KINDS = {
    "snr": "noise at {} dB",
    "blur": "picture blurred by {} pixels",
    "occlusion": "{} of the picture covered",
}


@dataclass(frozen=True)
class Robustness:
    """Scores of one system under conditions.

    Attributes:
        conditions: their names, the complete input first.
        values: metric → a number for each condition, the mean over the seeds.
        runs: how many runs have been measured.
    """

    conditions: tuple[str, ...]
    values: dict[str, list[float]]
    runs: int


def read_robustness(folders: Sequence[Path]) -> Robustness | None:
    """Of the runs of a system; None where none has been measured. Conditions that not all have are left out.

    Args:
        folders: of the runs.

    Raises:
        InputError: a file is not what ``mmer robustness`` writes.
    """
    tables = [_read(folder / FILE) for folder in dict.fromkeys(folders) if (folder / FILE).exists()]
    if not tables:
        return None
    names = [name for name in tables[0] if all(name in table for table in tables)]
    metrics = list(tables[0][names[0]]) if names else []
    values = {
        metric: [sum(table[name][metric] for table in tables) / len(tables) for name in names]
        for metric in metrics
        if all(metric in table[name] for table in tables for name in names)
    }
    return Robustness(tuple(names), values, len(tables))


def _read(path: Path) -> dict[str, dict[str, float]]:
    """Condition → metric → value."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    known = ("kind", "modality", "level", "kept", "clips", "lacking", "silent")
    try:
        return {
            _name(row): {key: float(value) for key, value in row.items() if key not in known} for row in rows
        }
    except (KeyError, TypeError, ValueError) as error:
        raise InputError.of(
            where=path,
            expected="the table of mmer robustness",
            found=f"a row that does not fit ({error})",
            remedy="run mmer robustness again, or remove the file",
        ) from error


def _name(row: dict[str, str]) -> str:
    kept = row["kept"].replace(",", " + ")
    if not row["level"]:
        return kept
    level = float(row["level"])
    shown = f"{100 * level:g} %" if row["kind"] == "occlusion" else f"{level:g}"
    return _KINDS.get(row["kind"], row["kind"] + " {}").format(shown)
