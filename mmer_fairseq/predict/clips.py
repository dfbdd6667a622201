"""A clip that is in no corpus."""

from __future__ import annotations

from collections.abc import Mapping

from mmer_fairseq.corpus import Clip

_SPLIT = "prediction"


def make_clip(
    id: str,
    media: Mapping[str, str],
    start: float | None = None,
    end: float | None = None,
    *,
    rate: float | None = None,
    own_pictures: bool = False,
    text_is_path: bool = False,
    turn: int | None = None,
    where: str = "",
) -> Clip:
    """A row that no corpus has."""
    return Clip(
        id=id,
        media=dict(media),
        text_is_path=text_is_path,
        start=start,
        end=end,
        speaker="",
        dialogue="" if turn is None else "recording",
        turn="" if turn is None else str(turn),
        label=0,
        where=where or id,
        split=_SPLIT,
        rate=rate,
        own_pictures=own_pictures,
    )
