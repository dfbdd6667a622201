"""``mmer import aff-wild2`` on a synthetic tree of the same form."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Clip, Corpus
from mmer_fairseq.corpus.check import check
from mmer_fairseq.corpus.streams import RawOptions, read_stream, stream_seconds

FPS = {"1-30": 10, "2-30": 20, "3-30": 10, "video4": 10, "5-60": 10, "video6": 10}
FRAMES = 20
TRAIN = ("1-30", "2-30", "video4_left", "video4_right")
VALID = ("3-30", "5-60")
TEST = "video6"


def lines(frames: int = FRAMES) -> str:
    """Frames 3 and 4 have no annotation; valence of frame k is k / 100."""
    rows = [f"{k / 100:.2f},-0.5" for k in range(1, frames + 1)]
    rows[2], rows[3] = "-5,-5", "-5.0,0.1"
    return "\n".join(["valence,arousal", *rows]) + "\n"


def table(frames: list[int], labels: bool = True) -> str:
    rows = [",img,V,A,frame_id" if labels else ",img,frame_id"]
    for k, frame in enumerate(frames):
        rows.append(f"{k},v/{frame:05d}.jpg,{f'{frame / 100},-0.5,' if labels else ''}{frame}")
    return "\n".join(rows) + "\n"


def add_faces(root: Path, video: str, numbers: range) -> None:
    folder = root / "cropped_aligned" / video
    folder.mkdir(parents=True)
    for number in numbers:
        Image.new("L", (12, 12), 10 * number).save(folder / f"{number:05d}.jpg", quality=95)


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    root = tmp_path_factory.mktemp("aff") / "data"
    for name in ("Train_Set", "Validation_Set"):
        (root / "labels" / name).mkdir(parents=True)
    for video in TRAIN:
        (root / "labels" / "Train_Set" / f"{video}.txt").write_text(lines())
    for video in VALID:
        (root / "labels" / "Validation_Set" / f"{video}.txt").write_text(lines())
    for video in (*TRAIN, *VALID, TEST):
        add_faces(root, video, range(2, FRAMES + 1, 2))
    for k, (video, fps) in enumerate(FPS.items()):
        batch = root / "batches" / f"batch{k % 2 + 1}"
        batch.mkdir(parents=True, exist_ok=True)
        kit.mp4(batch / f"{video}.mp4", frames=FRAMES, fps=fps, sound=True)
    kit.wav(root / "batches" / "batch2" / "3-30.wav", seconds=2.0)
    return root


@pytest.fixture
def data(tmp_path: Path, pattern: Path) -> Path:
    shutil.copytree(pattern, tmp_path / "data")
    return tmp_path / "data"


def run(data: Path, words: str = "", *, videos: bool = True, faces: bool = True, out: str = "out") -> int:
    given = ["--annotations", str(data / "labels")]
    given += ["--faces", str(data / "cropped_aligned")] if faces else []
    given += ["--videos", str(data / "batches")] if videos else []
    return main(["import", "aff-wild2", str(data.parent / out), *given, *words.split()])


def splits(folder: Path) -> dict[str, set[str]]:
    corpus = Corpus.load(folder)
    return {split: {clip.id for clip in corpus.clips(split)} for split in corpus.splits}


def clips(folder: Path) -> dict[str, Clip]:
    corpus = Corpus.load(folder)
    return {clip.id: clip for split in corpus.splits for clip in corpus.clips(split)}


def test_the_official_form(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "list.txt").write_text(f"{TEST}\n")
    assert run(data, f"--test-list {data / 'list.txt'}") == 0
    out = data.parent / "out"
    assert "train 4, valid 2, test 1 clips" in capsys.readouterr().out
    assert splits(out) == {"train": set(TRAIN), "valid": set(VALID), "test": {TEST}}
    report = check(out, decode=True)
    assert report.faults == []
    corpus, found = Corpus.load(out), clips(out)
    space = corpus.label_space
    assert (space.name, space.kind, space.names) == ("affect", "trace", ("valence", "arousal"))
    assert (space.rate, space.range, space.invalid) == (30.0, (-1.0, 1.0), -5.0)
    assert {name: clip.rate for name, clip in found.items()} == {
        name: float(FPS[name.split("_")[0]]) for name in found
    }
    trace = space.target(found["2-30"])
    assert trace.shape == (FRAMES, 2)
    assert trace[[0, 1, 4], 0].tolist() == pytest.approx([0.01, 0.02, 0.05])
    assert trace[2:4].isnan().all()  # one of two values says that there is no annotation
    assert trace[4:].isfinite().all()
    # the length of a test video is that of its pictures
    assert space.target(found[TEST]).isnan().all()
    assert len(space.target(found[TEST])) == FRAMES
    # both persons have the sound of their video; a wav comes first
    film = f"{data}/batches/batch2/video4.mp4"
    assert [found[f"video4_{side}"].media["audio"] for side in ("left", "right")] == [film, film]
    assert found["3-30"].media["audio"] == f"{data}/batches/batch2/3-30.wav"
    assert found["1-30"].media["video"] == f"{data}/cropped_aligned/1-30"
    rows = (out / "train.tsv").read_text().splitlines()
    assert dict(zip(rows[0].split("\t"), rows[3].split("\t")))["recording"] == "video4"


def test_media_are_read_by_frame_and_by_second(data: Path) -> None:
    assert run(data) == 0
    found = clips(data.parent / "out")
    clip = found["2-30"]
    assert stream_seconds(clip, "video") == 1.0  # 20 frames at the video's own 20 Hz
    assert stream_seconds(found["1-30"], "video") == 2.0
    pictures = read_stream(clip, "video", RawOptions(frame_size=12))
    assert pictures.shape == (FRAMES, 3, 12, 12)
    # odd frames have no face: the picture before, and before the first the first
    assert [round(float(p.float().mean()) / 10) for p in pictures[:6]] == [2, 2, 2, 4, 4, 6]
    assert len(read_stream(clip, "audio", RawOptions())) == pytest.approx(16000, abs=1100)
    assert len(read_stream(clip, "video", RawOptions(frame_rate=5.0))) == 5


def test_without_videos_there_is_neither_sound_nor_a_rate(data: Path) -> None:
    assert run(data, videos=False) == 0
    found = clips(data.parent / "out")
    assert {clip.rate for clip in found.values()} == {None}
    assert not any(clip.has("audio") for clip in found.values())
    assert check(data.parent / "out").faults == []
    assert run(data, f"--sounds {data / 'batches'}", videos=False, out="sound") == 0
    assert [clip.id for clip in clips(data.parent / "sound").values() if clip.has("audio")] == ["3-30"]


def test_what_is_missing_is_counted_and_named(data: Path, kit, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(data / "cropped_aligned" / "1-30")
    shutil.rmtree(data / "cropped_aligned" / "2-30")
    (data / "cropped_aligned" / "2-30").mkdir()
    (data / "batches" / "batch1" / "1-30.mp4").unlink()
    (data / "batches" / "batch1" / "5-60.mp4").write_bytes(b"")
    (data / "batches" / "batch2" / "2-30.mp4").write_bytes(b"\0\0\0\x18ftypisom")
    kit.mp4(data / "batches" / "batch2" / "video4.mp4", frames=FRAMES, fps=10)
    (data / "labels" / "Train_Set" / "nobody.txt").write_text("valence,arousal\n-5,-5\n")
    (data / "list.txt").write_text("video6\nunseen\n")
    assert run(data, f"--test-list {data / 'list.txt'} --leave-out 3-30") == 0
    printed = capsys.readouterr().out
    for line in (
        "1 clip left out, as --leave-out says: 3-30",
        "1 clip left out, without a frame that has an annotation: nobody",
        "1 clip left out, without labels, and of no known length: unseen",
        "1 clip with an empty file, taken as none: 5-60",
        "1 clip whose video cannot be read, taken as none: 2-30",
        "4 clips without faces: 1-30, 2-30, nobody, unseen",
        "7 clips without sound: 1-30, 2-30, 5-60, nobody, video4_left, … (7 in all)",
        "4 clips without a video, whose frame rate is taken as that of the label space: 1-30, 5-60, nobody, unseen",
    ):
        assert f"{line}\n" in printed
    assert f"the first of them: {data}/batches/batch2/2-30.mp4: expected " in printed
    found = clips(data.parent / "out")
    assert {name: sorted(clip.media) for name, clip in found.items()} == {
        "1-30": [],
        "2-30": [],
        "5-60": ["video"],
        "video4_left": ["video"],
        "video4_right": ["video"],
        "video6": ["audio", "video"],
    }
    assert found["5-60"].rate is None


def test_the_form_with_one_row_a_labelled_frame(data: Path) -> None:
    shutil.rmtree(data / "labels")
    for folder, video, text in (
        ("Train_Set", "1-30", table([2, 3, 10, 19])),
        ("Val_Set", "2-30", table([1, 2])),
        ("Test_Set", "video6", table([1, 2, 17], labels=False)),
    ):
        (data / "labels" / folder).mkdir(parents=True)
        (data / "labels" / folder / f"{video}.csv").write_text(text)
    (data / "frames.txt").write_text("image_location,valence,arousal\nvideo6/00003.jpg,,\nvideo6/00018.jpg\n")
    assert run(data, f"--test-list {data / 'frames.txt'}") == 0
    corpus, found = Corpus.load(data.parent / "out"), clips(data.parent / "out")
    assert splits(data.parent / "out") == {"train": {"1-30"}, "valid": {"2-30"}, "test": {"video6"}}
    trace = corpus.label_space.target(found["1-30"])
    assert trace.shape == (19, 2)
    assert (~trace[:, 0].isnan()).nonzero().flatten().tolist() == [1, 2, 9, 18]
    assert trace[9].tolist() == pytest.approx([0.1, -0.5])
    assert len(corpus.label_space.target(found["video6"])) == 18


def test_folds_keep_both_persons_of_a_video_together(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "labels" / "Test_Set").mkdir()
    (data / "labels" / "Test_Set" / "video6.txt").write_text(lines())
    held_out = []
    for fold in (1, 2, 3):
        assert run(data, f"--folds 3 --fold {fold}", out=f"fold{fold}") == 0
        found = splits(data.parent / f"fold{fold}")
        assert found["test"] == {"video6"}
        assert not found["train"] & found["valid"]
        assert len({"video4_left", "video4_right"} & found["valid"]) in (0, 2)
        held_out += sorted(found["valid"])
    assert sorted(held_out) == sorted((*TRAIN, *VALID))
    assert "different splits" not in capsys.readouterr().out
    (data / "fold.txt").write_text("1-30\nvideo4_left\n")
    assert run(data, f"--fold-list {data / 'fold.txt'}", out="listed") == 0
    assert splits(data.parent / "listed")["valid"] == {"1-30", "video4_left"}
    assert "1 clip whose two persons are in different splits: video4\n" in capsys.readouterr().out


def fault(data: Path, capsys: pytest.CaptureFixture[str], words: str = "", **options) -> str:
    assert run(data, words, **options) != 0
    assert not (data.parent / "out").exists()
    return capsys.readouterr().err.replace(f"{data}/", "")


def put(name: str, text: str):
    def change(data: Path) -> None:
        path = data / "labels" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    return change


def drop(name: str):
    return lambda data: shutil.rmtree(data / name)


OFFICIAL, LISTED = "Train_Set/1-30.txt", "Train_Set/x.csv"
FAULTS = [
    (
        drop("labels"),
        "labels: expected the folder of the annotations; found no such folder. Correct the path.",
    ),
    (
        drop("cropped_aligned"),
        "cropped_aligned: expected the folder of the cropped faces; found no such folder.",
    ),
    (drop("batches"), "batches: expected the folder of the videos; found no such folder."),
    (
        drop("labels/Validation_Set"),
        "labels: expected a folder Validation_Set or Val_Set in it; found Train_Set. "
        "Name the folder of the valence-arousal annotations.",
    ),
    (
        put("Test_Set/readme.md", "x"),
        "labels/Test_Set: expected annotations named <video>.txt or <video>.csv; found none. "
        "Put them there, or take the folder out.",
    ),
    (
        put(OFFICIAL, "Neutral,Anger\n1\n"),
        f"labels/{OFFICIAL}:1: expected the header valence,arousal; found 'Neutral,Anger'. "
        "Name the folder of the valence-arousal annotations, or write the header.",
    ),
    (
        put(OFFICIAL, "valence,arousal\n0.1,0.2\n0.1,high\n"),
        f"labels/{OFFICIAL}:3: expected two numbers separated by a comma (−5 for a frame without annotation); "
        "found '0.1,high'. Correct the line, or take the file anew from its source.",
    ),
    (put(OFFICIAL, "valence,arousal\n0.1\n"), "found '0.1'. Correct the line"),
    (
        put(OFFICIAL, "valence,arousal\n0.1,0.2\n-5,1.5\n"),
        f"labels/{OFFICIAL}:3: expected valence and arousal from -1 to 1 (−5 for a frame without annotation); "
        "found -5, 1.5. Correct the line, or take the file anew from its source.",
    ),
    (
        put(OFFICIAL, "valence,arousal\n"),
        f"labels/{OFFICIAL}: expected one line a frame; found only a header. Take the file anew from its source.",
    ),
    (put(OFFICIAL, ""), f"labels/{OFFICIAL}: expected annotations of a video; found an empty file."),
    (
        put("Validation_Set/1-30.txt", lines()),
        f"labels/Validation_Set/1-30.txt: expected one file of each video in all sets; found labels/{OFFICIAL} of "
        "the same video. Remove one of the two.",
    ),
    (
        put(LISTED, "img,frame_id\na.jpg,1\n"),
        f"labels/{LISTED}:1: expected a header with the columns V, A, frame_id; found 'img', 'frame_id' (no V, A).",
    ),
    (
        put(LISTED, table([2, 5, 4])),
        f"labels/{LISTED}:4: expected frame_id above that of the row before (5); found 4. "
        "Sort the rows by frame_id and remove repeated ones.",
    ),
    (
        put(LISTED, table([0])),
        f"labels/{LISTED}:2: expected frame_id to be a whole number, 1 or more; found '0'. "
        "Count the frames of the video from 1.",
    ),
    (
        put(LISTED, "V,A,frame_id\n0,x,1\n"),
        f"labels/{LISTED}:2: expected A to be a number from -1 to 1 (−5 for a frame without annotation); found 'x'. "
        "Correct the cell, or take the row out.",
    ),
    (
        put(LISTED, "V,A,frame_id\n0,0,1\n0,7,2\n"),
        f"labels/{LISTED}:3: expected valence and arousal from -1 to 1 (−5 for a frame without annotation); "
        "found 0, 7.",
    ),
    (
        put(LISTED, "img,V,A,frame_id\nx/00001.jpg,0,0,2\n"),
        f"labels/{LISTED}:2: expected img to be picture 2, as frame_id says; found 'x/00001.jpg'. "
        "Count both from 1; a label must stand beside its own picture.",
    ),
    (
        lambda data: (data / "cropped_aligned" / "1-30" / "face.jpg").touch(),
        "cropped_aligned/1-30: expected pictures named by the number of their frame, 1 or more (00001.jpg); found "
        "'face.jpg'.",
    ),
]


@pytest.mark.parametrize(("change", "message"), FAULTS)
def test_faults(data: Path, capsys: pytest.CaptureFixture[str], change, message: str) -> None:
    change(data)
    assert message in fault(data, capsys)


def test_flags_at_fault(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "list.txt").write_text("1-30\n")
    (data / "frames.txt").write_text("video6/first.jpg\n")
    (data / "typo.txt").write_text("\n1-3\n")
    for words, message in (
        ("--folds 5", "--folds, --fold: expected both or none of them; found one. Add the other."),
        (
            "--folds 3 --fold 4",
            "--folds, --fold: expected 2 folds or more, and one of them (counted from 1) for validation; found fold 4 "
            "of 3. Correct --folds or --fold.",
        ),
        (
            f"--folds 3 --fold 1 --fold-list {data}/list.txt",
            "--fold-list, --folds: expected one of them; found both.",
        ),
        (
            f"--fold-list {data}/typo.txt",
            "typo.txt:2: expected a video of the training or validation set; found '1-3'. Write '1-30'.",
        ),
        (
            "--leave-out 1-31",
            "--leave-out: expected videos with annotations; found '1-31'. Write '1-30'.",
        ),
        (
            f"--test-list {data}/list.txt",
            f"list.txt:1: expected videos of the test set; found '1-30', which is annotated in labels/{OFFICIAL}. "
            "Remove the line, or the annotations.",
        ),
        (
            f"--test-list {data}/frames.txt",
            "frames.txt:1: expected <video>/<frame>.jpg, or the name of a video; found 'video6/first.jpg'. "
            "Correct the line.",
        ),
    ):
        assert message in fault(data, capsys, words)
    (data / "elsewhere").mkdir(exist_ok=True)
    nothing = fault(data, capsys, f"--faces {data}/elsewhere", videos=False, faces=False)
    assert "--faces, --videos, --sounds: expected media of the" in nothing
    assert nothing.rstrip().endswith(
        "Name the folders that hold <video>/00001.jpg, <video>.mp4 or <video>.wav."
    )
    assert "--faces, --videos, --sounds: expected one of them at least; found none. " in fault(
        data, capsys, videos=False, faces=False
    )


def test_nothing_is_left_when_writing_fails(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    assert "out: expected room on the disk and permission to write; found No space left on device." in fault(
        data, capsys
    )
    assert {path.name for path in data.parent.iterdir()} == {"data"}
