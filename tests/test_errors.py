"""The one form of every message."""

from __future__ import annotations

import json
import pickle
import sys

import pytest

from mmer_fairseq.errors import InputError, optional


def test_names_place_expectation_finding_and_remedy():
    error = InputError.of(where="a.tsv:3", expected="a number", found="'x'", remedy="correct the cell")
    assert str(error) == "a.tsv:3: expected a number; found 'x'. Correct the cell."


def test_survives_being_raised_again_by_a_data_loader():
    error = InputError.of(where="a", expected="b", found="c", remedy="d")
    assert str(type(error)("Caught in worker: " + str(error))).endswith(str(error))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "no_such_package", None)
    with pytest.raises(InputError) as error:
        optional(
            "no_such_package", where="--flag", expected="the package x", remedy="install it: pip install x"
        )
    assert str(error.value) == (
        "--flag: expected the package x; found none that can be imported (import of no_such_package halted; None in "
        "sys.modules). Install it: pip install x."
    )
    assert optional("json", where="--flag", expected="json", remedy="install Python") is json
