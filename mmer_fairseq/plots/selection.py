"""Pictures of a clip, and which of their sites a model kept at each of its stages."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mmer_fairseq.plots.canvas import BLUE, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Pictures side by side: more are too small to see.
COLUMNS = 12
HEAT = "inferno"

_FEWEST = 6  # columns that a figure is wide
_CELL, _STRIP, _LEFT = 1.3, 0.95, 2.3  # inches: a picture, a strip of sound, the names of the rows
_WRAP = 10  # characters of a title, an inch of the figure


#: Place of a picture → the larger one that it was cut from, uint8 [H', W', 3], and where: (x0, y0, x1, y1), in pixels.
Whole = Mapping[int, tuple[np.ndarray, tuple[int, int, int, int]]]


class Part(Protocol):
    """What was selected of one modality: see ``evaluation.explain.Seen``."""

    @property
    def modality(self) -> str: ...
    @property
    def pictures(self) -> np.ndarray: ...
    @property
    def kept(self) -> Sequence[np.ndarray]: ...
    @property
    def step(self) -> float: ...
    @property
    def seconds(self) -> float: ...


def selection_figure(
    title: str,
    parts: Sequence[Part],
    *,
    text: str = "",
    notes: Sequence[str] = (),
    whole: Mapping[str, Whole] | None = None,
) -> Figure:
    """Rows: the pictures, a heat map of how many stages keep a place, and each stage's kept sites.

    Colour pictures [T, H, W, 3] stand side by side, at most :data:`COLUMNS`, evenly chosen; pieces of a spectrogram
    [T, H, W] are put together to a strip.

    Args:
        title: first line.
        parts: by modality.
        text: what is said, below the title.
        notes: what cannot be shown, a line each, below the text.
        whole: modality → what each picture that is drawn (see :func:`evenly`) was cut from.
    """
    whole = whole or {}
    columns = max([_FEWEST] + [min(len(p.pictures), COLUMNS) for p in parts if p.pictures.ndim == 4])
    rows: list[tuple[Part, int]] = []  # part and its row: -1 whole pictures, 0 pictures, 1 heat, 2 … stages
    for part in parts:
        rows += [(part, k) for k in range(-1 if part.modality in whole else 0, 2 + len(part.kept))]
    heights = [_CELL if part.pictures.ndim == 4 else _STRIP for part, _ in rows] or [0.2]
    width = _LEFT + _CELL * columns
    wrap = round(_WRAP * width)
    said = textwrap.wrap(f"“{text}”", wrap, max_lines=3, placeholder=" …”") if text else []
    lines = "\n".join([*textwrap.wrap(title, wrap, drop_whitespace=False), *said, *notes])
    most = max((len(part.kept) for part in parts), default=0)
    figure = new_figure(width, sum(heights) + 1.4 + 0.22 * lines.count("\n"))
    figure.suptitle(lines, fontsize="large", x=0.01, ha="left", parse_math=False)  # people say "$5"
    if not parts:
        return figure
    grid = figure.add_gridspec(len(rows), columns, height_ratios=heights)
    for at, (part, row) in enumerate(rows):
        if part.pictures.ndim == 4:
            _side_by_side(figure, grid, at, part, row, whole.get(part.modality, {}))
        else:
            _strip(figure.add_subplot(grid[at, :]), part, row)
    _legend(figure, most)
    return figure


def evenly(count: int, most: int = COLUMNS) -> list[int]:
    """At most so many of ``count`` places, first and last among them."""
    if count <= most:
        return list(range(count))
    return np.linspace(0, count - 1, most).round().astype(int).tolist()


def grown(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Sites [T, h, w] → pixels [T, height, width]: each site covers its share of the picture."""
    rows = np.arange(height) * mask.shape[1] // height
    columns = np.arange(width) * mask.shape[2] // width
    return np.asarray(mask[:, rows[:, None], columns[None]])


def heat(part: Part) -> np.ndarray:
    """How many stages keep each pixel: int64 [T, H, W]."""
    height, width = part.pictures.shape[1:3]
    return np.asarray(sum(grown(stage, height, width).astype(np.int64) for stage in part.kept))


def painted(pictures: np.ndarray, counts: np.ndarray, most: int) -> np.ndarray:
    """Heat over pictures: the colour says the count, its brightness the picture; [..., H, W, 3]."""
    colours = _colours(most)[counts]
    return np.asarray(colours * (0.5 + 0.5 * _grey(pictures))[..., None])


def _colours(most: int) -> np.ndarray:
    """Colours of 0 … most stages, [most + 1, 3]."""
    from matplotlib import colormaps

    return np.asarray(colormaps[HEAT](np.linspace(0.15, 0.92, most + 1)))[:, :3]


