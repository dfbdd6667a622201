"""``mmer import iemocap``: what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import soundfile
from trees.iemocap import (
    DIALOGUES,
    FIRST,
    RATE,
    line,
    make,
    run,
    split_files,
)


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    return make(tmp_path_factory.mktemp("iemocap") / "full", kit)


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
