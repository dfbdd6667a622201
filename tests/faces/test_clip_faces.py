"""One clip: which pictures are looked at, what is cut out of them, and what is kept."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mmer_fairseq.corpus import Clip
from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.clip_faces import NOTE, Task, counts, find, finished, save
from mmer_fairseq.faces.crop import centre_box
from mmer_fairseq.faces.detectors import DETECTORS
from mmer_fairseq.media.picture_folder import load_shown


def task(folder, video, start=None, end=None, rate=4.0, picture_rate=10.0, **more) -> Task:
    clip = Clip("a", {"video": str(video)}, False, start, end, "", "", "", 0, "train.tsv:2", "train", **more)
    return Task(clip, folder / "a", rate, picture_rate)


def kinds(moments) -> str:
    """f, h, c (the middle) and - (nothing), one for each picture."""
    return "".join(
        {"found": "f", "held": "h", "fallback": "c", "none": "-"}[moment.how] for moment in moments
    )


def colour(crop: bytes) -> str:
    red, green, _ = np.asarray(Image.open(io.BytesIO(crop))).reshape(-1, 3).mean(axis=0)
    return "red" if red > green + 100 else "green" if green > red + 100 else "grey"


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        # gone from 1 s to 1.5 s: bridged; from 2 s on: over
        ({}, "ffffhhff----"),
        ({"hold": 0.25}, "ffff--ff----"),
        ({"fallback": "centre"}, "ffffhhffcccc"),
        ({"rate": 10.0}, "ffffffffffhhhhhfffff----------"),
        ({"rate": 10.0, "hold": 0.4}, "ffffffffff-----fffff----------"),
        # the green square is there all the time
        ({"face": "largest"}, "ffffffffffff"),
    ],
)
def test_every_moment_is_looked_at(tmp_path, film, squares, kit, change, wanted):
    chosen = kit.settings(**change)
    moments, crops = find(task(tmp_path, film, rate=chosen.rate), chosen, squares)
    assert kinds(moments) == wanted
    assert [moment.number for moment in moments] == list(range(1, len(wanted) + 1))
    assert sorted(crops) == [number for number, kind in enumerate(wanted, start=1) if kind != "-"]
    assert sum(counts(moments).values()) == len(wanted)
    for moment in moments:
        if moment.how == "found" and chosen.face == "track":
            assert colour(crops[moment.number]) == "red"
            assert moment.score == 0.9
        assert (moment.box is None) == (moment.how == "none")
        assert (moment.track > 0) == (moment.how in ("found", "held"))
    if chosen.face == "largest":
        assert [colour(crops[number]) for number in (1, 5, 6, 7, 12)] == [
            "red",
            "green",
            "green",
            "red",
            "green",
        ]
    if chosen.fallback == "centre":
        assert moments[-1].box == centre_box(128, 96)
        assert colour(crops[12]) == "grey"


@pytest.mark.parametrize("fps", [8, 12, 25, 30])
@pytest.mark.parametrize("rate", [2.0, 1000 / 300])
def test_an_interval_is_the_same_at_any_frame_rate(tmp_path, squares, kit, fps, rate):
    film = kit.write_film(tmp_path / "f.mp4", lambda t: {"red": (int(40 * t), 20, 24)}, seconds=2.0, fps=fps)
    moments, _ = find(task(tmp_path, film, 0.5, 2.0, rate), kit.settings(rate=rate), squares)
    assert len(moments) == np.ceil(1.5 * rate)
    for k, moment in enumerate(moments):
        on_screen = np.floor((0.5 + k / rate) * fps + 1e-6) / fps
        assert abs(moment.box[0] - int(40 * on_screen)) <= 1


def test_the_box_is_in_pixels_of_the_film_whatever_the_detector_gets(tmp_path, film, squares, kit):
    whole, _ = find(task(tmp_path, film), kit.settings(detect_size=0), squares)
    smaller, _ = find(task(tmp_path, film), kit.settings(detect_size=48), squares)
    assert kinds(whole) == kinds(smaller)
    assert whole[0].box == pytest.approx((10, 20, 34, 44), abs=1)
    assert smaller[0].box == pytest.approx((10, 20, 34, 44), abs=3)


@pytest.mark.parametrize(("side", "seen"), [("left", {"red"}), ("right", {"green"}), ("", {"red"})])
def test_the_half_of_the_picture_that_shows_the_speaker(tmp_path, film, squares, kit, side, seen):
    given = replace(task(tmp_path, film), side=side)
    moments, crops = find(given, kit.settings(), DETECTORS["squares"].build(20, "cpu"))
    assert {colour(crops[moment.number]) for moment in moments if moment.how == "found"} == seen
    middle = 128 / 2
    for moment in moments:
        if moment.how == "found" and side:
            assert (moment.box[0] + moment.box[2] < 2 * middle) == (side == "left")
    assert given.source.get("side", "") == side


@pytest.mark.parametrize(("side", "middle"), [("left", 32.0), ("right", 96.0), ("", 64.0)])
def test_the_middle_of_a_half(tmp_path, film, kit, side, middle):
    given = replace(task(tmp_path, film), side=side)
    moments, _ = find(given, kit.settings(detector="centre"), DETECTORS["centre"].build(20, "cpu"))
    assert {(moment.box[0] + moment.box[2]) / 2 for moment in moments} == {middle}


def test_long_clips_are_read_in_parts(tmp_path, film, squares, kit):
    find(task(tmp_path, film, rate=15.0), kit.settings(rate=15.0), squares)
    assert squares.calls == [16, 16, 13]


def test_no_detector_is_the_middle_and_says_so(tmp_path, film, kit):
    chosen = kit.settings(detector="centre")
    moments, crops = find(task(tmp_path, film), chosen, DETECTORS["centre"].build(20, "cpu"))
    assert kinds(moments) == "c" * 12
    assert {(moment.box, moment.score, moment.track) for moment in moments} == {
        (centre_box(128, 96), None, 0)
    }
    assert len(crops) == 12


@pytest.mark.parametrize(("own", "wanted"), [(False, [11, 13, 16]), (True, [1, 3, 6])])
def test_a_video_may_be_a_folder_of_pictures(tmp_path, squares, kit, own, wanted):
    (tmp_path / "v").mkdir()
    for number in range(1, 17) if not own else range(1, 8):
        picture = np.full((96, 128, 3), 30, dtype=np.uint8)
        picture[20:40, 5 * number : 5 * number + 20] = (230, 20, 20)
        Image.fromarray(picture).save(tmp_path / "v" / f"{number}.png")
    clip = task(tmp_path, tmp_path / "v", 1.0, 1.6, own_pictures=own)
    moments, _ = find(clip, kit.settings(), squares)
    assert [moment.box[0] / 5 for moment in moments][:3] == wanted


def test_saved_and_found_finished(tmp_path, film, squares, kit):
    each = task(tmp_path, film, 0.5, 3.0)
    assert finished(each) is None
    moments, crops = find(each, kit.settings(), squares)
    save(each, moments, crops)
    assert finished(each) == moments
    assert sorted(os.listdir(tmp_path)) == ["a"]
    assert sorted(os.listdir(each.folder)) == [*(f"{number:05d}.jpg" for number in range(1, 7)), NOTE]
    # read as a video: what is missing at the end is not there
    assert load_shown(each.folder, rate=4.0, size=16).shape == (6, 3, 16, 16)


@pytest.mark.parametrize("change", ["picture", "note", "empty", "times", "rate", "film", "more"])
def test_what_is_out_of_date_or_damaged_is_not_finished(tmp_path, film, squares, kit, change):
    copy = tmp_path / "film.mp4"
    copy.write_bytes(film.read_bytes())
    each = task(tmp_path, copy)
    save(each, *find(each, kit.settings(), squares))
    picture = each.folder / "00002.jpg"
    if change == "picture":
        picture.unlink()
    elif change == "empty":
        picture.write_bytes(b"")
    elif change == "more":
        (each.folder / "00100.jpg").write_bytes(b"x")
    elif change == "note":
        (each.folder / NOTE).write_text(json.dumps({"format": "other"}))
    elif change == "times":
        each = task(tmp_path, copy, 0.5)
    elif change == "rate":
        each = task(tmp_path, copy, rate=5.0)
    else:
        copy.write_bytes(film.read_bytes() + b"0")
    assert finished(each) is None
    save(each, *find(task(tmp_path, film), kit.settings(), squares))
    assert "00100.jpg" not in os.listdir(each.folder)


def test_a_broken_video_names_the_row(tmp_path, film, squares, kit):
    (tmp_path / "x.mp4").write_bytes(film.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"^train.tsv:2: .*x.mp4: expected"):
        find(task(tmp_path, tmp_path / "x.mp4"), kit.settings(), squares)
