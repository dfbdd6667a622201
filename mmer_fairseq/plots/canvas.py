"""What all pictures share: colours, a bare figure, writing it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mmer_fairseq.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart with any colour vision.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
SHADES = "Blues"  # one hue, light to dark: reads in grey too

_DOTS_PER_INCH = 150
_FORMATS = (".png", ".pdf", ".svg")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure that belongs to no window.

    Args:
        width: in inches.
        height: in inches.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    return Figure(figsize=(width, height), layout=layout, facecolor="white")


def tidy(axes: Axes) -> None:
    """Light grid, no box."""
    axes.grid(True, color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure; a file of that name is replaced once the new one is whole.

    Args:
        figure: to write.
        path: ending in .png, .pdf or .svg; its folder is made.

    Raises:
        InputError: another ending, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in _FORMATS:
        raise InputError.of(
            where=path,
            expected=f"a file name ending in {', '.join(_FORMATS)}",
            found=repr(path.suffix),
            remedy="change the ending of --out",
        )
    part = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            figure.savefig(part, dpi=_DOTS_PER_INCH)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError.of(
            where=path, expected="a place to write to", found=error.strerror, remedy="change --out"
        ) from error
