"""``mmer import biovid`` on a synthetic tree of the same form."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Clip, Corpus
from mmer_fairseq.corpus.check import check
from mmer_fairseq.corpus.importers._biovid.signals import read_signals
from mmer_fairseq.corpus.streams import RawOptions, read_stream, stream_seconds
from mmer_fairseq.errors import InputError

SUBJECTS = [f"{k:06d}_{'mw'[k % 2]}_{20 + k}" for k in range(1, 7)]
LEVELS = ("BL1", "PA1", "PA4")
CHANNELS = ("gsr", "ecg", "emg_trapezius", "emg_corrugator", "emg_zygomaticus")
SAMPLES = [f"{subject}-{level}-0{k}" for subject in SUBJECTS for k, level in enumerate(LEVELS)]
STEPS = 256
FIRST = SAMPLES[0]
HEADER = "subject_id\tsubject_name\tclass_id\tclass_name\tsample_id\tsample_name\n"


def listed(name: str) -> str:
    subject, level, number = name.split("-")
    who = SUBJECTS.index(subject) + 1
    return (
        f"{who}\t{subject}\t{['BL1', 'PA1', 'PA2', 'PA3', 'PA4'].index(level)}\t{level}\t{number}\t{name}\n"
    )


def signals(*, steps: int = STEPS, rate: float = 512.0, header: str = "") -> str:
    """Channel c of step k is c + k / 1000; times are whole microseconds, as in the corpus."""
    rows = [header or "\t".join(("time", *CHANNELS))]
    for k in range(steps):
        rows.append("\t".join([str(round(k * 1e6 / rate)), *(f"{c + k / 1000:.6f}" for c in range(5))]))
    return "\n".join(rows) + "\n"


def bio(root: Path, name: str) -> Path:
    return root / "biosignals_filtered" / name.split("-")[0] / f"{name}_bio.csv"


def film(root: Path, name: str) -> Path:
    return root / "video" / name.split("-")[0] / f"{name}.mp4"


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    root = tmp_path_factory.mktemp("biovid") / "PartA"
    (root / "starting_point").mkdir(parents=True)
    (root / "starting_point" / "samples.csv").write_text(HEADER + "".join(map(listed, SAMPLES)))
    picture = kit.mp4(root / "a.mp4", frames=5)
    for name in SAMPLES:
        for path in (bio(root, name), film(root, name)):
            path.parent.mkdir(parents=True, exist_ok=True)
        bio(root, name).write_text(signals())
        shutil.copy(picture, film(root, name))
    picture.unlink()
    return root


@pytest.fixture
def root(tmp_path: Path, pattern: Path) -> Path:
    shutil.copytree(pattern, tmp_path / "PartA")
    return tmp_path / "PartA"


def run(root: Path, words: str = "", out: str = "out") -> int:
    return main(["import", "biovid", str(root.parent / out), "--root", str(root), *words.split()])


def clips(folder: Path, labels: str | None = None) -> dict[str, Clip]:
    corpus = Corpus.load(folder, labels)
    return {clip.id: clip for split in corpus.splits for clip in corpus.clips(split)}


def speakers(folder: Path) -> dict[str, set[str]]:
    corpus = Corpus.load(folder)
    return {split: {clip.speaker for clip in corpus.clips(split)} for split in corpus.splits}


def test_a_corpus(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root) == 0
    printed = capsys.readouterr().out
    assert "the list has 18 samples; part A has 8700\n" in printed
    assert "left out" not in printed
    assert "512 Hz" not in printed
    out = root.parent / "out"
    report = check(out, decode=True)
    assert report.faults == []
    assert report.shared_speakers == {}
    corpus, found = Corpus.load(out), clips(out)
    assert corpus.label_space.names == ("BL1", "PA1", "PA2", "PA3", "PA4")
    assert (corpus.description.physio_rate, corpus.description.physio_channels) == (512.0, CHANNELS)
    assert sorted(found) == sorted(SAMPLES)
    clip = found[FIRST]
    assert (clip.speaker, corpus.label_space.names[clip.label]) == (SUBJECTS[0], "BL1")
    assert clip.media == {
        "video": str(film(root, FIRST)),
        "physio": f"{out}/physio/{SUBJECTS[0]}/{FIRST}.npy",
    }
    options = RawOptions(physio_rate=corpus.description.physio_rate, physio_channels=CHANNELS)
    signal = read_stream(clip, "physio", options)
    wanted = torch.arange(5) + torch.arange(STEPS)[:, None] / 1000
    torch.testing.assert_close(signal, wanted)
    assert stream_seconds(clip, "physio", options) == 0.5
    assert read_stream(clip, "video", RawOptions()).shape[0] == 5
    assert not (root.parent / "out" / "video").exists()


def test_none_against_strongest(root: Path) -> None:
    assert run(root) == 0
    corpus = Corpus.load(root.parent / "out", "pain-presence")
    found = clips(root.parent / "out", "pain-presence")
    assert corpus.label_space.names == ("none", "strongest")
    assert {(name.split("-")[1], clip.label) for name, clip in found.items()} == {("BL1", 0), ("PA4", 1)}
    assert sum(map(len, corpus.left_out.values())) == len(SUBJECTS)


def test_channels_are_picked_and_ordered(root: Path) -> None:
    assert run(root, "--channels ecg,gsr --modalities physio") == 0
    clip = clips(root.parent / "out")[FIRST]
    assert list(clip.media) == ["physio"]
    assert np.load(clip.media["physio"]).dtype == np.float32
    assert np.load(clip.media["physio"])[0].tolist() == [1.0, 0.0]
    assert Corpus.load(root.parent / "out").description.physio_channels == ("ecg", "gsr")
    assert run(root, "--modalities video", out="faces") == 0
    assert not (root.parent / "faces" / "physio").exists()
    assert Corpus.load(root.parent / "faces").description.physio_rate == 0.0


def test_every_subject_is_tested_once(root: Path) -> None:
    tested = []
    for fold in (1, 2, 3):
        assert run(root, f"--folds 3 --fold {fold}", out=f"fold{fold}") == 0
        found = speakers(root.parent / f"fold{fold}")
        assert len(set.union(*found.values())) == sum(map(len, found.values())) == 6
        assert len(found["valid"]) == 2
        tested += sorted(found["test"])
    assert sorted(tested) == SUBJECTS
    assert speakers(root.parent / "fold1")["valid"] == speakers(root.parent / "fold2")["test"]
    assert run(root, "--folds 3 --fold 1 --valid-share 0.25", out="share") == 0
    assert speakers(root.parent / "share")["test"] == speakers(root.parent / "fold1")["test"]
    assert len(speakers(root.parent / "share")["valid"]) == 1
    # whom one leaves out moves nobody else
    assert run(root, f"--folds 3 --fold 1 --leave-out {SUBJECTS[0]}", out="less") == 0
    less = speakers(root.parent / "less")
    assert less == {split: who - {SUBJECTS[0]} for split, who in speakers(root.parent / "fold1").items()}


def test_what_is_left_out_or_missing_is_counted_and_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "unwanted.txt").write_text(f"# show nothing\n{SUBJECTS[0]}\n6\n")
    single, mute, blind, gone = SAMPLES[3], SAMPLES[4], SAMPLES[5], SAMPLES[6]
    bio(root, mute).unlink()
    film(root, blind).write_bytes(b"")
    bio(root, gone).unlink()
    film(root, gone).unlink()
    assert run(root, f"--folds 3 --leave-out {root}/unwanted.txt {single}") == 0
    printed = capsys.readouterr().out
    assert (
        f"7 clips left out, as --leave-out says: {', '.join(SAMPLES[:4])}, {SAMPLES[15]}, … (7 in all)\n"
        in printed
    )
    assert f"1 clip left out, without any of video and physio: {gone}\n" in printed
    assert f"1 clip without video: {gone}\n" in printed
    assert f"2 clips without biosignals: {mute}, {gone}\n" in printed
    assert f"1 clip with an empty file of video, taken as none: {blind}\n" in printed
    found = clips(root.parent / "out")
    assert set(found) == set(SAMPLES[4:15]) - {gone}
    assert [list(found[name].media) for name in (mute, blind)] == [["video"], ["physio"]]


def test_other_clocks_are_brought_to_512_hz(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bio(root, FIRST).write_text(signals(rate=500.0, steps=250))
    lines = signals().splitlines(keepends=True)
    bio(root, SAMPLES[1]).write_text("".join(lines[:100] + lines[110:]))
    assert run(root) == 0
    assert (
        f"2 clips whose biosignals were brought to 512 Hz: {FIRST}, {SAMPLES[1]}\n" in capsys.readouterr().out
    )
    found = clips(root.parent / "out")
    assert np.load(found[FIRST].media["physio"]).shape == (256, 5)
    filled = np.load(found[SAMPLES[1]].media["physio"])
    assert filled.shape == (256, 5)
    assert filled[104, 0] == pytest.approx(0.104, abs=2e-4)


def fault(root: Path, capsys: pytest.CaptureFixture[str], words: str = "") -> str:
    assert run(root, words) != 0
    assert {path.name for path in root.parent.iterdir()} == {"PartA"}
    return capsys.readouterr().err.replace(f"{root}/", "")


LIST = "starting_point/samples.csv"
CSV = f"biosignals_filtered/{SUBJECTS[0]}/{FIRST}_bio.csv"


def put(name: str, text: str):
    return lambda root: (root / name).write_text(text)


FAULTS = [
    (
        lambda root: shutil.rmtree(root / "starting_point"),
        "PartA: expected the list of samples in it (starting_point/samples.csv or samples.csv); found none. "
        "Correct --root, or name the list with --samples.",
    ),
    (
        lambda root: shutil.rmtree(root / "video"),
        "video: expected the folder of the videos; found no such folder. Fetch it, or use --modalities physio.",
    ),
    (
        lambda root: shutil.rmtree(root / "biosignals_filtered"),
        "biosignals_filtered: expected the folder of the biosignals; found no such folder. "
        "Fetch it, name it with --biosignals, or use --modalities video.",
    ),
    (
        put(LIST, HEADER.replace("\t", ",") + "1,a,0,BL1,1,a-1\n"),
        f"{LIST}:1: expected a header with the columns subject_id, subject_name, class_id, class_name, sample_id, "
        "sample_name; found 'subject_id,subject_name",
    ),
    (
        put(LIST, HEADER + listed(FIRST).replace("\tBL1\t", "\tPA5\t")),
        f"{LIST}:2: expected class_name to be one of BL1, PA1, PA2, PA3, PA4 (part A); found 'PA5'.",
    ),
    (
        put(LIST, HEADER + listed(FIRST) * 2),
        f"{LIST}:3: expected every sample once; found '{FIRST}', which stands at {LIST}:2 as well. "
        "Remove one of the two lines.",
    ),
    (
        put(LIST, HEADER + listed(FIRST) + "9" + listed(SAMPLES[1])),
        f"{LIST}:3: expected subject_id 1 for {SUBJECTS[0]}, as at {LIST}:2; found '91'. "
        "Correct one of the two lines.",
    ),
    (
        put(LIST, HEADER + listed(FIRST).replace(FIRST, "../x")),
        f"{LIST}:2: expected sample_name to be the name of a file; found '../x'. "
        "Correct the list, or take it anew from its source.",
    ),
    (
        put(CSV, signals(header="time\tgsr\tecg")),
        f"{CSV}:1: expected a tab-separated header with the columns time, {', '.join(CHANNELS)}; found time, gsr, ecg "
        "(no emg_trapezius, emg_corrugator, emg_zygomaticus). Choose other --channels, or correct the file.",
    ),
    (
        put(CSV, signals(header="time\teda\tecg\temg_trapezius\temg_corrugator\temg_zygomaticuss")),
        "found time, eda, ecg, emg_trapezius, emg_corrugator, … (6 in all) (no gsr, emg_zygomaticus).",
    ),
    (
        put(CSV, signals(header="time\tgsr\tecg\temg_trapezius\temg_corrugator\temg_zygomaticuss")),
        "(no emg_zygomaticus). Rename to 'emg_zygomaticus' the column 'emg_zygomaticuss'.",
    ),
    (
        put(CSV, signals(steps=2) + "3906\t1\t2\tx\t4\t5\n"),
        f"{CSV}:4: expected 6 numbers separated by tabs; found 'x'. Take the file anew from its source.",
    ),
    (
        put(CSV, signals(steps=2) + "3906\t1\n"),
        f"{CSV}:4: expected 6 numbers separated by tabs; found 2 cells.",
    ),
    (
        put(CSV, signals(steps=2) + "3906\t1\t2\tnan\t4\t5\n"),
        f"{CSV}:4: expected 6 numbers separated by tabs",
    ),
    (put(CSV, signals(steps=1)), f"{CSV}: expected two steps at least; found 1. Take the file anew."),
    (
        put(CSV, signals(steps=3) + "1953\t0\t0\t0\t0\t0\n"),
        f"{CSV}:5: expected times that increase; found 1953 after 3906. Take the file anew from its source.",
    ),
    (
        put(CSV, signals(rate=25.0)),
        f"{CSV}: expected times in microseconds at about 512 Hz; found steps at 25 Hz. "
        "Take the file anew from its source.",
    ),
]


@pytest.mark.parametrize(("change", "message"), FAULTS)
def test_faults(root: Path, capsys: pytest.CaptureFixture[str], change, message: str) -> None:
    change(root)
    assert message in fault(root, capsys)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--channels eda",
            f"--channels: expected each at most once of {', '.join(CHANNELS)}; found 'eda'. "
            "Separate them by commas, without blanks.",
        ),
        ("--channels gsr,gsr", "found 'gsr,gsr'."),
        (
            "--fold 6",
            "expected 3 folds or more, and one of them (counted from 1) to hold out; found fold 6 of 5. "
            "Correct --folds or --fold.",
        ),
        ("--folds 7", "expected 7 groups at least"),
        (
            "--valid-share 1",
            "--valid-share: expected a share of the subjects above 0 and below 1; found 1.0. "
            "Correct it, or leave it out.",
        ),
        (
            "--leave-out 000001_w_2",
            "--leave-out: expected subjects or samples of the list, or a file that names some; found '000001_w_2'. "
            "Write '000001_w_21'.",
        ),
        ("--samples none.csv", "none.csv: expected the list of samples, tab-separated; found no such file."),
    ],
)
def test_flags_at_fault(root: Path, capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    assert message in fault(root, capsys, words)


def test_a_file_that_names_nobody_known(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "unwanted.txt").write_text("1\nnobody\n")
    assert "unwanted.txt:2: expected subjects or samples of the list" in fault(
        root, capsys, f"--leave-out {root}/unwanted.txt"
    )


def test_signals_of_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected biosignals of a sample; found no such file"):
        read_signals(tmp_path / "a_bio.csv", CHANNELS)
