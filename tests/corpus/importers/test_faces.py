"""``mmer import faces`` on folders of classes and on expressions of Aff-Wild2's form."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml
from PIL import Image

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Clip, Corpus
from mmer_fairseq.corpus.check import check
from mmer_fairseq.corpus.streams import RawOptions, read_stream

MELD = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"


def face(path: Path, grey: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), grey).save(path)


def run(root: Path, *words: str) -> int:
    return main(["import", "faces", str(root.parent / "out"), "--root", str(root), *words])


def clips(folder: Path) -> dict[str, dict[str, Clip]]:
    corpus = Corpus.load(folder)
    return {split: {clip.id: clip for clip in corpus.clips(split)} for split in corpus.splits}


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Classes 1, 2 and 10, of 10, 20 and 5 pictures; one lies deeper, some are no pictures."""
    for name, count in (("1", 10), ("2", 20), ("10", 5)):
        for k in range(count - 1):
            face(tmp_path / "set" / name / f"p{k}.png", 10 * int(name))
        face(tmp_path / "set" / name / "more" / "p.JPG", 10 * int(name))
    (tmp_path / "set" / "2" / "list.txt").touch()
    (tmp_path / "set" / "2" / "._p1.png").touch()
    return tmp_path / "set"


@pytest.fixture
def split(tmp_path: Path) -> Path:
    for folder, names in (("train", ("happy", "sad", "contempt")), ("val", ("happy", "contempt"))):
        for name in names:
            face(tmp_path / "set" / folder / name / "a b.png")
            face(tmp_path / "set" / folder / name / "c.jpeg")
    return tmp_path / "set"


@pytest.fixture
def wild(tmp_path: Path) -> Path:
    """Two videos of train and one of valid; one has no faces."""
    for folder, video, values in (
        ("Train_Set", "v1_left", [0, 4, 7, -1, 4, 6]),
        ("Train_Set", "gone", [1, 1]),
        ("Validation_Set", "v2", [1, -1, 5]),
    ):
        place = tmp_path / "EXPR" / folder / f"{video}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("\r\n".join([HEADER, *map(str, values)]) + "\r\n")
    for video, numbers in (("v1_left", (1, 2, 3, 4, 6, 7)), ("v2", (1, 2, 3))):
        for number in numbers:
            face(tmp_path / "faces" / video / f"{number:05d}.jpg", 20 * number)
    (tmp_path / "faces" / "gone").mkdir()
    return tmp_path / "faces"


def test_folders_of_classes_are_dealt_out(plain: Path, tmp_path: Path, capsys) -> None:
    assert run(plain, "--fractions", "train=3,dev=1", "test=1") == 0
    printed = capsys.readouterr().out
    for told in (
        "no split is given: the pictures were dealt out, each class by itself; one person may be in several splits\n",
        "files that are no .jpg, .jpeg, .png, passed over: 2/list.txt\n",
        "train 21, valid 7, test 7 clips",
    ):
        assert told in printed
    out = tmp_path / "out"
    assert check(out, decode=True).faults == []
    corpus = Corpus.load(out)
    assert corpus.description.name == "set"
    assert corpus.label_space.names == ("1", "2", "10")
    found = clips(out)
    assert {split: Counter(clip.label for clip in members.values()) for split, members in found.items()} == {
        "train": {0: 6, 1: 12, 2: 3},
        "valid": {0: 2, 1: 4, 2: 1},
        "test": {0: 2, 1: 4, 2: 1},
    }
    for name, clip in {k: v for members in found.values() for k, v in members.items()}.items():
        assert clip.media == {"video": str(plain / name)}
        frames = read_stream(clip, "video", RawOptions(frame_rate=25.0, frame_size=6))
        assert frames.shape == (1, 3, 6, 6)
        assert abs(int(frames[0, 0, 0, 0]) - 10 * int(name.split("/")[0])) <= 2


def test_the_seed_decides(plain: Path, tmp_path: Path) -> None:
    tables = []
    for seed in ("3", "3", "4"):
        assert run(plain, "--seed", seed) == 0
        tables.append((tmp_path / "out" / "valid.tsv").read_text())
        (tmp_path / "out").rename(tmp_path / f"out{len(tables)}")
    assert tables[0] == tables[1] != tables[2]


def test_folders_of_splits_and_a_map(split: Path, tmp_path: Path, capsys) -> None:
    flags = ("--map", "happy=joy,sad=sadness", "--drop", "contempt", "--classes", ",".join(MELD))
    assert run(split, *flags) == 0
    printed = capsys.readouterr().out
    for told in (
        "4 clips left out, of 'contempt': train/contempt/a b.png, ",
        "train has no picture of neutral, surprise, fear, disgust, anger\n",
        "valid has no picture of neutral, surprise, fear, sadness, disgust, anger\n",
        "train 4, valid 2 clips",
    ):
        assert told in printed
    described = yaml.safe_load((tmp_path / "out" / "corpus.yaml").read_text())
    assert described["labels"]["emotion"] == {
        "kind": "classes",
        "column": "emotion",
        "classes": list(MELD),
        "map": {"happy": "joy", "sad": "sadness"},
    }
    assert "\thappy\n" in (tmp_path / "out" / "train.tsv").read_text()
    found = clips(tmp_path / "out")
    assert {name: clip.label for name, clip in found["train"].items()} == {
        "train/happy/a b.png": 4,
        "train/happy/c.jpeg": 4,
        "train/sad/a b.png": 3,
        "train/sad/c.jpeg": 3,
    }
    assert check(tmp_path / "out", decode=True).faults == []


