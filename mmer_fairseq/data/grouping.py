"""Batches in which the clips of a group meet: the utterances of a dialogue, whose text is then encoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np


def grouped_order(groups: np.ndarray, seconds: np.ndarray, random: np.random.Generator | None) -> np.ndarray:
    """An order of all clips in which those of a group follow each other, in their own order.

    Args:
        groups: int [N], the group of each clip.
        seconds: float [N], length of each clip.
        random: draws the order of the groups; None: the longest first.
    """
    names, inverse = np.unique(groups, return_inverse=True)
    rank = np.empty(len(names), dtype=np.int64)
    if random is None:
        rank[np.argsort(-np.bincount(inverse, weights=seconds), kind="stable")] = np.arange(len(names))
    else:
        rank = random.permutation(len(names))
    return np.argsort(rank[inverse], kind="stable")


def pack_groups(
    indices: np.ndarray, groups: np.ndarray, steps: np.ndarray, max_tokens: int | None, max_clips: int | None
) -> list[np.ndarray]:
    """Cut batches between groups where that is possible.

    Args:
        indices: the clips, those of a group one behind the other.
        groups: int [N], the group of each clip.
        steps: int [N], the length of each.
        max_tokens: the number of clips in a batch times the length of its longest is at most this; None: no limit.
        max_clips: in a batch; None: no limit.

    Returns:
        Batches; each clip is in exactly one. A group that is too large for one batch is in several of about the same
        number of clips, and in no batch beside another group where that would cut it once more.
    """

    def fits(count: int, longest: int) -> bool:
        return (max_clips is None or count <= max_clips) and (
            max_tokens is None or count * longest <= max_tokens
        )

    batches: list[list[np.ndarray]] = []
    count, longest = 0, 0
    for run in _runs(indices, groups):
        for part in _parts(run, steps, fits):
            most = int(steps[part].max())
            if batches and fits(count + len(part), max(longest, most)):
                batches[-1].append(part)
                count, longest = count + len(part), max(longest, most)
            else:
                batches.append([part])
                count, longest = len(part), most
    return [np.concatenate(batch) for batch in batches]


def _runs(indices: np.ndarray, groups: np.ndarray) -> list[np.ndarray]:
    cuts = np.flatnonzero(np.diff(groups[indices])) + 1
    return np.split(indices, cuts) if len(indices) else []


def _parts(run: np.ndarray, steps: np.ndarray, fits: Callable[[int, int], bool]) -> Iterator[np.ndarray]:
    """Parts of a group that fit into a batch each, as few as can be."""
    for parts in range(1, len(run) + 1):
        cut = np.array_split(run, parts)
        if all(fits(len(part), int(steps[part].max())) for part in cut):
            yield from cut
            return
    yield from np.array_split(run, len(run))  # a single clip that is too long has been named before
