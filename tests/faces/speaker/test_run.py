"""``mmer faces --speaker`` on a small corpus of composed films."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus, write_corpus
from mmer_fairseq.corpus.check import check

SPACES = {"e": {"kind": "classes", "column": "e", "classes": ["x", "y"]}}


def write_film(path: Path, scene, rate: int) -> None:
    with av.open(str(path), "w") as container:
        track = container.add_stream("libx264", rate=25)
        track.height, track.width = scene.frames.shape[1:3]
        track.pix_fmt, track.options = "yuv420p", {"crf": "18", "preset": "veryfast"}
        voice = container.add_stream("aac", rate=rate, layout="mono")
        for k, picture in enumerate(scene.frames):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            container.mux(track.encode(frame))
        container.mux(track.encode())
        for first in range(0, len(scene.wave), 1024):
            block = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(scene.wave[None, first : first + 1024]), "fltp", "mono"
            )
            block.sample_rate, block.time_base, block.pts = rate, Fraction(1, rate), first
            container.mux(voice.encode(block))
        container.mux(voice.encode())


@pytest.fixture(scope="module")
def scenes(films) -> dict:
    size = (150, 260)
    return {
        "d/1": films.compose(21, people=3, cuts=1, seconds=2.4, off_screen=False, size=size, hard=0.5),
        "out": films.compose(8, people=2, cuts=0, seconds=3.0, off_screen=True, size=size, hard=0.5),
    }


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, films, scenes) -> Path:
    folder = tmp_path_factory.mktemp("c") / "c"
    (folder / "media").mkdir(parents=True)
    rows = []
    for number, (clip, scene) in enumerate(scenes.items()):
        write_film(folder / "media" / f"{number}.mp4", scene, films.rate)
        film = f"media/{number}.mp4"
        rows.append({"id": clip, "video": film, "audio": film, "e": "x"})
    write_corpus(folder, description={"name": "c", "labels": SPACES}, rows={"train": rows})
    return folder


def table(path: Path) -> dict[str, dict[str, str]]:
    head, *lines = (line.split("\t") for line in path.read_text().splitlines())
    return {line[0]: dict(zip(head, line)) for line in lines}


def test_the_corpus_of_speakers(corpus, scenes, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["faces", str(corpus), "--out", str(out), "--speaker", "--detector", "blobs", "--workers", "1"]
    assert main([*words, "--rate", "5"]) == 0
    shown = capsys.readouterr().out
    assert f"speaker off-screen in 1 clip, unsure of 1 clip: {out}/faces/unsure.tsv" in shown
    assert (out / "faces" / "contact-sheet.png").is_file()
    found = table(out / "faces" / "speakers.tsv")
    assert list(found["d/1"]) == ["clip", "track", "identity", "confidence", "unsure", "reason"]
    assert (found["d/1"]["unsure"], found["out"]["unsure"]) == ("no", "yes")
    assert list(table(out / "faces" / "unsure.tsv")) == ["out"]
    assert check(out, decode=True).faults == []
    clips = {clip.id: clip for clip in Corpus.load(out).clips("train")}
    assert (clips["d/1"].has("video"), clips["out"].has("video")) == (True, False)
    lines = [line.split("\t") for line in (out / "faces" / "manifest.tsv").read_text().splitlines()[1:]]
    scene = scenes["d/1"]
    mine = [line for line in lines if line[0] == "d/1"]
    assert len(mine) == 12
    for line in mine:
        x0, y0, x1, y1 = map(float, line[5:9])
        left, top, right, bottom = scene.boxes[round(float(line[2]) * 25)][scene.speaker]
        assert left < (x0 + x1) / 2 < right
        assert top < (y0 + y1) / 2 < bottom

    before = {file: file.stat().st_mtime_ns for file in (out / "speaker").iterdir()}
    crop = out / "faces" / "d%2F1" / "00001.jpg"
    crop.unlink()
    assert main([*words, "--rate", "5"]) == 0  # goes on: crops are cut again, nothing else is done twice
    assert crop.is_file()
    assert {file: file.stat().st_mtime_ns for file in (out / "speaker").iterdir()} == before
    assert main([*words, "--rate", "5", "--off-screen", "best"]) == 2
    assert "faces found with speaker" in capsys.readouterr().err


def test_boxes_from_a_file_and_the_best_guess(corpus, scenes, tmp_path):
    lines = ["clip\ttime\tx0\ty0\tx1\ty1"]
    for clip, scene in scenes.items():
        for k in range(0, len(scene.boxes), 5):
            for box in scene.boxes[k].values():
                lines.append("\t".join([clip, f"{k / 25:.2f}", *(f"{x:.1f}" for x in box)]))
    (tmp_path / "boxes.tsv").write_text("\n".join(lines))
    out = tmp_path / "out"
    words = ["faces", str(corpus), "--out", str(out), "--speaker", "--boxes", str(tmp_path / "boxes.tsv")]
    assert main([*words, "--workers", "1", "--off-screen", "best"]) == 0
    clips = Corpus.load(out).clips("train")
    assert all(clip.has("video") for clip in clips)
    assert list(table(out / "faces" / "unsure.tsv")) == ["out"]


def test_flags_of_the_speaker_need_it(corpus, tmp_path, capsys):
    words = ["faces", str(corpus), "--out", str(tmp_path / "out"), "--detector", "centre"]
    assert main([*words, "--off-screen", "best"]) == 2
    assert capsys.readouterr().err.endswith(
        "error: --off-screen: expected --speaker beside it; found none. Add --speaker.\n"
    )
    assert main([*words, "--boxes", str(tmp_path / "no.tsv"), "--speaker"]) == 2
    assert "no.tsv" in capsys.readouterr().err
