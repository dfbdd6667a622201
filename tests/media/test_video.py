from __future__ import annotations

import struct
import time
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.video import VideoInfo, frames_in_parts, load_frames, video_info


def test_every_picture_with_its_time(video: Path, kit):
    frames, times = load_frames(video)
    assert frames.shape == (50, 3, 64, 64)
    assert frames.dtype == torch.uint8
    assert frames.is_contiguous()
    assert kit.pictures_in(frames) == list(range(50))
    torch.testing.assert_close(times, torch.arange(50) / 25)


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "mpeg4"])
def test_colours_and_directions(tmp_path: Path, kit, codec: str):
    def paint(image: np.ndarray, k: int) -> None:
        image[:32, :32] = (220, 30, 30)
        image[:32, 32:] = (30, 220, 30)
        image[32:, :32] = (30, 30, 220)

    suffix = ".webm" if "vp9" in codec else ".mp4"
    path = kit.write_video(tmp_path / f"a{suffix}", frames=3, codec=codec, paint=paint, sound=None)
    corners = load_frames(path)[0][1, :, 16::32, 16::32].permute(1, 2, 0)
    wanted = torch.tensor([[[220, 30, 30], [30, 220, 30]], [[30, 30, 220], [24, 24, 24]]])
    assert (corners.int() - wanted).abs().max() <= 10


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
@pytest.mark.parametrize(("start", "end"), [(0.5, 1.5), (None, 0.3), (1.6, None), (0.479, 0.53)])
def test_a_crop_is_that_part_of_the_whole(tmp_path: Path, kit, suffix: str, start, end):
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    path = kit.write_video(tmp_path / f"a{suffix}", codec=codec, gop=7)
    whole, times = load_frames(path)
    frames, shifted = load_frames(path, start=start, end=end)
    inside = (times >= (start or 0) - 1e-3) & (times < (end or 9) - 1e-3)
    assert inside.any()
    assert torch.equal(frames, whole[inside])
    torch.testing.assert_close(shifted, times[inside] - (start or 0), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("rate", "part", "lengths"), [(None, 20, [20, 10]), (10.0, 6, [6, 6]), (7.0, 6, [6, 3])]
)
def test_parts_are_the_whole_in_pieces(video: Path, rate, part, lengths):
    whole = load_frames(video, start=0.4, end=1.6, rate=rate)
    parts = list(frames_in_parts(video, part, start=0.4, end=1.6, rate=rate))
    assert [len(frames) for frames, _ in parts] == lengths
    for found, wanted in zip(zip(*parts), whole):
        assert torch.equal(torch.cat(found), wanted)


def test_a_part_before_the_damage_is_given(video: Path, kit):
    parts = frames_in_parts(kit.spoil(video, 0.6, 0.9), 10)
    assert len(next(parts)[0]) == 10
    with pytest.raises(InputError, match="damaged"):
        list(parts)


def test_neighbouring_crops_share_no_picture_and_lose_none(tmp_path: Path, kit):
    path = kit.write_video(tmp_path / "a.mkv", fps=30, frames=48)
    borders = [k / 10 for k in range(17)]
    seen = [
        kit.pictures_in(load_frames(path, start=first, end=last)[0])
        for first, last in zip(borders, borders[1:])
    ]
    assert [picture for crop in seen for picture in crop] == list(range(48))


def test_a_crop_reads_neither_what_is_before_nor_what_is_behind(tmp_path: Path, kit):
    rng = np.random.default_rng(0)

    def noise(image: np.ndarray, k: int) -> None:
        image[:] = np.clip(image.astype(int) + rng.integers(-20, 20, image.shape), 0, 255)

    path = kit.write_video(tmp_path / "a.mp4", gop=5, paint=noise, options={"movflags": "faststart"})
    wanted = load_frames(path, start=1.0, end=1.2)[0]
    kit.spoil(path, 0.3, 0.35)
    kit.spoil(path, 0.8, 0.85)
    assert torch.equal(load_frames(path, start=1.0, end=1.2)[0], wanted)
    with pytest.raises(InputError, match="damaged"):
        load_frames(path)


