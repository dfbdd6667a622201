"""Results of a sweep → a table to read, a table to compute with, and what both leave unsaid."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mmer_fairseq.errors import InputError
from mmer_fairseq.evaluation.conditions import SPOILINGS, SUBSET
from mmer_fairseq.evaluation.sweep import Result

#: Columns before the metrics. ``lacking`` and ``silent``: see ``sweep.Result``.
COLUMNS = ("kind", "modality", "level", "kept", "clips", "lacking", "silent")


def table(results: Sequence[Result], metric: str) -> str:
    """Condition, clips, score and its difference to that of the complete input.

    Args:
        results: the complete input first.
        metric: a key of their values.
    """
    complete = results[0].values[metric]
    rows = [("condition", "clips", metric, "difference")]
    for result in results:
        value = result.values[metric]
        change = "" if result is results[0] else f"{value - complete:+.3f}"
        rows.append((result.condition.name, str(result.clips), f"{value:.3f}", change))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]
        ).rstrip()
        for row in rows
    )


def remarks(results: Sequence[Result]) -> list[str]:
    """A line for each group of clips that a condition could not treat as the others."""
    lines = []
    seen = set()
    for result in results:
        condition = result.condition
        if condition.kind == SUBSET and result.lacking:
            lines.append(
                f"{condition.name}: {result.lacking} of {result.clips} clips have none of these; they are scored"
            )
        if condition.kind not in SPOILINGS or condition.kind in seen:
            continue
        seen.add(condition.kind)  # the same clips at every level
        for number, why in ((result.lacking, f"have no {condition.modality}"), (result.silent, "are silent")):
            if number:
                lines.append(
                    f"--{condition.kind}: {number} of {result.clips} clips {why} and stay as they are"
                )
    return lines


def write_tsv(results: Sequence[Result], path: Path) -> None:
    """Write ``COLUMNS`` and every metric, tab-separated, numbers in full; the file appears when it is whole.

    Raises:
        InputError: it cannot be written.
    """
    lines = ["\t".join((*COLUMNS, *results[0].values))]
    for result in results:
        condition = result.condition
        level = "" if condition.level is None else repr(condition.level)
        counts = (result.clips, result.lacking, result.silent)
        cells = (condition.kind, condition.modality, level, ",".join(condition.kept), *map(str, counts))
        lines.append("\t".join((*cells, *(repr(value) for value in result.values.values()))))
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            part.write_text("\n".join(lines) + "\n", encoding="utf-8")
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> InputError:
    """The fault that nothing can be written there."""
    return InputError.of(
        where=path, expected="a place to write to", found=error.strerror, remedy="change --out"
    )
