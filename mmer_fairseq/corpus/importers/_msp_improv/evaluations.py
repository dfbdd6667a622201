"""``Evalution.txt`` of MSP-IMPROV: what each annotator said of each turn.

A block begins with ``UTD-IMPROV-S01A-F01-P-FM01.avi; A; A:2.4; V:2.0; D:3.6; N:4.6;`` (name, consensus on the
primary emotion, means of activation, valence, dominance and naturalness), then comes a line for each annotator:
``id; primary emotion; secondary emotions, separated by commas; A:…; V:…; D:…; N:…;``.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mmer_fairseq.corpus.faults import hint, number, stop
from mmer_fairseq.corpus.importers._msp_improv.names import BEGINNING, clip_of
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError

LOW, HIGH = 1.0, 5.0
OTHER = "other"
PRIMARY = ("angry", "sad", "happy", "neutral", OTHER)
SECONDARY = (
    "depressed",
    "frustrated",
    "angry",
    "sad",
    "disgust",
    "excited",
    "fear",
    "neutral",
    "surprise",
    "happy",
    OTHER,
)
LETTERS = {"A": "angry", "S": "sad", "H": "happy", "N": "neutral", "O": OTHER, "X": "no agreement"}
ATTRIBUTES = {"arousal": "A", "valence": "V", "dominance": "D"}

#: Other forms of the same words.
_FORMS = {
    "anger": "angry",
    "sadness": "sad",
    "happiness": "happy",
    "disgusted": "disgust",
    "fearful": "fear",
    "surprised": "surprise",
    "excitement": "excited",
    "frustration": "frustrated",
}


@dataclass
class Evaluation:
    """What is said of one turn.

    Attributes:
        where: ``path:line`` of its first line.
        consensus: emotion, ``other`` or ``no agreement``, as the file has it.
        means: arousal, valence, dominance, each 1 … 5; None where the file lacks one of them.
        primary: emotion → annotators who chose it.
        secondary: emotion → annotators who chose it, among others maybe.
    """

    where: str
    consensus: str
    means: tuple[float, ...] | None
    primary: Counter[str] = field(default_factory=Counter)
    secondary: Counter[str] = field(default_factory=Counter)

    @property
    def plurality(self) -> str:
        """The primary emotion with the most votes; ``no agreement`` where there is no single one."""
        first = [emotion for emotion, votes in self.primary.items() if votes == max(self.primary.values())]
        return first[0] if len(first) == 1 else LETTERS["X"]


def read_evaluations(
    path: Path, *, unknown_is_other: bool = False
) -> tuple[dict[str, Evaluation], Counter[str]]:
    """Read the file.

    Args:
        path: the file.
        unknown_is_other: take words that are no emotion of the corpus as ``other``.

    Returns:
        Clip → evaluation, and the unknown words with their number.

    Raises:
        InputError: the file is missing or no text, a line has another form, an emotion is unknown, a mean is
            outside 1 … 5, or a turn stands twice.
    """
    text = read_utf8(path, "the file of evaluations", stop)
    assert text is not None
    found: dict[str, Evaluation] = {}
    words = _Words(unknown_is_other)
    now: Evaluation | None = None
    for line, content in enumerate(text.split("\n"), start=1):
        where = f"{path}:{line}"
        parts = [part.strip() for part in content.split(";")]
        if not any(parts):
            continue
        if BEGINNING.match(parts[0]):
            clip = clip_of(re.sub(r"\.(avi|wav|mp4)$", "", parts[0], flags=re.IGNORECASE), where)
            if clip in found:
                raise InputError.of(
                    where=where,
                    expected="every turn once",
                    found=f"'{clip}', which stands at {found[clip].where} as well",
                    remedy="remove one of the two blocks",
                )
            now = found[clip] = Evaluation(where, _consensus(parts, where), _means(parts[2:], where))
        elif now is None or len(parts) < 3:
            raise InputError.of(
                where=where,
                expected="the name of a turn" if now is None else "annotator; primary; secondary emotions; …",
                found=repr(content.strip()[:60]),
                remedy="take the file as the corpus has it",
            )
        else:
            now.primary[words.read(parts[1], PRIMARY, "the primary emotion", where)] += 1
            chosen = [word for word in parts[2].split(",") if word.strip()]
            now.secondary.update(
                {words.read(word, SECONDARY, "a secondary emotion", where) for word in chosen}
            )
    return found, words.unknown


class _Words:
    """Emotions as annotators chose them: words, or the letters of the primary ones."""

    def __init__(self, unknown_is_other: bool) -> None:
        self.unknown_is_other = unknown_is_other
        self.unknown: Counter[str] = Counter()

    def read(self, word: str, known: tuple[str, ...], what: str, where: str) -> str:
        word = word.strip()
        plain = word.lower()
        plain = LETTERS.get(word, plain) if known is PRIMARY else plain
        plain = _FORMS.get(plain, plain)
        if plain.startswith(OTHER):  # what else it was may follow
            return OTHER
        if plain in known:
            return plain
        if not self.unknown_is_other:
            remedy = "correct the word, or count such words as other with --unknown-is-other"
            raise InputError.of(
                where=where,
                expected=f"{what} to be one of {', '.join(known)}",
                found=f"'{word}'",
                remedy=hint(plain, known, remedy) if plain else remedy,
            )
        self.unknown[word] += 1
        return OTHER


def _consensus(parts: list[str], where: str) -> str:
    letter = parts[1] if len(parts) > 1 else ""
    if letter not in LETTERS:
        raise InputError.of(
            where=where,
            expected=f"the consensus to be one of {', '.join(LETTERS)}",
            found=f"'{letter}'",
            remedy="take the file as the corpus has it",
        )
    return LETTERS[letter]


def _means(parts: list[str], where: str) -> tuple[float, ...] | None:
    cells = {key.strip(): cell.strip() for key, _, cell in (part.partition(":") for part in parts)}
    means = []
    for name, letter in ATTRIBUTES.items():
        cell = cells.get(letter, "")
        if cell.lower() in ("", "nan"):
            return None
        value = number(cell)
        if value is None or not LOW <= value <= HIGH:
            raise InputError.of(
                where=where,
                expected=f"{letter} (the mean of {name}) to be a number from {LOW:g} to {HIGH:g}",
                found=f"'{cell}'",
                remedy="take the file as the corpus has it",
            )
        means.append(value)
    return tuple(means)
