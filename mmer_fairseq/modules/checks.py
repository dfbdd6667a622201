"""Checks of numbers that users give by flags."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

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


def check_stream(
    modality: str, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor], width: int, flag: str
) -> Tensor:
    """Refuse a batch that lacks a stream or has it in another width.

    Args:
        modality: the stream.
        streams: modality → FloatTensor [B, T, D].
        lengths: modality → LongTensor [B].
        width: D that the network was built for.
        flag: that sets it.

    Returns:
        The stream.

    Raises:
        InputError: it is not there or of another width.
    """
    if modality not in streams or modality not in lengths:
        raise InputError.of(
            where="batch",
            expected=f"the stream {modality!r}",
            found=", ".join(streams) or "no stream",
            remedy="choose other --modalities, or a corpus that has this one",
        )
    found = streams[modality].shape[-1]
    if found != width:
        raise InputError.of(
            where=f"stream {modality!r}",
            expected=f"vectors of width {width} ({flag})",
            found=f"width {found}",
            remedy=f"set {flag} to the width of the features",
        )
    return streams[modality]
