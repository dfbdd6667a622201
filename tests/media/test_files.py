from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from mmer_fairseq.errors import InputError
from mmer_fairseq.media import files


def picture(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(buffer, form)
    return buffer.getvalue()


def stored(save) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff", "au", "caf"])
def test_sound_files_are_known_by_their_bytes(tmp_path: Path, suffix: str):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, np.linspace(-0.5, 0.5, 1600), 16000)
    kind = files.identify(path)
    assert f".{suffix}" in kind.suffixes
    assert kind.medium == "sound"
    assert files.identify(path.rename(tmp_path / "no-suffix")) is kind


@pytest.mark.parametrize(
    ("suffix", "codec", "sound"),
    [
        ("mp4", "libx264", "aac"),
        ("mov", "libx264", None),
        ("mkv", "libx264", "aac"),
        ("webm", "libvpx-vp9", None),
        ("avi", "mpeg4", None),
        ("flv", "libx264", None),
        ("ts", "libx264", None),
        ("mpg", "mpeg1video", None),
    ],
)
def test_videos_are_known_by_their_bytes(tmp_path: Path, kit, suffix: str, codec: str, sound):
    path = kit.write_video(tmp_path / f"a.{suffix}", frames=5, codec=codec, sound=sound)
    kind = files.sniff(path.read_bytes()[:1024])
    assert kind is not None
    assert f".{suffix}" in kind.suffixes
    assert files.identify(path).medium == "container"


CASES = {
    "png.mp4": (picture("PNG"), "an MP4 or QuickTime file (its name ends in .mp4)", "a PNG picture"),
    "jpeg.MP4": (picture("JPEG"), "an MP4 or QuickTime file (its name ends in .mp4)", "a JPEG picture"),
    "text.wav": ("hello, wörld\n".encode(), "a WAV sound file (its name ends in .wav)", "text"),
    "page.mp4": (
        b"<!DOCTYPE html><title>404</title>" * 99,
        "an MP4 or QuickTime file (its name ends in .mp4)",
        "text",
    ),
    "zeros.flac": (bytes(5000), "a FLAC sound file (its name ends in .flac)", "nothing but zero bytes"),
    "array.avi": (
        stored(lambda b: np.save(b, np.ones(3))),
        "an AVI video (its name ends in .avi)",
        "a NumPy array",
    ),
    "tensor.ogg": (
        stored(lambda b: torch.save(torch.ones(3), b)),
        "an Ogg sound file (its name ends in .ogg)",
        "a zip archive (or an .npz or .pt file)",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_name_that_lies_is_said(tmp_path: Path, name: str):
    content, expected, found = CASES[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        files.identify(path, "train.tsv:7")
    assert str(error.value) == (
        f"train.tsv:7: {path}: expected {expected}; found {found} (by its first bytes). "
        "The file is wrongly named: name the right file."
    )


def test_a_medium_with_another_mediums_name_can_be_renamed(tmp_path: Path, video: Path):
    path = video.rename(tmp_path / "voice.wav")
    with pytest.raises(InputError) as error:
        files.identify(path)
    assert str(error.value) == (
        f"{path}: expected a WAV sound file (its name ends in .wav); "
        "found an MP4 or QuickTime file (by its first bytes). "
        "The file is wrongly named: name the right file, or rename it to end in .mp4."
    )


def test_a_foreign_file_of_its_own_name(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(picture("PNG"))
    with pytest.raises(InputError) as error:
        files.identify(path, wanted="a video file")
    assert str(error.value) == (
        f"{path}: expected a video file; found a PNG picture (by its first bytes). "
        "The file is of the wrong kind: name the right file."
    )


def test_a_tag_before_the_sound_says_nothing_certain(tmp_path: Path):
    path = tmp_path / "a.flac"
    soundfile.write(path, np.linspace(-0.5, 0.5, 1600), 16000)
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x00\x00" + path.read_bytes())
    assert files.identify(path) is files.FLAC
    assert files.identify(path.rename(tmp_path / "a.mp3")) is files.MP3
    with pytest.raises(InputError, match=r"found an MP3 sound file .* wrongly named"):
        files.identify((tmp_path / "a.mp3").rename(tmp_path / "a.wav"))


def test_unclear_bytes_are_left_to_the_decoder(tmp_path: Path):
    path = tmp_path / "a.mp3"
    path.write_bytes(b"\x07\x81\xfe" * 100)
    assert files.identify(path) is files.MP3
    assert files.identify(path.rename(tmp_path / "a.unknown")).medium == "container"


def test_missing_folder_and_empty(tmp_path: Path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    texts = {
        "missing.wav": "found no such file. Correct the path or put the file there.",
        "folder.wav": "found a folder. Correct the path or put the file there.",
        "pipe.wav": "found something that is no file. Correct the path or put the file there.",
        "empty.wav": "found an empty file (0 bytes). Copy or download the file again.",
    }
    for name, text in texts.items():
        with pytest.raises(InputError) as error:
            files.identify(tmp_path / name, "dev.tsv:2")
        assert str(error.value) == f"dev.tsv:2: {tmp_path / name}: expected a sound or video file; {text}"


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    path.chmod(0)
    if os.access(path, os.R_OK):
        # The superuser may read everything.
        def refuse(*args: object, **named: object):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(
        InputError, match=r"a.wav: expected a file that can be read; found 'Permission denied'"
    ):
        files.read_head(path)


def test_place_names_row_and_file():
    assert files.place("a.wav", None) == "a.wav"
    assert files.place(Path("a.wav"), "a.wav") == "a.wav"
    assert files.place("a.wav", "train.tsv:3") == "train.tsv:3: a.wav"
