"""The one form of every message."""

from __future__ import annotations

import pickle

from mmer_fairseq.errors import InputError


def test_names_place_expectation_finding_and_remedy():
    error = InputError.of(where="a.tsv:3", expected="a number", found="'x'", remedy="correct the cell")
    assert str(error) == "a.tsv:3: expected a number; found 'x'. Correct the cell."


def test_survives_being_raised_again_by_a_data_loader():
    error = InputError.of(where="a", expected="b", found="c", remedy="d")
    assert str(type(error)("Caught in worker: " + str(error))).endswith(str(error))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
