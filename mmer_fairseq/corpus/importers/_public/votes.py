"""Votes of several annotators → one label, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RULES = ("plurality", "majority", "distribution")

#: The label of a tie where the shares of the votes are kept; label spaces ignore it.
TIE = "tie"

NO_VOTES = "no votes"
TIES = "a tie for the most votes"
NO_MAJORITY = "no emotion with more than half of the votes"
OTHERS = "another emotion than the classes"


@dataclass(frozen=True)
class Verdict:
    """What the votes say of a clip.

    Attributes:
        label: a class, or ``TIE``; '' where the clip is left out.
        shares: of the votes for the classes, in their order; they add up to 1 (rule ``distribution``, else ()).
        why: the clip is left out ('': it is not).
    """

    label: str = ""
    shares: tuple[float, ...] = ()
    why: str = ""


def judge(votes: Mapping[str, float], classes: Sequence[str], rule: str) -> Verdict:
    """Apply a rule to the votes of one clip.

    All emotions that were voted for compete; only then it is asked whether the winner is one of the classes, so
    that a clip which most people found fearful does not become sad where fear is no class.

    Args:
        votes: emotion → number of votes (or their share), 0 or more.
        classes: emotions that are classes.
        rule: ``plurality``: most votes, ties left out; ``majority``: more than half of the votes;
            ``distribution``: most votes, and the shares of the classes, also of ties.
    """
    total, most = sum(votes.values()), max(votes.values(), default=0)
    if not total > 0:
        return Verdict(why=NO_VOTES)
    first = [emotion for emotion, number in votes.items() if number == most]
    if rule == "majority" and not most > total / 2:
        return Verdict(why=NO_MAJORITY)
    if rule == "plurality" and len(first) > 1:
        return Verdict(why=TIES)
    if not set(first) & set(classes):
        return Verdict(why=OTHERS)
    label = first[0] if len(first) == 1 else TIE
    if rule != "distribution":
        return Verdict(label)
    of_classes = [votes.get(name, 0.0) for name in classes]
    return Verdict(label, tuple(number / sum(of_classes) for number in of_classes))


def without_idle_shares(verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """Shares say nothing where every clip gives all its votes to one class."""
    if any(max(verdict.shares) < 1 for verdict in verdicts.values()):
        return dict(verdicts)
    return {clip: Verdict(verdict.label) for clip, verdict in verdicts.items()}
