"""Systems and what is known of their clips → every number of a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from mmer_fairseq.reporting.bootstrap import DRAWS, LEVEL, Estimate, Units, estimate
from mmer_fairseq.reporting.breakdown import Known, groups
from mmer_fairseq.reporting.calibration import Calibration, calibration
from mmer_fairseq.reporting.measures import HEADLINES, Statistic, mean_of, statistic
from mmer_fairseq.reporting.paired import Difference, differences
from mmer_fairseq.reporting.robustness import Robustness, read_robustness
from mmer_fairseq.reporting.systems import System

#: Clips of a breakdown are resampled less often: there are many groups.
GROUP_DRAWS = 500
#: Clips of a class up to which intervals of its numbers, and of UAR, are too narrow; see ``bootstrap``.
RARE = 10
ALPHA = 0.05


@dataclass(frozen=True)
class Outcome:
    """One system over all clips.

    Attributes:
        system: name and runs.
        estimates: mean over the seeds of every metric, with its interval over clips.
        seeds: of each metric, its value in every run.
        calibration: None where scores are no probabilities.
        robustness: of its runs, as ``mmer robustness`` has measured it.
    """

    system: System
    estimates: list[Estimate]
    seeds: list[list[float]]
    calibration: Calibration | None
    robustness: Robustness | None

    @property
    def name(self) -> str:
        return self.system.name

    def overall(self) -> list[tuple[Estimate, list[float]]]:
        """The metrics over all labels, each with the values of its seeds."""
        return [pair for pair in zip(self.estimates, self.seeds) if not pair[0].measure.label]

    def of_label(self, label: str) -> list[Estimate]:
        """The metrics of one label."""
        return [each for each in self.estimates if each.measure.label == label]

    def get(self, metric: str) -> Estimate:
        """A metric over all labels."""
        return next(e for e in self.estimates if e.measure.metric == metric and not e.measure.label)


@dataclass(frozen=True)
class Row:
    """A group of clips.

    Attributes:
        name: of the group.
        clips: in it.
        cells: for each system its headline metrics.
    """

    name: str
    clips: int
    cells: list[list[Estimate]]


@dataclass
class Results:
    """All that a report shows.

    Attributes:
        kind: of the labels.
        names: of the labels.
        split: that is reported.
        clips: number of them.
        steps: labelled steps of traces; 0: the labels are of whole clips.
        known: what the corpus says of the clips.
        units: what was resampled.
        why: these units.
        outcomes: one a system.
        differences: of every two systems, on the metrics over all labels.
        breakdowns: title → groups.
        warnings: what makes numbers too good.
        notes: what else a reader should know.
        draws: bootstrap samples.
    """

    kind: str
    names: tuple[str, ...]
    split: str
    clips: int
    steps: int
    known: Known
    units: Units
    why: str
    outcomes: list[Outcome]
    differences: list[Difference]
    breakdowns: dict[str, list[Row]]
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    draws: int = DRAWS

    @property
    def headlines(self) -> tuple[str, ...]:
        """Metrics of breakdowns; the first one says who leads."""
        return HEADLINES[self.kind]

    def ranked(self) -> list[Outcome]:
        """The best system first, by the first headline metric."""
        metric = self.headlines[0]

        def key(outcome: Outcome) -> float:
            value = outcome.get(metric).value
            return -math.inf if math.isnan(value) else value

        return sorted(self.outcomes, key=key, reverse=True)


def results(
    systems: Sequence[System],
    known: Known,
    split: str,
    units: Units,
    why: str,
    *,
    draws: int = DRAWS,
    seed: int = 1,
) -> Results:
    """Compute everything.

    Args:
        systems: over the same clips, in the same order.
        known: of these clips.
        split: that they are of.
        units: what is resampled.
        why: these.
        draws: bootstrap samples.
        seed: of all that is left to chance.
    """
    outcomes, statistics = [], []
    for system in systems:
        every = [statistic(run.scored, known.range) for run in system.runs]
        mean = mean_of(every)
        statistics.append((system.name, mean))
        points = torch.stack([each.point() for each in every])
        outcomes.append(
            Outcome(
                system,
                estimate(mean, units, draws=draws, seed=seed),
                points.T.tolist(),
                calibration([run.scored for run in system.runs]),
                read_robustness([Path(run.predictions).parent for run in system.runs]),
            )
        )
    measures = statistics[0][1].measures
    overall = [place for place, measure in enumerate(measures) if not measure.label]
    first = systems[0].runs[0].scored
    steps = int((~first.target.isnan()).any(dim=1).sum()) if first.kind == "trace" else 0
    found = Results(
        first.kind,
        first.names,
        split,
        len(first.ids),
        steps,
        known,
        units,
        why,
        outcomes,
        differences(statistics, units, overall, draws=draws, seed=seed) if len(systems) > 1 else [],
        _breakdowns(systems, known, units, seed),
        draws=draws,
    )
    return found


def rare_labels(results: Results) -> list[str]:
    """A line if a class or label has so few clips that intervals cannot be trusted."""
    if results.kind not in ("classes", "multilabel"):
        return []
    support = {e.measure.label: e.measure.support for e in results.outcomes[0].estimates if e.measure.label}
    rare = [f"{name} ({count})" for name, count in support.items() if count <= RARE]
    if not rare:
        return []
    return [f"Few clips of {', '.join(rare)}: intervals of what averages over labels are rather too narrow."]


def _breakdowns(systems: Sequence[System], known: Known, units: Units, seed: int) -> dict[str, list[Row]]:
    titles = dict(known.conditions)
    if len(set(known.speakers) - {""}) > 1:
        titles["speaker"] = known.speakers
    found = {}
    for title, labels in titles.items():
        rows = []
        for group in groups(labels):
            ids = [systems[0].runs[0].scored.ids[i] for i in group.clips.tolist()]
            inside = units.subset(group.clips)
            if inside.size < 2:
                inside = Units.clips(len(ids))  # within one speaker
            cells = []
            for system in systems:
                cut = [_headlines(statistic(run.scored.of(ids), known.range)) for run in system.runs]
                cells.append(estimate(mean_of(cut), inside, draws=GROUP_DRAWS, seed=seed))
            rows.append(Row(group.name, len(ids), cells))
        found[title] = rows
    return found


def _headlines(whole: Statistic) -> Statistic:
    """The metrics of breakdowns alone."""
    kind = next(
        names for names in HEADLINES.values() if {m.metric for m in whole.measures if not m.label} >= {*names}
    )
    at = [next(i for i, m in enumerate(whole.measures) if m.metric == name and not m.label) for name in kind]
    return Statistic(
        [whole.measures[i] for i in at], whole.clips, lambda weights: list(whole(weights)[:, at].unbind(-1))
    )


def selection_warnings(systems: Sequence[System], split: str) -> list[str]:
    """What was chosen by looking at the labels of the split that is reported."""
    found = []
    for system in systems:
        for run in system.runs:
            if run.origin is None:
                continue
            for choice in run.origin.chosen_on(split):
                found.append(
                    f"{system.name} ({run.path}): {choice.what} chosen on {split}, the split that is reported: "
                    "its scores are better than they will be on new clips"
                )
            if run.origin.trained_on == split:
                found.append(
                    f"{system.name} ({run.path}): trained on {split}, the split that is reported: its scores say "
                    "nothing about new clips"
                )
    return list(dict.fromkeys(found))


__all__ = ["ALPHA", "LEVEL", "Outcome", "Results", "Row", "rare_labels", "results", "selection_warnings"]
