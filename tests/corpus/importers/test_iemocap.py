"""``mmer import iemocap``: what is read of a synthetic tree."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from trees.iemocap import (
    CODE,
    DIALOGUES,
    EVERY,
    FIRST,
    RATE,
    SIX,
    TEST,
    WORDS,
    clips,
    make,
    row,
    run,
    speakers,
    split_files,
    utterances,
)

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.check import check
from mmer_fairseq.corpus.streams import RawOptions, read_stream, stream_seconds


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    return make(tmp_path_factory.mktemp("iemocap") / "full", kit)


def test_a_corpus(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root) == 0
    printed = capsys.readouterr().out
    out = tmp_path / "out"
    for told in (
        "40 evaluated utterances; the whole corpus has 10039\n",
        "10 clips left out, of another emotion than the six: Ses01F_impro01_F003, Ses01F_impro01_M003, Ses02F_",
        "sound cut from dialog/wav is the mean of both speakers' microphones: keep them apart with --own-microphone\n",
        "train 18, valid 6, test 6 clips",
    ):
        assert told in printed
    assert "share" not in printed
    assert main(["check", str(out)]) == 0
    report = check(out, decode=True)
    assert report.faults == []
    assert report.shared_speakers == {}
    corpus = Corpus.load(out)
    assert "research" in corpus.description.licence
    assert corpus.description.link == "https://sail.usc.edu/iemocap/"
    third = f"{DIALOGUES[0]}_F001"
    assert row(out, third) == {
        "id": third,
        "text": "Well: that is turn 2. [LAUGHTER]",
        "audio": f"Session1/dialog/wav/{DIALOGUES[0]}.wav",
        "video": f"Session1/dialog/avi/DivX/{DIALOGUES[0]}.avi",
        "start": "0.5",
        "end": "0.7",
        "speaker": "Ses01F",
        "dialogue": DIALOGUES[0],
        "turn": "2",
        "emotion4": "happy",
        "emotion6": "excited",
        **{word: str(int(word == "excited")) for word in sorted(WORDS.values())},
        "valence": "2.5",
        "activation": "2",
        "dominance": "3",
        "side": "left",
    }
    assert row(out, f"{DIALOGUES[0]}_M000")["side"] == "right"
    clip = clips(out)[third]
    assert stream_seconds(clip, "audio") == pytest.approx(0.2)
    sound = read_stream(clip, "audio", RawOptions(sample_rate=RATE))
    assert len(sound) == RATE // 5
    assert float(sound.abs().max()) == pytest.approx(0.3, abs=0.01)  # of both microphones
    assert read_stream(clip, "video", RawOptions()).shape[0] == 2


def test_label_spaces(root: Path, tmp_path: Path) -> None:
    assert run(root) == 0
    out = tmp_path / "out"
    four = Corpus.load(out, "emotion4").label_space.names
    assert four == ("neutral", "sad", "angry", "happy")
    merged = {**WORDS, "exc": "happy"}
    wanted = {clip: four.index(merged[CODE[clip]]) for clip in SIX if CODE[clip] != "fru"}
    assert {clip.id: clip.label for clip in clips(out, "emotion4").values()} == wanted
    six = Corpus.load(out, "emotion6").label_space.names
    assert six == ("angry", "excited", "frustrated", "happy", "neutral", "sad")
    assert {name: six[clip.label] for name, clip in clips(out, "emotion6").items()} == {
        clip: WORDS[CODE[clip]] for clip in SIX
    }
    assert Corpus.load(out, "emotions6").label_space.names == six
    for name, clip in clips(out, "emotions6").items():
        assert clip.label == tuple(float(word == WORDS[CODE[name]]) for word in six)
    assert {clip.label[1] for clip in clips(out, "vad").values()} == {1, 1.5, 2, 2.5, 3, 3.5}


def test_all_emotions(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = root / "Session2" / "dialog" / "EmoEvaluation" / f"{DIALOGUES[1]}.txt"
    path.write_text(path.read_text().replace("2.5000, 1.0000, 3.0000", "5.5000, 1.0000, 3.0000"))
    assert run(root, "--all-emotions") == 0
    odd = f"{DIALOGUES[1]}_F000"
    assert f"1 clip with a mean outside 1 … 5, left out of 'vad': {odd}\n" in capsys.readouterr().out
    assert check(tmp_path / "out").faults == []
    assert set(clips(tmp_path / "out", "vad")) == set(EVERY) - {odd}
    assert set(clips(tmp_path / "out", "emotion6")) == set(SIX)
    assert set(clips(tmp_path / "out", "emotion4")) == {clip for clip in SIX if CODE[clip] != "fru"}
    assert list(Corpus.load(tmp_path / "out").description.labels) == ["emotion4", "emotion6", "vad"]


def test_own_microphone(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--own-microphone") == 0
    assert "microphones" not in capsys.readouterr().out
    assert check(tmp_path / "out", decode=True).faults == []
    found = clips(tmp_path / "out")
    for gender, side, level in (("F", "left", 0.1), ("M", "right", 0.5)):
        clip = found[f"{DIALOGUES[0]}_{gender}000"]
        assert clip.media["audio"] == str(tmp_path / "out" / "audio" / f"{DIALOGUES[0]}_{side}.wav")
        sound = read_stream(clip, "audio", RawOptions(sample_rate=RATE))
        assert float(sound.abs().max()) == pytest.approx(level, abs=0.01)
        start = round(float(clip.start) * RATE)
        whole, _ = soundfile.read(root / "Session1" / "dialog" / "wav" / f"{DIALOGUES[0]}.wav")
        np.testing.assert_array_equal(sound, whole[start : start + len(sound), "FM".index(gender)])


def test_without_video_sound_is_that_of_sentences(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = root / "Session1" / "sentences" / "wav" / DIALOGUES[0] / f"{FIRST}.wav"
    alone.unlink()
    assert run(root, "--modalities text audio") == 0
    printed = capsys.readouterr().out
    assert f"1 clip without a file in sentences/wav, whose sound is cut from dialog/wav: {FIRST}\n" in printed
    assert "is the mean of both speakers' microphones" in printed
    assert check(tmp_path / "out").faults == []
    found = clips(tmp_path / "out")
    assert (found[FIRST].start, found[FIRST].end) == (0.1, 0.3)
    other = found[EVERY[1]]
    assert other.media["audio"].endswith(f"Session1/sentences/wav/{DIALOGUES[0]}/{EVERY[1]}.wav")
    assert (other.start, other.end) == (None, None)
    assert set(other.media) == {"text", "audio"}


def test_what_is_missing(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two, three, four, five = (root / f"Session{k}" / "dialog" for k in range(1, 6))
    (one / "avi" / "DivX" / f"{DIALOGUES[0]}.avi").unlink()
    (two / "wav" / f"{DIALOGUES[1]}.wav").write_bytes(b"")
    script = three / "transcriptions" / f"{DIALOGUES[2]}.txt"
    lines = script.read_text().splitlines(True)
    script.write_text("".join(lines[1:]) + f"{DIALOGUES[2]}_FXX0 [1.0-1.1]: [BREATHING]\nSes03F and so on\n")
    (four / "avi" / "DivX" / f"{DIALOGUES[3]}.avi").unlink()
    (four / "wav" / f"{DIALOGUES[3]}.wav").unlink()
    (five / "transcriptions" / f"{DIALOGUES[4]}.txt").write_text("M: Yeah.\n")
    for path in (five / "wav", five / "avi" / "DivX"):
        next(path.glob("*.*")).unlink()
    shutil.rmtree(root / "Session5" / "sentences")
    assert run(root, "--all-emotions --fold 2") == 0
    printed = capsys.readouterr().out
    second, third, fourth, fifth = (utterances(dialogue) for dialogue in DIALOGUES[1:])
    for told in (
        f"8 clips left out, without any of text and audio and video: {fifth[0]}, ",
        f"1 clip left out, in the transcripts but not in the evaluations: {DIALOGUES[2]}_FXX0\n",
        f"form than 'name [start-end]: words', passed over: {script}:10\n",
        f"9 clips without a transcript: {third[0]}, {fifth[0]}, ",
        f"8 clips with an empty file in dialog/wav, taken as none: {second[0]}, ",
        f"16 clips without audio: {second[0]}, ",
        f"24 clips without video: {FIRST}, ",
        f"8 clips without a file in dialog/wav, whose sound is that of sentences/wav: {fourth[0]}, ",
    ):
        assert told in printed
    assert check(tmp_path / "out").faults == []
    found = clips(tmp_path / "out", "vad")
    assert set(found[third[0]].media) == {"audio", "video"}
    assert set(found[second[0]].media) == {
        "text",
        "video",
    }  # a sentence would begin at another time than the film
    assert found[fourth[0]].start is None
    assert found[FIRST].start == 0.1
    assert fifth[0] not in found


def test_sessions_and_speakers_are_held_out_in_turn(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everyone = [f"Ses0{k}{gender}" for k in range(1, 6) for gender in "FM"]
    for k in range(1, 6):
        assert run(root, f"--fold {k} --modalities text", f"five{k}") == 0
        found = speakers(tmp_path / f"five{k}")
        assert found["test"] == {f"Ses0{k}F", f"Ses0{k}M"}
        assert found["valid"] == {f"Ses0{k % 5 + 1}F", f"Ses0{k % 5 + 1}M"}
        assert not any(a & b for a, b in itertools.combinations(found.values(), 2))
    assert "share" not in capsys.readouterr().out
    for k in (1, 2, 10):
        assert run(root, f"--folds 10 --fold {k} --modalities text", f"ten{k}") == 0
        found = speakers(tmp_path / f"ten{k}")
        assert found["test"] == {everyone[k - 1]}
        assert found["valid"] == {everyone[k - 2 if k % 2 == 0 else k]}
        assert found["train"] == set(everyone) - found["test"] - found["valid"]
    assert f"valid and test share 1 dialogue ({DIALOGUES[0]})\n" in capsys.readouterr().out
    assert run(root, "--folds 5 --fold 2 --valid-share 0.25 --modalities text", "share") == 0
    found = speakers(tmp_path / "share")
    assert found["test"] == {"Ses02F", "Ses02M"}
    assert len(found["valid"]) == 2
    assert not found["valid"] & found["train"]


def test_the_paper_s_split_shares_speakers(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(lists: dict[str, list[str]]) -> None:
        lists["train"].remove(FIRST)

    lists = split_files(tmp_path / "lists", change)
    assert run(root, f"--modalities text --split paper --split-files {lists}") == 0
    printed = capsys.readouterr().out
    shared = [line for line in printed.splitlines() if line.startswith("train and test share ")]
    assert len(shared) == 1
    found = speakers(tmp_path / "out")
    both = sorted(found["train"] & found["test"])
    assert shared[0].startswith(f"train and test share {len(both)} speakers ({both[0]}, ")
    assert shared[0].endswith(f" and 5 dialogues ({', '.join(DIALOGUES)})")
    assert (
        "test scores of this split are of voices known from training: --folds holds speakers out\n" in printed
    )
    assert f"1 clip left out, in none of the split files: {FIRST}\n" in printed
    corpus = Corpus.load(tmp_path / "out", "emotion6")
    assert {clip.id for clip in corpus.clips("test")} == set(TEST)


def test_what_is_left_out_is_not_shared(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = split_files(tmp_path / "lists")
    assert run(root, f"--modalities text --split paper --split-files {lists}", "all") == 0
    capsys.readouterr()
    once = Corpus.load(tmp_path / "all", "emotion6").clips("test")
    gone = " ".join(clip.id for clip in once if clip.speaker == once[0].speaker)
    words = f"--modalities text --split paper --split-files {lists} --leave-out {gone}"
    assert run(root, words, "fewer") == 0
    found = speakers(tmp_path / "fewer")
    both = sorted(found["train"] & found["test"])
    assert once[0].speaker not in both
    told = f"train and test share {len(both)} speaker"
    assert (told in capsys.readouterr().out) == bool(both)


def test_leave_out(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.txt").write_text(f"# noise\n{EVERY[1]}\n\n{EVERY[2]}\n")
    assert run(root, f"--modalities text --leave-out {FIRST} {tmp_path / 'bad.txt'}") == 0
    assert (
        f"3 clips left out, as --leave-out says: {FIRST}, {EVERY[1]}, {EVERY[2]}\n" in capsys.readouterr().out
    )
    assert not set(EVERY[:3]) & set(clips(tmp_path / "out", "vad"))


def test_help_names_files_and_licence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "iemocap", "--help"])
    printed = capsys.readouterr().out
    for word in ("EmoEvaluation", "release form", "https://sail.usc.edu/iemocap/", "known voices"):
        assert word in printed
