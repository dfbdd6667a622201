"""A report as files: a page, its pictures, a LaTeX table and the numbers."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmer_fairseq.errors import InputError
from mmer_fairseq.plots.canvas import save
from mmer_fairseq.reporting import words
from mmer_fairseq.reporting.bootstrap import LEVEL, Estimate
from mmer_fairseq.reporting.latex import latex
from mmer_fairseq.reporting.page import page
from mmer_fairseq.reporting.pictures import pictures
from mmer_fairseq.reporting.results import Outcome, Results

PAGE, TABLE, NUMBERS = "report.html", "report.tex", "report.json"


def write(results: Results, folder: Path) -> list[Path]:
    """Write everything; each file appears when it is whole.

    Raises:
        InputError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    drawn = pictures(results)
    for picture in drawn:
        save(picture.figure, folder / picture.file)
    images = {picture.file: (folder / picture.file).read_bytes() for picture in drawn}
    numbers = json.dumps(record(results), indent=1) + "\n"
    texts = {PAGE: page(results, drawn, images), TABLE: latex(results), NUMBERS: numbers}
    try:
        for name, text in texts.items():
            part = folder / f".{name}.{os.getpid()}"
            try:
                part.write_text(text, encoding="utf-8")
                os.replace(part, folder / name)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return [folder / name for name in (*texts, *images)]


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError.of(
        where=folder, expected="a place to write to", found=error.strerror, remedy="change --out"
    )


def record(results: Results) -> dict[str, Any]:
    """All numbers, unrounded; null where one is not defined."""
    return {
        "corpus": results.known.corpus,
        "split": results.split,
        "clips": results.clips,
        "steps": results.steps,
        "kind": results.kind,
        "labels": list(results.names),
        "level": LEVEL,
        "resampled": {"what": results.units.name, "units": results.units.size, "samples": results.draws},
        "warnings": results.warnings,
        "notes": results.notes,
        "systems": [_system(outcome) for outcome in results.outcomes],
        "differences": [
            {
                "first": d.first,
                "second": d.second,
                "metric": d.measure.metric,
                "value": _number(d.value),
                "low": _number(d.low),
                "high": _number(d.high),
                "p": _number(d.p),
                "p_holm": _number(d.corrected),
            }
            for d in results.differences
        ],
        "chosen": [dict(zip(("system", "what", "split", "how"), row)) for row in words.selection(results)],
        "groups": {
            title: [
                {
                    "name": row.name,
                    "clips": row.clips,
                    **{o.name: _estimates(cells) for o, cells in zip(results.outcomes, row.cells)},
                }
                for row in rows
            ]
            for title, rows in results.breakdowns.items()
        },
    }


def _system(outcome: Outcome) -> dict[str, Any]:
    curve = outcome.calibration
    metrics = _estimates(outcome.estimates)
    for entry, seeds in zip(metrics, outcome.seeds):
        entry["seeds"] = [_number(value) for value in seeds]
        entry["std"] = _number(words.deviation(seeds))
    measured = outcome.robustness
    return {
        "name": outcome.name,
        "predictions": [str(run.predictions) for run in outcome.system.runs],
        "metrics": metrics,
        "robustness": None
        if measured is None
        else {"conditions": list(measured.conditions), "metrics": measured.values},
        "calibration": None
        if curve is None
        else {"error": curve.error, "bins": [[b.stated, b.right, b.count] for b in curve.bins]},
    }


def _estimates(estimates: Iterable[Estimate]) -> list[dict[str, Any]]:
    return [
        {
            "metric": e.measure.metric,
            "label": e.measure.label,
            "clips": e.measure.support,
            "value": _number(e.value),
            "low": _number(e.low),
            "high": _number(e.high),
        }
        for e in estimates
    ]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
