"""The scores as a table for a paper (package booktabs)."""

from __future__ import annotations

import math
import re

from mmer_fairseq.reporting import words
from mmer_fairseq.reporting.results import ALPHA, Results

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "≥": r"$\geq$", "−": "$-$", "–": "--", "…": r"\ldots{}",
}  # fmt: skip


def escaped(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return re.sub("|".join(map(re.escape, _SPECIAL)), lambda found: _SPECIAL[found.group()], text)


def latex(results: Results) -> str:
    """Metrics over all labels; best in bold, a dagger where the best is clearly better."""
    first = results.outcomes[0].overall()
    header = " & ".join(["System", *(escaped(words.title(e.measure.metric)) for e, _ in first)])
    rows = []
    for outcome in results.outcomes:
        cells, spans = [escaped(outcome.name)], [""]
        for place, (estimate, seeds) in enumerate(outcome.overall()):
            metric = estimate.measure.metric
            best = best_of(results, place)
            text = escaped(words.number(estimate.value))
            spread = words.deviation(seeds)
            if not math.isnan(spread):
                text += rf" $\pm$ {spread:.3f}"
            text = rf"\textbf{{{text}}}" if outcome.name == best and len(results.outcomes) > 1 else text
            if any(
                d.measure.metric == metric
                and {d.first, d.second} == {outcome.name, best}
                and d.corrected < ALPHA
                for d in results.differences
            ):
                text += r"$^\dagger$"
            cells.append(text)
            low_high = words.span(estimate)
            spans.append(rf"{{\footnotesize [{escaped(low_high.replace(' … ', ', '))}]}}" if low_high else "")
        rows += [" & ".join(cells) + r" \\", " & ".join(spans) + r" \\"]
    labels = escaped(f"{results.clips} clips of {results.split}")
    corpus = f" of {escaped(results.known.corpus)}" if results.known.corpus else ""
    seeds_said = (
        r" $\pm$: standard deviation over seeds."
        if any(len(o.system.runs) > 1 for o in results.outcomes)
        else ""
    )
    dagger = (
        r" $\dagger$: worse than the best system ($p < 0.05$, paired test, Holm)."
        if results.differences
        else ""
    )
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{labels}{corpus}. In brackets: 95\,\% bootstrap interval over "
            rf"{results.units.name}.{seeds_said}{dagger}}}",
            rf"\begin{{tabular}}{{l{'c' * len(first)}}}",
            r"\toprule",
            header + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def best_of(results: Results, place: int) -> str:
    """Name of the system with the best value of a metric over all labels."""
    sign = 1 if results.outcomes[0].overall()[place][0].measure.higher_is_better else -1

    def key(pair: tuple[str, float]) -> float:
        return -math.inf if math.isnan(pair[1]) else sign * pair[1]

    return max(((o.name, o.overall()[place][0].value) for o in results.outcomes), key=key)[0]
