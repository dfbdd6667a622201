"""``mmer import mosei``: what is read of a synthetic tree."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from trees.mosei import (
    CLIPS,
    FIRST,
    RATE,
    SECOND,
    THIRD,
    VIDEOS,
    answers,
    clips,
    first_batch,
    make,
    run,
    split_files,
    videos,
)

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.check import check
from mmer_fairseq.corpus.streams import RawOptions, read_stream, stream_seconds


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    return make(tmp_path_factory.mktemp("mosei") / "CMU", kit)


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


def test_help_names_files_and_licence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "mosei", "--help"])
    printed = capsys.readouterr().out
    for word in ("Answer.surprise", "cmu-mosei-dataset", "for research", "not shipped", "1,000 speakers"):
        assert word in printed
