"""``mmer import msp-improv`` on a synthetic tree of the corpus."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.check import check

SPEAKERS = [f"{gender}{session:02d}" for session in range(1, 7) for gender in "FM"]
TARGETS = {"A": "Angry", "S": "Sad", "H": "Happy", "N": "Neutral"}
CLIPS = [
    f"MSP-IMPROV-S{k:02d}{letter}-{speaker}-{kind}-FM01"
    for speaker in SPEAKERS
    for k, (letter, kind) in enumerate(zip("ASHN", "PRST"), start=1)
]
TIED, OTHER, SMALL = CLIPS[1], CLIPS[6], CLIPS[11]


def primary(clip: str) -> list[str]:
    """What five annotators chose."""
    if clip == TIED:
        return ["Angry", "Angry", "Sad", "Sad", "Happy"]
    if clip == OTHER:
        return ["Other", "Other", "other-bored", "Sad", "Angry"]
    if clip == SMALL:
        return ["Neutral", "Neutral", "Sad", "Happy", "Other"]
    target = TARGETS[clip[14]]
    return [target, target, target, "Neutral", "Sad"]


def block(clip: str, *, means: str = "A:2.500000; V:2.000000; D:3.6; N:4.6;") -> str:
    letter = {TIED: "X", OTHER: "O", SMALL: "N"}.get(clip, clip[14])
    lines = [f"{clip.replace('MSP', 'UTD')}.avi; {letter}; {means}"]
    for k, emotion in enumerate(primary(clip)):
        more = ",Frustrated" if emotion == "Angry" else ", Excited, Other" if k == 0 else ""
        lines.append(f"A{k}; {emotion}; {emotion}{more}; A:2.000000; V:1.000000; D:3; N:5;")
    return "\n".join(lines)


def evaluations() -> str:
    return "\n\n".join(map(block, CLIPS)) + "\n"


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    return kit.wav(tmp_path_factory.mktemp("improv") / "a.wav", seconds=0.3)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    return kit.mp4(tmp_path_factory.mktemp("improv") / "a.mp4", frames=3)


def place(clip: str, ending: str) -> str:
    folder = {"wav": "Audio", "mp4": "Video", "avi": "Video"}[ending]
    return f"{folder}/session{clip[17:19]}/{clip}.{ending}"


@pytest.fixture
def root(tmp_path: Path, sound: Path, film: Path) -> Path:
    folder = tmp_path / "improv"
    for clip in CLIPS:
        for source, ending in ((sound, "wav"), (film, "mp4")):
            path = folder / place(clip, ending)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, path)
    (folder / "Evalution.txt").write_text(evaluations())
    return folder


def run(tmp_path: Path, words: str = "", out: str = "out") -> int:
    return main(
        ["import", "msp-improv", str(tmp_path / out), "--root", str(tmp_path / "improv"), *words.split()]
    )


def clips(corpus: Corpus) -> dict:
    return {clip.id: clip for split in corpus.splits for clip in corpus.clips(split)}


def labels(corpus: Corpus) -> dict[str, str]:
    return {clip.id: corpus.label_space.names[clip.label] for clip in clips(corpus).values()}


def test_four_primary_emotions(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 0
    printed = capsys.readouterr().out
    assert f"1 clip left out, a tie for the most votes: {TIED}\n" in printed
    assert f"1 clip left out, another emotion than the classes: {OTHER}\n" in printed
    assert "consensus" not in printed
    report = check(tmp_path / "out")
    assert report.faults == []
    assert report.shared_speakers == {}
    corpus = Corpus.load(tmp_path / "out")
    assert corpus.description.licence.startswith("academic licence")
    assert corpus.description.link.endswith("MSP-Improv.html")
    assert corpus.label_space.names == ("angry", "sad", "neutral", "happy")
    wanted = {clip: TARGETS[clip[14]].lower() for clip in CLIPS if clip not in (TIED, OTHER)}
    assert labels(corpus) == wanted
    for clip in clips(corpus).values():
        assert clip.speaker == clip.id[16:19]
        assert clip.media == {
            "audio": f"{root}/{place(clip.id, 'wav')}",
            "video": f"{root}/{place(clip.id, 'mp4')}",
        }
    attributes = clips(Corpus.load(tmp_path / "out", labels="attributes"))
    assert {clip.label for clip in attributes.values()} == {(2.5, 2.0, 3.6)}
    header, first = (
        line.split("\t") for line in (tmp_path / "out" / "test.tsv").read_text().splitlines()[:2]
    )
    assert dict(zip(header, first))["recording"] == "target-improvised"
    assert dict(zip(header, first))["target"] == "angry"


def test_majority(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--rule majority") == 0
    printed = capsys.readouterr().out
    assert f"2 clips left out, no emotion with more than half of the votes: {TIED}, {SMALL}\n" in printed
    assert set(clips(Corpus.load(tmp_path / "out"))) == set(CLIPS) - {TIED, OTHER, SMALL}


def test_distribution(tmp_path: Path, root: Path) -> None:
    assert run(tmp_path, "--rule distribution") == 0
    assert check(tmp_path / "out").faults == []
    found = clips(Corpus.load(tmp_path / "out", labels="shares"))
    assert set(found) == set(CLIPS) - {OTHER}
    assert found[TIED].label == pytest.approx((0.4, 0.4, 0, 0.2), abs=1e-6)
    assert found[SMALL].label == pytest.approx((0, 0.25, 0.5, 0.25), abs=1e-6)
    assert TIED not in clips(Corpus.load(tmp_path / "out"))


def test_ten_secondary_emotions(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--classes 10 --rule distribution") == 0
    corpus = Corpus.load(tmp_path / "out", labels="shares")
    names = Corpus.load(tmp_path / "out").label_space.names
    assert ", ".join(names) == (
        "depressed, frustrated, angry, sad, disgust, excited, fear, neutral, surprise, happy"
    )
    votes = {"sad": 3, "excited": 1, "neutral": 1, "other": 1}
    clip = next(clip for clip in CLIPS if clip[14] == "S" and clip != TIED)
    # two of the five chose another emotion: neutral, sad
    votes["sad"] += 1
    chosen = [votes.get(name, 0) for name in names]
    assert clips(corpus)[clip].label == pytest.approx([x / sum(chosen) for x in chosen], abs=1e-6)
    # in angry turns each 'angry' comes with 'frustrated'
    tied = {clip for clip in CLIPS if clip[14] == "A"} | {TIED, SMALL}
    left_out = Corpus.load(tmp_path / "out").left_out
    assert {clip for found in left_out.values() for clip, _ in found} == tied
    assert f"{len(tied)} clips with a tie for the most votes: {CLIPS[0]}, " in capsys.readouterr().out


def test_sessions_are_held_out_in_turn(tmp_path: Path, root: Path) -> None:
    for k in range(1, 7):
        assert run(tmp_path, f"--partition {k}", f"out{k}") == 0
        corpus = Corpus.load(tmp_path / f"out{k}")
        of = {split: {clip.speaker[1:] for clip in corpus.clips(split)} for split in corpus.splits}
        assert of["test"] == {f"{k:02d}"}
        assert of["valid"] == {f"{k % 6 + 1:02d}"}
        assert not any(a & b for a, b in itertools.combinations(of.values(), 2))
        assert len(of["train"]) == 4


def test_what_lacks_a_medium_or_votes(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third, fourth = CLIPS[12:16]
    (root / place(first, "wav")).unlink()
    (root / place(second, "mp4")).write_bytes(b"")
    for ending in ("wav", "mp4"):
        (root / place(third, ending)).unlink()
    (root / "Audio" / "whole.wav").write_bytes(b"x")
    (root / "Evalution.txt").unlink()
    text = evaluations().replace(block(fourth), "").replace(block(second), block(second, means="A:NaN; V:3;"))
    (root / "Evaluation.txt").write_text(
        text.replace(f"{CLIPS[0].replace('MSP', 'UTD')}.avi; A;", f"{CLIPS[0]}.wav; S;")
    )
    assert run(tmp_path) == 0
    printed = capsys.readouterr().out
    for line in (
        f"1 clip without a .wav, whose sound is the track of the video: {first}\n",
        f"1 clip with an empty file of video, taken as none: {second}\n",
        f"1 clip without video: {second}\n",
        f"1 clip without arousal, valence and dominance: {second}\n",
        f"1 clip left out, in the evaluations but without a recording: {third}\n",
        f"1 clip left out, not in the evaluations: {fourth}\n",
        "recordings that are no turns of the corpus, passed over: Audio/whole.wav\n",
        f"1 clip whose plurality is not the consensus in the file: {CLIPS[0]}\n",
    ):
        assert line in printed
    faults = check(tmp_path / "out").faults  # these videos are silent films
    assert len(faults) == 1
    assert "a file with a sound track; found only picture" in faults[0]
    found = clips(Corpus.load(tmp_path / "out"))
    assert set(found) == set(CLIPS) - {TIED, OTHER, third, fourth}
    assert found[first].media["audio"] == found[first].media["video"]
    assert set(found[second].media) == {"audio"}
    assert set(clips(Corpus.load(tmp_path / "out", labels="attributes"))) == set(found) - {second}


def test_sound_alone(tmp_path: Path, root: Path) -> None:
    assert run(tmp_path, "--modalities audio") == 0
    assert {tuple(clip.media) for clip in clips(Corpus.load(tmp_path / "out")).values()} == {("audio",)}


def test_linked_folders(tmp_path: Path, root: Path) -> None:
    (root / "Audio").rename(tmp_path / "elsewhere")
    (root / "Audio").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(root)
    assert run(tmp_path) == 0
    assert len(clips(Corpus.load(tmp_path / "out"))) == len(CLIPS) - 2


def test_unknown_words_as_other(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = root / "Evalution.txt"
    path.write_text(evaluations().replace(" Excited,", " Elated,"))
    assert run(tmp_path, "--unknown-is-other") == 0
    assert "unknown words counted as other: Elated (" in capsys.readouterr().out


def label_file(tmp_path: Path, change=lambda text: text) -> Path:
    lines = ["FileName,angry,sad,neutral,happy,EmoAct,Split_Set"]
    for clip in CLIPS:
        hot = [str(int(letter == clip[14])) for letter in "ASNH"]
        part = {"05": "Development", "06": "Test"}.get(clip[17:19], "Train")
        lines.append(",".join([f"{clip}.wav", *hot, "3.5", part]))
    path = tmp_path / "labels.csv"
    path.write_text(change("\n".join(lines) + "\n"))
    return path


def test_partition_file(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = label_file(tmp_path)
    assert run(tmp_path, f"--partition-file {path}") == 0
    assert f"columns of {path} that are not used: EmoAct\n" in capsys.readouterr().out
    corpus = Corpus.load(tmp_path / "out")
    assert labels(corpus) == {clip: TARGETS[clip[14]].lower() for clip in CLIPS}
    assert {clip.speaker for clip in corpus.clips("valid")} == {"F05", "M05"}
    assert list(corpus.description.labels) == ["emotion", "attributes"]


def test_partition_file_without_evaluations(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "Evalution.txt").unlink()

    def change(text: str) -> str:
        rows = text.splitlines(True)
        return "".join(row.replace("Train", "Test") if "-M04-" in row else row for row in rows)

    assert run(tmp_path, f"--partition-file {label_file(tmp_path, change)}") == 0
    printed = capsys.readouterr().out
    assert "the corpus has no arousal, valence and dominance\n" in printed
    assert "session 4 is in test and train\n" in printed
    assert list(Corpus.load(tmp_path / "out").description.labels) == ["emotion"]


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


def test_help_names_files_and_licence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "msp-improv", "--help"])
    printed = capsys.readouterr().out
    for word in ("Evalution.txt", "academic", "https://ecs.utdallas.edu", "secondary"):
        assert word in printed
