"""The file that ``--save-predictions`` writes → targets and predictions."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from mmer_fairseq.errors import InputError

JOIN = "|"  # between the values of one cell
_NEEDED = ("id", "target", "prediction")
_REMEDY = "give the file that --save-predictions has written"


@dataclass(frozen=True)
class Predictions:
    """Targets and predictions of some clips.

    Args:
        kind: "classes", "multilabel" (0 or 1 for each label), "score" or "trace" (a row for each step).
        names: class or column names.
        target: for each row a class index in a list of one, or a value for each column; NaN: not labelled.
        prediction: likewise.
        clips: number of different ids.
        splits: names of the splits that the clips are from.
    """

    kind: str
    names: tuple[str, ...]
    target: list[list[float]]
    prediction: list[list[float]]
    clips: int
    splits: tuple[str, ...]


def read_predictions(path: str | Path, split: str | None = None) -> Predictions:
    """Read a predictions file.

    It is tab-separated with the columns id, [split], [step], target, prediction and score_NAME for each
    label. A target or prediction is the NAMEs that hold, or one number for each NAME, joined by ``|``. A file
    with one NAME in each cell is of classes. In a file with steps a number of the target may be missing.

    Args:
        path: of the file.
        split: only these clips.

    Raises:
        InputError: the file cannot be read, a row does not fit, or there is no clip.
    """
    header, rows = _rows(path)
    names = tuple(name[len("score_") :] for name in header if name.startswith("score_"))
    at = {name: header.index(name) for name in (*_NEEDED, "split", "step") if name in header}
    if split is not None:
        rows = [(number, row) for number, row in rows if "split" in at and row[at["split"]] == split]
    if not rows:
        asked = f"clips of the split {split!r}" if split is not None else "one or more clips"
        raise InputError.of(where=path, expected=asked, found="none", remedy=_REMEDY)
    _check_repeated(path, rows, at)
    first = next((row[k] for _, row in rows for k in (at["target"], at["prediction"]) if row[k]), "")
    read = _labels if "step" not in at and set(first.split(JOIN)) <= {*names, ""} else _numbers
    gaps = {"target": "step" in at, "prediction": False}
    target, prediction = (
        [read(row[at[what]], names, f"{path}:{number}", what, gaps[what]) for number, row in rows]
        for what in ("target", "prediction")
    )
    kind = "trace" if "step" in at else "score" if read is _numbers else "multilabel"
    if kind == "multilabel" and all(sum(row) == 1 for row in (*target, *prediction)):
        kind = "classes"
        target, prediction = ([[float(row.index(1))] for row in side] for side in (target, prediction))
    splits = dict.fromkeys(row[at["split"]] for _, row in rows) if "split" in at else {}
    ids = {(row[at["split"]] if "split" in at else "", row[at["id"]]) for _, row in rows}
    return Predictions(kind, names, target, prediction, len(ids), tuple(splits))


def _check_repeated(path: str | Path, rows: list[tuple[int, list[str]]], at: dict[str, int]) -> None:
    """Refuse a clip, or a step of it, that would count twice."""
    seen: dict[tuple[str, ...], int] = {}
    keys = [at[name] for name in ("split", "id", "step") if name in at]
    for number, row in rows:
        key = tuple(row[k] for k in keys)
        if seen.setdefault(key, number) != number:
            raise InputError.of(
                where=f"{path}:{number}",
                expected="every clip once" if "step" not in at else "every step of a clip once",
                found=f"'{row[at['id']]}', which stands in line {seen[key]}, too",
                remedy=_REMEDY,
            )


def _rows(path: str | Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header, and each row with its line number."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError.of(
            where=path, expected="a readable table in UTF-8", found=str(error), remedy=_REMEDY
        ) from error
    lines = csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(lines, [])
    missing = [name for name in _NEEDED if name not in header]
    if missing or not any(name.startswith("score_") for name in header):
        raise InputError.of(
            where=f"{path}:1",
            expected="a header with the columns id, target, prediction and score_NAME for each label",
            found=", ".join(header) or "nothing",
            remedy=_REMEDY,
        )
    rows = [(lines.line_num, row) for row in lines]
    for number, row in rows:
        if len(row) != len(header):
            raise InputError.of(
                where=f"{path}:{number}",
                expected=f"{len(header)} tab-separated cells, as in the header",
                found=len(row),
                remedy=_REMEDY,
            )
    return header, rows


def _labels(cell: str, names: tuple[str, ...], where: str, what: str, gaps: bool) -> list[float]:
    """0 or 1 for each name."""
    held = cell.split(JOIN) if cell else []
    if not set(held) <= set(names):
        raise InputError.of(
            where=where,
            expected=f"a {what} out of {', '.join(names)}",
            found=repr(cell),
            remedy="use one set of labels in one file",
        )
    return [float(name in held) for name in names]


def _numbers(cell: str, names: tuple[str, ...], where: str, what: str, gaps: bool) -> list[float]:
    """A number for each name; NaN for an empty one where there may be gaps."""
    try:
        values = [float(part) if part or not gaps else math.nan for part in cell.split(JOIN)]
    except ValueError:
        values = []  # is refused below
    finite = all(math.isfinite(value) or (gaps and math.isnan(value)) for value in values)
    if len(values) != len(names) or not finite:
        raise InputError.of(
            where=where,
            expected=f"a {what} that is one of {', '.join(names)}, or a number for each, joined by {JOIN}",
            found=repr(cell),
            remedy=_REMEDY,
        )
    return values
