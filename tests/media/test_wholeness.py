from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.wholeness import examine

SOUND = np.sin(np.arange(32000) / 9)
VIDEOS = {
    "a.mp4": {},
    "front.mp4": {"options": {"movflags": "faststart"}},
    "pieces.mp4": {"options": {"movflags": "frag_keyframe+empty_moov"}},
    "a.mov": {"codec": "libx265"},
    "a.mkv": {},
    "a.webm": {"codec": "libvpx-vp9", "sound": "libopus", "sound_rate": 48000},
    "a.avi": {"codec": "mpeg4", "sound": "mp3"},
}


def write(path: Path, kit) -> Path:
    if path.name in VIDEOS:
        return kit.write_video(path, **VIDEOS[path.name])
    if path.suffix == ".opus":
        soundfile.write(path, SOUND, 16000, format="OGG", subtype="OPUS")
    else:
        soundfile.write(path, SOUND, 16000, format="RF64" if path.stem == "rf64" else None)
    return path


@pytest.mark.parametrize("name", [*VIDEOS, "a.wav", "rf64.wav", "a.flac", "a.ogg", "a.opus", "a.mp3"])
def test_whole_files_pass(tmp_path: Path, kit, name: str):
    kind = examine(write(tmp_path / name, kit))
    assert tmp_path.joinpath(name).suffix in kind.suffixes


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("name", ["front.mp4", "pieces.mp4", "a.mkv", "a.webm", "a.avi", "a.wav", "rf64.wav"])
def test_cut_files_are_noticed(tmp_path: Path, kit, name: str, share: float):
    path = write(tmp_path / name, kit)
    whole = path.stat().st_size
    kit.cut(path, share)
    with pytest.raises(InputError) as error:
        examine(path, "train.tsv:5")
    text = str(error.value)
    assert text.startswith(f"train.tsv:5: {path}: expected a file of at least ")
    announced = int(text.split(" bytes")[0].rsplit(" ", 1)[1])
    # A file in pieces announces one piece at a time; a WAV is granted some slack.
    assert path.stat().st_size < announced <= whole
    assert announced >= whole - 70 or name == "pieces.mp4"
    assert text.endswith(
        f"bytes, as its header announces; found {path.stat().st_size} bytes (truncated). "
        "Copy, download or record the file again."
    )


def test_an_mp4_whose_index_was_cut_off(tmp_path: Path, kit):
    path = kit.write_video(tmp_path / "a.mp4")
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"moov") - 4])
    with pytest.raises(InputError) as error:
        examine(path)
    assert str(error.value) == (
        f"{path}: expected an MP4 file with its index (a moov box); found none (truncated). "
        "Copy, download or record the file again."
    )


@pytest.mark.parametrize("name", ["a.ogg", "a.opus"])
def test_an_ogg_file_without_its_end(tmp_path: Path, kit, name: str):
    path = kit.cut(write(tmp_path / name, kit), 0.7)
    with pytest.raises(InputError) as error:
        examine(path)
    assert str(error.value) == (
        f"{path}: expected an Ogg file with an end mark on its last page; found none (truncated). "
        "Copy, download or record the file again."
    )


def test_a_wav_cut_inside_its_header(tmp_path: Path, kit):
    path = write(tmp_path / "a.wav", kit)
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(InputError, match=r"found 30 bytes \(truncated\)"):
        examine(path)


def test_a_wav_from_a_pipe_announces_nothing(tmp_path: Path, kit):
    path = write(tmp_path / "a.wav", kit)
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    examine(path)


def test_a_wav_with_a_forgotten_padding_byte(tmp_path: Path, kit):
    path = write(tmp_path / "a.wav", kit)
    content = path.read_bytes()
    note = b"note" + struct.pack("<I", 3) + b"\x01\x02\x03"
    path.write_bytes(content[:36] + note + content[36:])
    examine(path)


def test_padding_behind_the_last_box_is_no_fault(tmp_path: Path, video: Path):
    with video.open("ab") as file:
        file.write(bytes(1000))
    examine(video)


def test_a_live_matroska_file_announces_nothing(tmp_path: Path, kit):
    path = kit.write_video(tmp_path / "a.mkv", options={"live": "1"})
    examine(kit.cut(path, 0.8))
