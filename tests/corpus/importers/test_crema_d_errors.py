"""``mmer import crema-d``: what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from trees.crema_d import CLIPS, label_file, make, run, table


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    return make(tmp_path_factory.mktemp("crema") / "CREMA-D", kit)


FIRST = CLIPS[0]
VOTES = "processedResults/tabulatedVotes.csv"


def rename(old: str, new: str):
    return lambda root: (root / old).rename(root / new)


def votes(old: str, new: str):
    def change(root: Path) -> None:
        text = (root / VOTES).read_text()
        assert old in text
        (root / VOTES).write_text(text.replace(old, new))

    return change


def pointers(root: Path) -> None:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    for path in (root / "AudioWAV").iterdir():
        path.write_text(text)


def people(old: str, new: str):
    def change(root: Path) -> None:
        path = root / "VideoDemographics.csv"
        path.write_text(path.read_text().replace(old, new))

    return change


FAULTS = [
    (
        shutil.rmtree,
        "",
        "ROOT: expected the folder of CREMA-D; found no such folder. Correct the path.",
    ),
    (
        lambda root: shutil.rmtree(root / "VideoFlash"),
        "",
        "ROOT/VideoFlash: expected the folder of the videos; found no such folder. Fetch it, correct --root, or "
        "use --modalities text audio.",
    ),
    (
        lambda root: [path.unlink() for path in (root / "AudioWAV").iterdir()],
        "--modalities audio",
        "ROOT: expected recordings in AudioWAV or VideoFlash; found none. Fetch them: git lfs install",
    ),
    (
        lambda root: [shutil.rmtree(root / name) for name in ("AudioWAV", "VideoFlash")],
        "--modalities audio",
        "ROOT/VideoFlash: expected the folder of the videos, where there is no AudioWAV; found no such folder. Fetch "
        "one of them, or correct --root.",
    ),
    (
        None,
        "--leave-out 1001_IEO_ANG_XY",
        "--leave-out: expected clips with recordings; found '1001_IEO_ANG_XY'. Write '1001_IEO_ANG_XX'.",
    ),
    (None, "--modalities text", "--modalities: expected audio or video among them; found text."),
    (
        pointers,
        "",
        "ROOT/AudioWAV/1001_DFA_FEA_XX.wav: expected a recording; found what git-lfs leaves in its place, as for "
        "1001_DFA_FEA_XX, ",
    ),
    (
        rename(f"AudioWAV/{FIRST}.wav", "AudioWAV/first.wav"),
        "",
        "ROOT/AudioWAV/first.wav: expected a name of the form 1001_IEO_ANG_HI (actor, sentence, emotion, level); "
        "found 'first'. Correct the name, or take it out.",
    ),
    (
        rename(f"AudioWAV/{FIRST}.wav", "AudioWAV/1001_IEO_ANH_XX.wav"),
        "",
        "ROOT/AudioWAV/1001_IEO_ANH_XX.wav: expected the emotion to be one of ANG, DIS, FEA, HAP, NEU, SAD; found "
        "'ANH' in '1001_IEO_ANH_XX'. Write 'ANG'.",
    ),
    (
        rename(f"AudioWAV/{FIRST}.wav", "AudioWAV/1001_QQQ_ANG_XX.wav"),
        "",
        "expected the sentence to be one of IEO, TIE, ",
    ),
    (
        rename(f"AudioWAV/{FIRST}.wav", "AudioWAV/1001_IEO_ANG_YY.wav"),
        "",
        "expected the level to be one of LO, MD, HI, XX, X; found 'YY'",
    ),
    (
        rename(f"AudioWAV/{FIRST}.wav", "AudioWAV/2001_IEO_ANG_XX.wav"),
        "",
        "expected an actor from 1001 to 1091; found '2001' in '2001_IEO_ANG_XX'.",
    ),
    (
        lambda root: (root / VOTES).unlink(),
        "",
        f"ROOT/{VOTES}: expected the table of votes; found no such file. Correct the path or add the file.",
    ),
    (
        votes(",fileName,", ",FileName,"),
        "",
        f"ROOT/{VOTES}:1: expected a header with the columns A, D, F, H, N, S, fileName; found '', 'A', 'D', 'F', "
        "'H', … (9 in all) (no fileName). Rename to 'fileName' the column 'FileName'.",
    ),
    (
        lambda root: (root / VOTES).write_text("A,D,F,H,N,S,fileName\n1,0,0,0,0,0,1001_IEO_ANG_XX\n"),
        "",
        f"ROOT/{VOTES}:1: expected the index (100001 …) in the first column; found 'A'.",
    ),
    (
        votes("\n100001,", "\n1,"),
        "",
        f"ROOT/{VOTES}:2: expected an index of 100001 … (voice), 200001 … (face) or 300001 … (multimodal); found "
        "'1'.",
    ),
    (
        votes("\n100002,1,", "\n100002,-1,"),
        "--votes voice",
        f"ROOT/{VOTES}:3: expected A to be a number, 0 or more; found '-1'. Correct the table",
    ),
    (
        votes(f"{CLIPS[1]},", f"{FIRST},"),
        "--votes voice",
        f"ROOT/{VOTES}:3: expected every clip once among the votes on voice; found '{FIRST}', which stands at "
        f"ROOT/{VOTES}:2 as well. Remove one of the two lines.",
    ),
    (
        votes(f"{FIRST},", "1001_IEO_XXX_XX,"),
        "--votes voice",
        f"ROOT/{VOTES}:2: expected the emotion to be one of ANG, DIS, FEA, HAP, NEU, SAD; found 'XXX'",
    ),
    (votes("\n100001,1,", "\n100001,"), "", f"ROOT/{VOTES}:2: expected 9 cells; found 8."),
    (
        lambda root: (root / VOTES).write_text(
            "\n".join(x for x in table().splitlines() if x[:2] != "30") + "\n"
        ),
        "",
        f"ROOT/{VOTES}: expected rows of --votes multimodal (index 300001 …); found none.",
    ),
    (
        people("1002,", "1001,"),
        "",
        "ROOT/VideoDemographics.csv:3: expected each actor from 1001 to 1091 once; found '1001' again.",
    ),
    (
        people("1002,", "1050,"),
        "",
        "ROOT/VideoDemographics.csv: expected a line for each actor of the recordings; found none for 1002.",
    ),
    (
        people("Sex", "Gender"),
        "",
        "ROOT/VideoDemographics.csv:1: expected a header with the columns ActorID, Age, Sex, Race, Ethnicity;",
    ),
    (None, "--label intended --rule majority", "--label intended, --rule: expected one of them; found both."),
    (
        None,
        "--partition-file x.csv --votes face",
        "--partition-file, --votes: expected one of them; found both.",
    ),
    (None, "--partition-file OUT/x.csv", "x.csv: expected a label file of AuxFormer; found no such file."),
    (
        lambda root: (
            [path.unlink() for path in root.rglob("100[4-9]_*")]
            + [path.unlink() for path in root.rglob("1010_*")]
        ),
        "",
        "splits: expected 5 groups at least, one for each of",
    ),
    (
        lambda root: (root / VOTES).write_text(
            "\n".join(x for k, x in enumerate(table().splitlines()) if not k or f",{FIRST[:4]}_" in x) + "\n"
        ),
        "",
        "ROOT: expected clips in each of train, valid, test; found none in ",
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


LABEL_FAULTS = [
    (
        lambda text: text.replace("fear", "fright"),
        "labels.csv:1: expected a name, the columns angry, sad, disgust, fear, neutral, happy, and a partition; "
        "found FileName, angry, sad, disgust, fright, neutral, happy, Split_Set. Choose --classes",
    ),
    (
        lambda text: text.replace(
            "1003_IEO_ANG_XX.wav,1.0,0.0,0.0,0.0,0.0,0.0,Train", "1003_IEO_ANG_XX.wav,1.0,0,0,0,0,0,Test"
        ),
        "labels.csv:15: expected splits that share no speaker; found 1003 in train ('1003_DFA_SAD_XX') and in test "
        "('1003_IEO_ANG_XX', LABELS:14). Correct the partition of one of them, or use --partition.",
    ),
    (
        lambda text: text.replace("Development", "Devel"),
        "expected the last column to be one of Train, Development, Test; found 'Devel'. ",
    ),
    (
        lambda text: text.replace("1001_DFA_SAD_XX", "1001_IEO_ANG_XX"),
        "labels.csv:3: expected every clip once; found '1001_IEO_ANG_XX', which stands at LABELS:2 as well.",
    ),
    (
        lambda text: text.replace("1001_IEO_ANG_XX.wav,1.0", "1001_IEO_ANG_XX.wav,yes"),
        "labels.csv:2: expected angry to be a number, 0 or more; found 'yes'.",
    ),
    (
        lambda text: text.replace("1001_IEO_ANG_XX", "one"),
        "labels.csv:2: expected a name of the form 1001_IEO_ANG_HI (actor, sentence, emotion, level); found 'one'.",
    ),
]


@pytest.mark.parametrize(("change", "fault"), LABEL_FAULTS)
def test_faults_of_label_files(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str], change, fault: str
) -> None:
    path = label_file(tmp_path, change=change)
    assert run(tmp_path, f"--partition-file {path}") == 2
    error = capsys.readouterr().err
    assert fault in error.replace(f"at {path}", "at LABELS").replace(f", {path}", ", LABELS")


def test_six_columns_for_four_classes(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, f"--classes 4 --partition-file {label_file(tmp_path)}") == 2
    assert (
        "expected a name, the columns angry, sad, neutral, happy, and a partition" in capsys.readouterr().err
    )


def test_a_folder_with_files_is_left_alone(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    assert run(tmp_path) == 2
    assert "expected a folder that does not exist or is empty; found one with files in it." in (
        capsys.readouterr().err
    )
