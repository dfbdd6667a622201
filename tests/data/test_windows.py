"""Window tables against counting by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mmer_fairseq.data.windows import Windows, tabulate
from mmer_fairseq.errors import InputError

LENGTHS = (1, 2, 5, 31, 32, 33, 100, 481, 511, 512, 513, 1000)
SIZES = ((512, 32), (50, 7), (7, 7), (5, 1), (33, 32), (1, 1))


def brute_force(windows: Windows, length: int) -> list[list[int]]:
    """The original's loop with its constants replaced: window ends, group after group."""
    steps, sub = windows.seq_length // windows.subseq_length, windows.subseq_length
    found, first = [], 0
    while first < length:
        for offset in range(sub):
            targets = [first + offset + k * sub for k in range(steps)]
            found.append([t for t in targets if t < length])
        first += steps * sub
    return [targets for targets in found if targets]


@pytest.mark.parametrize(("sizes", "length"), list(product(SIZES, LENGTHS)))
def test_every_step_is_the_target_of_exactly_one_window(sizes, length):
    windows = Windows(*sizes)
    targets = [windows.targets(int(start), length).tolist() for start in windows.starts(length)]
    assert targets == brute_force(windows, length)
    assert sorted(t for each in targets for t in each) == list(range(length))


@pytest.mark.parametrize(
    ("stride", "dilation", "sizes"), list(product((1, 2, 3, 32, 40, 1000), (1, 3, 4, 64), SIZES[:3]))
)
def test_evaluation_scores_each_labelled_step_once_whatever_the_stride_and_holes(stride, dilation, sizes):
    random = np.random.default_rng(stride * 7 + dilation)
    labelled = [random.random(length) > share for length, share in ((1000, 0.3), (7, 0.0), (99, 0.9))]
    labelled.append(np.zeros(40, dtype=bool))
    windows = Windows(*sizes, stride=stride, dilation=dilation)
    table = tabulate(windows, labelled, training=False)
    scored = np.zeros((4, 1000), dtype=int)
    for clip, start in zip(table.clip, table.start):
        scored[clip, windows.targets(int(start), int(table.lengths[clip]))] += 1
    for clip, holds in enumerate(labelled):
        assert (scored[clip, : len(holds)] == 1).all()
        assert not scored[clip, len(holds) :].any()


@pytest.mark.parametrize("stride", [1, 2, 5, 32, 40, 700])
def test_training_takes_the_windows_at_multiples_of_the_stride_that_hold_a_label(stride):
    windows = Windows(96, 32, stride=stride)
    labelled = [np.arange(1000) % 250 < 30, np.ones(10, dtype=bool)]
    table = tabulate(windows, labelled, training=True)
    expected = []
    for clip, holds in enumerate(labelled):
        for targets in brute_force(windows, len(holds)):
            if targets[0] % stride == 0 and holds[targets].any():
                expected.append((clip, targets[0]))
    assert list(zip(table.clip.tolist(), table.start.tolist())) == expected
    assert expected


def test_a_hole_costs_only_its_own_steps():
    labelled = np.ones(1000, dtype=bool)
    labelled[300:360] = False
    windows = Windows()
    table = tabulate(windows, [labelled], training=True)
    hit = np.zeros(1000, dtype=int)
    for start in table.start:
        hit[windows.targets(int(start), 1000)] += 1
    assert (hit[labelled] == 1).all()


def test_a_subsequence_ends_with_its_target():
    subsequences = Windows(dilation=4).subsequences
    assert subsequences.picks == 8
    assert subsequences.steps(np.array([100, 9, 0])).tolist() == [
        [72, 76, 80, 84, 88, 92, 96, 100],
        [0, 0, 0, 0, 0, 1, 5, 9],
        [0] * 8,
    ]
    assert Windows(7, 7, dilation=3).subsequences.steps(np.array([10])).tolist() == [[4, 7, 10]]
    assert Windows(7, 7, dilation=9).subsequences.steps(np.array([10])).tolist() == [[10]]
    assert [subsequences.chunk(form, 30.0, 44100.0) for form in ("frames", "samples")] == [8, 47040]


def test_windows_of_a_group_are_read_together():
    windows = Windows(96, 32)
    assert [windows.group(start, 200) for start in (0, 31, 96, 103)] == [
        (0, 95),
        (0, 95),
        (96, 191),
        (96, 191),
    ]
    assert windows.group(192, 200) == (192, 199)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"subseq_length": 0}, "--subseq-length: expected 1 or more, in steps of the trace; found 0."),
        ({"stride": 0}, "--stride: expected 1 or more, in steps of the trace; found 0."),
        ({"dilation": -1}, "--dilation: expected 1 or more, in steps of the trace; found -1."),
        (
            {"seq_length": 16},
            "--seq-length: expected 32 or more (--subseq-length), in steps of the trace; found 16.",
        ),
    ],
)
def test_lengths_that_make_no_window(wrong, message):
    with pytest.raises(InputError) as error:
        Windows(**wrong)
    assert str(error.value) == message + " Correct it."
