"""Folders of numbered pictures."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmer_fairseq.errors import InputError
from mmer_fairseq.media import picture_folder
from mmer_fairseq.media.picture_folder import (
    check_pictures,
    crop_numbers,
    is_picture,
    is_picture_folder,
    load_pictures,
    load_shown,
    picture_numbers,
    pictures_seconds,
)


def grey(path: Path, level: int, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, level, level)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Frames 2, 3, 5 and 8; grey of ten times their number."""
    for number in (2, 3, 5, 8):
        grey(tmp_path / "v" / f"{number:05d}.png", 10 * number)
    return tmp_path / "v"


def levels(pictures: torch.Tensor) -> list[int]:
    return pictures[:, 0, 0, 0].tolist()


def test_numbers(folder: Path) -> None:
    assert is_picture_folder(folder)
    assert not is_picture(folder)
    assert not is_picture_folder(folder / "film.mp4")
    numbers = picture_numbers(folder)
    assert numbers.tolist() == [2, 3, 5, 8]
    assert numbers.dtype == np.int64
    assert not numbers.flags.writeable


def test_any_width_and_ending_and_what_is_passed_over(folder: Path) -> None:
    grey(folder / "10.jpg", 0)
    grey(folder / "000000009.JPEG", 0)
    (folder / "Thumbs.db").touch()
    (folder / "._00004.png").touch()
    assert picture_numbers(folder).tolist() == [2, 3, 5, 8, 9, 10]


def test_new_pictures_are_seen(folder: Path) -> None:
    assert picture_numbers(folder)[-1] == 8
    grey(folder / "00009.png", 90)
    os.utime(folder, ns=(1, 10**18))  # some disks keep whole seconds only
    assert picture_numbers(folder)[-1] == 9


def test_where_a_number_is_missing_the_one_before_is_taken(folder: Path) -> None:
    pictures = load_pictures(folder, [1, 2, 3, 4, 5, 6, 8, 100], 4)
    assert pictures.shape == (8, 3, 4, 4)
    assert pictures.dtype == torch.uint8
    assert levels(pictures) == [20, 20, 30, 30, 50, 50, 80, 80]
    assert levels(load_pictures(folder, np.array([8, 2, 8]), 4)) == [80, 20, 80]
    assert load_pictures(folder, [], 4).shape == (0, 3, 4, 4)


def test_each_file_is_decoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    decode = picture_folder._decode
    monkeypatch.setattr(
        picture_folder, "_decode", lambda path, name, *more: decoded.append(name) or decode(path, name, *more)
    )
    load_pictures(folder, [5, 6, 7, 5, 2, 1], 4)
    assert decoded == ["00002.png", "00005.png"]


def test_colours_size_and_the_turn_that_exif_asks_for(tmp_path: Path) -> None:
    rows = np.zeros((4, 8, 3), np.uint8)
    rows[:, :4] = (255, 0, 0)  # left half red
    (tmp_path / "v").mkdir()
    image = Image.fromarray(rows)
    exif = image.getexif()
    exif[0x0112] = 6  # turn clockwise to show it: what is left comes to the top
    image.save(tmp_path / "v" / "1.png", exif=exif)
    (picture,) = load_pictures(tmp_path / "v", [1])
    assert picture.shape == (3, 8, 4)
    assert picture[:, 0, 0].tolist() == [255, 0, 0]
    assert picture[:, 7, 0].tolist() == [0, 0, 0]
    (small,) = load_pictures(tmp_path / "v", [1], 2)
    assert small.shape == (3, 2, 2)
    Image.new("L", (4, 8), 77).save(tmp_path / "v" / "2.png")
    assert load_pictures(tmp_path / "v", [2], 2)[0, :, 0, 0].tolist() == [77, 77, 77]


def test_a_crop_by_seconds(folder: Path) -> None:
    assert pictures_seconds(folder, 4.0) == 2.0
    # frame k is shown from (k − 1) / 4 s on
    assert crop_numbers(folder, rate=4.0).tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert crop_numbers(folder, start=0.5, end=1.25, rate=4.0).tolist() == [3, 4, 5]
    assert crop_numbers(folder, start=0.5, rate=4.0, frame_rate=2.0).tolist() == [3, 5, 7]
    assert crop_numbers(folder, start=0.1, end=0.9, rate=4.0, frame_rate=8.0).tolist() == [
        1,
        1,
        2,
        2,
        3,
        3,
        4,
    ]
    assert levels(load_shown(folder, start=0.5, end=1.5, rate=4.0, size=4)) == [30, 30, 50, 50]
    assert levels(load_shown(folder, rate=4.0, frame_rate=2.0, size=4, max_frames=2)) == [20, 30]


def test_neighbouring_crops_share_no_frame_and_lose_none() -> None:
    rate = 30000 / 1001
    borders = [None, 1.0, 7 / rate, 3.3, None]
    numbers = [
        number
        for start, end in zip(sorted(b or 0 for b in borders[:-1]), [*sorted(b for b in borders if b), 5.0])
        for number in picture_folder.shown_numbers(5.0, begin=start, stop=end, rate=rate)
    ]
    assert numbers == list(range(1, 151))


