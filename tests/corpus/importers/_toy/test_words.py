"""The transcripts: a small vocabulary, and telling words only of the emotions asked for."""

from __future__ import annotations

import numpy as np
import pytest

from mmer_fairseq.corpus.importers._toy.words import TELLING, sentence


def telling(text: str) -> list[str]:
    return [emotion for emotion, words in TELLING.items() for word in words if word in text.split()]


@pytest.mark.parametrize(
    ("emotion", "second", "found"),
    [("sad", "", ["sad", "sad"]), ("sad", "angry", ["sad", "sad", "angry"]), ("", "", [])],
)
def test_telling_words(emotion: str, second: str, found: list[str]):
    rng = np.random.default_rng(1)
    for _ in range(20):
        assert telling(sentence(rng, emotion, second)) == found


def test_the_vocabulary_is_small_and_plain():
    rng = np.random.default_rng(1)
    texts = [sentence(rng, emotion) for emotion in [*TELLING, ""] for _ in range(60)]
    words = {word for text in texts for word in text.split(" ")}
    assert len(words) < 60
    assert all(word.isalpha() and word.islower() for word in words)
    assert max(len(text.split()) for text in texts) <= 9
