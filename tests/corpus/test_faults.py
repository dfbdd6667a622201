"""Hints, short lists and numbers."""

from __future__ import annotations

import pytest

from mmer_fairseq.corpus.faults import count, hint, number, some, stop
from mmer_fairseq.errors import InputError


@pytest.mark.parametrize(
    ("word", "remedy"),
    [("vidio", "write 'video'"), ("HAPPY", "write 'happy'"), ("zzz", "name one")],
)
def test_hint(word: str, remedy: str) -> None:
    assert hint(word, ["audio", "video", "happy"], "name one") == remedy


def test_some_names_a_few_and_counts_the_rest() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some(range(7)) == "0, 1, 2, 3, 4, … (7 in all)"


def test_count() -> None:
    assert [count(n, "clip") for n in (0, 1, 2)] == ["0 clips", "1 clip", "2 clips"]


@pytest.mark.parametrize("cell", ["nan", "inf", "-inf", "", "0,5", "1_000", "x", "1e999"])
def test_no_number(cell: str) -> None:
    assert number(cell) is None


@pytest.mark.parametrize(("cell", "value"), [("-2.5", -2.5), ("1e-3", 0.001), ("0", 0.0)])
def test_number(cell: str, value: float) -> None:
    assert number(cell) == value


def test_stop_raises() -> None:
    error = InputError.of(where="a", expected="b", found="c", remedy="d")
    with pytest.raises(InputError) as caught:
        stop(error)
    assert caught.value is error