def fault(path: Path, read, *args, **options) -> str:
    with pytest.raises(InputError) as error:
        read(path, *args, where="train.tsv:2", **options)
    text = str(error.value)
    assert text.startswith(f"train.tsv:2: {path}")
    return text[len(f"train.tsv:2: {path}") :]


WHAT = ": expected a folder of numbered pictures (00001.jpg, 00002.jpg, …; .jpg, .jpeg or .png); found "


def test_folders_at_fault(tmp_path: Path) -> None:
    read = picture_numbers
    assert fault(tmp_path / "none", read) == (
        f"{WHAT}no such folder. Correct the path or put the pictures there."
    )
    (tmp_path / "file").write_text("x")
    assert fault(tmp_path / "file", read) == f"{WHAT}a file. Correct the path or put the pictures there."
    (tmp_path / "v").mkdir()
    end = "Name the folder that holds the pictures, or leave this cell empty."
    assert fault(tmp_path / "v", read) == f"{WHAT}an empty folder. {end}"
    (tmp_path / "v" / "video").mkdir()
    assert fault(tmp_path / "v", read) == f"{WHAT}1 other entries ('video', …). {end}"


@pytest.mark.parametrize("name", ["face.jpg", "00000.jpg", "-1.png", "1_2.jpg", "²3.jpg"])
def test_names_that_are_no_numbers(folder: Path, name: str) -> None:
    (folder / name).touch()
    assert fault(folder, picture_numbers) == (
        f": expected pictures named by the number of their frame, 1 or more (00001.jpg); found '{name}'. "
        "Rename or remove it."
    )


def test_a_number_twice(folder: Path) -> None:
    (folder / "3.png").touch()
    assert fault(folder, picture_numbers) == (
        ": expected one picture of each frame; found '00003.png' and '3.png'. Remove one of them."
    )


def test_broken_pictures_are_named(folder: Path) -> None:
    end = "Copy or extract the picture again, or remove it: the one before takes its place."
    (folder / "00003.png").write_bytes(b"")
    assert fault(folder, load_pictures, [4], 4) == (
        f"/00003.png: expected a whole JPEG or PNG picture; found an empty file (0 bytes). {end}"
    )
    (folder / "00003.png").write_text("no picture")
    assert fault(folder, check_pictures, [1, 3]) == (
        f"/00003.png: expected a whole JPEG or PNG picture; found bytes of another kind. {end}"
    )
    random = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for name in ("00009.jpg", "00010.png"):
        Image.fromarray(random).save(folder / name)
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
        assert fault(folder, check_pictures, [int(name[:5])]).startswith(
            f"/{name}: expected a whole JPEG or PNG picture; found '"
        )
    check_pictures(folder, [1, 2, 5, 8])


def test_options_at_fault(folder: Path) -> None:
    assert fault(folder, load_pictures, [1], 0) == (
        ": expected a positive size; found 0. Give size a positive number."
    )
    assert fault(folder, load_shown, rate=0.0) == (
        ": expected pictures at a rate above 0 Hz; found 0. Correct the rate."
    )
    assert "expected start and end inside the medium, which lasts 2.000 s; found start 5 s" in fault(
        folder, load_shown, start=5.0, rate=4.0
    )
    assert fault(folder, load_shown, start=1.9, rate=4.0) == (
        ": expected at least one frame from 1.9 s to the end; found none at 4 Hz. "
        "Correct the times of the clip or leave this cell of the corpus empty."
    )


def test_one_picture_is_one_frame_whatever_the_rate_and_the_times(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "Face.PNG"
    grey(path, 70, (6, 4))
    assert is_picture(path)
    assert is_picture_folder(path)
    assert picture_numbers(path).tolist() == [1]
    assert pictures_seconds(path, 25.0) == 1 / 25
    assert load_shown(path, rate=30.0).shape == (1, 3, 4, 6)
    for frame_rate, start, end in ((60.0, None, None), (1.0, 2.0, 5.0), (None, 2.0, None)):
        shown = load_shown(path, rate=30.0, frame_rate=frame_rate, start=start, end=end, size=8)
        assert shown.shape == (1, 3, 8, 8)
        assert levels(shown) == [70]
    assert levels(load_pictures(path, [1, 7, 7], 4)) == [70, 70, 70]


@pytest.mark.parametrize(
    ("content", "found"),
    [(None, "no such file"), (b"", "an empty file (0 bytes)"), (b"RIFF", "bytes of another kind")],
)
def test_one_bad_picture(tmp_path: Path, content: bytes | None, found: str) -> None:
    path = tmp_path / "face.jpg"
    if content is not None:
        path.write_bytes(content)
    for read in (
        lambda: load_shown(path, rate=1.0, where="t.tsv:2"),
        lambda: check_pictures(path, [1], "t.tsv:2"),
    ):
        with pytest.raises(InputError) as caught:
            read()
        assert str(caught.value) == (
            f"t.tsv:2: {path}: expected a whole JPEG or PNG picture; found {found}. Copy or extract the picture "
            "again, or take its row out."
        )


def test_a_folder_named_as_a_picture(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(InputError, match=r"a\.jpg: expected a whole JPEG or PNG picture; found a folder\."):
        load_shown(tmp_path / "a.jpg", rate=1.0)
