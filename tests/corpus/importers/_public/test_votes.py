"""Votes → labels, against every way five votes can fall."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from mmer_fairseq.corpus.importers._public.votes import (
    NO_MAJORITY,
    NO_VOTES,
    OTHERS,
    TIE,
    TIES,
    Verdict,
    judge,
    without_idle_shares,
)

CLASSES = ("angry", "sad")
BALLOTS = list(itertools.product((*CLASSES, "fear"), repeat=5)) + list(itertools.product(CLASSES, repeat=2))


@pytest.mark.parametrize("order", [1, -1])
def test_plurality_and_majority(order: int) -> None:
    for ballots in BALLOTS:
        votes = dict(list(Counter(ballots).items())[::order])
        (first, most), *rest = Counter(ballots).most_common()
        single = not rest or rest[0][1] < most
        found = judge(votes, CLASSES, "plurality")
        if not single:
            assert found == Verdict(why=TIES)
        else:
            assert found == (Verdict(first) if first in CLASSES else Verdict(why=OTHERS))
        found = judge(votes, CLASSES, "majority")
        if 2 * most > len(ballots):
            assert found == (Verdict(first) if first in CLASSES else Verdict(why=OTHERS))
        else:
            assert found == Verdict(why=NO_MAJORITY)


def test_distribution() -> None:
    for ballots in BALLOTS:
        votes = Counter(ballots)
        best = [emotion for emotion in votes if votes[emotion] == max(votes.values())]
        found = judge(votes, CLASSES, "distribution")
        if best == ["fear"]:
            assert found == Verdict(why=OTHERS)
            continue
        assert found.label == (best[0] if len(best) == 1 else TIE)
        of_classes = [ballot for ballot in ballots if ballot in CLASSES]
        assert found.shares == pytest.approx([of_classes.count(x) / len(of_classes) for x in CLASSES])


@pytest.mark.parametrize("votes", [{}, {"angry": 0, "sad": 0}])
@pytest.mark.parametrize("rule", ["plurality", "majority", "distribution"])
def test_no_votes(votes: dict[str, float], rule: str) -> None:
    assert judge(votes, CLASSES, rule) == Verdict(why=NO_VOTES)


def test_shares_of_one_class_each_are_dropped() -> None:
    hard = {"a": Verdict("sad", (0.0, 1.0)), "b": Verdict("angry", (1.0, 0.0))}
    assert without_idle_shares(hard) == {"a": Verdict("sad"), "b": Verdict("angry")}
    soft = {**hard, "c": Verdict("sad", (0.25, 0.75))}
    assert without_idle_shares(soft) == soft
