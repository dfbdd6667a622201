"""The report as one HTML page that needs no other file and no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from string import Template

from mmer_fairseq.reporting import words
from mmer_fairseq.reporting.bootstrap import Estimate
from mmer_fairseq.reporting.latex import best_of
from mmer_fairseq.reporting.measures import ERROR
from mmer_fairseq.reporting.pictures import Picture
from mmer_fairseq.reporting.results import Results, Row
from mmer_fairseq.reporting.style import CSS, PAGE

#: Pictures, each as base64.
Shown = Sequence[tuple[Picture, str]]
#: Fewer clips than this say little by themselves.
_FEW = 30


def page(results: Results, pictures: Sequence[Picture], images: Mapping[str, bytes]) -> str:
    """The whole document.

    Args:
        results: to show.
        pictures: of them.
        images: file name of each picture → the PNG.
    """
    of = results.known.corpus
    title = f"{' and '.join(o.name for o in results.outcomes)} on {of or 'a corpus'}, {results.split}"
    shown = [(picture, base64.b64encode(images[picture.file]).decode("ascii")) for picture in pictures]
    parts = [
        _head(results),
        _scores(results, shown),
        _comparison(results),
        _selection(results),
        _labels(results),
        _decisions(results, shown),
        _calibration(results, shown),
        _breakdowns(results),
        _robustness(results),
        _glossary(results),
    ]
    body = "\n".join(part for part in parts if part)
    return Template(PAGE).substitute(title=escape(title), css=CSS, body=body)


def _head(results: Results) -> str:
    corpus, split = results.known.corpus, results.split
    steps = f", {results.steps} labelled steps" if results.steps else ""
    kinds = {"classes": "predicted one of", "multilabel": "predicted any of", "score": "predicted numbers:"}
    about = f"{results.clips} clips{steps} of the split <b>{escape(split)}</b>"
    about += f" of the corpus <b>{escape(corpus)}</b>" if corpus else ""
    many = "systems" if len(results.outcomes) > 1 else "system"
    about += (
        f". The {many} {kinds.get(results.kind, 'followed over time:')} {escape(', '.join(results.names))}."
    )
    names = " and ".join(outcome.name for outcome in results.outcomes)
    html = f"<h1>Emotion recognition: {escape(names)}</h1><p class='soft'>{about}</p>"
    for warning in results.warnings:
        html += f"<div class='warning'><p><b>Warning.</b> {escape(warning)}.</p></div>"
    html += (
        "<div class='short'>"
        + "".join(f"<p>{escape(line)}</p>" for line in words.summary(results))
        + "</div>"
    )
    notes = [words.resampling(results), *results.notes]
    return html + "".join(f"<p class='soft'>{escape(note)}</p>" for note in notes)


def _scores(results: Results, shown: Shown) -> str:
    first = results.outcomes[0].overall()
    several = any(len(outcome.system.runs) > 1 for outcome in results.outcomes)
    text = "The range under each score is its 95 % interval: were other clips drawn from the same source, it would "
    text += "hold the true score in about 95 of 100 cases. "
    if several:
        text += "± is the standard deviation over training runs with other random seeds; the score is their mean, and "
        text += "its interval is that of these runs. "
    if len(results.outcomes) > 1:
        text += "The best score of a row is marked."
    head = ["metric", *(outcome.name for outcome in results.outcomes)]
    rows = []
    for place, (estimate, _) in enumerate(first):
        best = best_of(results, place) if len(results.outcomes) > 1 else ""
        arrow = "" if estimate.measure.higher_is_better else " (lower is better)"
        cells = [_cell(escape(words.title(estimate.measure.metric) + arrow))]
        for outcome in results.outcomes:
            found, seeds = outcome.overall()[place]
            spread = words.deviation(seeds)
            extra = f"± {spread:.3f}, {len(seeds)} seeds" if spread == spread else ""
            cells.append(_value(found, extra, best=outcome.name == best))
        rows.append(cells)
    return "<h2>Scores</h2>" + f"<p>{text}</p>" + _table(head, rows) + _images(shown, "scores", whole=True)


def _comparison(results: Results) -> str:
    if not results.differences:
        return ""
    text = (
        f"All systems decided on the same {results.units.name}, so they are compared on each. p is the chance of a "
        "difference at least this large if neither were better; below 0.05 it counts as a difference. "
    )
    if len(results.outcomes) > 2:
        text += "It is corrected for the number of pairs (Holm). "
    pairs: dict[tuple[str, str], list[list[str]]] = {}
    for d in results.differences:
        small = f"<span class='small'>{escape(words.span(d))}</span>"
        cells = [
            escape(words.title(d.measure.metric)),
            words.number(d.value) + small,
            escape(words.probability(d.corrected)),
        ]
        row = [*map(_cell, cells), _cell(escape(words.verdict(d)), "text")]
        pairs.setdefault((d.first, d.second), []).append(row)
    html = f"<h2>Is one system better?</h2><p>{text}</p>"
    for (first, second), rows in pairs.items():
        html += f"<h3>{escape(first)} less {escape(second)}</h3>" + _table(
            ["metric", "difference", "p", "verdict|text"], rows
        )
    return html


def _selection(results: Results) -> str:
    rows = [
        [
            _cell(escape(name)),
            _cell(escape(what), "text"),
            _cell(f"<b>{escape(split)}</b>", "text"),
            _cell(escape(how), "text"),
        ]
        for name, what, split, how in words.selection(results)
    ]
    split = escape(results.split)
    text = f"Scores on {split} can be trusted if nothing below was learnt or chosen on {split}. "
    text += f"<b>{escape(words.trust(results))}</b> This is read from the checkpoints, not typed."
    head = ["system", "what|text", "on the split|text", "how|text"]
    return f"<h2>Which split chose what</h2><p>{text}</p>" + _table(head, rows)


def _labels(results: Results) -> str:
    metrics = [e.measure.metric for e in results.outcomes[0].of_label(results.names[0])]
    if not metrics:
        return ""
    html = f"<h2>Each {'class' if results.kind == 'classes' else 'label'}</h2>"
    for outcome in results.outcomes:
        rows = []
        for name in results.names:
            found = outcome.of_label(name)
            rows.append(
                [_cell(escape(name)), _cell(str(found[-1].measure.support)), *(_value(e) for e in found)]
            )
        head = ["label", "clips", *map(words.title, metrics)]
        html += f"<h3>{escape(outcome.name)}</h3>" + _table(head, rows)
    return html


def _decisions(results: Results, shown: Shown) -> str:
    if results.kind == "classes":
        title = "What was taken for what"
        text = "Each row is a true class; the numbers say for how many of its clips each class was decided on, and "
        text += "which share that is. Right decisions lie on the diagonal."
    elif results.kind == "multilabel":
        title, text = (
            "What was found and missed",
            "Each row is a label; the shade is the share within the row.",
        )
    else:
        title = "Predictions and errors"
        text = "Left: each dot is a clip or a step; on the dashed line the prediction is right. Right: the error; "
        text += "above 0 the system predicts too much."
    return f"<h2>{title}</h2><p>{text}</p>" + _images(
        shown, "decisions", whole=results.kind in ("score", "trace")
    )


def _calibration(results: Results, shown: Shown) -> str:
    images = _images(shown, "calibration")
    if not images:
        return ""
    text = (
        "When the system says 80 %, is it right in 80 of 100 cases? On the dashed line it is; above it the system is "
        "more often right than it says, below it is too sure of itself. The calibration error is the mean distance "
        "from the line (ECE, 10 bins; 0 is best)."
    )
    return f"<h2>Can its probabilities be trusted?</h2><p>{text}</p>{images}"


def _breakdowns(results: Results) -> str:
    if not results.breakdowns:
        return ""
    text = "The same scores on parts of the clips. Intervals are wide where there are few clips"
    text += f"; rows of fewer than {_FEW} clips are grey." if results.kind != "trace" else "."
    html = f"<h2>By speaker and condition</h2><p>{text}</p>"
    for title, rows in results.breakdowns.items():
        table = _group_table(results, title, rows)
        heading = escape(title[0].upper() + title[1:])
        if len(rows) > 12:
            html += f"<h3>{heading}</h3><details><summary>{len(rows)} rows</summary>{table}</details>"
        else:
            html += f"<h3>{heading}</h3>{table}"
    return html


def _group_table(results: Results, title: str, rows: Sequence[Row]) -> str:
    shown, names = results.headlines, [outcome.name for outcome in results.outcomes]
    body = []
    for row in rows:
        kind = "soft" if row.clips < _FEW and results.kind != "trace" else ""
        cells = [_cell(escape(row.name), kind), _cell(str(row.clips), kind)]
        for place in range(len(shown)):
            cells += [_value(each[place], kind=kind) for each in row.cells]
        body.append(cells)
    if len(names) == 1:
        return _table([title, "clips", *map(words.title, shown)], body)
    above = "".join(f"<th class='over' colspan='{len(names)}'>{escape(words.title(m))}</th>" for m in shown)
    return _table([title, "clips", *names * len(shown)], body, above=f"<tr><th></th><th></th>{above}</tr>")


def _robustness(results: Results) -> str:
    measured = [(o.name, o.robustness) for o in results.outcomes if o.robustness is not None]
    metric = results.headlines[0]
    html = ""
    for name, found in measured:
        chosen = metric if metric in found.values else next(iter(found.values), "")
        if not chosen:
            continue
        values = found.values[chosen]
        rows = [
            [
                _cell(escape(condition)),
                _cell(words.number(value)),
                _cell("" if not i else words.signed(value - values[0])),
            ]
            for i, (condition, value) in enumerate(zip(found.conditions, values))
        ]
        html += f"<h3>{escape(name)}</h3>" + _table(
            ["what it was given", words.title(chosen), "change"], rows
        )
    if not html:
        return ""
    text = "As <code>mmer robustness</code> has measured it: modalities taken away from all clips, or spoilt."
    return f"<h2>With missing and spoilt input</h2><p>{text}</p>{html}"


def _glossary(results: Results) -> str:
    metrics = dict.fromkeys(e.measure.metric for e in results.outcomes[0].estimates)
    terms = "".join(
        f"<dt>{escape(words.title(m))}</dt><dd>{escape(words.MEANINGS.get(m, ''))}</dd>" for m in metrics
    )
    scale = any(e.measure.scale == ERROR for e in results.outcomes[0].estimates)
    how = (
        "<p>Intervals: bootstrap standard error, Student's t, on the scale of Wilson's interval for shares and "
        f"Fisher's z for correlations{', of the logarithm for errors' if scale else ''}. Test: random signs of what "
        f"each {results.units.name[:-1]} adds to the difference, mid-p. Simulations in the tests of mmer_fairseq "
        "find 93–97 % coverage and 4–6 % false alarms for accuracy, UAR, weighted F1 and CCC on 100 to 300 clips.</p>"
    )
    runs = "".join(
        f"<dt>{escape(o.name)}</dt><dd>"
        + "<br>".join(f"<code>{escape(str(r.predictions))}</code>" for r in o.system.runs)
        + "</dd>"
        for o in results.outcomes
    )
    files = f"<details><summary>Files</summary><dl>{runs}</dl></details>"
    return f"<h2>What the words mean</h2><dl>{terms}</dl>{how}{files}"


def _value(estimate: Estimate, extra: str = "", *, best: bool = False, kind: str = "") -> str:
    small = [part for part in (words.span(estimate), extra) if part]
    inner = words.number(estimate.value) + "".join(
        f"<span class='small'>{escape(part)}</span>" for part in small
    )
    return _cell(inner, "best" if best else kind)


def _cell(inner: str, kind: str = "") -> str:
    return f"<td class='{kind}'>{inner}</td>" if kind else f"<td>{inner}</td>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], above: str = "") -> str:
    """Head: plain texts, ``|text`` after those of a column of words. Rows: cells in HTML."""
    names = [text.partition("|") for text in head]
    cells = "".join(
        f"<th class='{kind}'>{escape(name)}</th>" if kind else f"<th>{escape(name)}</th>"
        for name, _, kind in names
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f"<div class='wide'><table><thead>{above}<tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _images(shown: Shown, section: str, *, whole: bool = False) -> str:
    kind = " class='whole'" if whole else ""
    html = "".join(
        f"<figure{kind}><img alt='{escape(picture.alt, quote=True)}' src='data:image/png;base64,{data}'></figure>"
        for picture, data in shown
        if picture.section == section
    )
    return f"<div class='pictures'>{html}</div>" if html else ""
