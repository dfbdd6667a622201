"""``mmer import mosei`` on a synthetic tree of the raw release."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Clip, Corpus
from mmer_fairseq.corpus.check import check
from mmer_fairseq.corpus.streams import RawOptions, read_stream, stream_seconds

VIDEOS = ["-3g5yACwYnA", "100178", "_0efYOjQYRc", "aa_1", "bb", "cc", "dd", "ee", "ff", "gg"]
CLIPS = [f"{video}_{k}" for video in VIDEOS for k in range(2)]
FIRST, SECOND, THIRD = CLIPS[:3]
ANSWERS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
HEADER = ",".join(
    ["HITId", "Input.VIDEO_ID", "Input.CLIP", *(f"Answer.{name}" for name in (*ANSWERS, "sentiment"))]
)
RATE = 8000


def answers(clip: str, *, sentiment: str = "1", emotions: str = "0,0,0,0,0,0", worker: int = 1) -> str:
    video, _, number = clip.rpartition("_")
    return f"hit{worker},batch/{video},{number},{emotions},{sentiment}\n"


def first_batch(clips=CLIPS) -> str:
    rows = [answers(clip, emotions="0,0,0,1,0,0") + answers(clip, sentiment="0", worker=2) for clip in clips]
    return HEADER + "\n" + "".join(rows)


def second_batch() -> str:
    return HEADER + "\n" + answers(FIRST, sentiment="-2", emotions="0,0.6667,0,0,2,0") + answers(SECOND)


def segments(video: str) -> str:
    """Clip 0 begins too early; they stand in any order."""
    return f"{video}___1___0.5___0.9___and ___ then\n\n{video}___0___-0.01___0.4___so it  is\n"


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    root = tmp_path_factory.mktemp("mosei") / "CMU"
    sound = kit.wav(root.parent / "a.wav", rate=RATE)
    film = kit.mp4(root.parent / "a.mp4", frames=10, fps=10, sound=True)
    for name in (
        "Labels/more",
        "Transcript/Segmented/Combined",
        "Videos/Full/Combined",
        "Audio/Full/WAV_16000",
        "Audio/Full/WAV_44100",
    ):
        (root / name).mkdir(parents=True)
    (root / "Labels" / "batch1.csv").write_text(first_batch())
    (root / "Labels" / "more" / "batch2.csv").write_text(second_batch())
    for video in VIDEOS:
        (root / "Transcript" / "Segmented" / "Combined" / f"{video}.txt").write_text(segments(video))
        shutil.copy(film, root / "Videos" / "Full" / "Combined" / f"{video}.mp4")
        for rate in ("16000", "44100"):
            shutil.copy(sound, root / "Audio" / "Full" / f"WAV_{rate}" / f"{video}.wav")
    return root


@pytest.fixture
def root(tmp_path: Path, pattern: Path) -> Path:
    shutil.copytree(pattern, tmp_path / "CMU")
    return tmp_path / "CMU"


def run(root: Path, words: str = "", out: str = "out") -> int:
    return main(["import", "mosei", str(root.parent / out), "--root", str(root), *words.split()])


def clips(folder: Path, labels: str | None = None) -> dict[str, Clip]:
    corpus = Corpus.load(folder, labels)
    return {clip.id: clip for split in corpus.splits for clip in corpus.clips(split)}


def videos(folder: Path) -> dict[str, set[str]]:
    corpus = Corpus.load(folder)
    return {split: {clip.speaker for clip in corpus.clips(split)} for split in corpus.splits}


def test_a_corpus(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root) == 0
    printed = capsys.readouterr().out
    out = tmp_path / "out"
    for told in (
        "labels of 20 clips; the paper of CMU-MOSEI counts 23453\n",
        "no split is given: the videos were dealt out (train 70%, valid 10%, test 20%, --seed 1), which is no official "
        "split; scores do not compare with published ones (--splits reads lists)\n",
        f"10 clips that begin before 0, cut from 0: {FIRST}, ",
        "train 14, valid 2, test 4 clips",
    ):
        assert told in printed
    assert "share" not in printed
    assert "without" not in printed
    assert main(["check", str(out)]) == 0
    report = check(out, decode=True)
    assert report.faults == []
    assert report.shared_speakers == {}
    corpus = Corpus.load(out)
    assert corpus.description.link == "http://multicomp.cs.cmu.edu/resources/cmu-mosei-dataset/"
    assert corpus.description.licence.startswith("research")
    found = clips(out)
    assert set(found) == set(CLIPS)
    assert {name: clip.label for name, clip in found.items()} == {
        clip: pytest.approx(({FIRST: -1 / 3, SECOND: 2 / 3}.get(clip, 0.5),), abs=1e-6) for clip in CLIPS
    }
    assert corpus.label_space.range == (-3, 3)
    first, second = found[FIRST], found[SECOND]
    assert (first.speaker, first.dialogue, first.turn) == (VIDEOS[0], VIDEOS[0], "0")
    assert (first.start, first.end) == (0, 0.4)
    assert first.media == {
        "text": "so it is",
        "audio": f"{root}/Audio/Full/WAV_16000/{VIDEOS[0]}.wav",
        "video": f"{root}/Videos/Full/Combined/{VIDEOS[0]}.mp4",
    }
    assert second.media["text"] == "and ___ then"
    assert stream_seconds(second, "audio") == pytest.approx(0.4)
    assert len(read_stream(second, "audio", RawOptions(sample_rate=RATE))) == round(0.4 * RATE)
    assert len(read_stream(second, "video", RawOptions())) == 4


def test_emotions(root: Path, tmp_path: Path) -> None:
    assert run(root, "--modalities text") == 0
    space = Corpus.load(tmp_path / "out", "emotions").label_space
    assert space.names == ("anger", "disgust", "fear", "happy", "sad", "surprise")
    found = clips(tmp_path / "out", "emotions")
    assert found[FIRST].label == (0, 1, 0, 1, 1, 0)
    assert found[THIRD].label == (0, 0, 0, 1, 0, 0)
    path = root / "Labels" / "batch1.csv"
    path.write_text(path.read_text().replace("0,0,0,1,0,0", "0,0,0,0,0,0"))
    assert run(root, "--modalities text", "none") == 0
    assert clips(tmp_path / "none", "emotions")[THIRD].label == (0, 0, 0, 0, 0, 0)  # kept


def test_segments_are_preferred_where_they_give_as_much(root: Path, tmp_path: Path, kit) -> None:
    film = root / "Videos" / "Full" / "Combined" / f"{VIDEOS[0]}.mp4"
    (root / "Videos" / "Segmented").mkdir()
    for clip in CLIPS[:-1]:
        shutil.copy(film, root / "Videos" / "Segmented" / f"{clip}.mp4")
    assert run(root) == 0
    assert clips(tmp_path / "out")[FIRST].start is not None
    shutil.copy(film, root / "Videos" / "Segmented" / f"{CLIPS[-1]}.mp4")
    assert run(root, out="cut") == 0
    first = clips(tmp_path / "cut")[FIRST]
    assert (first.start, first.end) == (None, None)
    assert first.media["audio"] == first.media["video"] == f"{root}/Videos/Segmented/{FIRST}.mp4"
    assert check(tmp_path / "cut", decode=True).faults == []
    assert run(root, "--recordings whole", "whole") == 0
    assert clips(tmp_path / "whole")[FIRST].media["video"] == str(film)
    assert run(root, "--modalities audio --recordings segments", "sound") == 0
    assert clips(tmp_path / "sound")[FIRST].media == {"audio": f"{root}/Videos/Segmented/{FIRST}.mp4"}


def test_what_is_missing(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "Audio" / "Full" / "WAV_16000" / f"{VIDEOS[0]}.wav").unlink()
    (root / "Audio" / "Full" / "WAV_16000" / f"{VIDEOS[1]}.wav").write_bytes(b"")
    (root / "Videos" / "Full" / "Combined" / f"{VIDEOS[1]}.mp4").unlink()
    shutil.copy(root / "Videos" / "Full" / "Combined" / "bb.mp4", root / "Videos" / "trailer.mp4")
    script = root / "Transcript" / "Segmented" / "Combined"
    (script / f"{VIDEOS[2]}.txt").unlink()
    (script / "aa_1.txt").write_text(
        "aa_1___0___0.4___0.4___oh\naa_1___1___0.5___0.9___\naa_1___7___0___1___who?\n"
    )
    (root / "Labels" / "batch1.csv").write_text(
        first_batch(CLIPS[:-1]) + answers(CLIPS[-1], sentiment="") + answers("bb_0", emotions=",0,0,0,0,0")
    )
    assert run(root) == 0
    printed = capsys.readouterr().out
    for told in (
        f"2 clips left out, without any of text and audio and video: {VIDEOS[2]}_0, {VIDEOS[2]}_1\n",
        "1 clip left out, in the transcripts but without a label: aa_1_7\n",
        f"1 clip left out, without an answer on sentiment: {CLIPS[-1]}\n",
        f"2 clips some of whose annotators left out an answer: bb_0, {CLIPS[-1]}\n",
        f"2 clips without a .wav, whose sound is the track of the video: {FIRST}, {SECOND}\n",
        f"videos with an empty file of audio, taken as none: {VIDEOS[1]}\n",
        f"5 clips without audio: {VIDEOS[1]}_0, {VIDEOS[1]}_1, {VIDEOS[2]}_0, {VIDEOS[2]}_1, aa_1_0\n",
        f"5 clips without video: {VIDEOS[1]}_0, ",
        "files of no labelled clip, passed over: trailer.mp4\n",
        f"3 clips without times, so that nothing can be cut for them: {VIDEOS[2]}_0, {VIDEOS[2]}_1, aa_1_0\n",
        "1 clip whose end is not after their start, taken as without times: aa_1_0\n",
        f"3 clips without a transcript: {VIDEOS[2]}_0, {VIDEOS[2]}_1, aa_1_1\n",
    ):
        assert told in printed
    assert check(tmp_path / "out").faults == []
    found = clips(tmp_path / "out")
    assert set(CLIPS) - set(found) == {CLIPS[4], CLIPS[5], CLIPS[-1]}
    assert found[FIRST].media["audio"] == found[FIRST].media["video"]
    assert set(found[THIRD].media) == {"text"}
    assert set(found["aa_1_0"].media) == {"text"}
    assert set(found["aa_1_1"].media) == {"audio", "video"}


def split_files(folder: Path, change=lambda lists: None) -> Path:
    """Videos in two of them, clips in the other."""
    folder.mkdir()
    lists = {"train": VIDEOS[:6], "val": VIDEOS[6:8], "test": CLIPS[16:]}
    change(lists)
    for split, names in lists.items():
        (folder / f"{split}.txt").write_text("# made by hand\n" + "".join(f"{name}\n" for name in names))
    return folder


def test_lists_of_videos_or_clips(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, f"--modalities text --splits {split_files(tmp_path / 'lists')}") == 0
    printed = capsys.readouterr().out
    assert "dealt out" not in printed
    assert "share" not in printed
    assert videos(tmp_path / "out") == {
        "train": set(VIDEOS[:6]),
        "valid": set(VIDEOS[6:8]),
        "test": set(VIDEOS[8:]),
    }

    def change(lists: dict[str, list[str]]) -> None:
        lists["train"].remove(VIDEOS[0])
        lists["train"].append(SECOND)
        lists["test"] = [*CLIPS[17:], FIRST]

    lists = split_files(tmp_path / "mixed", change)
    assert run(root, f"--modalities text --splits {lists}", "mixed-out") == 0
    printed = capsys.readouterr().out
    assert f"train and test share 1 video ({VIDEOS[0]})\n" in printed
    assert f"1 clip left out, in none of the split files: {CLIPS[16]}\n" in printed


def test_seeds(root: Path, tmp_path: Path) -> None:
    for seed in (2, 3):
        assert run(root, f"--modalities text --seed {seed}", f"out{seed}") == 0
        found = videos(tmp_path / f"out{seed}")
        assert [len(found[split]) for split in ("train", "valid", "test")] == [7, 1, 2]
    assert videos(tmp_path / "out2") != videos(tmp_path / "out3")


def test_leave_out(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.txt").write_text(f"{FIRST}\n{THIRD}\n")
    assert run(root, f"--modalities text --leave-out {tmp_path / 'bad.txt'}") == 0
    assert f"2 clips left out, as --leave-out says: {FIRST}, {THIRD}\n" in capsys.readouterr().out
    assert set(clips(tmp_path / "out")) == set(CLIPS) - {FIRST, THIRD}


def test_a_release_below_raw(root: Path, tmp_path: Path) -> None:
    shutil.move(root, tmp_path / "moved")
    root.mkdir()
    shutil.move(tmp_path / "moved", root / "Raw")
    assert run(root) == 0
    assert clips(tmp_path / "out")[FIRST].media["audio"].startswith(f"{root}/Raw/Audio/")


def test_named_folders(root: Path, tmp_path: Path) -> None:
    for old, new in (("Labels", "a"), ("Transcript", "b"), ("Videos", "c"), ("Audio", "d")):
        shutil.move(root / old, tmp_path / new)
    named = f"--labels {tmp_path}/a --transcripts {tmp_path}/b --videos {tmp_path}/c --sounds {tmp_path}/d"
    assert run(root, named) == 0
    assert check(tmp_path / "out").faults == []
    assert clips(tmp_path / "out")[FIRST].media["audio"].startswith(f"{tmp_path}/d/")


def drop(name: str):
    return lambda root: shutil.rmtree(root / name)


def put(name: str, text: str):
    return lambda root: (root / name).write_text(text)


BATCH = "Labels/batch1.csv"
SCRIPT = f"Transcript/Segmented/Combined/{VIDEOS[0]}.txt"
FAULTS = [
    (shutil.rmtree, "", "ROOT: expected the folder of CMU-MOSEI; found no such folder. Correct the path."),
    (
        drop("Labels"),
        "",
        "ROOT: expected one of Labels, label.csv in it, or in its folder Raw; found none of them. Correct --root, or "
        "name the labels with --labels.",
    ),
    (
        lambda root: [path.unlink() for path in (root / "Labels").rglob("*.csv")],
        "",
        "ROOT/Labels: expected labels in it (*.csv); found none. Put them there, or name them with --labels.",
    ),
    (None, "--labels x.csv", "x.csv: expected a table of labels; found no such file."),
    (
        drop("Transcript"),
        "",
        "ROOT: expected Transcript/Segmented/Combined or Transcript/Segmented in it, or a column 'text' in the labels; "
        "found neither. Name the folder with --transcripts, or leave text out of --modalities.",
    ),
    (
        lambda root: [path.unlink() for path in (root / "Transcript").rglob("*.txt")],
        "",
        "ROOT/Transcript/Segmented/Combined: expected transcripts named <video>.txt or <video>.annotprocessed in it; "
        "found none. Name their folder with --transcripts, or leave text out of --modalities.",
    ),
    (
        drop("Videos"),
        "",
        "ROOT: expected video of labelled clips (<video>.mp4); found none. Name the folder with --videos, or leave "
        "video out of --modalities.",
    ),
    (
        lambda root: (drop("Audio")(root), drop("Videos")(root)),
        "--modalities audio --recordings segments",
        "ROOT: expected audio of labelled clips (<video>_<clip>.wav); found none. Name the folder with --sounds, or "
        "leave audio out of --modalities.",
    ),
    (None, "--videos nowhere", "nowhere: expected the folder of the videos; found no such folder."),
    (
        lambda root: shutil.copy(root / "Videos/Full/Combined/bb.mp4", root / "Videos"),
        "",
        "ROOT/Videos/Full/Combined/bb.mp4: expected one file of each clip; found ROOT/Videos/bb.mp4 of the same clip. "
        "Remove one of the two.",
    ),
    (
        put(BATCH, first_batch().replace("Answer.fear", "Answer.fears")),
        "",
        f"ROOT/{BATCH}:1: expected a header with the columns Input.VIDEO_ID, Input.CLIP, Answer.sentiment, "
        "Answer.anger, Answer.disgust, Answer.fear, Answer.happiness, Answer.sadness, Answer.surprise; found 'HITId', ",
    ),
    (
        put("Labels/notes.csv", "a,b\nc,d\n"),
        "",
        "ROOT/Labels/notes.csv:1: expected a header with the columns Input.VIDEO_ID, ",
    ),
    (
        lambda root: [
            put(f"Labels/{name}", "a,b\nc,d\n")(root) for name in ("batch1.csv", "more/batch2.csv")
        ],
        "",
        "ROOT/Labels: expected annotations with the columns Input.VIDEO_ID, Input.CLIP, Answer.sentiment …, or a "
        "single table; found batch1.csv, batch2.csv. Name the table with --labels.",
    ),
    (
        put(BATCH, HEADER + "\n" + answers(FIRST, sentiment="good")),
        "",
        f"ROOT/{BATCH}:2: expected Answer.sentiment to be a number from -3 to 3; found 'good'. Correct the table, or "
        "take it anew from its source.",
    ),
    (put(BATCH, HEADER + "\n" + answers(FIRST, sentiment="4")), "", "from -3 to 3; found '4'."),
    (
        put(BATCH, HEADER + "\n" + answers(FIRST, emotions="0,0,much,0,0,0")),
        "",
        f"ROOT/{BATCH}:2: expected Answer.fear to be a number, 0 or more; found 'much'.",
    ),
    (
        put(BATCH, HEADER + "\n" + answers("x_one")),
        "",
        f"ROOT/{BATCH}:2: expected Input.CLIP to be the number of the clip in its video, a whole number of 0 or more; "
        "found 'one'. Correct the cell, or take the row out.",
    ),
    (
        put(BATCH, HEADER + "\n" + answers("_1")),
        "",
        f"ROOT/{BATCH}:2: expected the id of a video; found ''. Correct the cell, or take the row out.",
    ),
    (
        put(SCRIPT, "x___1___0.5___0.9\n"),
        "",
        f"ROOT/{SCRIPT}:1: expected a line of the form video___clip___start___end___text; found "
        "'x___1___0.5___0.9'. Correct the line, or take the file anew from its source.",
    ),
    (
        put(SCRIPT, "x___1___0.5___later___words\n"),
        "",
        f"ROOT/{SCRIPT}:1: expected start and end in seconds; found '0.5' and 'later'. Correct the line, or take",
    ),
    (
        put(SCRIPT, "bb___1___0.5___0.9___words\n"),
        "",
        f"expected every clip once; found 'bb_1', which stands at ROOT/{SCRIPT}:1 as well. Remove one of the two "
        "lines.",
    ),
    (put(SCRIPT, ""), "", f"ROOT/{SCRIPT}: expected the transcript of a video; found an empty file."),
    (None, "--leave-out bb_11", "--leave-out: expected clips with labels; found 'bb_11'. Write 'bb_1'."),
    (None, "--splits x --seed 2", "--splits, --seed: expected one of them; found both. Leave out --seed, or"),
]


@pytest.mark.parametrize(("change", "words", "fault"), FAULTS)
def test_faults(root: Path, capsys: pytest.CaptureFixture[str], change, words: str, fault: str) -> None:
    if change is not None:
        change(root)
    assert run(root, words) == 2
    assert fault in capsys.readouterr().err.replace(str(root), "ROOT")
    assert not (root.parent / "out").exists()


def test_faults_of_split_files(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fault(change) -> str:
        lists = tmp_path / "lists"
        shutil.rmtree(lists, ignore_errors=True)
        split_files(lists, change)
        assert run(root, f"--modalities text --splits {lists}") == 2
        return capsys.readouterr().err.replace(str(lists), "LISTS")

    assert (
        "LISTS/val.txt:4: expected a video or a clip of the labels or transcripts; found 'gone', and 1 line like it. "
        "Correct the line or remove it, or name the whole corpus."
    ) in fault(lambda lists: lists["val"].extend(["gone", "lost"]))
    assert (
        f"LISTS/test.txt:2: expected every clip once in all split files; found '{FIRST}', which is in train as well "
        "(LISTS/train.txt:2). Remove one of the two lines."
    ) in fault(lambda lists: lists["test"].insert(0, FIRST))
    assert "LISTS: expected test_split.txt or test.txt in it; found none." in fault(
        lambda lists: lists.pop("test")
    )


def test_help_names_files_and_licence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "mosei", "--help"])
    printed = capsys.readouterr().out
    for word in ("Answer.surprise", "cmu-mosei-dataset", "for research", "not shipped", "1,000 speakers"):
        assert word in printed
