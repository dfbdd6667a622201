"""Names of CREMA-D's recordings: ``1001_IEO_ANG_HI`` is actor, sentence, intended emotion and its level."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mmer_fairseq.corpus.faults import hint
from mmer_fairseq.errors import InputError

ACTORS = range(1001, 1092)

SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
#: A few files have X in place of XX.
LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified", "X": "unspecified"}

_FORM = re.compile(r"(\d+)_([A-Za-z]+)_([A-Za-z]+)_([A-Za-z]+)")


@dataclass(frozen=True)
class Name:
    """What the name of a clip says."""

    clip: str
    actor: str
    sentence: str
    emotion: str
    level: str


def read_name(text: str, where: str) -> Name:
    """Read a name without its ending.

    Args:
        text: the name.
        where: the file, or ``path:line`` of the table that names it.

    Raises:
        InputError: it has another form, or a part of it is unknown.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise InputError.of(
            where=where,
            expected="a name of the form 1001_IEO_ANG_HI (actor, sentence, emotion, level)",
            found=f"'{text}'",
            remedy="correct the name, or take it out",
        )
    actor, sentence, emotion, level = match.groups()
    if int(actor) not in ACTORS:
        raise InputError.of(
            where=where,
            expected=f"an actor from {ACTORS[0]} to {ACTORS[-1]}",
            found=f"'{actor}' in '{text}'",
            remedy="correct the name, or take it out",
        )
    return Name(
        text,
        actor,
        _known("sentence", sentence, SENTENCES, text, where),
        _known("emotion", emotion, EMOTIONS, text, where),
        _known("level", level, LEVELS, text, where),
    )


def clip_of(text: str, where: str) -> str:
    """The id of the clip of a name; errors as in :func:`read_name`."""
    return read_name(text, where).clip


def _known(what: str, code: str, codes: Mapping[str, str], text: str, where: str) -> str:
    if code not in codes:
        raise InputError.of(
            where=where,
            expected=f"the {what} to be one of {', '.join(codes)}",
            found=f"'{code}' in '{text}'",
            remedy=hint(code, codes, "correct the name, or take it out"),
        )
    return codes[code]
