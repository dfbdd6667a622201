"""``mmer import iemocap`` on a synthetic tree of the corpus."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Clip, Corpus
from mmer_fairseq.corpus.check import check
from mmer_fairseq.corpus.streams import RawOptions, read_stream, stream_seconds

CODES = ("ang", "hap", "exc", "sad", "neu", "fru", "xxx", "fea")
WORDS = {
    "ang": "angry",
    "hap": "happy",
    "exc": "excited",
    "sad": "sad",
    "neu": "neutral",
    "fru": "frustrated",
}
RATE = 8000
DIALOGUES = [f"Ses0{k}F_impro01" for k in range(1, 6)]


def utterances(dialogue: str) -> list[str]:
    """Speakers take turns."""
    return [f"{dialogue}_{'FM'[k % 2]}00{k // 2}" for k in range(len(CODES))]


EVERY = [clip for dialogue in DIALOGUES for clip in utterances(dialogue)]
FIRST = EVERY[0]
CODE = dict(zip(EVERY, CODES * len(DIALOGUES)))
SIX = [clip for clip in EVERY if CODE[clip] in WORDS]
TEST = SIX[3::4]


def line(k: int, clip: str) -> str:
    """Turn k lasts from 0.2 k + 0.1 to 0.2 k + 0.3 seconds."""
    return f"[{0.2 * k + 0.1:.4f} - {0.2 * k + 0.3:.4f}]\t{clip}\t{CODE[clip]}\t[2.5000, {1 + k / 2:.4f}, 3.0000]"


def evaluations(dialogue: str) -> str:
    blocks = ["% [START_TIME - END_TIME] TURN_NAME TURN_EMOTION [V, A, D]"]
    # the files are not sorted by time
    for k, clip in reversed(list(enumerate(utterances(dialogue)))):
        blocks.append(
            f"{line(k, clip)}\nC-E2:\tNeutral;\t()\nC-F1:\tAnger; Other;\t(x)\nA-E3:\tval 3; act 2; dom  2;\t()\n"
        )
    return "\n".join(blocks)


def transcript(dialogue: str) -> str:
    lines = [
        f"{clip} [{0.2 * k + 0.1:08.4f}-{0.2 * k + 0.3:08.4f}]: Well: that is turn {k}.  [LAUGHTER]"
        for k, clip in enumerate(utterances(dialogue))
    ]
    return "\n".join([*lines, "M: Yeah.", ""])


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    """Every dialogue lasts 2 s; its left channel is a quiet tone, its right one a loud one."""
    root = tmp_path_factory.mktemp("iemocap") / "full"
    times = np.arange(2 * RATE) / RATE
    tones = np.stack([level * np.sin(2 * np.pi * 220 * times) for level in (0.1, 0.5)], axis=1)
    film = kit.mp4(root.parent / "a.avi", frames=20, fps=10)
    for dialogue in DIALOGUES:
        session = root / f"Session{dialogue[4]}"
        for name in ("EmoEvaluation/Categorical", "transcriptions", "wav", "avi/DivX"):
            (session / "dialog" / name).mkdir(parents=True)
        (session / "dialog" / "EmoEvaluation" / f"{dialogue}.txt").write_text(evaluations(dialogue))
        (session / "dialog" / "EmoEvaluation" / f"._{dialogue}.txt").write_bytes(b"\x00\x05")
        (session / "dialog" / "transcriptions" / f"{dialogue}.txt").write_text(transcript(dialogue))
        soundfile.write(session / "dialog" / "wav" / f"{dialogue}.wav", tones, RATE, subtype="PCM_16")
        shutil.copy(film, session / "dialog" / "avi" / "DivX" / f"{dialogue}.avi")
        sentences = session / "sentences" / "wav" / dialogue
        sentences.mkdir(parents=True)
        for clip in utterances(dialogue):
            soundfile.write(sentences / f"{clip}.wav", tones[: RATE // 5, 0], RATE)
    return root


@pytest.fixture
def root(tmp_path: Path, pattern: Path) -> Path:
    shutil.copytree(pattern, tmp_path / "full")
    return tmp_path / "full"


def run(root: Path, words: str = "", out: str = "out") -> int:
    return main(["import", "iemocap", str(root.parent / out), "--root", str(root), *words.split()])


def clips(folder: Path, labels: str | None = None) -> dict[str, Clip]:
    corpus = Corpus.load(folder, labels)
    return {clip.id: clip for split in corpus.splits for clip in corpus.clips(split)}


def row(folder: Path, clip: str) -> dict[str, str]:
    """What the split files say of a clip."""
    for split in ("train", "valid", "test"):
        header, *rows = (line.split("\t") for line in (folder / f"{split}.tsv").read_text().splitlines())
        for cells in rows:
            if cells[0] == clip:
                return dict(zip(header, cells))
    raise KeyError(clip)


def speakers(folder: Path) -> dict[str, set[str]]:
    corpus = Corpus.load(folder, "vad")
    return {split: {clip.speaker for clip in corpus.clips(split)} for split in corpus.splits}


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


def split_files(folder: Path, change=lambda lists: None) -> Path:
    """Utterances of all dialogues are in all lists, as in those of MME2E."""
    folder.mkdir()
    lists = {"train": SIX[::4] + SIX[1::4], "valid": SIX[2::4], "test": TEST}
    change(lists)
    for split, names in lists.items():
        (folder / f"{split}_split.txt").write_text("".join(f"{name}\n" for name in names))
    return folder


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


def test_leave_out(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.txt").write_text(f"# noise\n{EVERY[1]}\n\n{EVERY[2]}\n")
    assert run(root, f"--modalities text --leave-out {FIRST} {tmp_path / 'bad.txt'}") == 0
    assert (
        f"3 clips left out, as --leave-out says: {FIRST}, {EVERY[1]}, {EVERY[2]}\n" in capsys.readouterr().out
    )
    assert not set(EVERY[:3]) & set(clips(tmp_path / "out", "vad"))


EVALUATED = f"Session1/dialog/EmoEvaluation/{DIALOGUES[0]}.txt"
SAID = f"Session1/dialog/transcriptions/{DIALOGUES[0]}.txt"


def put(name: str, text: str):
    return lambda root: (root / name).write_text(text)


def drop(pattern: str):
    def change(root: Path) -> None:
        for path in list(root.glob(pattern)):
            shutil.rmtree(path)

    return change


LINE = line(0, FIRST)
FAULTS = [
    (shutil.rmtree, "", "ROOT: expected the folder of IEMOCAP; found no such folder. Correct the path."),
    (
        drop("Session*"),
        "",
        "ROOT: expected the folders Session1 … Session5 in it; found none of them. Name the folder "
        "IEMOCAP_full_release.",
    ),
    (
        drop("Session3/dialog/EmoEvaluation"),
        "",
        "ROOT/Session3/dialog/EmoEvaluation: expected the folder of the evaluations; found no such folder. Fetch it, "
        "or correct --root.",
    ),
    (
        drop("Session3/dialog/transcriptions"),
        "",
        "ROOT/Session3/dialog/transcriptions: expected the folder of the transcripts; found no such folder. Fetch it, "
        "or leave text out of --modalities.",
    ),
    (
        lambda root: [path.unlink() for path in root.glob("Session*/dialog/EmoEvaluation/Ses*")],
        "",
        "ROOT: expected utterances in Session*/dialog/EmoEvaluation/*.txt; found none. Name the folder",
    ),
    (
        drop("Session*/dialog/avi"),
        "",
        "ROOT: expected video in Session*/dialog/avi/DivX; found none. Fetch it, correct --root, or leave video out of "
        "--modalities.",
    ),
    (
        lambda root: (drop("Session*/dialog/wav")(root), drop("Session*/sentences")(root)),
        "--modalities text audio",
        "ROOT: expected audio in Session*/dialog/wav or sentences/wav; found none. Fetch it, correct --root, or leave "
        "audio out of --modalities.",
    ),
    (
        put(EVALUATED, LINE.replace("\t[", " ")),
        "",
        f"ROOT/{EVALUATED}:1: expected [start - end], name, emotion and [valence, activation, dominance], separated by "
        f"tabs; found {LINE.replace(chr(9) + '[', ' ')[:80]!r}. Take the file as the corpus has it.",
    ),
    (
        put(EVALUATED, LINE.replace(FIRST, "impro01_F000")),
        "",
        f"ROOT/{EVALUATED}:1: expected an utterance named like Ses01F_impro01_F000 (session, markers, scenario, "
        "speaker and turn); found 'impro01_F000'. Take the file as the corpus has it.",
    ),
    (
        put(EVALUATED, LINE.replace("impro01", "impro02")),
        "",
        f"ROOT/{EVALUATED}:1: expected utterances of {DIALOGUES[0]}, as the name of the file says; found "
        "'Ses01F_impro02_F000'.",
    ),
    (
        put(EVALUATED, LINE.replace("\tang", "\tange")),
        "",
        f"ROOT/{EVALUATED}:1: expected the emotion to be one of ang, exc, fru, hap, neu, sad, fea, sur, dis, oth, xxx; "
        "found 'ange'. Write 'ang'.",
    ),
    (
        put(EVALUATED, LINE.replace("0.3000]", "soon]")),
        "",
        f"ROOT/{EVALUATED}:1: expected start and end in seconds, the end after the start; found '0.1000' and 'soon'.",
    ),
    (put(EVALUATED, LINE.replace("0.3000]", "0.1000]")), "", "found '0.1000' and '0.1000'. Take the file"),
    (
        put(EVALUATED, LINE.replace("1.0000, 3.0000", "low, 3.0000")),
        "",
        f"ROOT/{EVALUATED}:1: expected three numbers, the means of valence, activation, dominance; found "
        "'2.5000, low, 3.0000'. Take the file as the corpus has it.",
    ),
    (put(EVALUATED, LINE.replace(", 3.0000", "")), "", "found '2.5000, 1.0000'."),
    (
        put(EVALUATED, f"{LINE}\n{LINE}\n"),
        "",
        f"ROOT/{EVALUATED}:2: expected every utterance once; found '{FIRST}', which stands at ROOT/{EVALUATED}:1 as "
        "well. Remove one of the two lines.",
    ),
    (
        put(SAID, f"{FIRST} [0-1]: Yes.\n{FIRST} [0-1]: No.\n"),
        "",
        f"ROOT/{SAID}:2: expected every utterance once; found '{FIRST}', which stands at ROOT/{SAID}:1 as well.",
    ),
    (
        put(EVALUATED, "\n"),
        "",
        f"ROOT/{EVALUATED}: expected the evaluations of a dialogue; found an empty file.",
    ),
    (
        lambda root: soundfile.write(
            root / "Session1" / "dialog" / "wav" / f"{DIALOGUES[0]}.wav", [0.1] * 99, RATE
        ),
        "--own-microphone",
        f"ROOT/Session1/dialog/wav/{DIALOGUES[0]}.wav: expected two channels, one for each speaker's microphone; found "
        "1. Take the file as the corpus has it, or leave out --own-microphone.",
    ),
    (None, "--fold 6", "--fold: expected a session from 1 to 5; found 6. Correct it."),
    (None, "--folds 10 --fold 11", "--fold: expected a speaker from 1 to 10; found 11. Correct it."),
    (
        None,
        "--valid-share 1",
        "--valid-share: expected a share of the speakers above 0 and below 1; found 1.0. Correct it, or leave it out.",
    ),
    (
        None,
        "--split paper",
        "--split paper, --split-files: expected both or none of them; found one. Add the other.",
    ),
    (
        None,
        "--split paper --split-files x --fold 2",
        "--split paper, --fold: expected one of them; found both. Leave out --fold, or --split paper.",
    ),
    (
        None,
        "--own-microphone --modalities text video",
        "--own-microphone: expected audio among --modalities; found text, video. Add audio, or leave out",
    ),
    (
        None,
        "--leave-out Ses01F_impro01_F000.",
        "--leave-out: expected utterances of the evaluations; found 'Ses01F_impro01_F000.'. "
        "Write 'Ses01F_impro01_F000'.",
    ),
    (
        drop("Session[23]"),
        "",
        "ROOT: expected clips in each of train, valid, test; found none in valid (",
    ),
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
        if change is not None:
            split_files(lists, change)
        assert run(root, f"--modalities text --split paper --split-files {lists}") == 2
        return capsys.readouterr().err.replace(str(lists), "LISTS")

    assert "LISTS: expected the folder of the split files; found no such folder. " in fault(None)
    assert (
        f"LISTS/test_split.txt:1: expected every clip once in all split files; found '{FIRST}', which is in train as "
        "well (LISTS/train_split.txt:1). Remove one of the two lines."
    ) in fault(lambda lists: lists["test"].insert(0, FIRST))
    assert (
        "LISTS/valid_split.txt:2: expected an utterance of the evaluations; found 'Ses01F_impro01_F000.'. "
        "Write 'Ses01F_impro01_F000'."
    ) in fault(lambda lists: lists["valid"].insert(1, "Ses01F_impro01_F000."))
    assert (
        "LISTS: expected valid_split.txt or valid.txt in it; found none. Add it: the ids, one a line."
    ) in fault(lambda lists: lists.pop("valid"))
    assert "LISTS/test_split.txt: expected the ids of the test split; found an empty file." in fault(
        lambda lists: lists.update(test=[])
    )
    lists = split_files(tmp_path / "twice")
    shutil.copy(lists / "test_split.txt", lists / "test.txt")
    assert run(root, f"--modalities text --split paper --split-files {lists}") == 2
    assert (
        "twice: expected one list of the test split; found test_split.txt, test.txt. Remove the others."
        in capsys.readouterr().err
    )


def test_help_names_files_and_licence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "iemocap", "--help"])
    printed = capsys.readouterr().out
    for word in ("EmoEvaluation", "release form", "https://sail.usc.edu/iemocap/", "known voices"):
        assert word in printed
