"""``mmer import mosi`` on synthetic trees: the raw release, and the form with one table of labels and splits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Clip, Corpus
from mmer_fairseq.corpus.check import check
from mmer_fairseq.corpus.streams import RawOptions, read_stream

VIDEOS = ["03bSnISJMiM", "Bfr499ggo-0", "_dI--eQ6qVU", "c5xsKMxpXnc", "d6hH302o4v8"]
CLIPS = [f"{video}_{k}" for video in VIDEOS for k in (1, 2)]
FIRST = CLIPS[0]
RATE = 8000
OPINIONS = "OpinionLevelSentiment.csv"
HEADER = "start,end,video_id,clip,label\n"


def opinions() -> str:
    """Clip 1 lasts from 0 to 0.4 s, clip 2 from 0.5 to 0.9 s."""
    rows = [f"0.0,0.4,{video},1,-1.6\n0.5,0.9,{video},2,{k}.2\n" for k, video in enumerate(VIDEOS, start=-2)]
    return "".join(rows)


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory, kit) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("mosi")
    film = kit.mp4(folder / "a.mp4", frames=10, fps=10, sound=True)
    return kit.wav(folder / "a.wav", rate=RATE), film


@pytest.fixture
def root(tmp_path: Path, media: tuple[Path, Path]) -> Path:
    sound, film = media
    folder = tmp_path / "MOSI" / "Raw"
    for name in ("Transcript/Segmented", "Video/Segmented", "Audio/WAV_16000/Segmented", "Labels"):
        (folder / name).mkdir(parents=True)
    (folder / "Labels" / OPINIONS).write_text(HEADER + opinions())
    for video in VIDEOS:
        lines = [f"{k}_DELIM_THIS IS  CLIP {k}\n" for k in (1, 2)]
        (folder / "Transcript" / "Segmented" / f"{video}.annotprocessed").write_text("".join(lines))
    for clip in CLIPS:
        shutil.copy(film, folder / "Video" / "Segmented" / f"{clip}.mp4")
        shutil.copy(sound, folder / "Audio" / "WAV_16000" / "Segmented" / f"{clip}.wav")
    return tmp_path / "MOSI"


def run(root: Path, words: str = "", out: str = "out") -> int:
    return main(["import", "mosi", str(root.parent / out), "--root", str(root), *words.split()])


def clips(folder: Path) -> dict[str, Clip]:
    corpus = Corpus.load(folder)
    return {clip.id: clip for split in corpus.splits for clip in corpus.clips(split)}


def test_segments(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root) == 0
    printed = capsys.readouterr().out
    assert "labels of 10 clips; the paper of CMU-MOSI counts 2199\n" in printed
    assert "which is no official split" in printed
    assert "train 6, valid 2, test 2 clips" in printed
    assert main(["check", str(tmp_path / "out")]) == 0
    report = check(tmp_path / "out", decode=True)
    assert report.faults == []
    assert report.shared_speakers == {}
    corpus = Corpus.load(tmp_path / "out")
    assert list(corpus.description.labels) == ["sentiment"]
    assert corpus.description.link == "http://multicomp.cs.cmu.edu/resources/cmu-mosi-dataset/"
    found = clips(tmp_path / "out")
    wanted = [label for second in (-2.2, -1.2, 0.2, 1.2, 2.2) for label in (-1.6, second)]
    assert [found[clip].label[0] for clip in CLIPS] == pytest.approx(wanted)
    clip = found[FIRST]
    assert clip.media == {
        "text": "THIS IS CLIP 1",
        "audio": f"{root}/Raw/Audio/WAV_16000/Segmented/{FIRST}.wav",
        "video": f"{root}/Raw/Video/Segmented/{FIRST}.mp4",
    }
    assert (clip.speaker, clip.dialogue, clip.turn, clip.start) == (VIDEOS[0], VIDEOS[0], "1", None)
    assert len(read_stream(clip, "audio", RawOptions(sample_rate=RATE))) == RATE
    assert len(read_stream(clip, "video", RawOptions())) == 10


@pytest.mark.parametrize("header", ["", HEADER, "Start,End,video,clip_id,Sentiment\n"])
def test_whole_recordings_by_the_times_of_the_labels(root: Path, tmp_path: Path, media, header: str) -> None:
    (root / "Raw" / "Labels" / OPINIONS).rename(root / "Raw" / OPINIONS)
    (root / "Raw" / OPINIONS).write_text(header + opinions())
    (root / "Raw" / "Video" / "Full").mkdir()
    for video in VIDEOS:
        shutil.copy(media[1], root / "Raw" / "Video" / "Full" / f"{video}.mp4")
    assert run(root, "--recordings whole") == 0
    assert check(tmp_path / "out", decode=True).faults == []
    second = clips(tmp_path / "out")[CLIPS[1]]
    assert (second.start, second.end) == (0.5, 0.9)
    film = f"{root}/Raw/Video/Full/{VIDEOS[0]}.mp4"
    assert second.media == {"text": "THIS IS CLIP 2", "audio": film, "video": film}


@pytest.fixture
def single(tmp_path: Path, media: tuple[Path, Path]) -> Path:
    """``label.csv`` and ``Raw/<video>/<clip>.mp4``."""
    folder = tmp_path / "MOSI"
    modes = dict(zip(VIDEOS, ("train", "train", "train", "valid", "test")))
    rows = ["video_id,clip_id,text,label,label_T,annotation,mode\n"]
    for clip in CLIPS:
        video, number = clip.rsplit("_", 1)
        rows.append(f'{video},000{number},"Well, clip {number}.",-0.5,,Negative,{modes[video]}\n')
        (folder / "Raw" / video).mkdir(parents=True, exist_ok=True)
        shutil.copy(media[1], folder / "Raw" / video / f"000{number}.mp4")
    (folder / "label.csv").write_text("".join(rows))
    return folder


def test_one_table_of_labels_texts_and_splits(
    single: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(single) == 0
    printed = capsys.readouterr().out
    assert "official" not in printed
    assert "10 clips without a .wav, whose sound is the track of the video: " in printed
    assert check(tmp_path / "out", decode=True).faults == []
    corpus = Corpus.load(tmp_path / "out")
    assert {clip.speaker for clip in corpus.clips("valid")} == {VIDEOS[3]}
    assert {clip.speaker for clip in corpus.clips("test")} == {VIDEOS[4]}
    first = clips(tmp_path / "out")[FIRST]
    film = f"{single}/Raw/{VIDEOS[0]}/0001.mp4"
    assert first.media == {"text": "Well, clip 1.", "audio": film, "video": film}
    assert first.label == (-0.5,)
    assert run(single, "--seed 1", "dealt") == 0
    assert "--seed 1), which is no official split" in capsys.readouterr().out
    path = single / "label.csv"
    path.write_text(
        path.read_text().replace('2,"Well, clip 2.",-0.5,,Negative,test', "2,,-0.5,,Negative,dev")
    )
    assert run(single, out="shared") == 0
    printed = capsys.readouterr().out
    assert f"valid and test share 1 video ({VIDEOS[4]})\n" in printed
    assert f"1 clip without a transcript: {CLIPS[-1]}\n" in printed


def test_mosei_takes_the_same_table(single: Path, tmp_path: Path) -> None:
    assert main(["import", "mosei", str(tmp_path / "out"), "--root", str(single)]) == 0
    assert list(Corpus.load(tmp_path / "out").description.labels) == ["sentiment"]


def test_transcripts_and_labels_that_do_not_fit(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = root / "Raw" / "Transcript" / "Segmented" / f"{VIDEOS[0]}.annotprocessed"
    path.write_text("2_DELIM_TWO\n3_DELIM_THREE\n")
    (root / "Raw" / "Video" / "Segmented" / f"{CLIPS[2]}.mp4").unlink()
    (root / "Raw" / "Audio" / "WAV_16000" / "Segmented" / f"{CLIPS[3]}.wav").write_bytes(b"")
    (root / "Raw" / "Video" / "Segmented" / f"{CLIPS[3]}.mp4").unlink()
    assert run(root) == 0
    printed = capsys.readouterr().out
    for told in (
        f"1 clip left out, in the transcripts but without a label: {VIDEOS[0]}_3\n",
        f"1 clip without a transcript: {FIRST}\n",
        f"2 clips without video: {CLIPS[2]}, {CLIPS[3]}\n",
        f"1 clip with an empty file of audio, taken as none: {CLIPS[3]}\n",
        f"1 clip without audio: {CLIPS[3]}\n",
    ):
        assert told in printed
    found = clips(tmp_path / "out")
    assert set(found[FIRST].media) == {"audio", "video"}
    assert set(found[CLIPS[2]].media) == {"text", "audio"}
    assert set(found[CLIPS[3]].media) == {"text"}


def put(name: str, text: str):
    return lambda root: (root / "Raw" / name).write_text(text)


TABLE = f"Labels/{OPINIONS}"
SCRIPT = f"Transcript/Segmented/{VIDEOS[0]}.annotprocessed"
FAULTS = [
    (
        lambda root: shutil.rmtree(root / "Raw" / "Labels"),
        "",
        f"ROOT: expected one of {OPINIONS}, Labels/{OPINIONS}, label.csv, Labels/label.csv in it, or in its folder "
        "Raw; found none of them. Correct --root, or name the labels with --labels.",
    ),
    (
        put(TABLE, "video_id,clip,score\nx,1,2\n"),
        "",
        f"ROOT/Raw/{TABLE}:1: expected a header with the columns video_id, clip_id, label, or Input.VIDEO_ID, "
        "Input.CLIP, Answer.sentiment, Answer.anger, Answer.disgust, Answer.fear, Answer.happiness, Answer.sadness, "
        "Answer.surprise; found 'video_id', 'clip', 'score' (no label). Write the header, or name another file with "
        "--labels.",
    ),
    (put(TABLE, "0.0,0.4,x,1\n"), "", f"ROOT/Raw/{TABLE}:1: expected 5 cells; found 4."),
    (
        put(TABLE, HEADER + "0,1,x,1,positive\n"),
        "",
        f"ROOT/Raw/{TABLE}:2: expected label to be a number from -3 to 3; found 'positive'. Correct the table, or take "
        "it anew from its source.",
    ),
    (
        put(TABLE, HEADER + "0,soon,x,1,1\n"),
        "",
        f"ROOT/Raw/{TABLE}:2: expected start and end to be seconds; found '0' and 'soon'.",
    ),
    (
        put(TABLE, HEADER + "0,1,x,1.5,1\n"),
        "",
        f"ROOT/Raw/{TABLE}:2: expected clip to be the number of the clip in its video, a whole number of 0 or more; "
        "found '1.5'.",
    ),
    (
        put(TABLE, HEADER + "0,1,x,1,1\n0,1,x,01,1\n"),
        "",
        f"ROOT/Raw/{TABLE}:3: expected every clip once; found 'x_1', which stands at ROOT/Raw/{TABLE}:2 as well. ",
    ),
    (
        put(TABLE, "video_id,clip_id,label,mode\nx,1,1,tests\n"),
        "",
        f"ROOT/Raw/{TABLE}:2: expected mode to be one of train, valid, test; found 'tests'. Write 'test'.",
    ),
    (
        put(SCRIPT, "1_DELIM_YES\n2 DELIM NO\n"),
        "",
        f"ROOT/Raw/{SCRIPT}:2: expected a line of the form clip_DELIM_text, the clip a number; found '2 DELIM NO'. "
        "Correct the line, or take the file anew from its source.",
    ),
    (
        put(SCRIPT, "1_DELIM_YES\n1_DELIM_NO\n"),
        "",
        f"ROOT/Raw/{SCRIPT}:2: expected every clip once; found '{FIRST}', which stands at ROOT/Raw/{SCRIPT}:1 as well.",
    ),
    (
        lambda root: put(TABLE, HEADER + "".join(opinions().splitlines(True)[:4]))(root),
        "",
        "splits: expected 3 groups at least, one for each of train, valid, test; found 2: ",
    ),
]


@pytest.mark.parametrize(("change", "words", "fault"), FAULTS)
def test_faults(root: Path, capsys: pytest.CaptureFixture[str], change, words: str, fault: str) -> None:
    change(root)
    assert run(root, words) == 2
    assert fault in capsys.readouterr().err.replace(str(root), "ROOT")
    assert not (root.parent / "out").exists()


def test_help_names_files_and_licence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "mosi", "--help"])
    printed = capsys.readouterr().out
    for word in (OPINIONS, "annotprocessed", "cmu-mosi-dataset", "for research", "not shipped", "89"):
        assert word in printed
