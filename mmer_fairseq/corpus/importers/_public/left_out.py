"""Clips that do not get into a corpus, counted and named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mmer_fairseq.corpus.faults import count, some
from mmer_fairseq.corpus.importers._public.votes import TIE, Verdict, judge


class LeftOut:
    """Clips that do not get into the corpus, by the reason why; and what else there is to tell."""

    def __init__(self) -> None:
        self.reasons: dict[str, list[str]] = {}
        self.notes: list[str] = []

    def add(self, why: str, clip: str) -> None:
        self.reasons.setdefault(why, []).append(clip)

    def note(self, what: str, clips: Iterable[str]) -> None:
        """Something that concerns clips which stay; nothing when there are none."""
        clips = list(clips)
        if clips:
            self.notes.append(f"{count(len(clips), 'clip')} {what}: {some(clips)}")

    def expect(self, found: int, whole: int) -> None:
        """Tell when there are more or fewer recordings than in the whole corpus."""
        if found != whole:
            self.notes.append(f"recordings of {count(found, 'clip')}; the whole corpus has {whole}")

    def lines(self) -> list[str]:
        lines = [
            f"{count(len(clips), 'clip')} left out, {why}: {some(clips)}"
            for why, clips in self.reasons.items()
        ]
        return [*lines, *self.notes]


def settle(
    clips: Iterable[str],
    votes: Mapping[str, Mapping[str, float]],
    classes: Sequence[str],
    rule: str,
    source: str,
    left_out: LeftOut,
) -> dict[str, Verdict]:
    """The verdict on each clip that stays.

    Args:
        clips: those with a recording.
        votes: clip → emotion → votes.
        classes: as in :func:`judge`.
        rule: as in :func:`judge`.
        source: where the votes come from, for what is printed.
        left_out: told about the others, and about votes on clips without a recording.
    """
    clips = list(clips)
    verdicts = {}
    for clip in clips:
        if clip not in votes:
            left_out.add(f"not in {source}", clip)
            continue
        verdict = judge(votes[clip], classes, rule)
        if verdict.why:
            left_out.add(verdict.why, clip)
        else:
            verdicts[clip] = verdict
    there = {*clips, *(clip for named in left_out.reasons.values() for clip in named)}
    for clip in votes:
        if clip not in there:
            left_out.add(f"in {source} but without a recording", clip)
    left_out.note("with a tie for the most votes", (c for c, v in verdicts.items() if v.label == TIE))
    return verdicts
