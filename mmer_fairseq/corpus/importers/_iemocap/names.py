"""Names of IEMOCAP's utterances: ``Ses01F_impro01_F000``.

Session 1; F: the actress wears the markers of the motion capture in this dialogue; impro01 or script01_1: the
scenario; F000: she says it, and it is her first turn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mmer_fairseq.errors import InputError

SESSIONS = range(1, 6)

_FORM = re.compile(r"(Ses0([1-5])([FM])_\w+)_([FM])\w+")


@dataclass(frozen=True)
class Name:
    """What the name of an utterance says.

    Attributes:
        side: of the speaker in the pictures of the dialogue and in the channels of its sound, ``left`` (channel 0)
            or ``right``: left is who wears the markers.
    """

    utterance: str
    dialogue: str
    session: int
    speaker: str
    side: str


def read_name(text: str, where: str) -> Name:
    """Read a name.

    Args:
        text: the name.
        where: ``path:line`` that names it.

    Raises:
        InputError: it has another form.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise InputError.of(
            where=where,
            expected="an utterance named like Ses01F_impro01_F000 (session, markers, scenario, speaker and turn)",
            found=f"'{text}'",
            remedy="take the file as the corpus has it",
        )
    dialogue, session, markers, gender = match.groups()
    side = "left" if markers == gender else "right"
    return Name(text, dialogue, int(session), f"Ses0{session}{gender}", side)
