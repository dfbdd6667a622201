"""The invented people differ from each other, and nobody is in two splits."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np

from mmer_fairseq.corpus.importers._toy.speakers import NAMES, SPLIT_SPEAKERS, draw_speakers


def test_every_name_is_in_one_split():
    assert sorted(chain(*SPLIT_SPEAKERS.values())) == sorted(NAMES)


def test_no_two_look_or_sound_alike():
    people = draw_speakers(np.random.default_rng(1))
    assert list(people) == list(NAMES)
    for one, other in combinations(people.values(), 2):
        assert abs(one.pitch - other.pitch) > 2
        assert np.abs(one.skin - other.skin).max() > 5
        assert one.head_width != other.head_width


def test_the_same_seed_invents_the_same_people():
    first, second, third = (draw_speakers(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first["ada"].pitch == second["ada"].pitch
    assert [p.pitch for p in first.values()] != [p.pitch for p in third.values()]
