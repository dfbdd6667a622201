"""Splits that never share a group (a speaker, a dialogue): no model is tested on a voice it has learned."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from mmer_fairseq.errors import InputError


def split_groups(groups: Sequence[str], shares: Mapping[str, float], *, seed: int = 1) -> list[str]:
    """Divide clips into splits, whole groups at a time.

    The largest groups are placed first, each into the split that lacks the most of its share. The same
    arguments always give the same splits.

    Args:
        groups: the group of each clip.
        shares: split → its share of the clips, above 0 (of their sum; they need not add up to 1).
        seed: decides between groups of the same size.

    Returns:
        The split of each clip.

    Raises:
        InputError: a share is not above 0, or there are fewer groups than splits.
    """
    sizes = Counter(groups)
    for split, share in shares.items():
        if not share > 0:
            raise InputError.of(
                where="splits", expected=f"the share of '{split}' above 0", found=share, remedy="correct it"
            )
    if len(sizes) < len(shares):
        raise InputError.of(
            where="splits",
            expected=f"{len(shares)} groups at least, one for each of {', '.join(shares)}",
            found=f"{len(sizes)}: {', '.join(map(repr, sizes))}",
            remedy="split by something with more values, or make fewer splits",
        )
    order = sorted(sizes)
    random.Random(seed).shuffle(order)
    order.sort(key=lambda group: -sizes[group])
    filled = dict.fromkeys(shares, 0)
    placed = {}
    for group in order:
        split = min(shares, key=lambda name: (filled[name] / shares[name], -shares[name]))
        placed[group] = split
        filled[split] += sizes[group]
    return [placed[group] for group in groups]


def fold_groups(groups: Sequence[str], folds: int, fold: int, *, seed: int = 1) -> list[str]:
    """One round of a cross-validation: fold ``fold`` is test, the next one valid, the others train.

    Args:
        groups: the group of each clip.
        folds: number of folds, 3 or more.
        fold: which one is held out, 1 … folds.
        seed: as in :func:`split_groups`; keep it for all rounds.

    Raises:
        InputError: ``folds`` or ``fold`` is out of its range, or there are fewer groups than folds.
    """
    if folds < 3 or not 1 <= fold <= folds:
        raise InputError.of(
            where="splits",
            expected="3 folds or more, and one of them (counted from 1) to hold out",
            found=f"fold {fold} of {folds}",
            remedy="correct --folds or --fold",
        )
    placed = split_groups(groups, {str(i): 1.0 for i in range(1, folds + 1)}, seed=seed)
    names = {str(fold): "test", str(fold % folds + 1): "valid"}
    return [names.get(place, "train") for place in placed]
