"""One clip looked into."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmer_fairseq.corpus.clip import Clip
from mmer_fairseq.corpus.clip_faults import inspect_clip
from mmer_fairseq.corpus.labels import LabelSpace

TRACE = LabelSpace("affect", "trace", ("v",), ("trace",), range=(-1.0, 1.0), rate=10.0)


def clip(
    *,
    start: float | None = None,
    end: float | None = None,
    text_is_path: bool = False,
    label="",
    **media: Path | str,
) -> Clip:
    cells = {modality: str(cell) for modality, cell in media.items()}
    return Clip("c", cells, text_is_path, start, end, "", "", "", str(label), "train.tsv:2", "train")


def look(found: Clip, *, decode: bool = False, text_form: str = "words", trace: bool = False):
    return inspect_clip((found, [(TRACE, found)] if trace else []), decode=decode, text_form=text_form)


@pytest.fixture
def media(tmp_path: Path, kit) -> Path:
    kit.wav(tmp_path / "a.wav", seconds=2.0)
    kit.mp4(tmp_path / "a.mp4", frames=10, fps=10)
    (tmp_path / "a.txt").write_text("some words")
    np.save(tmp_path / "a.npy", np.zeros((20, 2), np.float32))
    return tmp_path


@pytest.mark.parametrize("decode", [False, True])
def test_a_whole_clip(media: Path, decode: bool) -> None:
    found = look(
        clip(
            audio=media / "a.wav",
            video=media / "a.mp4",
            text=media / "a.txt",
            physio=media / "a.npy",
            text_is_path=True,
        ),
        decode=decode,
    )
    assert found.faults == []
    assert found.seconds == pytest.approx(2.0)


def test_the_times_of_the_clip_count(media: Path) -> None:
    assert look(clip(audio=media / "a.wav", start=0.5)).seconds == pytest.approx(1.5)
    assert look(clip(audio=media / "a.wav", start=0.5, end=1.0)).seconds == pytest.approx(0.5)


def test_a_mended_file_is_read_anew(tmp_path: Path, kit) -> None:
    found = clip(audio=tmp_path / "a.wav")
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    assert len(look(found).faults) == 1
    kit.wav(tmp_path / "a.wav", seconds=2.0)
    assert look(found).seconds == pytest.approx(2.0)
    kit.wav(tmp_path / "a.wav", seconds=3.0)
    assert look(found).seconds == pytest.approx(3.0)


def test_stored_features_are_no_media() -> None:
    found = look(clip(audio="store:x", text="store:y"))
    assert found.faults == []
    assert found.seconds == 0


def test_every_medium_is_looked_at(media: Path) -> None:
    (media / "bad.mp4").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    found = look(
        clip(audio=media / "none.wav", video=media / "bad.mp4", text=media / "none.txt", text_is_path=True)
    )
    assert len(found.faults) == 3
    assert all(fault.startswith("train.tsv:2") for fault in found.faults)
    assert [word in fault for word, fault in zip(("no such file", "PNG", "no such file"), found.faults)] == [
        True
    ] * 3


def test_a_folder(media: Path) -> None:
    (media / "folder.wav").mkdir()
    (fault,) = look(clip(audio=media / "folder.wav")).faults
    assert "found a folder" in fault


def test_times_outside_the_medium(media: Path) -> None:
    (fault,) = look(clip(audio=media / "a.wav", start=1.0, end=5.0)).faults
    assert fault.startswith(f"train.tsv:2: {media}/a.wav: expected start and end inside the medium")


def test_silence_shows_when_decoded(media: Path, kit) -> None:
    silent = clip(audio=kit.wav(media / "silent.wav", level=0.0))
    assert look(silent).faults == []
    (fault,) = look(silent, decode=True).faults
    assert fault.startswith(f"train.tsv:2: {media}/silent.wav: ")


def test_ids_that_are_no_integers(media: Path) -> None:
    (media / "ids.txt").write_text("0 31414 232 2")
    good = clip(text=media / "ids.txt", text_is_path=True)
    assert look(good, text_form="ids").faults == []
    (fault,) = look(clip(text=media / "a.txt", text_is_path=True), text_form="ids").faults
    assert "some" in fault
    assert fault.startswith("train.tsv:2")


def test_an_empty_transcript(media: Path) -> None:
    (media / "empty.txt").write_text(" \n")
    (fault,) = look(clip(text=media / "empty.txt", text_is_path=True)).faults
    assert fault == (
        f"train.tsv:2: expected a transcript; found an empty file: {media}/empty.txt. Write its content or "
        f"name another "
        "file."
    )


def test_a_trace_is_read_and_compared_with_the_clip(media: Path) -> None:
    np.save(media / "t.npy", np.zeros(20, np.float32))
    np.save(media / "long.npy", np.zeros(200, np.float32))
    assert look(clip(audio=media / "a.wav", label=media / "t.npy"), trace=True).faults == []
    (fault,) = look(clip(audio=media / "a.wav", label=media / "long.npy"), trace=True).faults
    assert fault == (
        "train.tsv:2: expected a trace about as long as the clip (2.0 s); found 200 steps, 20.0 s at 10 Hz, "
        "in "
        f"{media}/long.npy. Correct the rate of the label space, or name the trace of this clip."
    )
    (fault,) = look(clip(audio=media / "a.wav", label=media / "none.csv"), trace=True).faults
    assert "found no such file" in fault


def test_a_trace_is_measured_at_the_rate_of_its_clip(media: Path) -> None:
    np.save(media / "fast.npy", np.zeros(200, np.float32))
    fast = replace(clip(audio=media / "a.wav", label=media / "fast.npy"), rate=100.0)
    assert look(fast, trace=True).faults == []
    (fault,) = look(replace(fast, rate=50.0), trace=True).faults
    assert "found 200 steps, 4.0 s at 50 Hz, in " in fault
    assert fault.endswith("Correct the rate of the clip, or name the trace of this clip.")


def test_a_folder_of_pictures(media: Path) -> None:
    (media / "v").mkdir()
    for number in (1, 2, 5, 20):
        Image.new("L", (4, 4)).save(media / "v" / f"{number:05d}.png")
    faces = clip(video=media / "v")
    # without a rate of its own: that of the trace, else 30 Hz
    assert look(faces).seconds == pytest.approx(20 / 30)
    np.save(media / "t.npy", np.zeros(20, np.float32))
    labelled = replace(faces, label=str(media / "t.npy"))
    assert look(labelled, trace=True, decode=True).faults == []
    assert look(labelled, trace=True).seconds == 2.0
    assert look(replace(faces, rate=5.0, start=1.0)).seconds == 3.0
    # a face may leave long before the end, but none comes after it
    np.save(media / "t.npy", np.zeros(200, np.float32))
    assert look(labelled, trace=True).faults == []
    np.save(media / "t.npy", np.zeros(5, np.float32))
    (fault,) = look(labelled, trace=True).faults
    assert "expected a trace about as long as the clip (2.0 s); found 5 steps, 0.5 s" in fault
    np.save(media / "t.npy", np.zeros(20, np.float32))
    (media / "v" / "00005.png").write_text("broken")
    assert look(faces).faults == []
    (fault,) = look(faces, decode=True).faults
    assert fault.startswith(f"train.tsv:2: {media}/v/00005.png: expected a whole JPEG or PNG picture")
    (media / "v" / "00001.png").write_text("broken")
    assert "00001.png: expected a whole" in look(faces).faults[0]
    (media / "v" / "face.png").touch()
    assert "found 'face.png'" in look(faces).faults[0]
    (fault,) = look(replace(labelled, media={"video": str(media)}), trace=True).faults
    assert "expected a folder of numbered pictures" in fault


@pytest.mark.parametrize("decode", [False, True])
def test_one_picture(media: Path, decode: bool) -> None:
    Image.new("L", (4, 4)).save(media / "face.jpg")
    face = clip(video=media / "face.jpg", start=3.0, end=4.0)
    assert look(face, decode=decode).faults == []
    assert look(face, decode=decode).seconds == pytest.approx(1 / 30)
    content = (media / "face.jpg").read_bytes()
    (media / "face.jpg").write_bytes(content[:-40])
    (fault,) = look(face, decode=decode).faults
    assert fault.startswith(f"train.tsv:2: {media}/face.jpg: expected a whole JPEG or PNG picture; found")


def test_biosignals_of_a_stated_rate_have_a_length(media: Path) -> None:
    signal = clip(physio=media / "a.npy", start=1.0)
    assert look(signal).seconds == 0.0
    stated = {"decode": False, "text_form": "words", "physio_rate": 10.0}
    assert inspect_clip((signal, []), **stated).seconds == 1.0
    (fault,) = inspect_clip((replace(signal, start=3.0), []), **stated).faults
    assert "expected start and end inside the medium, which lasts 2.000 s" in fault
    (fault,) = inspect_clip((signal, []), **stated, physio_channels=("eda",)).faults
    assert fault.startswith(f"train.tsv:2: {media}/a.npy: expected 1 channel (eda); found 2.")
