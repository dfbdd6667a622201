"""The timeline: what is drawn of each kind of prediction."""

from __future__ import annotations

import numpy as np
import pytest

from mmer_fairseq.plots.timeline import Bar, clock, timeline_figure

NAMES = ["joy", "anger"]


def bars(count: int, width: float = 2.0) -> list[Bar]:
    return [Bar(3 * k, 3 * k + width, {"joy": 0.25, "anger": 0.75}, "anger", ["audio"]) for k in range(count)]


def drawn(found, **options):
    given = {"kind": "classes", "title": "a $5 film", "modalities": ["text", "audio"], **options}
    return timeline_figure(found, NAMES, **given)


def test_classes_are_stacked_and_named(tmp_path):
    faces = [(1.0, np.zeros((8, 8, 3), dtype=np.uint8)), (1.5, np.zeros((8, 8, 3), dtype=np.uint8))]
    figure = drawn(bars(3), faces=faces, end=9.0)
    strip, main, read = figure.axes
    heights = {round(patch.get_height(), 3) for patch in main.patches}
    assert heights == {0.25, 0.75}
    assert [text.get_text() for text in main.texts] == ["anger"] * 3
    assert [label.get_text() for label in read.get_yticklabels()] == ["text", "audio"]
    assert read.get_xlim() == (0, 9)
    assert len([artist for artist in strip.artists if hasattr(artist, "offsetbox")]) == 2
    figure.savefig(tmp_path / "a.png")


def test_faces_close_together_do_not_overlap():
    faces = [(t, np.zeros((8, 8, 3), dtype=np.uint8)) for t in (8.0, 8.1, 8.2)]
    strip = drawn(bars(3), faces=faces, end=9.0).axes[0]
    places = [artist.xy[0] for artist in strip.artists if hasattr(artist, "offsetbox")]
    assert min(np.diff(places)) > 0.5
    assert max(places) < 9.0


def test_what_could_not_be_read_is_hatched():
    figure = drawn([*bars(1), Bar(4, 6, {}, "", [])])
    assert "nothing could be read" in [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("kind", ["multilabel", "score"])
def test_other_labels_are_lines(kind):
    main = drawn(bars(4), kind=kind, limits=(-3, 3) if kind == "score" else None).axes[0]
    assert main.get_ylim() == ((-3, 3) if kind == "score" else (0, 1))
    assert len(main.collections) == 2


def test_traces_are_one_line_over_all_segments():
    trace = [
        Bar(k, k + 1, {"joy": 0.0}, "", ["audio"], (np.arange(5) / 5 + k, np.ones((5, 2)) * k))
        for k in range(3)
    ]
    main = drawn(trace, kind="trace").axes[0]
    assert [len(line.get_xdata()) for line in main.lines] == [15, 15]


def test_long_recordings_are_drawn_in_equal_parts():
    figure = drawn(bars(2400), subtitle="speech", end=7200.0)
    main, read = figure.axes
    assert len(main.patches) == 2 * 240
    assert main.get_title(loc="left") == "speech; each column is the mean of 30 s"
    assert {round(patch.get_height(), 3) for patch in main.patches} == {0.25, 0.75}
    figure.canvas.draw()
    assert "1:00:00" in [label.get_text() for label in read.get_xticklabels()]


def test_long_traces_have_few_points():
    trace = [
        Bar(
            k,
            k + 1,
            {"joy": 0.0} if k % 7 else {},
            "",
            ["audio"],
            (np.arange(100) / 100 + k, np.ones((100, 2)) * k),
        )
        for k in range(3000)
    ]
    main, read = drawn(trace, kind="trace", end=3000.0).axes
    times, values = main.lines[0].get_data()
    assert 5_000 < len(times) < 15_000
    assert np.array_equal(values, np.floor(times))
    assert len(main.patches) == 0  # most of each bar is known
    assert sum(len(each.get_paths()) for each in read.collections) <= 2 * 240


def test_unread_stretches_of_long_traces_stay_unread():
    unread = {100, 200, 201}
    trace = [
        Bar(
            k,
            k + 1,
            {} if k in unread else {"joy": 0.5},
            "",
            [] if k in unread else ["audio"],
            (np.arange(2) / 2 + k, np.zeros((2, 2))),
        )
        for k in range(480)
    ]
    main, read = drawn(trace, kind="trace", end=480.0).axes
    assert [patch.get_x() for patch in main.patches] == [200]  # hatched
    filled, empty = read.collections[2:]  # of sound
    assert len(filled.get_paths()) == 238
    assert [path.vertices[:, 0].min() for path in empty.get_paths()] == [100, 200]


def test_windows_that_overlap_are_averaged_by_their_share():
    random = np.random.default_rng(0)
    found = [
        Bar(2 * k, 2 * k + 4.7, {"joy": p, "anger": 1 - p}, "joy") for k, p in enumerate(random.random(500))
    ]
    main = drawn(found, end=1004.7).axes[0]
    joy = {patch.get_x(): patch.get_height() for patch in main.patches[:240]}
    assert len(joy) == 240
    for part, (low, height) in enumerate(joy.items()):
        assert low == pytest.approx(part * 1004.7 / 240)
        shares = [(min(b.end, low + 1004.7 / 240) - max(b.start, low), b.values["joy"]) for b in found]
        shares = [(share, value) for share, value in shares if share > 0]
        assert height == pytest.approx(sum(s * v for s, v in shares) / sum(s for s, _ in shares))


def test_utterances_are_named():
    said = [Bar(0, 1, {"joy": 0.5, "anger": 0.5}, "joy", ["text"], text="so many words that they do not fit")]
    labels = drawn(said, clocked=False).axes[-1].get_xticklabels()
    assert [label.get_text() for label in labels] == ["so many words that they…"]


def test_clock():
    assert [clock(x) for x in (5, 65, 3661)] == ["0:05", "1:05", "1:01:01"]