@pytest.mark.parametrize(
    ("rate", "wanted"),
    [
        (25, list(range(50))),
        (5, list(range(0, 50, 5))),
        (50, [k // 2 for k in range(100)]),
        (10, [0, 2, 5, 7, 10, 12, 15, 17, 20, 22, 25, 27, 30, 32, 35, 37, 40, 42, 45, 47]),
        (0.4, [0]),
    ],
)
def test_a_requested_rate_shows_what_is_on_the_screen(video: Path, kit, rate: float, wanted: list[int]):
    frames, times = load_frames(video, rate=rate)
    assert kit.pictures_in(frames) == wanted
    torch.testing.assert_close(times, torch.arange(len(wanted)) / rate)


def test_a_requested_rate_in_a_crop(video: Path, kit):
    frames, times = load_frames(video, rate=10, start=0.5, end=1.0)
    assert kit.pictures_in(frames) == [12, 15, 17, 20, 22]
    torch.testing.assert_close(times, torch.arange(5) / 10)
    assert len(load_frames(video, rate=10, start=1.5)[0]) == 5


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_the_milliseconds_of_matroska_lose_no_picture(tmp_path: Path, kit, fps: int):
    path = kit.write_video(tmp_path / "a.mkv", fps=fps, frames=50)
    assert kit.pictures_in(load_frames(path, rate=fps)[0]) == list(range(50))


def test_a_variable_rate_is_resampled_by_time(tmp_path: Path, kit):
    moments = [0, 40, 80, 500, 520, 540, 560, 1400, 1900]
    path = kit.write_video(tmp_path / "a.mp4", frames=9, milliseconds=moments, sound=None)
    frames, times = load_frames(path)
    assert kit.pictures_in(frames) == list(range(9))
    torch.testing.assert_close(times, torch.tensor(moments) / 1000)
    wanted = [max(k for k, moment in enumerate(moments) if moment <= 100 * step) for step in range(19)]
    assert kit.pictures_in(load_frames(path, rate=10)[0])[:19] == wanted
    # The picture on the screen at the start of a crop appeared long before it.
    assert kit.pictures_in(load_frames(path, rate=10, start=1.2, end=1.5)[0]) == [6, 6, 7]


def test_before_the_first_picture_the_first_is_shown(tmp_path: Path, kit):
    path = kit.write_video(
        tmp_path / "a.mkv", frames=5, milliseconds=[400, 500, 600, 700, 800], sound_seconds=1.0
    )
    assert load_frames(path)[1][0] == pytest.approx(0.4)
    assert kit.pictures_in(load_frames(path, rate=10)[0])[:6] == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("size", "shape"), [(32, (32, 32)), ((48, 20), (48, 20)), (None, (50, 70)), (101, (101, 101))]
)
def test_size(tmp_path: Path, kit, size, shape):
    path = kit.write_video(tmp_path / "a.mp4", frames=4, size=(50, 70))
    frames, _ = load_frames(path, size=size)
    assert frames.shape == (4, 3, *shape)
    assert kit.pictures_in(frames) == [0, 1, 2, 3]


# The display matrix of an MP4 track (16.16 fixed point a, b, 0, c, d, 0), and the same turn in NumPy.
TURNS = {90: (0, 1, -1, 0, -1), 180: (-1, 0, 0, -1, 2), 270: (0, -1, 1, 0, 1)}


@pytest.mark.parametrize("degrees", TURNS)
def test_pictures_are_turned_as_the_file_asks(tmp_path: Path, kit, degrees: int):
    def paint(image: np.ndarray, k: int) -> None:
        image[:16, :24] = 250

    path = kit.write_video(tmp_path / "a.mp4", frames=3, size=(32, 64), paint=paint)
    upright, _ = load_frames(path)
    content = bytearray(path.read_bytes())
    a, b, c, d, turns = TURNS[degrees]
    matrix = content.index(b"tkhd") + 44
    content[matrix : matrix + 36] = struct.pack(
        ">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30
    )
    path.write_bytes(content)
    turned, _ = load_frames(path)
    assert torch.equal(turned, torch.rot90(upright, turns, dims=(2, 3)))
    assert load_frames(path, size=(40, 20))[0].shape == (3, 3, 40, 20)


def test_max_frames_ends_the_decoding(video: Path, kit):
    assert kit.pictures_in(load_frames(video, max_frames=7)[0]) == list(range(7))
    assert len(load_frames(video, max_frames=999)[0]) == 50
    kit.spoil(video, 0.8, 1.0)
    assert kit.pictures_in(load_frames(video, max_frames=7)[0]) == list(range(7))
    assert kit.pictures_in(load_frames(video, max_frames=3, rate=5)[0]) == [0, 5, 10]


def test_a_cover_picture_is_no_video(tmp_path: Path, kit):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        voice = container.add_stream("aac", rate=16000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 16, 16, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic.value
        picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), dtype=np.uint8), "rgb24")
        container.mux(cover.encode(picture))
        container.mux(cover.encode())
        for first in range(0, 16384, 1024):
            frame = av.AudioFrame.from_ndarray(
                kit.tone(1.1, 16000)[None, first : first + 1024], "fltp", "mono"
            )
            frame.sample_rate, frame.pts = 16000, first
            container.mux(voice.encode(frame))
        container.mux(voice.encode())
    with pytest.raises(InputError, match="expected a file with a picture track"):
        load_frames(path)