def test_ignored_labels_stay_in_the_files(split: Path, tmp_path: Path) -> None:
    assert run(split, "--ignore", "contempt", "--map", "happy=joy") == 0
    corpus = Corpus.load(tmp_path / "out")
    assert corpus.label_space.names == ("sad", "joy")
    assert corpus.left_out["valid"] == [
        (f"val/contempt/{name}", "contempt") for name in ("a b.png", "c.jpeg")
    ]


def test_expressions(wild: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(wild, "--annotations", str(tmp_path / "EXPR")) == 0
    printed = capsys.readouterr().out
    for told in (
        "frames without a class (-1), left out: 2\n",
        "frames of 'other', left out: 1\n",
        "frames with a class but without a picture, left out: 1 (v1_left 1)\n",
        "frames with a picture but beyond the last line of their annotation, left out: 1 (v1_left 1)\n",
        f"videos without pictures in {wild}, left out: gone\n",
        "train 3, valid 2 clips",
    ):
        assert told in printed
    out = tmp_path / "out"
    described = yaml.safe_load((out / "corpus.yaml").read_text())["labels"]["emotion"]
    assert described == {
        "kind": "classes",
        "column": "emotion",
        "classes": list(MELD),
        "map": {"happiness": "joy"},
    }
    found = clips(out)
    assert {name: clip.label for name, clip in found["train"].items()} == {
        "v1_left/00001.jpg": 0,
        "v1_left/00002.jpg": 4,
        "v1_left/00006.jpg": 1,
    }
    assert {name: clip.label for name, clip in found["valid"].items()} == {
        "v2/00001.jpg": 6,
        "v2/00003.jpg": 3,
    }
    assert found["train"]["v1_left/00002.jpg"].speaker == "v1_left"
    assert check(out, decode=True).faults == []


def test_expressions_with_other_classes_and_fewer_frames(wild: Path, tmp_path: Path, capsys) -> None:
    classes = HEADER.lower()
    assert run(wild, "--annotations", str(tmp_path / "EXPR"), "--classes", classes, "--every", "2") == 0
    printed = capsys.readouterr().out
    assert "frames passed over by --every 2, left out: 3\n" in printed
    assert "'other'" not in printed
    found = clips(tmp_path / "out")
    assert {name: clip.label for members in found.values() for name, clip in members.items()} == {
        "v1_left/00001.jpg": 0,
        "v1_left/00003.jpg": 7,
        "v2/00001.jpg": 1,
    }


def test_a_class_of_the_standard_can_be_dropped(wild: Path, tmp_path: Path) -> None:
    assert (
        run(wild, "--annotations", str(tmp_path / "EXPR"), "--drop", "neutral,happiness", "--ignore", "other")
        == 0
    )
    space = Corpus.load(tmp_path / "out").label_space
    assert space.names == tuple(name for name in MELD if name != "neutral")
    assert (space.aliases, space.ignore) == ((), ("other",))


def test_videos_without_sets_are_dealt_out_whole(wild: Path, tmp_path: Path, capsys) -> None:
    for video in ("v1_right", "v3"):
        (tmp_path / "EXPR" / f"{video}.txt").write_text(f"{HEADER}\n0\n1\n")
        for number in (1, 2):
            face(wild / video / f"{number:05d}.jpg")
    for path in (tmp_path / "EXPR").glob("*/*.txt"):
        path.rename(tmp_path / "EXPR" / path.name)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    assert run(wild, "--annotations", str(tmp_path / "EXPR"), "--fractions", "train=2", "valid=1") == 0
    assert "no split is given: the videos were dealt out\n" in capsys.readouterr().out
    videos = {
        split: {clip.speaker for clip in members.values()}
        for split, members in clips(tmp_path / "out").items()
    }
    assert videos["train"] == {"v1_left", "v1_right"}
    assert videos["valid"] == {"v2", "v3"}


def fault_of(capsys, root: Path, *words: str) -> str:
    assert run(root, *words) == 2
    assert not (root.parent / "out").exists()
    return capsys.readouterr().err.replace("error: ", "", 1).rstrip("\n")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (
            "--classes happy,sad",
            "{root}/train/contempt: expected one of happy, sad; found 'contempt'. Say what it is with "
            "--classes, --map, --ignore or --drop.",
        ),
        (
            "--map hapy=joy",
            "--map: expected labels of the data set (contempt, happy, sad); found 'hapy'. Write 'happy'.",
        ),
        (
            "--drop bored",
            "--drop: expected labels of the data set (contempt, happy, sad); found 'bored'. Correct it, or "
            "leave it out.",
        ),
        (
            "--map happy",
            "--map: expected label=class, and each label once; found 'happy'. Write --map happiness=joy,angry=anger.",
        ),
        (
            "--map happy=joi --classes joy,sad,contempt",
            "--map: expected one of the classes (joy, sad, contempt) for 'happy'; found 'joi'. Write 'joy'.",
        ),
        (
            "--ignore sad --drop sad",
            "--ignore, --drop: expected each label in one of them; found 'sad' in both. Remove it from one of them.",
        ),
        (
            "--classes happy,sad,contempt,joy --map happy=joy",
            "--classes, --map: expected each label in one of them; found 'happy' in both. Remove it from one of them.",
        ),
        (
            "--seed 3",
            "--seed: expected a data set without splits; found train, val. Leave out --seed, or name another "
            "folder with --root.",
        ),
        (
            "--every 2",
            "--every: expected 1 or more, with --annotations; found 2 without it. Correct it, or leave it out.",
        ),
    ],
)
def test_faults_of_flags(split: Path, capsys, words: str, fault: str) -> None:
    assert fault_of(capsys, split, *words.split()) == fault.format(root=split)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("train=0", "'train=0'. Correct it."),
        ("tain=1", "'tain=1'. Write 'train'."),
        ("dev=1,val=2", "'val=2' again."),
    ],
)
def test_faults_of_fractions(plain: Path, capsys, words: str, found: str) -> None:
    expected = (
        "--fractions: expected train=0.8 valid=0.1 test=0.1 or fewer of them, each share above 0; found "
    )
    assert fault_of(capsys, plain, "--fractions", *words.split()).startswith(expected + found)


