"""What was predicted for what: a table of counts and shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

from mmer_fairseq.plots.canvas import SHADES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

_READABLE = 14  # rows up to which numbers fit into the cells
_WRAPPED = 60  # letters of column names up to which they stand side by side


def draw_confusion(
    axes: Axes,
    counts: Tensor,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    row_label: str,
    column_label: str,
) -> None:
    """Draw counts with their share of the row; the shade is the share.

    Args:
        axes: to draw on.
        counts: [R, C], rows: target, columns: prediction.
        rows: names of the rows.
        columns: names of the columns.
        title: of the picture.
        row_label: what the rows are.
        column_label: what the columns are.
    """
    totals = counts.sum(dim=1)
    shares = 100 * counts / totals[:, None].clamp(min=1)
    image = axes.imshow(shares.tolist(), cmap=SHADES, vmin=0, vmax=100, aspect="auto")
    tilted = sum(map(len, columns)) > _WRAPPED or len(columns) > _READABLE
    axes.set_xticks(
        range(len(columns)), columns, rotation=45 if tilted else 0, ha="right" if tilted else "center"
    )
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    # Lines between the cells.
    axes.set_xticks([k - 0.5 for k in range(1, len(columns))], minor=True)
    axes.set_yticks([k - 0.5 for k in range(1, len(rows))], minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.set_xlabel(column_label)
    axes.set_ylabel(row_label)
    axes.set_title(title)
    bar = axes.figure.colorbar(image, cax=axes.inset_axes((1.02, 0, 0.03, 1)), label="share of the row (%)")
    bar.outline.set_visible(False)
    if len(rows) > _READABLE:
        return
    for r, (row, percents) in enumerate(zip(counts.tolist(), shares.tolist())):
        for c, (count, percent) in enumerate(zip(row, percents)):
            text = f"{int(count)}\n{percent:.0f} %" if count else "0"
            colour = "white" if percent > 60 else "#222222"
            axes.text(c, r, text, ha="center", va="center", color=colour, fontsize=9 if len(rows) < 9 else 7)