def test_info_comes_from_headers(tmp_path: Path, kit):
    path = kit.write_video(tmp_path / "a.mp4", size=(48, 80))
    assert video_info(path) == VideoInfo(2.0, 50, 25.0, 80, 48, True)
    path = kit.write_video(tmp_path / "b.mkv", fps=30, frames=60, sound=None)
    info = video_info(path)
    assert (info.frames, info.rate, info.has_sound) == (60, 30.0, False)
    assert info.seconds == pytest.approx(2.0, abs=0.002)


@pytest.mark.parametrize("read", [load_frames, video_info])
def test_faults_that_headers_show(tmp_path: Path, kit, video: Path, read):
    sound = kit.write_video(tmp_path / "voice.m4a", frames=0, sound_seconds=1.0)
    text = tmp_path / "text.mp4"
    text.write_text("hello")
    cases = {
        tmp_path / "none.mp4": "expected a video file; found no such file",
        text: r"expected an MP4 or QuickTime file \(its name ends in \.mp4\); found text",
        sound: "expected a file with a picture track; found only sound",
        kit.cut(video, 0.6): r"bytes \(truncated\)",
    }
    for path, message in cases.items():
        with pytest.raises(InputError, match=message) as error:
            read(path, where="train.tsv:9")
        assert str(error.value).startswith(f"train.tsv:9: {path}: ")


def test_a_video_that_ends_before_its_header_says(tmp_path: Path, kit):
    path = kit.write_video(tmp_path / "a.flv", frames=100)
    kit.cut(path, 0.5)
    with pytest.raises(InputError, match=r"expected 4\.\d+ s, as its header announces|damaged"):
        load_frames(path)


@pytest.mark.parametrize("crop", [{"start": 2.5}, {"end": 2.6}, {"start": 0.5, "end": 0.5}, {"start": -1.0}])
def test_a_crop_outside(video: Path, crop: dict[str, float]):
    with pytest.raises(InputError, match="start"):
        load_frames(video, **crop)


def test_a_crop_without_a_picture(tmp_path: Path, kit):
    path = kit.write_video(tmp_path / "a.mp4", frames=25, sound_seconds=4.0)
    with pytest.raises(InputError) as error:
        load_frames(path, start=2.0, end=3.5)
    assert str(error.value) == (
        f"{path}: expected at least one picture from 2 s to 3.5 s; found none. "
        "Correct the times of the clip or leave this cell of the corpus empty."
    )


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ({"rate": 0.0}, "expected a positive rate; found 0.0. Give rate a positive number."),
        ({"size": 0}, "expected a positive size; found 0. Give size a positive number."),
        ({"size": (4, -1)}, "expected a positive size; found -1. Give size a positive number."),
        ({"max_frames": 0}, "expected a positive max_frames; found 0. Give max_frames a positive number."),
    ],
)
def test_options_are_checked(video: Path, option, text: str):
    with pytest.raises(InputError) as error:
        load_frames(video, **option)
    assert str(error.value) == f"{video}: {text}"


class _Clips(torch.utils.data.Dataset):
    def __init__(self, path: Path) -> None:
        self.path = path

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> torch.Tensor:
        return load_frames(self.path, size=16, max_frames=10 + index)[0]


def test_in_the_workers_of_a_data_loader(video: Path):
    load_frames(video)  # the parent has used libav before it forks
    loader = torch.utils.data.DataLoader(
        _Clips(video), batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=30
    )
    assert [len(frames) for frames in loader] == [10, 11, 12, 13]


def test_a_short_clip_takes_milliseconds(video: Path):
    load_frames(video, size=64)
    best = 9.0
    for _ in range(5):
        begin = time.process_time()
        load_frames(video, size=64)
        best = min(best, time.process_time() - begin)
    # Processor time, which a busy machine does not stretch: 3 to 4 ms. Threads inside swscale make it 25.
    assert best < 0.02
