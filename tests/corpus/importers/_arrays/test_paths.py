"""Paths that differ from clip to clip."""

from __future__ import annotations

import pytest

from mmer_fairseq.corpus.importers._arrays.paths import filled, keys_of
from mmer_fairseq.errors import InputError


def test_keys_once_each_in_order():
    assert keys_of("{a b}/{id}_{a b}.wav") == ["a b", "id"]


def test_values_are_put_in_place_and_never_looked_into():
    values = {"folder": ["x", "{id}"], "turn": [1, 2]}
    assert filled("{folder}/dia{turn}_{id}.mp4", ["c", "d"], values) == ["x/dia1_c.mp4", "{id}/dia2_d.mp4"]


def test_an_empty_value_is_no_path():
    assert filled("{file}.wav", ["c", "d"], {"file": ["", " f "]}) == ["", "f.wav"]


def test_the_same_path_for_all():
    with pytest.raises(InputError, match=r"--media: expected a path with \{KEY\}.*found 'a.wav'\. Write"):
        keys_of("a.wav")
