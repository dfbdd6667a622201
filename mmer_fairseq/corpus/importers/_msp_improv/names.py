"""Names of MSP-IMPROV's turns: ``MSP-IMPROV-S01A-F01-P-FM01``.

Sentence 01, target emotion A (angry), H, N or S; F01: gender and session of the speaker; P: target sentence
improvised, R: target sentence read, S: other improvised turns, T: natural interaction; FM01: direction (female or
male, to female or male) and number of the turn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mmer_fairseq.errors import InputError

SESSIONS = range(1, 7)
TARGETS = {"A": "angry", "H": "happy", "N": "neutral", "S": "sad"}
KINDS = {
    "P": "target-improvised",
    "R": "target-read",
    "S": "other-improvised",
    "T": "natural",
}

#: Of every name of a turn.
BEGINNING = re.compile(r"(?:MSP|UTD)-IMPROV", re.IGNORECASE)

_FORM = re.compile(r"(?:MSP|UTD)-IMPROV-(S(\d\d)([A-Z])-([FM])(\d\d)-([A-Z])-([FM]{2}\d+))", re.IGNORECASE)


@dataclass(frozen=True)
class Name:
    """What the name of a turn says."""

    clip: str
    speaker: str
    session: int
    target: str
    kind: str


def read_name(text: str, where: str) -> Name:
    """Read a name without its ending; it may begin with UTD as the corpus' own tables have it.

    Args:
        text: the name.
        where: the file, or ``path:line`` of the table that names it.

    Raises:
        InputError: it has another form, or a part of it is unknown.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise _wrong(where, "a name of the form MSP-IMPROV-S01A-F01-P-FM01", f"'{text}'")
    rest, _, target, gender, session, kind, _ = (part.upper() for part in match.groups())
    if int(session) not in SESSIONS:
        raise _wrong(
            where,
            f"a speaker from F01 to F0{len(SESSIONS)} or M01 to M0{len(SESSIONS)}",
            f"'{gender}{session}' in '{text}'",
        )
    if target not in TARGETS:
        raise _wrong(
            where, f"the target emotion to be one of {', '.join(TARGETS)}", f"'{target}' in '{text}'"
        )
    if kind not in KINDS:
        raise _wrong(where, f"the kind of recording to be one of {', '.join(KINDS)}", f"'{kind}' in '{text}'")
    return Name(f"MSP-IMPROV-{rest}", gender + session, int(session), TARGETS[target], KINDS[kind])


def clip_of(text: str, where: str) -> str:
    """The id of the clip of a name; errors as in :func:`read_name`."""
    return read_name(text, where).clip


def _wrong(where: str, expected: str, found: str) -> InputError:
    return InputError.of(
        where=where, expected=expected, found=found, remedy="correct the name, or take it out"
    )
