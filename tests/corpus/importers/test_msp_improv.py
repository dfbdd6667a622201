"""``mmer import msp-improv``: what is read of a synthetic tree."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from trees.msp_improv import (
    CLIPS,
    OTHER,
    SMALL,
    TARGETS,
    TIED,
    block,
    clips,
    evaluations,
    label_file,
    labels,
    make,
    place,
    run,
)

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.check import check


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    return make(tmp_path_factory.mktemp("improv") / "improv", kit)


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


def test_help_names_files_and_licence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "msp-improv", "--help"])
    printed = capsys.readouterr().out
    for word in ("Evalution.txt", "academic", "https://ecs.utdallas.edu", "secondary"):
        assert word in printed