def test_faults_of_folders(plain: Path, split: Path, tmp_path: Path, capsys) -> None:
    assert fault_of(capsys, split) == (
        f"{split}: expected folders of splits (train, valid, test) that hold folders of classes, or folders of "
        "classes; found train, val, and 1, 10, 2. Move the others away, or name the folder of the classes with --root."
    )
    (tmp_path / "a" / "dev").mkdir(parents=True)
    (tmp_path / "a" / "val").mkdir()
    assert fault_of(capsys, tmp_path / "a") == (
        f"{tmp_path}/a: expected one folder of the valid split; found dev and val. Remove one of them."
    )
    (tmp_path / "b").mkdir()
    assert fault_of(capsys, tmp_path / "b") == (
        f"{tmp_path}/b: expected a folder for each class; found none. Name the folder that holds them with --root."
    )
    (tmp_path / "c" / "happy").mkdir(parents=True)
    (tmp_path / "c" / "happy" / "a.gif").touch()
    assert fault_of(capsys, tmp_path / "c") == (
        f"{tmp_path}/c/happy: expected pictures of one class (.jpg, .jpeg, .png); found a.gif. Put them there, remove "
        "the folder, or name the folder of the classes with --root."
    )
    face(tmp_path / "c" / "happy" / "a.png")
    assert fault_of(capsys, tmp_path / "c") == (
        f"{tmp_path}/c: expected 3 pictures of 'happy' at least, one for each of train, valid, test; found 1. "
        "Add some, make fewer splits with --fractions, or leave the class out with --drop."
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "valence,arousal,0.5\n",
            ":1: expected the names of the classes, such as "
            "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other; found 'valence,arousal,0.5'. Name "
            "the folder of the expression annotations, or write the header.",
        ),
        *(
            (
                f"{HEADER}\n0\n{line}\n1\n",
                f":3: expected a class from 0 to 7, or -1 for a frame without one; found '{line}'. Correct the "
                "line, or take the file anew from its source.",
            )
            for line in ("8", "-2", "0.5", "")
        ),
        (
            f"{HEADER},Contempt\n0\n",
            ":1: expected one of neutral, surprise, fear, sadness, joy, disgust, anger, happiness, other; found "
            "'contempt'. Say what it is with --classes, --map, --ignore or --drop.",
        ),
    ],
)
def test_faults_in_annotations(wild: Path, tmp_path: Path, capsys, text: str, fault: str) -> None:
    path = tmp_path / "EXPR" / "Train_Set" / "a.txt"
    path.write_text(text)
    assert fault_of(capsys, wild, "--annotations", str(tmp_path / "EXPR")) == f"{path}{fault}"


def test_faults_of_folders_of_annotations(wild: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "none").mkdir()
    assert fault_of(capsys, wild, "--annotations", str(tmp_path / "none")) == (
        f"{tmp_path}/none: expected annotations of expressions, <video>.txt; found none. Name the folder of Train_Set "
        "and Validation_Set with --annotations."
    )
    assert fault_of(capsys, tmp_path / "none", "--annotations", str(tmp_path / "EXPR")).startswith(
        f"{tmp_path}/none: expected faces of the annotated videos, such as gone/00001.jpg; found "
    )
    twice = tmp_path / "EXPR" / "Validation_Set" / "v1_left.txt"
    twice.write_text(f"{HEADER}\n0\n")
    assert fault_of(capsys, wild, "--annotations", str(tmp_path / "EXPR")) == (
        f"{twice}: expected one file of each video in all sets; found {tmp_path}/EXPR/Train_Set/v1_left.txt of "
        "the same video. Remove one of the two."
    )
