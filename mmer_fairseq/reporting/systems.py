"""Words of the command line → systems, each with one or several seeds, over the same clips."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmer_fairseq.errors import InputError
from mmer_fairseq.reporting.choices import Origin, read_origin
from mmer_fairseq.reporting.commands import validate
from mmer_fairseq.reporting.scored import Scored, read_scored

BEST = "checkpoint_best.pt"


@dataclass(frozen=True)
class Run:
    """One training run, or its predictions.

    Attributes:
        path: as the user named it.
        predictions: the file.
        origin: how its checkpoint was made; None: there is none beside the file.
        scored: its decisions.
        older: the predictions were written before the checkpoint.
    """

    path: Path
    predictions: Path
    origin: Origin | None
    scored: Scored
    older: bool


@dataclass(frozen=True)
class System:
    """Runs that differ in their seed alone.

    Attributes:
        name: in tables.
        runs: of it.
    """

    name: str
    runs: tuple[Run, ...]


def parse(words: Sequence[str]) -> list[tuple[str, list[Path]]]:
    """``NAME=RUN[,RUN…]`` → name and paths; without a name that of the folder, or of the file.

    Raises:
        InputError: two systems of one name.
    """
    found: list[tuple[str, list[Path]]] = []
    for word in words:
        name, mark, rest = word.partition("=")
        named = bool(mark and name) and not Path(word).exists()
        text = rest if named else word
        paths = [Path(text)] if Path(text).exists() else [Path(part) for part in text.split(",") if part]
        if not paths:
            raise InputError.of(
                where=word,
                expected="NAME=RUN[,RUN…]",
                found="no run",
                remedy="name a folder of fairseq-train",
            )
        found.append((name if named else _own_name(paths[0]), paths))
    names = [name for name, _ in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError.of(
                where="mmer report",
                expected="a name of its own for each system",
                found=f"{name} {names.count(name)} times",
                remedy="give NAME=RUN; seeds of one system are NAME=RUN,RUN",
            )
    return found


def _own_name(path: Path) -> str:
    return path.resolve().name if path.is_dir() else f"{path.resolve().parent.name}/{path.stem}"


def load(
    words: Sequence[str], split: str, *, data: str | None, evaluate: Callable[[list[str], Path], None] | None
) -> list[System]:
    """Read every run.

    Args:
        words: of the command line.
        split: to report.
        data: corpus folder, for the command that makes a missing predictions file.
        evaluate: runs that command (words, folder of the run); None: the user is told it.

    Raises:
        InputError: a run is missing or has no predictions, or systems are of different labels or clips.
    """
    systems = [
        System(name, tuple(_read(path, split, data, evaluate) for path in paths))
        for name, paths in parse(words)
    ]
    return _same_kind(systems)


def _read(
    path: Path, split: str, data: str | None, evaluate: Callable[[list[str], Path], None] | None
) -> Run:
    if not path.exists():
        raise InputError.of(
            where=path,
            expected="a folder of fairseq-train, or a file of --save-predictions",
            found="nothing",
            remedy="correct the path",
        )
    folder = path if path.is_dir() else path.parent
    checkpoint = folder / BEST
    predictions = folder / f"{split}.tsv" if path.is_dir() else path
    origin = read_origin(checkpoint) if checkpoint.exists() else None
    if not predictions.exists():
        if origin is None:
            raise InputError.of(
                where=path,
                expected=f"{split}.tsv (of --save-predictions) or {BEST}",
                found="neither",
                remedy="name the --save-dir of a training run",
            )
        words = validate(origin.path, split, data or origin.data, predictions)
        if evaluate is None:
            raise InputError.of(
                where=path,
                expected=f"{split}.tsv, the predictions of the split",
                found="none",
                remedy=f"add --evaluate, or run: {shlex.join(words)}",
            )
        evaluate(words, folder)
    older = origin is not None and predictions.stat().st_mtime < checkpoint.stat().st_mtime
    return Run(path, predictions, origin, read_scored(predictions, split), older)


def _same_kind(systems: list[System]) -> list[System]:
    every = [run for system in systems for run in system.runs]
    kinds = {run.scored.kind for run in every}
    if kinds == {"classes", "multilabel"}:
        every = [replace(run, scored=run.scored.as_multilabel()) for run in every]
        each = iter(every)
        systems = [replace(system, runs=tuple(next(each) for _ in system.runs)) for system in systems]
    first = every[0]
    for run in every[1:]:
        if (run.scored.kind, run.scored.names) != (first.scored.kind, first.scored.names):
            raise InputError.of(
                where=run.predictions,
                expected=f"labels as in {first.predictions} ({first.scored.kind}: {', '.join(first.scored.names)})",
                found=f"{run.scored.kind}: {', '.join(run.scored.names)}",
                remedy="compare systems of one label space",
            )
    return systems


def on_common_clips(systems: list[System]) -> tuple[list[System], int]:
    """Every run cut to the clips that all have, in one order; and how many clips were left out.

    Raises:
        InputError: no clip is in all, or the same clip has different labels.
    """
    every = [run for system in systems for run in system.runs]
    common = set(every[0].scored.ids).intersection(*(run.scored.ids for run in every))
    all_of_them = set().union(*(run.scored.ids for run in every))
    ids = [name for name in every[0].scored.ids if name in common]
    if not ids:
        raise InputError.of(
            where=every[-1].predictions,
            expected=f"clips that are in {every[0].predictions}, too",
            found="none",
            remedy="compare runs on one split of one corpus",
        )
    first = every[0].scored.of(ids)
    cut = []
    for system in systems:
        runs = []
        for run in system.runs:
            scored = run.scored.of(ids)
            same = scored.target.shape == first.target.shape and bool(
                ((scored.target - first.target).abs().nan_to_num() < 1e-6).all()
            )
            if not same:
                raise InputError.of(
                    where=run.predictions,
                    expected=f"the labels that {every[0].predictions} has for the same clips",
                    found="others",
                    remedy="evaluate all runs on the same version of the corpus",
                )
            runs.append(replace(run, scored=scored))
        cut.append(replace(system, runs=tuple(runs)))
    return cut, len(all_of_them) - len(ids)


def remarks(systems: Sequence[System], left_out: int) -> list[str]:
    """What a reader should know of the files."""
    lines = []
    if left_out:
        lines.append(f"{left_out} clips are not in the predictions of every run and were left out of all.")
    for system in systems:
        for run in system.runs:
            if run.older:
                lines.append(
                    f"{run.predictions} is older than {BEST} beside it: it may be of another checkpoint."
                )
    counts = {len(system.runs) for system in systems}
    if len(counts) > 1:
        lines.append("The systems have different numbers of seeds; each counts with the mean of its own.")
    return lines
