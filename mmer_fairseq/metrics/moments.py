"""Numbers from sums over pairs (x: prediction, y: target): n, Σx, Σy, Σx², Σy², Σxy, Σ|x − y|, Σ(x − y)².

All are float64 [N], one for each column. x and y are measured from one fixed centre, that of the labels'
range: this changes no result, but keeps Σx² − (Σx)²/n from being a small difference of large numbers when
values lie far from zero. A spread below what rounding of the sums can leave (about n · 2e-16 of Σx²) counts
as none: a constant. Over no pair every number is NaN; correlations of a constant are 0 (SciPy gives NaN).
"""

from __future__ import annotations

from typing import Mapping

import torch
from torch import Tensor

KEYS = ("n", "x", "y", "xx", "yy", "xy", "abs", "sq")


def moments(x: Tensor, y: Tensor, kept: Tensor, centre: float = 0.0) -> dict[str, Tensor]:
    """Sum up pairs.

    Args:
        x: float64 [M, N]; may hold anything where not kept.
        y: float64 [M, N]; likewise.
        kept: BoolTensor [M, N]; what counts.
        centre: taken off both.

    Returns:
        one float64 [N] for each of ``KEYS``.
    """
    zero = torch.zeros((), dtype=torch.float64)
    x, y = torch.where(kept, x - centre, zero), torch.where(kept, y - centre, zero)
    error = x - y
    parts = (kept.double(), x, y, x * x, y * y, x * y, error.abs(), error * error)
    return {key: part.sum(dim=0) for key, part in zip(KEYS, parts)}


def mae(sums: Mapping[str, Tensor]) -> Tensor:
    """Mean absolute error, in units of the label."""
    return sums["abs"] / sums["n"]


def mse(sums: Mapping[str, Tensor]) -> Tensor:
    """Mean squared error, in squared units of the label."""
    return sums["sq"] / sums["n"]


def rmse(sums: Mapping[str, Tensor]) -> Tensor:
    """Root of the mean squared error, in units of the label."""
    return mse(sums).sqrt()


def pearson(sums: Mapping[str, Tensor]) -> Tensor:
    """Pearson's correlation, -1 … 1; 0 if prediction or target is constant."""
    xx, yy, xy = _spread(sums)
    scale = xx.sqrt() * yy.sqrt()
    return (xy / (scale + (scale == 0))).clamp(-1, 1) + 0 / sums["n"]


def ccc(sums: Mapping[str, Tensor]) -> Tensor:
    """Concordance correlation 2 s_xy / (s_x² + s_y² + (x̄ − ȳ)²), -1 … 1; 0 if x or y is constant.

    Source: Lin, Biometrics 45, 1989; with the population's variances (divided by n), as in the AVEC and ABAW
    challenges.
    """
    xx, yy, xy = _spread(sums)
    apart = (sums["x"] - sums["y"]) ** 2 / sums["n"].clamp(min=1)
    whole = xx + yy + apart
    return 2 * xy / (whole + (whole == 0)) + 0 / sums["n"]


def _spread(sums: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Σ(x − x̄)², Σ(y − ȳ)², Σ(x − x̄)(y − ȳ); all 0 for a constant."""
    n = sums["n"].clamp(min=1)
    noise = (n + 8) * torch.finfo(torch.float64).eps
    xx = sums["xx"] - sums["x"] ** 2 / n
    yy = sums["yy"] - sums["y"] ** 2 / n
    xx, yy = xx * (xx > noise * sums["xx"]), yy * (yy > noise * sums["yy"])
    xy = (sums["xy"] - sums["x"] * sums["y"] / n) * ((xx > 0) & (yy > 0))
    return xx, yy, xy
