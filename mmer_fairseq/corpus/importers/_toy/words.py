"""What the people of the toy corpus say: a small vocabulary, some of it telling the emotion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TELLING = {
    "happy": ("wonderful", "delightful", "brilliant"),
    "content": ("cozy", "peaceful", "gentle"),
    "sad": ("lonely", "gone", "hopeless"),
    "angry": ("furious", "unfair", "outrageous"),
}
"""Words that only a speaker of that emotion uses (or one whose words mislead)."""

_OPENINGS = ("well", "you know", "look", "so", "i think")
_SUBJECTS = ("the train", "my brother", "the garden", "this letter", "the dinner", "our street")
_VERBS = ("is", "was", "seems", "feels")
_PLAIN = ("near", "new", "here", "green", "early", "wooden")


def sentence(rng: np.random.Generator, emotion: str, second: str = "") -> str:
    """Make one transcript.

    Args:
        rng: the clip's own source of chance.
        emotion: the emotion that the words tell; "" for none.
        second: an emotion that one further word tells; "" for none.

    Returns:
        Lower-case words with single spaces, no punctuation.
    """

    def pick(words: Sequence[str], count: int = 1) -> list[str]:
        return [words[i] for i in rng.permutation(len(words))[:count]]

    ends = pick(TELLING[emotion], 2) if emotion else pick(_PLAIN, 2)
    if second:
        ends += pick(TELLING[second])
    parts = pick(_OPENINGS) if rng.random() < 0.5 else []
    parts += pick(_SUBJECTS) + pick(_VERBS) + [ends[0], "and", *ends[1:]]
    return " ".join(parts)
