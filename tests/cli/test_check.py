"""``mmer check``: a corpus with thirty different faults gives thirty readable lines."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from mmer_fairseq.cli.main import main
from mmer_fairseq.features.store import write_store

DESCRIPTION = """\
name: bad
labels:
  emotion: {kind: classes, column: emotion, classes: [happy, sad]}
  flags: {kind: multilabel, columns: [x]}
  valence: {kind: score, columns: [v], range: [-3, 3]}
  affect: {kind: trace, column: t, names: [a], rate: 10, range: [-1, 1]}
features:
  gone: {path: features/gone, modality: audio}
  w2v: {path: features/w2v, modality: audio}
  foreign: {path: features/foreign, modality: video}
"""
HEADER = "id|text|audio|video|start|end|turn|emotion|x|v|t"
# What each row is, and a part of the line that must be printed for it.
ROWS = [
    ("good|hello|a.wav|a.mp4||||happy|1|0.5|t.csv", None),
    (
        "good|hello|a.wav|||||happy|1|0.5|t.csv",
        "expected ids that are unique in the whole corpus; found 'good'",
    ),
    ("|hello|a.wav|||||happy|1|0.5|t.csv", "expected an id; found an empty cell"),
    ("c3|hello|a.wav|", "expected 11 cells separated by tabs; found 4"),
    ("c4|hello|a.wav|||||hapy|1|0.5|t.csv", "found 'hapy'. Write 'happy'"),
    ("c5|hello|a.wav||||||1|0.5|t.csv", "expected emotion to be one of happy, sad; found an empty cell"),
    ("c6|hello|a.wav|||||sad|2|0.5|t.csv", "expected x to be 0 or 1; found '2'"),
    ("c7|hello|a.wav|||||sad|1|nan|t.csv", "expected v to be a number from -3 to 3; found 'nan'"),
    ("c8|hello|a.wav|||||sad|1|3.5|t.csv", "expected v to be a number from -3 to 3; found '3.5'"),
    ("c9|hello|a.wav||x|||sad|1|0|t.csv", "expected start to be seconds, 0 or more; found 'x'"),
    ("c10|hello|a.wav||0.5|0.2||sad|1|0|t.csv", "expected end to be after start (0.5 s); found '0.2'"),
    ("c11|hello|a.wav||0.5|99||sad|1|0|t.csv", "start and end inside the medium, which lasts 1.000 s"),
    ("c12|hello|a.wav||||two|sad|1|0|t.csv", "expected turn to be a whole number, 0 or more; found 'two'"),
    ("c13|hello|none.wav|||||sad|1|0|t.csv", "none.wav: expected a sound or video file; found no such file"),
    ("c14|hello|text.wav|||||sad|1|0|t.csv", "text.wav: expected a WAV sound file (its name ends in .wav)"),
    (
        "c15|hello|empty.wav|||||sad|1|0|t.csv",
        "empty.wav: expected a sound or video file; found an empty file",
    ),
    ("c16|hello|folder.wav|||||sad|1|0|t.csv", "folder.wav: expected a sound or video file; found a folder"),
    ("c17|hello|silent.wav|||||sad|1|0|t.csv", "silent.wav: expected "),
    ("c18|hello|nan.wav|||||sad|1|0|t.csv", "nan.wav: expected "),
    ("c19|hello||picture.mp4||||sad|1|0|t.csv", "found a PNG picture"),
    ("c20|hello||cut.mp4||||sad|1|0|t.csv", "cut.mp4: expected "),
    ("c21|hello|a.mp4|||||sad|1|0|t.csv", "a.mp4: expected "),
    ("c22|hello|../a.wav|||||sad|1|0|t.csv", "expected audio to be a file inside media_root"),
    ("c23|none.txt|a.wav|||||sad|1|0|t.csv", "expected a transcript; found no such file"),
    ("c24|empty.txt|a.wav|||||sad|1|0|t.csv", "expected a transcript; found an empty file"),
    ("c25|hello|store:wav2vec|||||sad|1|0|t.csv", "expected audio to name feature stores of corpus.yaml"),
    ("c26|hello|a.wav|||||sad|1|0|none.csv", "expected a trace file; found no such file"),
    ("c27|hello|a.wav|||||sad|1|0|wrong.csv", "expected a header with the columns a; found b"),
    ("c28|hello|a.wav|||||sad|1|0|high.csv", "expected a to be a number from -1 to 1; found 7"),
    ("c29|hello|a.wav|||||sad|1|0|word.csv", "expected 1 number separated by commas; found 'x'"),
    (
        "c30|hello|a.wav|||||sad|1|0|long.csv",
        "expected a trace about as long as the clip (1.0 s); found 900 steps",
    ),
]
OTHERS = [
    "valid.tsv:2: expected text in UTF-8; found byte 0xff",
    "test.tsv:1: expected the columns to be among",
    "features/gone",
    "features/foreign",
]


def write_media(folder: Path) -> None:
    times = np.arange(8000) / 8000
    soundfile.write(folder / "a.wav", 0.5 * np.sin(2 * np.pi * 220 * times), 8000)
    soundfile.write(folder / "silent.wav", np.zeros(8000), 8000)
    soundfile.write(folder / "nan.wav", np.where(times > 0.5, np.nan, 0.1 * times), 8000, subtype="FLOAT")
    with av.open(str(folder / "a.mp4"), "w", options={"movflags": "faststart"}) as container:
        track = container.add_stream("libx264", rate=10)
        track.width, track.height, track.pix_fmt = 64, 64, "yuv420p"
        noise = np.random.default_rng(0)
        for _ in range(10):
            picture = noise.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            container.mux(track.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(track.encode())
    content = (folder / "a.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(content[: len(content) // 2])
    (folder / "picture.mp4").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    (folder / "text.wav").write_text("this is no sound\n")
    (folder / "empty.wav").touch()
    (folder / "empty.txt").touch()
    (folder / "folder.wav").mkdir()
    traces = {
        "t": "a\n" + "0.5\n" * 10,
        "wrong": "b\n1\n",
        "high": "a\n7\n",
        "word": "a\nx\n",
        "long": "a\n" + "0\n" * 900,
    }
    for name, text in traces.items():
        (folder / f"{name}.csv").write_text(text)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    write_media(tmp_path)
    (tmp_path / "corpus.yaml").write_text(DESCRIPTION)
    table = "".join(row.replace("|", "\t") + "\n" for row in [HEADER, *(row for row, _ in ROWS)])
    (tmp_path / "train.tsv").write_text(table)
    (tmp_path / "valid.tsv").write_bytes(b"id\ttext\n\xff\tx\n")
    (tmp_path / "test.tsv").write_text("id\ttxt\temotion\tx\tv\tt\nd\tx\tsad\t1\t0\tt.csv\n")
    listed = [row.split("|")[0] for row, _ in ROWS if row.count("|") == 10 and row[0] != "|"]
    items = [(clip, np.zeros((2, 3), np.float32)) for clip in dict.fromkeys(listed)]
    write_store(tmp_path / "features/w2v", items, modality="audio", rate=10.0)
    (tmp_path / "features/foreign").mkdir()
    (tmp_path / "features/foreign/store.json").write_text("{}")
    return tmp_path


def test_thirty_faults(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(bad), "--decode", "--jobs", "1"]) == 1
    printed = capsys.readouterr().out.splitlines()
    wanted = [(f"train.tsv:{line}", part) for line, (_, part) in enumerate(ROWS, start=2) if part]
    wanted = [(("" if part.startswith("expected a header") else at), part) for at, part in wanted]
    for at, part in [*wanted, *(("", part) for part in OTHERS)]:
        row = at if ".csv" not in part and not re.search(r"found (7|'x')$", part) else ""
        assert any(part in line and row in line for line in printed), (at, part)
    faults = [line for line in printed if re.search(r": expected .*; found .*\. \S.*\.$", line)]
    assert len(faults) >= len(wanted) + len(OTHERS)
    assert not any("Traceback" in line for line in printed)
    assert printed[-1] == f"{len(faults)} faults"


def test_a_good_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "corpus.yaml").write_text(
        "name: x\nlabels: {e: {kind: classes, column: e, classes: [a, b]}}\n"
    )
    (tmp_path / "train.tsv").write_text("id\ttext\te\n1\tx\ta\n2\ty\ta\n")
    assert main(["check", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "train: 2 clips, 0.00 h",
        "  e: a 2, b 0",
        "  missing: none",
        "no split 'valid': to train, name others with --train-subset and --valid-subset",
        "no faults",
    ]


def test_no_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none")]) == 1
    printed = capsys.readouterr().out
    assert "none: expected a corpus" in printed
    assert printed.endswith("\n1 fault\n")


def test_one_label_space(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "corpus.yaml").write_text(
        "name: x\nlabels: {e: {kind: classes, column: e, classes: [a, b]}}\n"
    )
    (tmp_path / "train.tsv").write_text("id\ttext\te\n1\tx\ta\n")
    assert main(["check", str(tmp_path), "--labels", "f"]) == 1
    assert "expected the label space to be one of e; found 'f'" in capsys.readouterr().out


def test_jobs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path), "--jobs", "0"]) == 2
    assert capsys.readouterr().err == (
        "error: --jobs: expected 1 or more processes; found 0. Write a whole number.\n"
    )


def test_silence_is_a_fault_unless_allowed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    (tmp_path / "corpus.yaml").write_text(
        "name: x\nlabels: {e: {kind: classes, column: e, classes: [a, b]}}\n"
    )
    (tmp_path / "train.tsv").write_text("id\taudio\te\n1\ta.wav\ta\n")
    words = ["check", str(tmp_path), "--decode", "--jobs", "1"]
    assert main(words) == 1
    assert "or add --allow-silent." in capsys.readouterr().out
    assert main([*words, "--allow-silent"]) == 0
