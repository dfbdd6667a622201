"""The picture of a selection: what is drawn where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from mmer_fairseq.plots.canvas import BLUE, save
from mmer_fairseq.plots.selection import COLUMNS, evenly, grown, heat, painted, selection_figure


@dataclass
class Part:
    modality: str
    pictures: np.ndarray
    kept: tuple[np.ndarray, ...]
    step: float = 0.5
    seconds: float = 0.0


def faces(count: int) -> Part:
    """White pictures of which the left half is kept at stage 1, the upper left quarter at stage 2."""
    stages = (np.zeros((count, 4, 4), bool), np.zeros((count, 2, 2), bool))
    stages[0][:, :, :2] = True
    stages[1][:, 0, 0] = True
    return Part("video", np.ones((count, 8, 8, 3), np.float32), stages)


def pieces(count: int, **more: float) -> Part:
    stages = (np.ones((count, 4, 2), bool), np.zeros((count, 2, 1), bool))
    return Part("audio", np.linspace(0, 1, count * 32, dtype=np.float32).reshape(count, 8, 4), stages, **more)


def test_sites_cover_their_share_of_the_picture():
    mask = np.array([[[True, False], [False, True]]])
    np.testing.assert_array_equal(grown(mask, 4, 2)[0], [[1, 0], [1, 0], [0, 1], [0, 1]])
    np.testing.assert_array_equal(grown(mask, 3, 5)[0], [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 1, 1]])


def test_heat_counts_the_stages_and_its_brightness_is_the_picture():
    part = faces(1)
    counts = heat(part)[0]
    assert (counts[:4, :4] == 2).all()
    assert (counts[4:, :4] == 1).all()
    assert (counts[:, 4:] == 0).all()
    bright = painted(part.pictures, counts[None], 2)[0]
    dark = painted(np.zeros_like(part.pictures), counts[None], 2)[0]
    np.testing.assert_allclose(dark, bright / 2)
    assert len(np.unique(bright.reshape(-1, 3), axis=0)) == 3


def test_rows_are_named_by_stage_and_share_and_times_stand_below_the_pictures(tmp_path):
    figure = selection_figure(
        "c1 (test)", [faces(3), pieces(4, seconds=1.9)], text="so good", notes=["x: no"]
    )
    rows = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert rows == [
        "video:\npictures",
        "stages that\nkeep a place",
        "stage 1:\n4×4 sites,\n50.0 % kept",
        "stage 2:\n2×2 sites,\n25.0 % kept",
        "audio:\nspectrogram",
        "stages that\nkeep a place",
        "stage 1:\n4×2 sites,\n100.0 % kept",
        "stage 2:\n2×1 sites,\n0.0 % kept",
    ]
    assert [axes.get_xlabel() for axes in figure.axes[:3]] == ["0.00 s", "0.50 s", "1.00 s"]
    assert figure.get_suptitle() == "c1 (test)\n“so good”\nx: no"
    assert figure.axes[-1].get_xlabel() == (
        "seconds (lines: borders of pieces; dashed: end of the sound, zeros behind it)"
    )
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [
        "kept by 0 of 2 stages",
        "kept by 1 of 2 stages",
        "kept by 2 of 2 stages",
        "dropped at this stage",
    ]
    stage = np.asarray(figure.axes[6].images[0].get_array())  # stage 1 of the first face
    np.testing.assert_allclose(stage[:, :4], 1.0)
    np.testing.assert_allclose(stage[0, 7], 0.85 * np.array(to_rgb(BLUE)) + 0.15, atol=1e-6)
    save(figure, tmp_path / "s.png")
    assert (tmp_path / "s.png").stat().st_size > 10000


def test_a_strip_is_the_pieces_one_behind_the_other_low_pitch_below():
    part = pieces(4)
    axes = selection_figure("t", [part]).axes[0]
    image = axes.images[0]
    np.testing.assert_array_equal(np.asarray(image.get_array()), np.concatenate(list(part.pictures), axis=1))
    assert image.origin == "lower"
    assert tuple(image.get_extent()) == (0, 2.0, 0, 8)
    assert len(axes.lines) == 3  # borders, and no end of the sound


@pytest.mark.parametrize("count", [1, 12, 13, 60])
def test_pictures_are_chosen_evenly(count):
    chosen = evenly(count)
    assert len(chosen) == min(count, COLUMNS)
    assert (chosen[0], chosen[-1]) == (0, count - 1)
    assert np.ptp(np.diff(chosen)) <= 1 if count > 1 else chosen == [0]
    drawn = selection_figure("t", [faces(count)]).axes
    assert [axes.get_xlabel() for axes in drawn[: len(chosen)]] == [f"{k * 0.5:.2f} s" for k in chosen]


def test_without_a_clock_pictures_are_numbered():
    part = faces(2)
    part.step = 0.0
    assert [a.get_xlabel() for a in selection_figure("t", [part]).axes[:2]] == ["picture 1", "picture 2"]
    sound = pieces(3)
    sound.step = 0.0
    assert selection_figure("t", [sound]).axes[-1].get_xlabel() == "piece (lines: borders of pieces)"


def test_heat_lies_where_the_face_was_cut_out():
    part = faces(1)
    picture = np.zeros((20, 30, 3), np.uint8)
    figure = selection_figure("t", [part], whole={"video": {0: (picture, (10, 4, 26, 12))}})
    axes = figure.axes[0]
    assert axes.get_ylabel() == "video:\nwhole pictures"
    shown = np.asarray(axes.images[0].get_array())
    assert shown.shape == (20, 30, 3)
    np.testing.assert_allclose(shown[:, :10], 0.25)
    np.testing.assert_allclose(shown[12:], 0.25)
    inside = painted(np.zeros((1, 8, 16, 3)), grown(heat(part), 8, 16), 2)[0]
    np.testing.assert_allclose(shown[4:12, 10:26], inside)


def test_dollars_and_long_titles_are_text(tmp_path):
    figure = selection_figure("c_$1 " + "label, " * 40, [faces(1)], text="from $5 to $_^6")
    assert figure.get_suptitle().endswith("\n“from $5 to $_^6”")
    assert figure.get_suptitle().count("\n") > 2
    save(figure, tmp_path / "d.png")
    box = figure._suptitle.get_window_extent(FigureCanvasAgg(figure).get_renderer())
    assert 0 < box.x0 < box.x1 < figure.bbox.x1


def test_nothing_to_show_is_still_a_picture(tmp_path):
    figure = selection_figure(
        "c1", [], text=" ".join(["word"] * 200), notes=["video: this clip has no video"]
    )
    lines = figure.get_suptitle().split("\n")
    assert (len(lines), lines[-1]) == (5, "video: this clip has no video")
    assert lines[-2].endswith("…”")
    save(figure, tmp_path / "n.png")
