"""A corpus → the same corpus whose video is faces, whoever does it and however often it is killed."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from mmer_fairseq.corpus import Corpus, register_features, write_corpus
from mmer_fairseq.corpus.check import check
from mmer_fairseq.corpus.streams import RawOptions, read_stream
from mmer_fairseq.errors import InputError
from mmer_fairseq.faces import detectors, work
from mmer_fairseq.faces.detectors import Entry, Face
from mmer_fairseq.faces.run import COLUMNS, find_faces, told
from mmer_fairseq.faces.settings import Settings, alone


def run(corpus: Path, kit, out: str = "out", changes: dict | None = None, **more):
    settings = kit.settings(**{"rate": 0.0, **(changes or {})})
    return find_faces(corpus, corpus.parent / out, settings, progress=False, **more)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def manifest(out: Path) -> list[dict[str, str]]:
    lines = [line.split("\t") for line in (out / "faces" / "manifest.tsv").read_text().splitlines()]
    assert tuple(lines[0]) == COLUMNS
    return [dict(zip(COLUMNS, line)) for line in lines[1:]]


def clips(folder: Path) -> dict:
    corpus = Corpus.load(folder)
    return {clip.id: clip for split in corpus.splits for clip in corpus.clips(split)}


def test_the_new_corpus_is_the_old_one_with_faces(corpus, squares, kit):
    outcome = run(corpus, kit)
    assert outcome.clips == 3
    assert outcome.without == ["empty"]
    assert outcome.pictures == {"found": 3, "none": 5}
    old, new = clips(corpus), clips(outcome.out)
    assert list(new) == list(old)
    assert check(outcome.out, decode=True).faults == []
    for clip_id, clip in new.items():
        for field in ("start", "end", "speaker", "label", "split", "text_is_path"):
            assert getattr(clip, field) == getattr(old[clip_id], field), field
        assert clip.has("video") == (clip_id in ("d/1", "d/2"))
        assert {m: path for m, path in clip.media.items() if m != "video"} == {
            m: path for m, path in old[clip_id].media.items() if m != "video"
        }
    first = new["d/1"]
    assert first.media["video"] == str(outcome.out / "faces" / "d%2F1")
    # at 0.1, 0.6 and 1.1 s of the recording; the last has no face
    assert (first.rate, sorted(os.listdir(first.media["video"]))) == (
        2.0,
        ["00001.jpg", "00002.jpg", "faces.json"],
    )
    crops = read_stream(first, "video", RawOptions(frame_size=16))
    assert crops.shape == (2, 3, 16, 16)
    assert (crops[:, 0].float().mean(dim=(1, 2)) > 200).all()
    # start and end still crop sound
    assert torch.equal(
        read_stream(first, "audio", RawOptions()), read_stream(old["d/1"], "audio", RawOptions())
    )


def test_the_manifest_tells_every_moment(corpus, squares, kit):
    outcome = run(corpus, kit, changes={"hold": 0.0, "version": "7"})
    rows = manifest(outcome.out)
    assert [(row["clip"], row["how"]) for row in rows] == [
        *(("d/1", how) for how in ("found", "found", "none")),
        *(("d/2", how) for how in ("found", "none", "none")),
        *(("empty", how) for how in ("none", "none")),
    ]
    assert rows[1] == {
        "clip": "d/1", "picture": "2", "clip_seconds": "0.500", "medium_seconds": "0.600", "how": "found",
        "x0": "16", "y0": "20", "x1": "40", "y1": "44", "score": "0.9", "track": "1", "detector": "squares 7",
    }  # fmt: skip
    assert [row["medium_seconds"] for row in rows[3:6]] == ["1.600", "2.100", "2.600"]
    assert {row["x0"] + row["score"] + row["track"] for row in rows if row["how"] == "none"} == {""}
    summary = json.loads((outcome.out / "faces" / "summary.json").read_text())
    assert summary["pictures"] == {"found": 3, "none": 5}
    assert summary["without_a_face"] == ["empty"]
    assert (summary["detector"], summary["version"], summary["instead_of"]) == ("squares", "7", "")
    shown = told(outcome)
    assert "3 clips with a video, 8 pictures: 3 with a face, 5 without a face" in shown
    assert "no face found in 1 clip: empty" in shown


def test_the_column_side_says_who_is_meant(corpus, squares, kit):
    described = yaml.safe_load((corpus / "corpus.yaml").read_text())
    described["other_columns"] = ["side"]
    (corpus / "corpus.yaml").write_text(yaml.safe_dump(described))
    file = corpus / "train.tsv"
    header, *rows = file.read_text().splitlines()
    file.write_text("\n".join([f"{header}\tside", *(f"{row}\tright" for row in rows)]) + "\n")
    outcome = run(corpus, kit)
    assert outcome.clips == 3
    assert all(float(row["x0"]) + float(row["x1"]) > 128 for row in manifest(outcome.out) if row["x0"])
    file.write_text("\n".join([f"{header}\tside", *(f"{row}\tup" for row in rows)]) + "\n")
    with pytest.raises(
        InputError, match=r"train\.tsv:2: expected left or right in column 'side', .*found 'up'"
    ):
        run(corpus, kit, "other")


def test_with_a_fallback_no_clip_is_without_picture(corpus, squares, kit):
    outcome = run(corpus, kit, changes={"fallback": "centre"})
    assert outcome.without == ["empty"]
    new = clips(outcome.out)
    assert len(read_stream(new["empty"], "video", RawOptions())) == 2
    assert {row["how"] for row in manifest(outcome.out) if row["clip"] == "empty"} == {"fallback"}


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_change_nothing(corpus, squares, kit, workers):
    one = run(corpus, kit, "one")
    several = run(corpus, kit, "several", workers=workers)
    assert contents(one.out / "faces") == contents(several.out / "faces")
    assert (one.without, one.pictures) == (several.without, several.pictures)
    for split in ("train", "valid"):
        text = (one.out / f"{split}.tsv").read_text()
        assert (several.out / f"{split}.tsv").read_text() == text.replace("one/faces", "several/faces")


def test_run_again_nothing_is_done_twice(corpus, squares, kit):
    first = run(corpus, kit)
    before = contents(first.out)
    squares.calls.clear()
    again = run(corpus, kit)
    assert squares.calls == []
    assert contents(again.out) == before
    assert (again.without, again.pictures) == (first.without, first.pictures)
    # times corrected: that clip alone
    table = corpus / "train.tsv"
    table.write_text(table.read_text().replace("0.1\t1.6", "0.1\t1.0"))
    run(corpus, kit)
    assert squares.calls == [2]


def slow(pictures):
    time.sleep(0.05)
    return [[Face((10.0, 10.0, 40.0, 40.0), 1.0)] for _ in pictures]


COMMAND = """
import sys, time
from mmer_fairseq.faces import detectors
from mmer_fairseq.faces.detectors import Entry, Face
from mmer_fairseq.faces.run import find_faces
from mmer_fairseq.faces.settings import Settings
def slow(pictures):
    time.sleep(0.05)
    return [[Face((10.0, 10.0, 40.0, 40.0), 1.0)] for _ in pictures]
