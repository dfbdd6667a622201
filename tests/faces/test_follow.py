"""Following, on boxes alone."""

from __future__ import annotations

import pytest

from mmer_fairseq.faces.detectors import Face
from mmer_fairseq.faces.follow import Follower


def at(x: float, y: float = 50.0, side: float = 20.0, score: float = 1.0) -> Face:
    return Face((x, y, x + side, y + side), score)


def follow(
    pictures: list[list[Face]], hold: int = 2, *, largest: bool = False
) -> dict[int, tuple[int, str, float]]:
    """Number → (track, how, x0); each crop must be cut out of its own picture, at its box."""
    follower = Follower(hold, largest=largest)
    for number, faces in enumerate(pictures, start=1):
        follower.step(number, faces, lambda box, number=number: f"{number} {box[0]:g}".encode())
    chosen = follower.chosen()
    for number, (_, sight) in chosen.items():
        assert sight.number == number
        assert sight.crop == f"{number} {sight.box[0]:g}".encode()
    return {number: (track, sight.how, sight.box[0]) for number, (track, sight) in sorted(chosen.items())}


def test_one_face_that_moves_is_one_track():
    assert follow([[at(0)], [at(12)], [at(30)]]) == {
        1: (1, "found", 0),
        2: (1, "found", 12),
        3: (1, "found", 30),
    }


def test_the_person_with_most_area_is_kept_when_somebody_is_larger_for_a_moment():
    near = [[at(0), at(100, side=12)], [at(2), at(100, side=26)], [at(4), at(100, side=14)]]
    assert [x for _, _, x in follow(near).values()] == [0, 2, 4]
    assert [x for _, _, x in follow(near, largest=True).values()] == [0, 100, 4]


def test_a_score_of_nothing_does_not_win():
    assert {x for _, _, x in follow([[at(0), at(100, side=22, score=0.1)]] * 3).values()} == {0}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_order_of_the_faces_means_nothing(order):
    pictures = [[(at(0 + k), at(24 - k, side=18))[index] for index in order] for k in range(5)]
    assert [x for _, _, x in follow(pictures).values()] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("largest", [False, True])
def test_short_gaps_are_bridged_with_the_box_before_them(largest):
    found = follow([[at(5)], [], [], [at(9)], [], []], largest=largest)
    assert found == {1: (1, "found", 5), 2: (1, "held", 5), 3: (1, "held", 5), 4: (1, "found", 9)}


@pytest.mark.parametrize(("largest", "second"), [(False, 2), (True, 1)])
def test_longer_gaps_have_no_picture_at_all(largest, second):
    found = follow([[at(5)], [], [], [], [at(9)]], largest=largest)
    assert found == {1: (1, "found", 5), 5: (second, "found", 9)}


def test_no_bridges_where_none_are_wanted():
    assert sorted(follow([[at(5)], [], [at(5)]], hold=0)) == [1, 3]


def test_a_gap_is_bridged_while_somebody_else_is_there():
    other = at(100, side=8)
    found = follow([[at(5), other], [other], [at(7), other]])
    assert found == {1: (1, "found", 5), 2: (1, "held", 5), 3: (1, "found", 7)}


def test_after_a_cut_the_person_elsewhere_is_taken_but_not_who_was_there_all_the_time():
    bystander = at(150, side=6)
    pictures = [[at(0), bystander]] * 3 + [[bystander]] + [[at(80), bystander]] * 2
    found = follow(pictures, hold=1)
    assert {number: x for number, (_, _, x) in found.items()} == {1: 0, 2: 0, 3: 0, 5: 80, 6: 80}
    assert {track for track, _, _ in found.values()} == {1, 3}


def test_a_face_of_quite_another_size_is_another():
    assert {track for track, _, _ in follow([[at(50, 50, 10)], [at(40, 40, 40)]]).values()} == {1, 2}


def test_no_face_at_all():
    assert follow([[], []]) == {}
    assert follow([]) == {}
