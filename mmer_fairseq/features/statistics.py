"""Mean and standard deviation of stored features."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from mmer_fairseq.features.store import FeatureStore

#: Clips that are looked at: enough for three digits, and read in seconds from a store of any size.
_CLIPS = 2000


def mean_and_deviation(
    store: FeatureStore, ids: Sequence[str], clips: int = _CLIPS
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each feature over all steps of some clips.

    Args:
        store: where the features are.
        ids: clips to look at; those that the store lacks count for nothing.
        clips: of more clips than this, as many are taken at even distances.

    Returns:
        Two tuples of D numbers; empty where the store has none of the clips.
    """
    there = [clip_id for clip_id in ids if clip_id in store]
    if not there:
        return (), ()
    if len(there) > clips:
        there = [there[k * len(there) // clips] for k in range(clips)]
    return moments_of(store.get(clip_id) for clip_id in there)


def moments_of(sequences: Iterable[Tensor]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each column over all steps of [T, D] tensors; empty where there are none."""
    origin = total = squares = torch.zeros(())
    steps = 0
    for sequence in sequences:
        x = sequence.double()
        if not steps:
            # around the first one's mean: squares of a feature far from 0 would lose its variance
            origin = x.mean(0)
            total, squares = torch.zeros_like(origin), torch.zeros_like(origin)
        x = x - origin
        total += x.sum(0)
        squares += x.square().sum(0)
        steps += len(x)
    if not steps:
        return (), ()
    mean = total / steps
    deviation = (squares / steps - mean.square()).clamp(min=0).sqrt()
    return tuple((mean + origin).tolist()), tuple(deviation.tolist())