def _grey(pictures: np.ndarray) -> np.ndarray:
    return pictures if pictures.ndim == 3 else pictures @ np.array([0.299, 0.587, 0.114])


def _dropped(pictures: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Kept pixels as they are, the others hidden behind one colour."""
    from matplotlib.colors import to_rgb

    seen = pictures if pictures.ndim == 4 else np.repeat(pictures[..., None], 3, axis=-1)
    hidden = 0.85 * np.array(to_rgb(BLUE)) + 0.15 * _grey(pictures)[..., None]
    return np.where(kept[..., None], seen, hidden)


def _row(part: Part, row: int) -> tuple[str, np.ndarray]:
    """Name of a row, and its pictures [T, H, W(, 3)]."""
    if row <= 0:
        what = "pictures" if part.pictures.ndim == 4 else "spectrogram"
        return f"{part.modality}:\n{what}", part.pictures
    if row == 1:
        return "stages that\nkeep a place", painted(part.pictures, heat(part), len(part.kept))
    stage = part.kept[row - 2]
    name = f"stage {row - 1}:\n{stage.shape[1]}×{stage.shape[2]} sites,\n{100 * stage.mean():.1f} % kept"
    return name, _dropped(part.pictures, grown(stage, *part.pictures.shape[1:3]))


def _side_by_side(figure: Figure, grid: Any, at: int, part: Part, row: int, whole: Whole) -> None:
    name, pictures = _row(part, row)
    counts = heat(part) if row < 0 else None
    for column, k in enumerate(evenly(len(pictures))):
        axes = figure.add_subplot(grid[at, column])
        _bare(axes)
        if counts is not None:
            _draw_whole(axes, *whole[k], counts[k], len(part.kept))
        else:
            axes.imshow(np.clip(pictures[k], 0, 1), interpolation="nearest")
        if row == 0:
            axes.set_xlabel(f"{k * part.step:.2f} s" if part.step else f"picture {k + 1}", fontsize="small")
        if column == 0:
            _name(axes, f"{part.modality}:\nwhole pictures" if row < 0 else name)


def _draw_whole(
    axes: Axes, picture: np.ndarray, where: tuple[int, int, int, int], counts: np.ndarray, most: int
) -> None:
    """A whole picture in grey, the heat over the part that was cut out."""
    from matplotlib.patches import Rectangle

    x0, y0, x1, y1 = where
    lit = 0.25 + 0.75 * np.repeat(_grey(picture[None] / 255.0)[0][..., None], 3, axis=-1)
    inside = grown(counts[None], y1 - y0, x1 - x0)
    lit[y0:y1, x0:x1] = painted(picture[None, y0:y1, x0:x1] / 255.0, inside, most)[0]
    axes.imshow(np.clip(lit, 0, 1), interpolation="nearest")
    axes.add_patch(
        Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, edgecolor="white", linewidth=1)
    )


def _strip(axes: Axes, part: Part, row: int) -> None:
    name, pictures = _row(part, row)
    count = len(pictures)
    step = part.step or 1.0
    joined = np.concatenate(list(pictures), axis=1)
    height = joined.shape[0]
    axes.imshow(
        joined, origin="lower", aspect="auto", interpolation="nearest", cmap="gray", vmin=0, vmax=1,
        extent=(0, count * step, 0, height),
    )  # fmt: skip
    for k in range(1, count):
        axes.axvline(k * step, color="white", linewidth=0.5, alpha=0.6)
    if 0 < part.seconds < count * step:
        axes.axvline(part.seconds, color=ORANGE, linewidth=1.5, linestyle="--")
    axes.set_yticks([0, height], ["low", "high"], fontsize="x-small")
    _name(axes, name, away=34)
    if row == 1 + len(part.kept):
        unit = "seconds" if part.step else "piece"
        more = "; dashed: end of the sound, zeros behind it" if 0 < part.seconds < count * step else ""
        axes.set_xlabel(f"{unit} (lines: borders of pieces{more})", fontsize="small")
    else:
        axes.tick_params(labelbottom=False)


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])


def _name(axes: Axes, name: str, away: float = 6) -> None:
    axes.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=away, fontsize="small")


def _legend(figure: Figure, most: int) -> None:
    """What the colours of heat and of dropped sites mean."""
    from matplotlib.patches import Patch

    every = [f"kept by {k} of {most} stages" for k in range(most + 1)]
    handles = [Patch(facecolor=tuple(c), edgecolor="black", label=n) for c, n in zip(_colours(most), every)]
    handles.append(Patch(facecolor=BLUE, edgecolor="black", label="dropped at this stage"))
    figure.legend(handles=handles, loc="outside lower left", ncols=3, frameon=False, fontsize="small")
