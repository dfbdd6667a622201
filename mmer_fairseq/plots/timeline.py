"""Predicted emotion over the time of a recording, with faces from it and what was read when."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mmer_fairseq.plots.canvas import GREY, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's, told apart with any colour vision; then lighter ones.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#F0E442", "#666666",
    "#88CCEE", "#882255", "#44AA99", "#DDCC77",
)  # fmt: skip
#: Inches: width of the picture, and height of the faces.
_WIDTH, _FACE = 11.0, 0.95
#: Characters of an utterance below its bar.
_WORDS = 24
#: Inches: height of the main panel, and length of a letter.
_HEIGHT, _LETTER = 2.9, 0.085


#: Bars that are told apart; a longer recording is drawn in so many equal parts.
_MANY, _MOST = 80, 240
#: Points that are kept of a trace's bar, where there are more bars than that.
_POINTS = 60
#: Seconds between the marks of an axis.
_TICKS = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


@dataclass(frozen=True)
class Bar:
    """A stretch of the picture.

    Attributes:
        start: seconds, or number of an utterance.
        end: likewise.
        values: name → score; {}: nothing could be read.
        label: the decision.
        read: modalities that the model had.
        trace: (times [T] in seconds, values [T, N]) of a model of traces.
        text: the words.
    """

    start: float
    end: float
    values: Mapping[str, float]
    label: str
    read: Sequence[str] = ()
    trace: tuple[np.ndarray, np.ndarray] | None = field(default=None, compare=False)
    text: str = ""


def timeline_figure(
    bars: Sequence[Bar],
    names: Sequence[str],
    *,
    kind: str,
    title: str,
    subtitle: str = "",
    modalities: Sequence[str],
    faces: Sequence[tuple[float, np.ndarray]] = (),
    limits: tuple[float, float] | None = None,
    clocked: bool = True,
    end: float = 0.0,
) -> Figure:
    """Draw the timeline.

    Args:
        bars: the predicted stretches in order of time; what lies between was not predicted.
        names: of the classes, labels or columns.
        kind: of the labels: classes are stacked, the others are lines.
        title: of the picture.
        subtitle: how the file was cut, in words.
        modalities: of the model; a row each says where it was read.
        faces: (seconds, uint8 [S, S, 3]).
        limits: lowest and highest value of a score or trace.
        clocked: the axis is time; else bars are utterances.
        end: of the axis, in seconds (0: the last bar's end).
    """
    end = end or max((bar.end for bar in bars), default=1.0)
    if len(bars) > _MOST and all(bar.trace is not None for bar in bars):
        bars = _joined(bars)
    elif len(bars) > _MOST:
        bars = _binned(bars, names, end)
        subtitle += f"; each column is the mean of {end / _MOST:.0f} {'s' if clocked else 'utterances'}"
    heights = [*([_FACE] if len(faces) else []), _HEIGHT, 0.22 * len(modalities) + 0.05]
    figure = new_figure(_WIDTH, sum(heights) + 1.3)
    figure.suptitle(title.replace("$", r"\$"))
    grid = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    if len(faces):
        _draw_faces(grid[0], faces, end)
    main, read = grid[-2], grid[-1]
    draw = _draw_stack if kind == "classes" else _draw_lines
    draw(main, bars, names, end)
    main.set_title(subtitle.replace("$", r"\$"), loc="left", fontsize="small", color=GREY)
    if kind in ("score", "trace"):
        main.set_ylabel("value")
        if limits is not None:
            main.set_ylim(*limits)
    else:
        main.set_ylabel("probability")
        main.set_ylim(0, 1)
    _draw_read(read, bars, modalities)
    read.set_xlim(0, end)
    _name_axis(read, bars, clocked, end)
    handles, labels = main.get_legend_handles_labels()
    known = dict(zip(labels, handles))
    figure.legend(
        known.values(), known.keys(), frameon=False, loc="outside lower center", ncols=min(8, len(known) or 1)
    )
    return figure


def _binned(bars: Sequence[Bar], names: Sequence[str], end: float) -> list[Bar]:
    """Means over equal parts of the axis; a part that no bar touches is left out."""
    parts: list[list[tuple[float, Bar]]] = [[] for _ in range(_MOST)]
    for bar in bars:
        for part in range(max(0, int(bar.start * _MOST / end) - 1), _MOST):  # one less: rounding
            share = min(bar.end, (part + 1) * end / _MOST) - max(bar.start, part * end / _MOST)
            if share > 0:
                parts[part].append((share, bar))
            elif part * end / _MOST >= bar.end:
                break
    found = []
    for part, inside in enumerate(parts):
        low, high = part * end / _MOST, (part + 1) * end / _MOST
        if not inside:
            continue
        known = [(share, bar) for share, bar in inside if bar.values]
        total = sum(share for share, _ in known)
        values = (
            {n: sum(share * bar.values[n] for share, bar in known) / total for n in names} if known else {}
        )
        label = max(values, key=lambda name: values[name]) if values else ""
        most = max(inside, key=lambda each: each[0])[1]
        found.append(Bar(low, high, values, label, most.read))
    return found


def _joined(bars: Sequence[Bar]) -> list[Bar]:
    """Neighbours of a trace as one, with fewer points; read is what was read in all, unknown is what is so in most."""
    size = math.ceil(len(bars) / _MOST)
    found = []
    for group in (bars[at : at + size] for at in range(0, len(bars), size)):
        times, values = (
            np.concatenate(x) for x in zip(*(bar.trace for bar in group if bar.trace is not None))
        )
        every = math.ceil(len(times) / _POINTS)
        known = sorted(group, key=lambda bar: bool(bar.values))[len(group) // 2]
        read = [name for name in group[0].read if all(name in bar.read for bar in group)]
        trace = times[::every], values[::every]
        found.append(Bar(group[0].start, group[-1].end, known.values, known.label, read, trace))
    return found


def _draw_faces(axes: Axes, faces: Sequence[tuple[float, np.ndarray]], end: float) -> None:
    """Each face above its moment; moments that lie close make way."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    room = end * _FACE / (_WIDTH - 1.3)
    places = np.array([time for time, _ in faces], dtype=float)
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + room)
    over = places[-1] - (end - room / 2)
    if over > 0:
        places[-1] -= over
        for k in range(len(places) - 2, -1, -1):
            places[k] = min(places[k], places[k + 1] - room)
    axes.set_ylim(0, 1)
    axes.axis("off")
    for (time, picture), place in zip(faces, places):
        image = OffsetImage(picture, zoom=0.86 * _FACE * 72 / picture.shape[0])
        axes.add_artist(AnnotationBbox(image, (place, 0.58), frameon=False, pad=0))
        axes.annotate(
            "",
            (time, -0.06),
            (place, 0.12),
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.8},
            annotation_clip=False,
        )


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _readable(colour: str) -> str:
    """White or black, on a colour."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 140 else "white"


def _draw_stack(axes: Axes, bars: Sequence[Bar], names: Sequence[str], end: float) -> None:
    """Probabilities on top of each other, one column a segment."""
    known = [bar for bar in bars if bar.values]
    left = [bar.start for bar in known]
    width = [bar.end - bar.start for bar in known]
    floor = np.zeros(len(known))
    for number, name in enumerate(names):
        height = np.array([bar.values[name] for bar in known])
        axes.bar(
            left, height, width, bottom=floor, align="edge", color=_colour(number), label=name,
            edgecolor="white", linewidth=0.6 if len(known) < _MANY else 0.0,
        )  # fmt: skip
        floor = floor + height
    for bar in known:
        _name(axes, bar, names, end)
    _draw_unread(axes, bars)
    tidy(axes)


def _name(axes: Axes, bar: Bar, names: Sequence[str], end: float) -> None:
    """The decision's name on its part of a column, upright if the column is narrow, if it fits at all."""
    wide = (bar.end - bar.start) / end * (_WIDTH - 1.3)
    high, long = bar.values[bar.label] * _HEIGHT, _LETTER * len(bar.label)
    if not (wide >= long and high >= 0.2) and not (wide >= 0.16 and high >= long):
        return
    number = list(names).index(bar.label)
    axes.text(
        (bar.start + bar.end) / 2,
        sum(bar.values[name] for name in names[:number]) + bar.values[bar.label] / 2,
        bar.label,
        color=_readable(_colour(number)),
        rotation=0 if wide >= long else 90,
        ha="center",
        va="center",
        fontsize="small",
        fontweight="bold",
    )


