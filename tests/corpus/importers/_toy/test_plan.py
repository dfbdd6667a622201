"""The plan's own numbers: each signal alone tells something, none tells all, together nearly all."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest

from mmer_fairseq.corpus.importers._toy.plan import EMOTIONS, HONEST, MIXED, WORDS, plan_clips
from mmer_fairseq.corpus.importers._toy.words import TELLING

FACE = ("face_valence", "pace_arousal")
VOICE = ("voice_arousal", "pace_arousal", "voice_valence")
TEXT = ("words",)


def told_words(emotion: str) -> dict[str, float]:
    valence, arousal = EMOTIONS[emotion]
    neighbours = [name for name, (v, a) in EMOTIONS.items() if (v == valence) != (a == arousal)]
    return {emotion: WORDS["true"], "": WORDS["plain"], **dict.fromkeys(neighbours, WORDS["false"] / 2)}


def best_accuracy(*cues: str) -> float:
    """Accuracy of the best possible guesser that sees these cues: every combination weighed by its chance."""
    weights: dict[tuple, Counter[str]] = defaultdict(Counter)
    for emotion, honest in itertools.product(EMOTIONS, itertools.product([True, False], repeat=len(HONEST))):
        valence, arousal = EMOTIONS[emotion]
        chance, seen = 1 / len(EMOTIONS), {}
        for (cue, share), true in zip(HONEST.items(), honest):
            chance *= share if true else 1 - share
            seen[cue] = (valence if cue.endswith("valence") else arousal) * (1 if true else -1)
        for word, share in told_words(emotion).items():
            weights[tuple({**seen, "words": word}[cue] for cue in cues)][emotion] += chance * share
    return sum(max(options.values()) for options in weights.values())


@pytest.mark.parametrize("cues", [FACE, VOICE, TEXT])
def test_one_signal_is_informative_but_not_sufficient(cues: tuple[str, ...]):
    assert 0.5 <= best_accuracy(*cues) <= 0.65


def test_all_signals_together_are_nearly_sufficient():
    assert best_accuracy(*FACE, *VOICE, *TEXT) > 0.9
    assert best_accuracy(*FACE, *TEXT) < 0.85
    assert best_accuracy(*VOICE, *TEXT) < 0.85


@pytest.mark.parametrize("seed", [1, 2])
def test_every_split_keeps_the_shares(seed: int):
    plans = plan_clips(clips=150, seed=seed, missing=0.0)
    for split, size in {"train": 90, "valid": 30, "test": 30}.items():
        mine = [plan for plan in plans if plan.split == split]
        assert len(mine) == size
        assert max(Counter(p.emotion for p in mine).values()) - size / 4 < 1
        for cue, share in HONEST.items():
            assert abs(sum(p.honest[cue] for p in mine) - share * size) <= 1
        for kind, share in WORDS.items():
            assert abs(sum(p.words == kind for p in mine) - share * size) <= 1
        assert abs(sum(bool(p.second) for p in mine) - MIXED * size) <= 1


@pytest.mark.parametrize("clips", [10, 12, 13, 57, 150])
def test_dialogues_stay_in_their_split_and_have_two_to_four_turns(clips: int):
    plans = plan_clips(clips=clips, seed=5, missing=0.0)
    assert len(plans) == clips == len({plan.id for plan in plans})
    splits = defaultdict(set)
    for plan in plans:
        splits[plan.speaker].add(plan.split)
    assert all(len(found) == 1 for found in splits.values())
    for _, turns in itertools.groupby(plans, key=lambda plan: plan.dialogue):
        talk = list(turns)
        assert [plan.turn for plan in talk] == list(range(1, len(talk) + 1))
        assert 2 <= len(talk) <= 4
        assert len({plan.speaker for plan in talk}) == 2


def test_feelings_have_the_sign_of_the_emotion_and_rise_and_fall():
    for plan in plan_clips(clips=60, seed=1, missing=0.0):
        valence, arousal = plan.feeling(np.linspace(0, plan.seconds, 200))
        assert np.abs(valence).max() <= 1
        assert np.abs(arousal).max() <= 1
        assert np.abs(valence).max() - np.abs(valence).min() > 0.2
        longer = [np.sign(np.median(values)) for values in (valence, arousal)]
        assert longer == list(EMOTIONS[plan.emotion])
        changes = {values[0] * values[-1] < 0 for values in (valence, arousal)}
        assert changes == ({True, False} if plan.second else {False})


def test_sentiment_follows_valence():
    for plan in plan_clips(clips=60, seed=1, missing=0.0):
        assert -3 <= plan.sentiment() <= 3
        if not plan.second:
            assert np.sign(plan.sentiment()) == EMOTIONS[plan.emotion][0]


def test_some_trace_values_are_invalid_never_all():
    plans = plan_clips(clips=60, seed=1, missing=0.0)
    unrated = [plan for plan in plans if plan.invalid[1]]
    assert 5 < len(unrated) < 30
    assert all(plan.invalid[1] - plan.invalid[0] < len(plan.trace_times()) - 2 for plan in unrated)


def test_only_the_missing_cells_depend_on_missing():
    whole, holes = plan_clips(clips=60, seed=1, missing=0.0), plan_clips(clips=60, seed=1, missing=0.4)
    assert not any(plan.missing for plan in whole)
    assert any(plan.missing for plan in holes)
    assert all(len(plan.missing) < 3 for plan in plan_clips(clips=60, seed=1, missing=0.9))
    assert [p.transcript for p in whole] == [p.transcript for p in holes]


def test_words_tell_the_emotion_in_about_half_of_the_clips():
    plans = plan_clips(clips=150, seed=1, missing=0.0)
    right = [any(word in plan.transcript.split() for word in TELLING[plan.emotion]) for plan in plans]
    telling = [
        any(word in plan.transcript.split() for words in TELLING.values() for word in words) for plan in plans
    ]
    assert 0.45 < np.mean(right) < 0.6
    assert 0.5 < np.mean(telling) < 0.7