detectors.DETECTORS["slow"] = Entry(lambda min_face, device: slow)
find_faces(sys.argv[1], sys.argv[2], Settings("slow"), workers=2, progress=False)
"""


def test_killed_and_run_again(tmp_path, empty_film, kit, monkeypatch, caplog):
    monkeypatch.setitem(detectors.DETECTORS, "slow", Entry(lambda min_face, device: slow))
    rows = [{"id": f"c{k}", "video": str(empty_film), "e": "x"} for k in range(24)]
    description = {"name": "c", "labels": kit.labels, "media_root": str(empty_film.parent)}
    write_corpus(tmp_path / "c", description=description, rows={"train": rows})
    folder = tmp_path / "out" / "faces"
    words = [sys.executable, "-c", COMMAND, str(tmp_path / "c"), str(tmp_path / "out")]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(folder.glob("c*"))) < 4:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out" / "corpus.yaml").exists()
    with alone(folder):  # its workers have ended with it
        done = {path.name: path.stat().st_ino for path in folder.glob("c*")}
    assert 4 <= len(done) < 24
    caplog.set_level(logging.INFO)
    find_faces(tmp_path / "c", tmp_path / "out", Settings("slow"), workers=2, progress=False)
    assert f"{len(done)} of 24 clips are there already" in caplog.text
    assert {name: (folder / name).stat().st_ino for name in done} == done
    find_faces(tmp_path / "c", tmp_path / "whole", Settings("slow"), progress=False)
    assert contents(folder) == contents(tmp_path / "whole" / "faces")
    assert len(clips(tmp_path / "out")) == 24


def test_a_broken_video_ends_the_run_or_is_left_out(corpus, squares, kit):
    kit.spoil(corpus / "media" / "empty.mp4", 0.0, 0.9)
    with pytest.raises(InputError, match=r"valid.tsv:2: .*empty.mp4: expected"):
        run(corpus, kit, workers=2)
    assert not (corpus.parent / "out" / "corpus.yaml").exists()
    outcome = run(corpus, kit, skip_bad=1)
    assert list(outcome.skipped) == ["empty"]
    assert "not readable: 1\n  empty: " in told(outcome)
    assert not clips(outcome.out)["empty"].has("video")
    summary = json.loads((outcome.out / "faces" / "summary.json").read_text())
    assert list(summary["not_readable"]) == ["empty"]
    (corpus / "media" / "film.mp4").write_bytes(b"no film")
    with pytest.raises(
        InputError, match="--skip-bad: expected at most 1 clips whose video cannot be read; found 2:"
    ):
        run(corpus, kit, "other", skip_bad=1)


def test_a_worker_that_dies_or_fails_is_told(corpus, squares, kit, monkeypatch):
    monkeypatch.setattr(work, "do", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(
        InputError, match="mmer faces: expected all workers to live until the end; found one that was"
    ):
        run(corpus, kit, workers=2)

    def fail(*_):
        raise KeyError("oops")

    monkeypatch.setattr(work, "do", fail)
    with pytest.raises(RuntimeError, match=r"a worker failed\n(.|\n)*oops"):
        run(corpus, kit, workers=2)

    def refuse(*_):
        raise InputError("no room")

    monkeypatch.setattr(work, "do", refuse)
    with pytest.raises(InputError, match=r"^no room$"):
        run(corpus, kit, workers=2)


def with_traces(corpus: Path, cells: tuple[str, str], spaces: dict) -> None:
    """The clips of the train split alone, with a trace of 10 Hz and these cells of the column 'rate'."""
    (corpus / "traces").mkdir()
    (corpus / "valid.tsv").unlink()
    rows = []
    for name, cell, start, end in zip("ab", cells, (0.0, 1.0), (1.0, 2.0)):
        np.save(corpus / "traces" / f"{name}.npy", np.zeros((10, 1), dtype="f4"))
        row = {"id": name, "video": "media/film.mp4", "start": str(start), "end": str(end), "rate": cell}
        rows.append({**row, "t": f"traces/{name}.npy"})
    write_corpus(corpus, description={"name": "c", "labels": spaces}, rows={"train": rows})


TRACE = {"kind": "trace", "column": "t", "names": ["v"], "range": [-1, 1], "rate": 10}


def test_traces_give_the_rate(corpus, squares, kit):
    with_traces(corpus, ("", ""), {"t": TRACE})
    outcome = run(corpus, kit)
    new = clips(outcome.out)
    assert [clip.rate for clip in new.values()] == [10.0, 10.0]
    assert new["a"].label == str(corpus / "traces" / "a.npy")
    assert len(read_stream(new["a"], "video", RawOptions())) == 10
    assert check(outcome.out, decode=True).faults == []
    run(corpus, kit, "same", {"rate": 10.0})
    with pytest.raises(InputError) as error:
        run(corpus, kit, "other", {"rate": 4.0})
    assert str(error.value) == (
        f"{corpus}/train.tsv:2: expected pictures at the rate of the clip's trace, 10 Hz: the column 'rate' is of "
        "both; found --rate 4. Leave out --rate and --img-interval, or name the label spaces without traces with "
        "--labels."
    )


def test_traces_of_several_rates(corpus, squares, kit):
    with_traces(corpus, ("10", ""), {"t": TRACE, "u": {**TRACE, "rate": 20}})
    with pytest.raises(InputError) as error:
        run(corpus, kit)
    assert str(error.value) == (
        f"{corpus}/train.tsv:3: expected traces of one rate, which the column 'rate' gives to the pictures too; "
        "found 10 Hz and 20 Hz. Name the label space of one of them with --labels."
    )
    new = Corpus.load(run(corpus, kit, labels=["u"], splits=["train"]).out)
    assert list(new.description.labels) == ["u"]


def test_without_its_traces_a_corpus_may_have_any_rate(corpus, squares, kit):
    with_traces(corpus, ("", ""), {"t": TRACE})
    text = (corpus / "train.tsv").read_text().splitlines()
    (corpus / "train.tsv").write_text("\n".join(f"{line}\t{cell}" for line, cell in zip(text, "exy")) + "\n")
    description = yaml.safe_load((corpus / "corpus.yaml").read_text())
    description["labels"].update(kit.labels)
    (corpus / "corpus.yaml").write_text(yaml.safe_dump(description))
    outcome = run(corpus, kit, changes={"rate": 4.0}, labels=["e"])
    assert (outcome.out / "train.tsv").read_text().splitlines()[0] == "id\tvideo\tstart\tend\trate\te"
    assert [(clip.rate, clip.label) for clip in clips(outcome.out).values()] == [(4.0, 0), (4.0, 1)]
    with pytest.raises(InputError, match="expected the label space to be one of e, t; found 'f'"):
        run(corpus, kit, "other", labels=["f"])


def test_stores_splits_and_tokenizer_come_along(corpus, squares, kit):
    from safetensors.numpy import save_file  # any file: nothing opens it

    (corpus / "features").mkdir()
    save_file({"x": np.zeros(1)}, corpus / "features" / "x")
    register_features(corpus, name="s", path=corpus / "features" / "x", modality="video")
    table = corpus / "valid.tsv"
    table.write_text(table.read_text() + "stored\t\t\tstore:s\ty\n")
    (corpus / "tokenizer.model").write_bytes(b"model")
    out = corpus / "inside"
    outcome = find_faces(corpus, out, kit.settings(rate=0.0), splits=["valid"], progress=False)
    new = Corpus.load(out)
    assert new.splits == ("valid",)
    assert new.features["s"].path == corpus / "features" / "x"
    assert clips(out)["stored"].stores("video") == ("s",)
    assert (out / "tokenizer.model").read_bytes() == b"model"
    assert (outcome.clips, outcome.without) == (1, ["empty"])
    assert yaml.safe_load((out / "corpus.yaml").read_text())["media_root"] == ".."


def test_faces_may_be_cut_again_from_faces(corpus, squares, kit):
    first = run(corpus, kit, changes={"size": 64, "margin": 40})
    again = run(first.out, kit, "again", {"size": 16})
    assert (again.clips, again.pictures["found"]) == (2, first.pictures["found"])
    assert check(again.out, decode=True).faults == []


def test_the_new_folder_must_be_new(corpus, squares, kit, tmp_path):
    with pytest.raises(
        InputError, match="expected a folder for a new corpus, or one that mmer faces began; found the "
    ):
        run(corpus, kit, "c")
    write_corpus(
        tmp_path / "x",
        description={"name": "x", "labels": kit.labels},
        rows={"t": [{"id": "a", "text": "b", "e": "x"}]},
    )
    with pytest.raises(InputError, match="mmer faces began; found another corpus"):
        run(corpus, kit, "x")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="mmer faces began; found a file"):
        run(corpus, kit, "file")


def test_a_corpus_without_videos(tmp_path, squares, kit):
    rows = {"train": [{"id": "a", "text": "words", "e": "x"}]}
    write_corpus(tmp_path / "c", description={"name": "c", "labels": kit.labels}, rows=rows)
    with pytest.raises(InputError, match="/c: expected clips with video as a medium; found none"):
        run(tmp_path / "c", kit)


def test_a_folder_with_a_blank_would_turn_a_transcript_into_words(corpus, squares, kit):
    spaced = corpus.rename(corpus.with_name("my c"))
    with pytest.raises(
        InputError, match=r"train.tsv:3: expected transcripts whose path from .* holds no blank; found 'my c/"
    ):
        run(spaced, kit)
    assert run(spaced, kit, "my c/faces1").clips == 3
