"""Checks of numbers that users give by flags."""

from __future__ import annotations

from mmer_fairseq.errors import InputError


def check_range(flag: str, value: float, low: float, high: float = float("inf")) -> None:
    """Refuse a number outside its range.

    Args:
        flag: its name on the command line.
        value: what was given.
        low, high: the smallest and the largest number allowed.

    Raises:
        InputError: it is smaller or larger, or not a number.
    """
    if not low <= value <= high:
        raise InputError.of(
            where=flag,
            expected=f"{low} or more" if high == float("inf") else f"a number from {low} to {high}",
            found=value,
            remedy="change it",
        )
