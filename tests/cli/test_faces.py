"""``mmer faces`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.streams import RawOptions, read_stream
from mmer_fairseq.faces import detectors


@pytest.fixture
def corpus(tmp_path: Path, toy: Path) -> Path:
    """A few clips of the embedded corpus, in a folder of their own."""
    folder = tmp_path / "few"
    folder.mkdir()
    text = (toy / "corpus.yaml").read_text()
    (folder / "corpus.yaml").write_text(text.replace("media_root: .", f"media_root: {toy}"))
    for split in ("train", "valid"):
        lines = (toy / f"{split}.tsv").read_text().splitlines(keepends=True)
        (folder / f"{split}.tsv").write_text("".join(lines[:3]))
    return folder


def test_the_middle_of_each_picture(corpus, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["faces", str(corpus), "--out", str(out), "--detector", "centre", "--workers", "1"]
    assert main([*words, "--splits", "train"]) == 0
    shown = capsys.readouterr().out
    assert f"{out}/corpus.yaml: " in shown
    assert "of the middle" in shown
    assert "no face found" not in shown
    plan = json.loads((out / "faces" / "plan.json").read_text())
    assert (plan["detector"], plan["size"], plan["margin"], plan["face"]) == ("centre", 48, 2, "track")
    new = Corpus.load(out)
    assert new.splits == ("train",)
    clip = next(clip for clip in new.clips("train") if clip.has("video"))
    assert read_stream(clip, "video", RawOptions(frame_size=48)).shape[1:] == (3, 48, 48)
    assert main([*words, "--splits", "train", "--size", "32"]) == 2
    assert "expected faces found with size 32; found some found with size 48" in capsys.readouterr().err
    assert main(["check", "--decode", "--jobs", "1", str(out)]) == 0


def test_faults_are_one_line(corpus, tmp_path, capsys, monkeypatch):
    words = ["faces", str(corpus), "--out", str(tmp_path / "out")]
    assert main([*words, "--detector", "eyes"]) == 2
    assert capsys.readouterr().err.endswith(
        "error: --detector: expected one of mtcnn, haar, blobs, centre; found 'eyes'. Write one of them.\n"
    )
    assert main([*words, "--detector", "centre", "--splits", "tarin"]) == 2
    assert "Write 'train'" in capsys.readouterr().err

    def refuse(module):
        raise ImportError(f"No module named '{module}'")

    monkeypatch.setattr(detectors, "import_module", refuse)
    assert main(words) == 2
    shown = capsys.readouterr().err
    assert (
        "expected an installed face detector; found No module named 'facenet_pytorch'; No module named 'cv2"
        in shown
    )
    assert "pip install --no-deps facenet-pytorch==2.6.0" in shown
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--rate", "0"], "argument --rate: expected a number above 0, found 0"),
        (["--img-interval", "-500"], "argument --img-interval: expected a number above 0, found -500"),
        (["--img-interval", "500", "--rate", "2"], "not allowed with argument"),
    ],
)
def test_intervals(corpus, capsys, flags, message):
    with pytest.raises(SystemExit):
        main(["faces", str(corpus), "--out", "x", *flags])
    assert message in capsys.readouterr().err