def _draw_lines(axes: Axes, bars: Sequence[Bar], names: Sequence[str], end: float) -> None:
    """A line a name: traces as they are, segments as long strokes that thin lines join."""
    traces = [bar.trace for bar in bars if bar.trace is not None]
    known = [bar for bar in bars if bar.values and bar.trace is None]
    for number, name in enumerate(names):
        colour = _colour(number)
        if traces:
            times = np.concatenate([times for times, _ in traces])
            axes.plot(
                times,
                np.concatenate([values[:, number] for _, values in traces]),
                color=colour,
                linewidth=1.4,
                label=name,
                marker="o" if len(times) == 1 else None,
            )
        if known:
            values = [bar.values[name] for bar in known]
            axes.hlines(
                values,
                [b.start for b in known],
                [b.end for b in known],
                color=colour,
                linewidth=3,
                label=name,
            )
            axes.plot([(b.start + b.end) / 2 for b in known], values, color=colour, linewidth=0.8, alpha=0.5)
    _draw_unread(axes, bars)
    tidy(axes)


def _draw_unread(axes: Axes, bars: Sequence[Bar]) -> None:
    label: str | None = "nothing could be read"
    for bar in bars:
        if not bar.values:
            axes.axvspan(
                bar.start, bar.end, facecolor="#eeeeee", edgecolor=GREY, hatch="///", linewidth=0, label=label
            )
            label = None


