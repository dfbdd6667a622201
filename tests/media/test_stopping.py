"""Tests of :mod:`mmer_fairseq.media.stopping`."""

from __future__ import annotations

import threading

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.stopping import StoppedError, check, stoppable


def test_work_goes_on_until_it_is_stopped():
    asked: list[int] = []

    def stopped() -> bool:
        asked.append(1)
        return len(asked) > 2

    with stoppable(stopped):
        check()
        check()
        with pytest.raises(StoppedError):
            check()
    assert len(asked) == 3


def test_outside_nothing_stops():
    check()
    with pytest.raises(StoppedError), stoppable(lambda: True):
        check()
    check()  # the block is left, though by an error


def test_an_inner_block_answers_for_itself():
    with stoppable(lambda: True):
        with stoppable(lambda: False):
            check()
        with pytest.raises(StoppedError):
            check()


def test_other_threads_are_not_stopped():
    ended: list[str] = []

    def work() -> None:
        check()
        ended.append("well")

    with stoppable(lambda: True):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert ended == ["well"]


def test_it_is_not_passed_over_as_a_bad_clip():
    assert not issubclass(StoppedError, InputError)
