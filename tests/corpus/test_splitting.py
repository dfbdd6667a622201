"""Splits that share no group."""

from __future__ import annotations

from collections import Counter

import pytest

from mmer_fairseq.corpus.splitting import fold_groups, split_groups
from mmer_fairseq.errors import InputError

SHARES = {"train": 0.7, "valid": 0.15, "test": 0.15}


def sets(groups: list[str], splits: list[str]) -> dict[str, set[str]]:
    return {split: {g for g, s in zip(groups, splits) if s == split} for split in set(splits)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_group_is_in_two_splits_and_shares_are_kept(seed: int) -> None:
    groups = [f"s{i % 20}" for i in range(400)]
    splits = split_groups(groups, SHARES, seed=seed)
    assert sum(map(len, sets(groups, splits).values())) == 20
    assert Counter(splits) == {"train": 280, "valid": 60, "test": 60}


def test_the_seed_decides() -> None:
    groups = [f"s{i % 20}" for i in range(400)]
    assert split_groups(groups, SHARES, seed=1) == split_groups(list(groups), SHARES, seed=1)
    assert split_groups(groups, SHARES, seed=1) != split_groups(groups, SHARES, seed=2)


def test_every_split_gets_a_group() -> None:
    assert set(split_groups(["a"] * 100 + ["b", "c"], SHARES)) == set(SHARES)


def test_folds_hold_out_every_group_once() -> None:
    groups = [f"s{i % 7}" for i in range(70)]
    rounds = [fold_groups(groups, 5, fold) for fold in range(1, 6)]
    held_out = [group for splits in rounds for group in sets(groups, splits)["test"]]
    assert sorted(held_out) == sorted(set(groups))
    for splits in rounds:
        found = sets(groups, splits)
        assert not (found["test"] & found["valid"]) | (found["train"] & (found["test"] | found["valid"]))


@pytest.mark.parametrize(
    ("groups", "shares", "fault"),
    [
        (
            ["a", "b"],
            SHARES,
            "splits: expected 3 groups at least, one for each of train, valid, test; found 2: 'a', 'b'. "
            "Split by "
            "something with more values, or make fewer splits.",
        ),
        (["a"], {"train": 0.0}, "splits: expected the share of 'train' above 0; found 0.0. Correct it."),
    ],
)
def test_faults(groups: list[str], shares: dict[str, float], fault: str) -> None:
    with pytest.raises(InputError) as caught:
        split_groups(groups, shares)
    assert str(caught.value) == fault


@pytest.mark.parametrize(("folds", "fold"), [(2, 1), (5, 0), (5, 6)])
def test_faults_of_folds(folds: int, fold: int) -> None:
    with pytest.raises(InputError) as caught:
        fold_groups(["a", "b", "c", "d", "e"], folds, fold)
    assert str(caught.value) == (
        "splits: expected 3 folds or more, and one of them (counted from 1) to hold out; found fold "
        f"{fold} of {folds}. Correct --folds or --fold."
    )
