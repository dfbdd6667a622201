from __future__ import annotations

import math

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.media import clock


def test_neighbouring_crops_share_their_border():
    borders = [clock.sample_at(k * 0.1, 44100) for k in range(1000)]
    assert borders[0] == 0
    assert all(later - earlier in (4410, 4409, 4411) for earlier, later in zip(borders, borders[1:]))
    assert borders[-1] == round(99.9 * 44100)


@pytest.mark.parametrize(("source", "rate"), [(8000, 16000), (44100, 16000), (48000, 16000), (11025, 22050)])
def test_resampled_length_is_the_nearest(source: int, rate: int):
    for samples in (0, 1, 2, 441, 44099, 10**9 + 7):
        assert abs(clock.resampled_length(samples, source, rate) * source - samples * rate) * 2 <= source


@pytest.mark.parametrize(
    ("seconds", "rate", "count"),
    [
        (2.0, 25, 50),
        (0.1 + 0.2, 10, 3),
        (1.999999, 25, 50),
        (0.01, 25, 1),
        (0.0, 25, 0),
        (-1.0, 25, 0),
        (1.0, 0.3, 1),
    ],
)
def test_picture_count(seconds: float, rate: float, count: int):
    assert clock.picture_count(seconds, rate) == count


def test_time_rounding_is_half_a_tick_but_never_a_picture():
    assert clock.time_rounding(1 / 12800) == 0.5 / 12800
    assert clock.time_rounding(1 / 1000) == 0.0005
    assert clock.time_rounding(1 / 25) == clock.MAX_TIME_ROUNDING


def test_lost_seconds_grow_with_the_medium():
    assert clock.lost_seconds(2.0) == clock.LOST_SECONDS
    assert clock.lost_seconds(3600.0) == pytest.approx(72.0)


def test_span_fills_in_what_is_not_given():
    assert clock.span(None, None, 2.0, "a.wav") == (0.0, None)
    assert clock.span(0.5, 2.0 + clock.END_SLACK, 2.0, "a.wav") == (0.5, 2.0 + clock.END_SLACK)
    assert clock.span(7.0, 8.0, None, "a.wav") == (7.0, 8.0)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (-0.1, None),
        (1.0, 1.0),
        (1.5, 1.0),
        (math.nan, None),
        (None, math.nan),
        (None, math.inf),
        (math.inf, None),
    ],
)
def test_span_refuses_impossible_times(start, end):
    with pytest.raises(InputError) as error:
        clock.span(start, end, 2.0, "train.tsv:3: a.wav")
    assert str(error.value) == (
        f"train.tsv:3: a.wav: expected 0 ≤ start < end, in seconds; found start {start}, end {end}. "
        "Correct the times of the clip."
    )


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (2.0, None, "start 2 s, end at its end"),
        (None, 2.3, "start 0 s, end 2.3 s"),
        (5.0, 6.0, "start 5 s, end 6 s"),
    ],
)
def test_span_refuses_times_outside_the_medium(start, end, found: str):
    with pytest.raises(InputError) as error:
        clock.span(start, end, 2.0, "a.wav")
    assert str(error.value) == (
        f"a.wav: expected start and end inside the medium, which lasts 2.000 s; found {found}. "
        "Correct the times of the clip or name the right file."
    )


def test_span_refuses_a_medium_that_holds_nothing():
    with pytest.raises(InputError) as error:
        clock.span(None, None, 0.0, "a.wav")
    assert str(error.value) == (
        "a.wav: expected a medium that lasts longer than 0 s; found one without a sample or picture. "
        "Name the right file or leave this cell of the corpus empty."
    )
