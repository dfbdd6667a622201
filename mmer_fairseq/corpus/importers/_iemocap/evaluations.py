"""What IEMOCAP says of each utterance: ``dialog/EmoEvaluation`` and ``dialog/transcriptions``.

A line ``[6.2901 - 8.2357]⇥Ses01F_impro01_F000⇥neu⇥[2.5000, 2.5000, 2.5000]`` is start and end in seconds, name, emotion
(most annotators chose it; ``xxx``: no such one), and the means of valence, activation and dominance. Lines below it
(``C-E2: …``, ``A-E3: …``) are those of single annotators and are not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from mmer_fairseq.corpus.faults import hint, number, some, stop
from mmer_fairseq.corpus.importers._iemocap.names import SESSIONS, Name, read_name
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import given_folder
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError

EVALUATIONS = Path("dialog") / "EmoEvaluation"
TRANSCRIPTS = Path("dialog") / "transcriptions"

LOW, HIGH = 1.0, 5.0
ATTRIBUTES = ("valence", "activation", "dominance")

#: Code → word; the first six are those of the paper of MME2E, in its order.
EMOTIONS = {
    "ang": "angry",
    "exc": "excited",
    "fru": "frustrated",
    "hap": "happy",
    "neu": "neutral",
    "sad": "sad",
    "fea": "fear",
    "sur": "surprised",
    "dis": "disgusted",
    "oth": "other",
    "xxx": "no agreement",
}
SIX = tuple(EMOTIONS.values())[:6]

_LINE = re.compile(r"\[([^\]]*?)\s+-\s+([^\]]*?)\]\s+(\S+)\s+(\S+)\s+\[([^\]]*)\]")
_SAID = re.compile(r"(Ses\S+)\s+\[[^\]]*\]\s*:(.*)")


@dataclass(frozen=True)
class Turn:
    """What the evaluations say of an utterance.

    Attributes:
        where: ``path:line`` of its line.
        start, end: in seconds, in the recordings of the dialogue.
        emotion: a word of ``EMOTIONS``.
        means: valence, activation, dominance, as the file has them.
        number: position in the dialogue, by start; all utterances count that are evaluated.
    """

    where: str
    name: Name
    start: float
    end: float
    emotion: str
    means: tuple[float, ...]
    number: int = 0

    @property
    def on_scale(self) -> bool:
        return all(LOW <= mean <= HIGH for mean in self.means)


def sessions(root: Path) -> list[Path]:
    """The folders ``Session1`` … ``Session5`` that are there.

    Raises:
        InputError: there is none.
    """
    found = [root / f"Session{k}" for k in SESSIONS if (root / f"Session{k}").is_dir()]
    if not found:
        raise InputError.of(
            where=root,
            expected="the folders Session1 … Session5 in it",
            found="none of them",
            remedy="name the folder IEMOCAP_full_release",
        )
    return found


def read_turns(root: Path) -> dict[str, Turn]:
    """Every evaluated utterance of the sessions that are there.

    Raises:
        InputError: a folder or file is missing, a line has another form, an emotion is unknown, a mean is no number,
            or an utterance stands twice.
    """
    turns: dict[str, Turn] = {}
    for session in sessions(root):
        for path in _files(
            session / EVALUATIONS, "the folder of the evaluations", "fetch it, or correct --root"
        ):
            lines = _lines(path, "the evaluations of a dialogue")
            here = [_turn(line, path.stem, where) for where, line in lines if line.startswith("[")]
            for position, turn in enumerate(sorted(here, key=lambda one: (one.start, one.end))):
                utterance = turn.name.utterance
                if utterance in turns:
                    raise _twice(turn.where, utterance, turns[utterance].where)
                turns[utterance] = replace(turn, number=position)
    if not turns:
        raise InputError.of(
            where=root,
            expected=f"utterances in Session*/{EVALUATIONS}/*.txt",
            found="none",
            remedy="name the folder IEMOCAP_full_release",
        )
    return turns


def _turn(line: str, dialogue: str, where: str) -> Turn:
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise InputError.of(
            where=where,
            expected="[start - end], name, emotion and [valence, activation, dominance], separated by tabs",
            found=repr(line.strip()[:80]),
            remedy="take the file as the corpus has it",
        )
    first, last, utterance, code, means = match.groups()
    name = read_name(utterance, where)
    if name.dialogue != dialogue:
        raise InputError.of(
            where=where,
            expected=f"utterances of {dialogue}, as the name of the file says",
            found=f"'{utterance}'",
            remedy="take the file as the corpus has it",
        )
    if code not in EMOTIONS:
        raise InputError.of(
            where=where,
            expected=f"the emotion to be one of {', '.join(EMOTIONS)}",
            found=f"'{code}'",
            remedy=hint(code, EMOTIONS, "take the file as the corpus has it"),
        )
    start, end = number(first), number(last)
    if start is None or end is None or not end > max(start, 0):
        raise InputError.of(
            where=where,
            expected="start and end in seconds, the end after the start",
            found=f"'{first}' and '{last}'",
            remedy="take the file as the corpus has it",
        )
    values = [number(cell.strip()) for cell in means.split(",")]
    known = tuple(value for value in values if value is not None)
    if len(values) != len(ATTRIBUTES) or len(known) != len(ATTRIBUTES):
        raise InputError.of(
            where=where,
            expected=f"three numbers, the means of {', '.join(ATTRIBUTES)}",
            found=f"'{means}'",
            remedy="take the file as the corpus has it",
        )
    return Turn(where, name, max(start, 0.0), end, EMOTIONS[code], known)


def read_words(root: Path, left_out: LeftOut) -> dict[str, str]:
    """What was said: utterance → words.

    Lines without a name of an utterance (``M: Yeah.``) are passed over; those that begin like one are counted.

    Raises:
        InputError: a folder is missing, a file is no text, or an utterance stands twice.
    """
    words: dict[str, str] = {}
    places: dict[str, str] = {}
    odd = []
    for session in sessions(root):
        remedy = "fetch it, or leave text out of --modalities"
        for path in _files(session / TRANSCRIPTS, "the folder of the transcripts", remedy):
            for where, line in _lines(path, "the transcript of a dialogue"):
                match = _SAID.fullmatch(line.strip())
                if match is None:
                    if line.startswith("Ses"):
                        odd.append(where)
                    continue
                utterance, said = match.groups()
                if utterance in words:
                    raise _twice(where, utterance, places[utterance])
                words[utterance], places[utterance] = " ".join(said.split()), where
    if odd:
        left_out.notes.append(
            f"lines of transcripts of another form than 'name [start-end]: words', passed over: {some(odd)}"
        )
    return words


def _files(folder: Path, what: str, remedy: str) -> list[Path]:
    """Text files right in a folder; copies by a Mac (``._Ses01…``) begin with a dot."""
    return sorted(path for path in given_folder(folder, what, remedy).glob("*.txt") if path.name[0] != ".")


def _lines(path: Path, what: str) -> list[tuple[str, str]]:
    text = read_utf8(path, what, stop)
    assert text is not None
    return [(f"{path}:{number}", line) for number, line in enumerate(text.split("\n"), start=1)]


def _twice(where: str, utterance: str, first: str) -> InputError:
    return InputError.of(
        where=where,
        expected="every utterance once",
        found=f"'{utterance}', which stands at {first} as well",
        remedy="remove one of the two lines",
    )