def _draw_read(axes: Axes, bars: Sequence[Bar], modalities: Sequence[str]) -> None:
    """A row a modality: filled where the model had it."""
    for row, modality in enumerate(modalities):
        spans = [(bar.start, bar.end - bar.start) for bar in bars if modality in bar.read]
        lost = [(bar.start, bar.end - bar.start) for bar in bars if modality not in bar.read]
        axes.broken_barh(spans, (row + 0.15, 0.7), facecolors=GREY)
        line = 0.6 if len(bars) < _MANY else 0.0
        axes.broken_barh(lost, (row + 0.15, 0.7), facecolors="#f4f4f4", edgecolors=GREY, linewidth=line)
    axes.set_title(
        "filled: the model had it; empty: missing", loc="left", fontsize="x-small", color=GREY, pad=2
    )
    axes.set_ylim(len(modalities), 0)
    axes.set_yticks([row + 0.5 for row in range(len(modalities))], list(modalities), fontsize="small")
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _name_axis(axes: Axes, bars: Sequence[Bar], clocked: bool, end: float) -> None:
    if not clocked:
        shown = bars[:: max(1, len(bars) // 20)]
        words = [bar.text if len(bar.text) <= _WORDS else bar.text[: _WORDS - 1] + "…" for bar in shown]
        axes.set_xticks(
            [(bar.start + bar.end) / 2 for bar in shown],
            [word.replace("$", r"\$") for word in words],
            rotation=25,
            ha="right",
            fontsize="small",
        )
        return
    if end < 120:
        axes.set_xlabel("seconds")
        return
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    axes.xaxis.set_major_locator(MultipleLocator(next((t for t in _TICKS if end / t <= 13), end / 10)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: clock(x)))
    axes.set_xlabel("hours:minutes:seconds" if end >= 3600 else "minutes:seconds")


def clock(seconds: float) -> str:
    """``1:02:03``, or ``2:03`` below an hour."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
