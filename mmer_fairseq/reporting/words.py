"""Numbers and findings in words, for the page, the terminal and the LaTeX table alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mmer_fairseq.reporting.bootstrap import Estimate
from mmer_fairseq.reporting.measures import TITLES
from mmer_fairseq.reporting.paired import Difference
from mmer_fairseq.reporting.results import ALPHA, Results

#: Metric → what it is, for readers who do not know it.
MEANINGS = {
    "accuracy": "share of decisions that are right",
    "uar": "unweighted average recall: the mean of the recalls of all classes, rare and frequent ones alike",
    "weighted_f1": "F1 of each class, averaged by how often the class occurs",
    "macro_f1": "F1 of each class, averaged with the same weight",
    "auc": "chance that a clip of the class gets a higher score than one that is not, averaged over the classes",
    "recall": "share of the clips of a class that were found",
    "precision": "share of the decisions for a class that are right",
    "f1": "harmonic mean of recall and precision",
    "weighted_accuracy": "mean of the recall of clips that have a label and of those that do not",
    "exact_match": "share of clips whose labels are all right",
    "mae": "mean absolute error, in units of the label",
    "rmse": "root of the mean squared error, in units of the label",
    "pearson": "correlation of prediction and label, −1 … 1",
    "ccc": "concordance correlation: Pearson's, lowered by a wrong mean or spread, −1 … 1",
    "acc7": "share that is right after rounding to seven steps",
    "acc5": "share that is right after rounding to five steps",
    "acc2": "share of clips with the right sign, those labelled 0 left out",
    "f1_2": "weighted F1 of the same decisions",
    "acc2_nonneg": "share rightly called negative or not negative, over all clips",
    "f1_2_nonneg": "weighted F1 of the same decisions",
}


NOT_KNOWN = "not known"


def title(metric: str) -> str:
    """Its name in tables."""
    return TITLES.get(metric, metric)


def number(value: float) -> str:
    """Three decimals; – where it is not defined."""
    return "–" if math.isnan(value) else f"{value:.3f}".replace("-", "−")


def span(estimate: Estimate | Difference) -> str:
    """Its interval; '' where there is none."""
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return ""
    return f"{number(estimate.low)} … {number(estimate.high)}"


def probability(p: float) -> str:
    """A p value."""
    return "–" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def deviation(values: Sequence[float]) -> float:
    """Standard deviation over seeds (n − 1); NaN for one."""
    if len(values) < 2:
        return math.nan
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def verdict(difference: Difference) -> str:
    """Whether there is a difference, in words."""
    if math.isnan(difference.corrected):
        return "cannot be tested"
    if difference.corrected >= ALPHA:
        return "no clear difference"
    better = (difference.value > 0) == difference.measure.higher_is_better
    return f"{difference.first if better else difference.second} is better"


def summary(results: Results) -> list[str]:
    """Sentences that say what was found."""
    metric = results.headlines[0]
    ranked, shown = results.ranked(), title(metric)
    best = ranked[0]
    top = best.get(metric)
    inside = f" (95 % interval {span(top)})" if span(top) else ""
    lines = [
        f"{best.name} reaches {shown} {number(top.value)}{inside} on {results.clips} clips of {results.split}."
    ]
    if len(ranked) > 1:
        lines[0] = lines[0].replace("reaches", "has the best score:", 1)
    for other in ranked[1:]:
        value = other.get(metric)
        inside = f" ({span(value)})" if span(value) else ""
        line = f"{other.name} reaches {number(value.value)}{inside}"
        for d in results.differences:
            if d.measure.metric == metric and {d.first, d.second} == {best.name, other.name}:
                apart = "that difference is larger than chance explains"
                if not d.corrected < ALPHA:
                    apart = "that difference may be chance"
                line += f"; {apart} (p = {probability(d.corrected)})".replace("= <", "<")
        lines.append(line + ".")
    return lines


def selection(results: Results) -> list[tuple[str, str, str, str]]:
    """System, what was chosen, on which split, and how."""
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for outcome in results.outcomes:
        for run in outcome.system.runs:
            if run.origin is None:
                rows[(outcome.name, NOT_KNOWN, "?", f"no checkpoint beside {run.predictions}")] = []
                continue
            rows[(outcome.name, "the weights", run.origin.trained_on, "training")] = []
            if not any(choice.what == "the epoch" for choice in run.origin.choices):
                rows[(outcome.name, "the epoch", "none", "the last one of the training")] = []
            for choice in run.origin.choices:
                values = rows.setdefault((outcome.name, choice.what, choice.split, choice.how), [])
                values += [choice.value] if choice.value else []
    return [
        (name, what, split, how + (f" ({'; '.join(values)})" if values else ""))
        for (name, what, split, how), values in rows.items()
    ]


def trust(results: Results) -> str:
    """Whether the split that is reported was kept apart, in one sentence."""
    rows = selection(results)
    if any(split == results.split for _, _, split, _ in rows):
        return f"Here something was: the scores on {results.split} are too good."
    unknown = list(dict.fromkeys(name for name, what, _, _ in rows if what == NOT_KNOWN))
    if unknown:
        return f"For {', '.join(unknown)} that is not known."
    return "Nothing was."


def resampling(results: Results) -> str:
    """How the intervals were made, in one sentence."""
    count, name = results.units.size, results.units.name
    how = f"draw whole {name} ({count})" if name != "clips" else f"take the {count} clips as independent"
    return f"Intervals and tests {how}, {results.why}; {results.draws} bootstrap samples."


def signed(value: float) -> str:
    """A change."""
    return "–" if math.isnan(value) else f"{value:+.3f}".replace("-", "−")


def terminal(results: Results) -> str:
    """A table to read in a terminal: systems by metrics, each with its interval."""
    head = ["", *(outcome.name for outcome in results.outcomes)]
    rows = [head]
    for place, (estimate, _) in enumerate(results.outcomes[0].overall()):
        row = [title(estimate.measure.metric)]
        for outcome in results.outcomes:
            found, seeds = outcome.overall()[place]
            spread = deviation(seeds)
            more = "" if math.isnan(spread) else f" ± {spread:.3f}"
            row.append(f"{number(found.value)}{more}" + (f" ({span(found)})" if span(found) else ""))
        rows.append(row)
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    )
