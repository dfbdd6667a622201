"""The plan of the toy corpus: who feels what, when in the clip, and which of the signals show it.

Four emotions are the four corners of valence and arousal. Each signal tells a part:

======  =====================================  ==========================================
signal  shows valence in                       shows arousal in
======  =====================================  ==========================================
face    mouth and brows, nearly always         brows and tempo of the mouth, often wrong
voice   glide of each syllable, often wrong    pitch and loudness, nearly always
words   telling words in about half of the clips, plain words in the others, some mislead
======  =====================================  ==========================================

So one signal alone gets about six clips of ten right at best, and all together more than nine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np

from mmer_fairseq.corpus.importers._toy.speakers import SPLIT_SPEAKERS
from mmer_fairseq.corpus.importers._toy.words import sentence

T = TypeVar("T")

EMOTIONS = {"happy": (1, 1), "content": (1, -1), "sad": (-1, -1), "angry": (-1, 1)}
"""Emotion → sign of valence, sign of arousal."""

HONEST = {"face_valence": 0.97, "voice_arousal": 0.97, "pace_arousal": 0.65, "voice_valence": 0.62}
"""Share of the clips in which a cue shows the truth; in the others it shows the opposite. `pace` is the tempo
of the syllables, heard and seen, and the arousal in the brows."""

WORDS = {"true": 0.5, "plain": 0.4, "false": 0.1}
"""Share of the clips whose words tell the emotion, tell nothing, or tell a neighbouring emotion."""

MIXED = 0.25
"""Share of the clips in which a second, neighbouring emotion comes before or after the first."""

FRAME_RATE = 25
"""Pictures per second (Hz)."""
TRACE_RATE = 10
"""Values of the valence and arousal trace per second (Hz)."""
MODALITIES = ("text", "audio", "video")


@dataclass(frozen=True)
class ClipPlan:
    """Everything that chance decides about one clip, before anything is drawn or sung."""

    id: str
    split: str
    index: int
    speaker: str
    dialogue: str
    turn: int
    emotion: str
    second: str
    """Emotion of the shorter part of a mixed clip; "" for none."""
    second_first: bool
    """The shorter part is the first one."""
    frames: int
    valence: float
    """How strong the valence gets, 0 … 1."""
    arousal: float
    peak: float
    """Where the emotion is strongest, as a share of the clip."""
    honest: Mapping[str, bool]
    words: str
    """"true", "plain" or "false": see WORDS."""
    transcript: str
    invalid: tuple[int, int]
    """Values of the trace [from, to) that no rater gave."""
    missing: frozenset[str]

    @property
    def seconds(self) -> float:
        """Length of the clip in seconds."""
        return self.frames / FRAME_RATE

    def feeling(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The emotion over time.

        Args:
            times: seconds from the start of the clip.

        Returns:
            Valence and arousal in [-1, 1], one value per time.
        """
        place = times / self.seconds
        strength = 0.45 + 0.55 * np.exp(-(((place - self.peak) / 0.3) ** 2))
        passed = place if not self.second_first else 1.0 - place
        second = 1.0 / (1.0 + np.exp(-(passed - 0.66) / 0.03)) if self.second else np.zeros_like(place)
        first_signs, second_signs = EMOTIONS[self.emotion], EMOTIONS[self.second or self.emotion]
        valence, arousal = (
            strength * peak * ((1 - second) * a + second * b)
            for peak, a, b in zip((self.valence, self.arousal), first_signs, second_signs)
        )
        return valence, arousal

    def shown(self, cue: str, times: np.ndarray) -> np.ndarray:
        """What one cue of HONEST shows over time, in [-1, 1]; arguments as in `feeling`."""
        valence, arousal = self.feeling(times)
        truth = valence if cue.endswith("valence") else arousal
        return truth if self.honest[cue] else -truth

    def syllables(self, times: np.ndarray) -> np.ndarray:
        """Syllables begun since the start, as a real number; `times` must start at 0 and step evenly."""
        rate = 4.0 * np.exp(0.6 * self.shown("pace_arousal", times))
        step = float(times[1] - times[0])
        return np.concatenate([[0.0], np.cumsum(rate[:-1]) * step])

    def trace_times(self) -> np.ndarray:
        """Times of the trace's values in seconds: every 1 / TRACE_RATE while the clip lasts."""
        return np.arange(-(-self.frames * TRACE_RATE // FRAME_RATE)) / TRACE_RATE

    def sentiment(self) -> float:
        """Mean valence of the clip, stretched to [-3, 3] and rounded to two places."""
        valence, _ = self.feeling((np.arange(self.frames) + 0.5) / FRAME_RATE)
        return round(3.0 * float(valence.mean()), 2)


def plan_clips(*, clips: int, seed: int, missing: float) -> list[ClipPlan]:
    """Plan the whole corpus; the same arguments always give the same plan.

    Args:
        clips: number of clips over all splits, at least 10: three fifths train, the rest valid and test.
        seed: of everything that is left to chance.
        missing: share of the text, audio and video cells to leave empty; each clip keeps at least one. The
            rest of the plan does not depend on it.
    """
    plans: list[ClipPlan] = []
    held_out = max(clips // 5, 2)
    sizes = {"train": clips - 2 * held_out, "valid": held_out, "test": held_out}
    for number, (split, size) in enumerate(sizes.items()):
        rng = np.random.default_rng([seed, 1, number])
        turns = _dialogues(rng, split, size)
        emotions = _shares(rng, dict.fromkeys(EMOTIONS, 1 / len(EMOTIONS)), size)
        mixed = _shares(rng, {True: MIXED, False: 1 - MIXED}, size)
        words = _shares(rng, WORDS, size)
        honest = {cue: _shares(rng, {True: p, False: 1 - p}, size) for cue, p in HONEST.items()}
        for i, (dialogue, turn, speaker) in enumerate(turns):
            neighbour = _neighbour(rng, emotions[i])
            second = neighbour if mixed[i] else ""
            told = {"true": emotions[i], "plain": "", "false": _neighbour(rng, emotions[i])}[words[i]]
            frames = int(rng.integers(30, 51))
            plans.append(
                ClipPlan(
                    id=f"{dialogue}-{turn}",
                    split=split,
                    index=len(plans),
                    speaker=speaker,
                    dialogue=dialogue,
                    turn=turn,
                    emotion=emotions[i],
                    second=second,
                    second_first=bool(rng.random() < 0.5),
                    frames=frames,
                    valence=float(rng.uniform(0.6, 1.0)),
                    arousal=float(rng.uniform(0.6, 1.0)),
                    peak=float(rng.uniform(0.3, 0.7)),
                    honest={cue: values[i] for cue, values in honest.items()},
                    words=words[i],
                    transcript=sentence(rng, told, second if words[i] == "true" else ""),
                    invalid=_unrated(rng, frames),
                    missing=_missing(np.random.default_rng([seed, 2, len(plans)]), missing),
                )
            )
    return plans


def _shares(rng: np.random.Generator, shares: Mapping[T, float], count: int) -> list[T]:
    """`count` values in random order, each as often as its share says: small splits get no odd draw."""
    bounds = np.cumsum([0.0, *shares.values()]) * count
    edges = np.floor(bounds + 0.5).astype(int)
    values = [value for value, n in zip(shares, np.diff(edges)) for _ in range(n)]
    return [values[i] for i in rng.permutation(count)]


def _dialogues(rng: np.random.Generator, split: str, size: int) -> list[tuple[str, int, str]]:
    """(dialogue, turn from 1, speaker) of each clip: two speakers take 2 to 4 turns."""
    pairs = [pair for a, b in combinations(SPLIT_SPEAKERS[split], 2) for pair in ((a, b), (b, a))]
    turns: list[tuple[str, int, str]] = []
    order: list[int] = []
    number = 0
    while len(turns) < size:
        order = order or list(rng.permutation(len(pairs)))
        left = size - len(turns)
        length = min(int(rng.integers(2, 5)), left)
        if left - length == 1:  # nobody talks alone: the last dialogue needs two turns
            length += 1 if length < 4 else -1
        pair = pairs[order.pop()]
        number += 1
        turns += [(f"{split}{number:02d}", turn + 1, pair[turn % 2]) for turn in range(length)]
    return turns


def _neighbour(rng: np.random.Generator, emotion: str) -> str:
    """An emotion that differs in valence or in arousal, not in both."""
    valence, arousal = EMOTIONS[emotion]
    wanted = (-valence, arousal) if rng.random() < 0.5 else (valence, -arousal)
    return next(name for name, signs in EMOTIONS.items() if signs == wanted)


def _unrated(rng: np.random.Generator, frames: int) -> tuple[int, int]:
    """In one clip of four, 2 to 4 values of the trace have no rating."""
    start, length, chance = int(rng.integers(0, 8)), int(rng.integers(2, 5)), rng.random()
    return (start, start + length) if chance < 0.25 else (0, 0)


def _missing(rng: np.random.Generator, share: float) -> frozenset[str]:
    lost = [name for name, chance in zip(MODALITIES, rng.random(len(MODALITIES))) if chance < share]
    kept = MODALITIES[int(rng.integers(len(MODALITIES)))]
    return frozenset(lost) if len(lost) < len(MODALITIES) else frozenset(lost) - {kept}
