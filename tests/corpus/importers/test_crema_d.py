"""``mmer import crema-d``: what is read of a synthetic tree."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest
from trees.crema_d import (
    ACTORS,
    CLIPS,
    CODES,
    LETTERS,
    NAMES,
    SMALL,
    TIED,
    clips,
    counts,
    label_file,
    labels,
    make,
    run,
    table,
)

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.check import check


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    return make(tmp_path_factory.mktemp("crema") / "CREMA-D", kit)


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


def test_help_names_files_and_licence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "crema-d", "--help"])
    printed = capsys.readouterr().out
    for word in ("tabulatedVotes.csv", "fileName", "Open Database License", "github.com", "AudioWAV/*.wav"):
        assert word in printed
