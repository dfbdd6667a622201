"""``mmer import crema-d`` on a synthetic clone of the repository."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.check import check

ACTORS = range(1001, 1011)
CODES = ("ANG", "SAD", "DIS", "FEA", "NEU", "HAP")
LETTERS = dict(zip(CODES, "ASDFNH"))
NAMES = dict(zip(CODES, ("angry", "sad", "disgust", "fear", "neutral", "happy")))
CLIPS = [f"{actor}_{s}_{code}_XX" for actor in ACTORS for s, code in zip(("IEO", "DFA") * 3, CODES)]
TIED, SMALL = "1003_IEO_DIS_XX", "1004_DFA_FEA_XX"


def counts(clip: str, block: int) -> dict[str, int]:
    """Votes: 6 of 10 for the intended emotion; but one tie, one clip without a majority, and voices are sad."""
    letter = LETTERS[clip.split("_")[2]]
    votes = {**dict.fromkeys("ADFHNS", 0), "N": 4}
    votes[letter] += 6
    if block == 1:
        votes = {**dict.fromkeys("ADFHNS", 0), "S": 9, "A": 1}
    elif clip == TIED:
        votes = {**dict.fromkeys("ADFHNS", 0), "D": 3, "A": 3, "H": 2}
    elif clip == SMALL:
        votes = {**dict.fromkeys("ADFHNS", 0), "F": 4, "A": 2, "S": 3, "H": 1}
    return votes


def table(header: str = ",A,D,F,H,N,S,fileName,numResponses") -> str:
    lines = [header]
    for block in (1, 2, 3):
        for k, clip in enumerate(CLIPS, start=1):
            votes = counts(clip, block)
            cells = [block * 100000 + k, *(votes[letter] for letter in "ADFHNS"), clip, sum(votes.values())]
            lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    return kit.wav(tmp_path_factory.mktemp("crema") / "a.wav", seconds=0.3)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    return kit.mp4(tmp_path_factory.mktemp("crema") / "a.mp4", frames=3)


@pytest.fixture
def root(tmp_path: Path, sound: Path, film: Path) -> Path:
    folder = tmp_path / "CREMA-D"
    for name in ("AudioWAV", "VideoFlash", "processedResults"):
        (folder / name).mkdir(parents=True)
    for clip in CLIPS:
        shutil.copy(sound, folder / "AudioWAV" / f"{clip}.wav")
        shutil.copy(film, folder / "VideoFlash" / f"{clip}.mp4")
    (folder / "processedResults" / "tabulatedVotes.csv").write_text(table())
    people = [f"{actor},{20 + actor % 50},Female,Asian,Not Hispanic" for actor in ACTORS]
    (folder / "VideoDemographics.csv").write_text(
        "\n".join(["ActorID,Age,Sex,Race,Ethnicity", *people]) + "\n"
    )
    return folder


def run(tmp_path: Path, words: str = "", out: str = "out") -> int:
    return main(
        ["import", "crema-d", str(tmp_path / out), "--root", str(tmp_path / "CREMA-D"), *words.split()]
    )


def clips(corpus: Corpus) -> dict:
    return {clip.id: clip for split in corpus.splits for clip in corpus.clips(split)}


def labels(corpus: Corpus) -> dict[str, str]:
    return {clip.id: corpus.label_space.names[clip.label] for clip in clips(corpus).values()}


def test_six_classes_by_plurality(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 0
    printed = capsys.readouterr().out
    assert f"1 clip left out, a tie for the most votes: {TIED}\n" in printed
    report = check(tmp_path / "out")
    assert report.faults == []
    assert report.shared_speakers == {}
    corpus = Corpus.load(tmp_path / "out")
    assert corpus.description.licence.startswith("ODbL 1.0")
    assert corpus.description.link == "https://github.com/CheyneyComputerScience/CREMA-D"
    assert corpus.label_space.names == tuple(NAMES.values())
    found = labels(corpus)
    assert found == {clip: NAMES[clip.split("_")[2]] for clip in CLIPS if clip != TIED}
    for clip in clips(corpus).values():
        assert clip.speaker == clip.id[:4]
        assert clip.media == {
            "text": {"IEO": "It's eleven o'clock", "DFA": "Don't forget a jacket"}[clip.id[5:8]],
            "audio": f"{root}/AudioWAV/{clip.id}.wav",
            "video": f"{root}/VideoFlash/{clip.id}.mp4",
        }
    row = (tmp_path / "out" / "train.tsv").read_text().splitlines()
    cells = dict(zip(row[0].split("\t"), row[1].split("\t")))
    assert cells["age"] == str(20 + int(cells["speaker"]) % 50)
    assert (cells["sex"], cells["level"]) == ("Female", "unspecified")
    assert cells["intended"] == NAMES[cells["id"].split("_")[2]]


def test_majority_leaves_out_more(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--rule majority") == 0
    expected = f"2 clips left out, no emotion with more than half of the votes: {TIED}, {SMALL}\n"
    assert expected in capsys.readouterr().out
    assert set(clips(Corpus.load(tmp_path / "out"))) == set(CLIPS) - {TIED, SMALL}


def test_four_classes(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--classes 4") == 0
    others = sorted(clip for clip in CLIPS if clip.split("_")[2] in ("DIS", "FEA") and clip != TIED)
    printed = capsys.readouterr().out
    assert f"{len(others)} clips left out, another emotion than the classes: {others[0]}, " in printed
    corpus = Corpus.load(tmp_path / "out")
    assert corpus.label_space.names == ("angry", "sad", "neutral", "happy")
    assert set(clips(corpus)) == set(CLIPS) - {*others, TIED}


def test_distribution(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--rule distribution") == 0
    assert f"1 clip with a tie for the most votes: {TIED}\n" in capsys.readouterr().out
    assert check(tmp_path / "out").faults == []
    default = Corpus.load(tmp_path / "out")
    assert set(clips(default)) == set(CLIPS) - {TIED}
    assert [x for left in default.left_out.values() for x in left] == [(TIED, "tie")]
    shares = Corpus.load(tmp_path / "out", labels="shares")
    assert set(clips(shares)) == set(CLIPS)
    for clip in clips(shares).values():
        votes = counts(clip.id, 3)
        wanted = [votes[LETTERS[code]] / sum(votes.values()) for code in CODES]
        assert clip.label == pytest.approx(wanted, abs=1e-6)


def test_shares_of_four_classes_add_up_to_one(tmp_path: Path, root: Path) -> None:
    assert run(tmp_path, "--rule distribution --classes 4") == 0
    found = clips(Corpus.load(tmp_path / "out", labels="shares"))
    assert found[TIED].label == pytest.approx([3 / 5, 0, 0, 2 / 5], abs=1e-6)
    assert SMALL not in found
    assert all(sum(clip.label) == pytest.approx(1, abs=1e-5) for clip in found.values())


def test_votes_on_the_voice(tmp_path: Path, root: Path) -> None:
    assert run(tmp_path, "--votes voice") == 0
    assert set(labels(Corpus.load(tmp_path / "out")).values()) == {"sad"}


def test_intended_emotion_needs_no_votes(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(root / "processedResults")
    assert run(tmp_path, "--label intended --classes 4") == 0
    wanted = {clip: NAMES[clip.split("_")[2]] for clip in CLIPS}
    kept = {clip: name for clip, name in wanted.items() if name not in ("disgust", "fear")}
    assert labels(Corpus.load(tmp_path / "out")) == kept
    printed = capsys.readouterr().out
    assert f"{len(wanted) - len(kept)} clips left out, another emotion than the classes: " in printed


def test_each_actor_is_tested_once(tmp_path: Path, root: Path) -> None:
    tested: list[set[str]] = []
    for k in range(1, 6):
        assert run(tmp_path, f"--partition {k}", f"out{k}") == 0
        corpus = Corpus.load(tmp_path / f"out{k}")
        of = {split: {clip.speaker for clip in corpus.clips(split)} for split in corpus.splits}
        assert [len(of[split]) for split in ("train", "valid", "test")] == [6, 2, 2]
        assert not any(a & b for a, b in itertools.combinations(of.values(), 2))
        tested.append(of["test"])
    assert set.union(*tested) == {str(actor) for actor in ACTORS}
    assert sum(map(len, tested)) == len(ACTORS)


def test_the_partition_is_that_of_other_rules(tmp_path: Path, root: Path) -> None:
    found = []
    for k, words in enumerate(("", "--rule majority --classes 4 --votes face", "--label intended")):
        assert run(tmp_path, words, f"out{k}") == 0
        found.append({clip.speaker for clip in Corpus.load(tmp_path / f"out{k}").clips("test")})
    assert found[0] == found[1] == found[2]


def test_index_column_of_any_name_and_names_with_endings(tmp_path: Path, root: Path) -> None:
    path = root / "votes.csv"
    text = table("index,A,D,F,H,N,S,fileName,numResponses")
    path.write_text(text.replace("_XX,", "_XX.wav,").replace("\n300001,", "\n300001.0,"))
    assert run(tmp_path, f"--votes-file {path}") == 0
    assert set(clips(Corpus.load(tmp_path / "out"))) == set(CLIPS) - {TIED}


def test_what_lacks_a_medium_or_votes(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third, fourth = CLIPS[:4]
    (root / "AudioWAV" / f"{first}.wav").unlink()
    (root / "VideoFlash" / f"{second}.mp4").write_bytes(b"")
    for path in (root / "AudioWAV" / f"{third}.wav", root / "VideoFlash" / f"{third}.mp4"):
        path.unlink()
    votes = root / "processedResults" / "tabulatedVotes.csv"
    votes.write_text("".join(x for x in table().splitlines(True) if fourth not in x))
    (root / "VideoFlash" / "notes.txt").write_text("x")
    (root / "VideoFlash" / ".hidden").write_text("x")
    (root / "VideoDemographics.csv").unlink()
    assert run(tmp_path) == 0
    printed = capsys.readouterr().out
    for line in (
        f"1 clip without a file in AudioWAV, whose sound is the track of the video: {first}\n",
        f"1 clip with an empty file in VideoFlash, taken as none: {second}\n",
        f"1 clip without video: {second}\n",
        f"1 clip left out, in the table of votes but without a recording: {third}\n",
        f"1 clip left out, not in the table of votes: {fourth}\n",
        "files in VideoFlash that are no recordings, passed over: notes.txt\n",
        "no VideoDemographics.csv: the corpus does not say age, sex, race and ethnicity\n",
    ):
        assert line in printed
    found = clips(Corpus.load(tmp_path / "out"))
    assert set(found) == set(CLIPS) - {TIED, third, fourth}
    assert found[first].media["audio"] == found[first].media["video"]
    assert set(found[second].media) == {"text", "audio"}


def test_flash_videos_alone(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(root / "AudioWAV")
    for clip in CLIPS[:3]:
        (root / "VideoFlash" / f"{clip}.flv").write_bytes(b"FLV")
    (root / "VideoFlash" / f"{CLIPS[0]}.mp4").unlink()
    assert run(tmp_path) == 0
    assert "60 clips without a file in AudioWAV, whose sound is the track of the video: 1001_" in (
        capsys.readouterr().out
    )
    found = clips(Corpus.load(tmp_path / "out"))
    assert found[CLIPS[0]].media["audio"].endswith(".flv")
    assert found[CLIPS[1]].media["audio"].endswith(".mp4")


def test_clips_that_are_not_wanted(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, f"--leave-out {CLIPS[0]} {CLIPS[1]}") == 0
    printed = capsys.readouterr().out
    assert f"2 clips left out, as --leave-out says: {CLIPS[0]}, {CLIPS[1]}\n" in printed
    assert "without a recording" not in printed
    assert "recordings of 60 clips; the whole corpus has 7442\n" in printed
    assert set(clips(Corpus.load(tmp_path / "out"))) == set(CLIPS) - {TIED, *CLIPS[:2]}


def test_sound_alone_reads_no_video(tmp_path: Path, root: Path) -> None:
    shutil.rmtree(root / "VideoFlash")
    assert run(tmp_path, "--modalities audio") == 0
    assert {tuple(clip.media) for clip in clips(Corpus.load(tmp_path / "out")).values()} == {("audio",)}


def label_file(tmp_path: Path, *, soft: bool = False, change=lambda text: text) -> Path:
    parts = ["Train"] * 6 + ["Development"] * 2 + ["Test"] * 2
    lines = ["FileName,angry,sad,disgust,fear,neutral,happy,Split_Set"]
    for clip in CLIPS:
        shares = [0.75 if code == clip.split("_")[2] else 0.05 for code in CODES]
        hot = shares if soft else [float(share > 0.5) for share in shares]
        part = parts[int(clip[:4]) - 1001]
        lines.append(",".join([f"{clip}.wav", *map(str, hot), part]))
    path = tmp_path / "labels.csv"
    path.write_text(change("\n".join(lines) + "\n"))
    return path


def test_partition_file(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(root / "processedResults")
    lost = CLIPS[-1]
    path = label_file(
        tmp_path, change=lambda text: "".join(x for x in text.splitlines(True) if lost not in x)
    )
    assert run(tmp_path, f"--partition-file {path}") == 0
    assert f"1 clip left out, not in the label file: {lost}\n" in capsys.readouterr().out
    corpus = Corpus.load(tmp_path / "out")
    assert list(corpus.description.labels) == ["emotion"]
    assert labels(corpus) == {clip: NAMES[clip.split("_")[2]] for clip in CLIPS[:-1]}
    assert {clip.speaker for clip in corpus.clips("valid")} == {"1007", "1008"}
    assert {clip.speaker for clip in corpus.clips("test")} == {"1009", "1010"}


def test_partition_file_of_shares(tmp_path: Path, root: Path) -> None:
    assert run(tmp_path, f"--partition-file {label_file(tmp_path, soft=True)}") == 0
    found = clips(Corpus.load(tmp_path / "out", labels="shares"))
    assert found[CLIPS[1]].label == pytest.approx([0.05, 0.75, 0.05, 0.05, 0.05, 0.05], abs=1e-6)


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


def test_help_names_files_and_licence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "crema-d", "--help"])
    printed = capsys.readouterr().out
    for word in ("tabulatedVotes.csv", "fileName", "Open Database License", "github.com", "AudioWAV/*.wav"):
        assert word in printed
