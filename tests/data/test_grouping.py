from __future__ import annotations

import numpy as np
import pytest

from mmer_fairseq.data.grouping import grouped_order, pack_groups


def groups_of(seed, count=60):
    random = np.random.default_rng(seed)
    return random.integers(0, 9, count), random.integers(1, 50, count), random.random(count)


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_together_in_their_own_order(seed):
    groups, _, seconds = groups_of(seed)
    for random in (None, np.random.default_rng(seed)):
        order = grouped_order(groups, seconds, random)
        assert sorted(order.tolist()) == list(range(len(groups)))
        assert (np.diff(groups[order]) != 0).sum() == len(set(groups.tolist())) - 1
        for group in set(groups.tolist()):
            own = order[groups[order] == group]
            assert own.tolist() == sorted(own.tolist())


def test_evaluation_begins_with_the_longest_group():
    groups, seconds = np.array([5, 7, 5, 7, 9]), np.array([1.0, 3.0, 1.0, 2.0, 4.0])
    assert grouped_order(groups, seconds, None).tolist() == [1, 3, 4, 0, 2]


def test_order_changes_with_chance_alone():
    groups, _, seconds = groups_of(1)
    first, again, other = (
        grouped_order(groups, seconds, np.random.default_rng(s)).tolist() for s in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("tokens", "clips"), [(None, 16), (None, 1), (200, None), (100, 8), (None, None)])
def test_every_clip_is_in_one_batch_that_fits(seed, tokens, clips):
    groups, steps, seconds = groups_of(seed)
    order = grouped_order(groups, seconds, np.random.default_rng(seed))
    batches = pack_groups(order, groups, steps, tokens, clips)
    assert np.concatenate(batches).tolist() == order.tolist()
    for batch in batches:
        assert clips is None or len(batch) <= clips
        assert tokens is None or len(batch) * steps[batch].max() <= tokens


def test_groups_are_cut_only_where_they_must_be():
    groups = np.repeat([0, 1, 2, 3], [10, 10, 5, 20])
    order, steps = np.arange(45), np.ones(45, dtype=int)
    batches = pack_groups(order, groups, steps, None, 16)
    assert [len(batch) for batch in batches] == [10, 15, 10, 10]
    assert pack_groups(order[:0], groups, steps, None, 16) == []
