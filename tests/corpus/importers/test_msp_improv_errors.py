"""``mmer import msp-improv``: what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from trees.msp_improv import CLIPS, label_file, make, place, run


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    return make(tmp_path_factory.mktemp("improv") / "improv", kit)


FIRST = CLIPS[0]


def said(old: str, new: str, times: int = 1):
    def change(root: Path) -> None:
        text = (root / "Evalution.txt").read_text()
        assert old in text
        (root / "Evalution.txt").write_text(text.replace(old, new, times))

    return change


def rename(name: str):
    return lambda root: (root / place(FIRST, "wav")).rename(root / "Audio" / f"{name}.wav")


FAULTS = [
    (shutil.rmtree, "", "ROOT: expected the folder of MSP-IMPROV; found no such folder. Correct the path."),
    (
        lambda root: [shutil.rmtree(root / name) for name in ("Audio", "Video")],
        "",
        "ROOT: expected recordings named MSP-IMPROV-S01A-F01-P-FM01.wav, .avi or .mp4 in it; found none. Correct",
    ),
    (
        lambda root: (root / "Evalution.txt").unlink(),
        "",
        "ROOT: expected one Evalution.txt (or Evaluation.txt) in it; found none. Name the file with --evaluation.",
    ),
    (
        lambda root: (root / "Audio" / "Evaluation.txt").write_text("x"),
        "",
        "found ROOT/Evalution.txt, ROOT/Audio/Evaluation.txt. Name the file with --evaluation.",
    ),
    (None, "--evaluation none.txt", "none.txt: expected the file of evaluations; found no such file."),
    (
        rename("MSP-IMPROV-S01A-F01"),
        "",
        "ROOT/Audio/MSP-IMPROV-S01A-F01.wav: expected a name of the form MSP-IMPROV-S01A-F01-P-FM01; found "
        "'MSP-IMPROV-S01A-F01'. Correct the name, or take it out.",
    ),
    (
        rename("MSP-IMPROV-S01A-F09-P-FM01"),
        "",
        "expected a speaker from F01 to F06 or M01 to M06; found 'F09' in 'MSP-IMPROV-S01A-F09-P-FM01'.",
    ),
    (
        rename("MSP-IMPROV-S01Q-F01-P-FM01"),
        "",
        "expected the target emotion to be one of A, H, N, S; found 'Q' in 'MSP-IMPROV-S01Q-F01-P-FM01'.",
    ),
    (
        rename("MSP-IMPROV-S01A-F01-Z-FM01"),
        "",
        "expected the kind of recording to be one of P, R, S, T; found 'Z' in 'MSP-IMPROV-S01A-F01-Z-FM01'.",
    ),
    (
        lambda root: shutil.copy(root / place(FIRST, "wav"), root / f"{FIRST}.wav"),
        "",
        f"ROOT/{place(FIRST, 'wav')}: expected one file of each clip; found ROOT/{FIRST}.wav of the same clip. "
        "Remove one of the two.",
    ),
    (
        said("avi; A;", "avi; Q;"),
        "",
        "ROOT/Evalution.txt:1: expected the consensus to be one of A, S, H, N, O, X; found 'Q'. Take the file",
    ),
    (
        said("A:2.500000", "A:7.5"),
        "",
        "ROOT/Evalution.txt:1: expected A (the mean of arousal) to be a number from 1 to 5; found '7.5'.",
    ),
    (
        said("A0; Angry;", "A0; Angri;"),
        "",
        "ROOT/Evalution.txt:2: expected the primary emotion to be one of angry, sad, happy, neutral, other; found "
        "'Angri'. Write 'angry'.",
    ),
    (
        said("A0; Angry; Angry,Frustrated", "A0; Angry; Angry,Bored"),
        "",
        "ROOT/Evalution.txt:2: expected a secondary emotion to be one of depressed, frustrated, angry, sad, disgust, "
        "excited, fear, neutral, surprise, happy, other; found 'Bored'. Correct the word, or count such words as other "
        "with --unknown-is-other.",
    ),
    (
        said(CLIPS[1].replace("MSP", "UTD"), FIRST),
        "",
        f"ROOT/Evalution.txt:8: expected every turn once; found '{FIRST}', which stands at ROOT/Evalution.txt:1 as "
        "well. Remove one of the two blocks.",
    ),
    (
        said("UTD-IMPROV", "IMPROV"),
        "",
        "ROOT/Evalution.txt:1: expected the name of a turn; found 'IMPROV-S01A-",
    ),
    (
        said("A0; Angry; Angry,Frustrated; A:2.000000; V:1.000000; D:3; N:5;", "A0"),
        "",
        "ROOT/Evalution.txt:2: expected annotator; primary; secondary emotions; …; found 'A0'.",
    ),
    (
        None,
        "--partition-file x.csv --partition 2",
        "--partition-file, --partition: expected one of them; found both.",
    ),
    (
        lambda root: [path.unlink() for path in root.rglob("*-?01-?-*")],
        "",
        "ROOT: expected clips in each of train, valid, test; found none in test (8 clips left out, in the "
        "evaluations but without a recording: ",
    ),
]


@pytest.mark.parametrize(("change", "words", "fault"), FAULTS)
def test_faults(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str], change, words: str, fault: str
) -> None:
    if change is not None:
        change(root)
    assert run(tmp_path, words) == 2
    error = capsys.readouterr().err.replace(str(root), "ROOT")
    assert fault in error
    assert not (tmp_path / "out").exists()


def test_faults_of_label_files(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = label_file(tmp_path, lambda text: text.replace("3.5,Train", "3.5,Test", 1))
    assert run(tmp_path, f"--partition-file {path}") == 2
    expected = (
        f"{path}:3: expected splits that share no speaker; found F01 in train ('{CLIPS[1]}') and in test "
    )
    assert expected + f"('{FIRST}', {path}:2)." in capsys.readouterr().err
    assert run(tmp_path, f"--classes 10 --partition-file {label_file(tmp_path)}") == 2
    assert "expected a name, the columns depressed, frustrated, " in capsys.readouterr().err
