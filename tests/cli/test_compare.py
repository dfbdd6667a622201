"""``mmer compare``, with fairseq-train itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus.importers.arrays import Labels, import_arrays

FLAGS = ["--device", "cpu", "--", "--features", "audio=mine", "--num-workers", "0"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> str:
    random = np.random.default_rng(1)
    labels = ["calm", "glad"] * 18
    vectors = random.normal(size=(36, 3)) + np.array([[label == "glad"] for label in labels]) * 2.0
    folder = import_arrays(
        tmp_path_factory.mktemp("corpus") / "mine",
        ids=[f"c{k}" for k in range(36)],
        labels=Labels(values=labels, kind="classes", name="emotion"),
        splits=["train"] * 16 + ["valid"] * 10 + ["test"] * 10,
        features={"mine": ("audio", vectors)},
    )
    return str(folder)


def predictions(folder: Path) -> str:
    return (folder / "test.tsv").read_text()


def test_one_command_trains_tunes_and_reports(corpus, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["compare", corpus, "--archs", "RNN=lf_rnn,lf_transformer", "--seeds", "1", "--out", str(out)]
    words += ["--with", "RNN: --max-epoch 3", "--tune-lr", "1e-2", *FLAGS, "--max-epoch", "1"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "2 runs, " in said.err
    assert "(2 of 2 runs)" in said.err
    assert "RNN: lr 1e-2 gives valid uar" in said.out
    report = json.loads((out / "report" / "report.json").read_text())
    assert [system["name"] for system in report["systems"]] == ["RNN", "lf_transformer"]
    page = (out / "report" / "report.html").read_text()
    assert "the learning rate" in page
    assert "of 1e-2 with seed 1" in page
    rows = [line.split("\t") for line in (out / "runs.tsv").read_text().splitlines()]
    assert [(row[0], row[2], row[4]) for row in rows[1:]] == [
        ("RNN", "1e-2", "3"),
        ("lf_transformer", "1e-2", "1"),
    ]
    made = {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint_best.pt")}
    assert len(made) == 2
    assert main(words) == 0
    assert "runs, " not in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint_best.pt")} == made


def test_killed_and_begun_again_gives_the_same_numbers(corpus, tmp_path):
    def words(out: str) -> list[str]:
        flags = [*FLAGS, "--max-epoch", "20", "--patience", "20"]
        return ["compare", corpus, "--archs", "lf_rnn", "--seeds", "1", "--out", str(tmp_path / out), *flags]

    assert main(words("whole")) == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "mmer_fairseq.cli.main", *words("cut")], stderr=subprocess.DEVNULL
    )
    run = tmp_path / "cut" / "lf_rnn" / "seed-1"
    until = time.monotonic() + 600
    while not (run / "checkpoint_last.pt").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    process.wait()
    with suppress(ProcessLookupError):
        os.killpg(int((run / "run.lock").read_text()), signal.SIGKILL)
    assert not (run / "test.tsv").exists()
    time.sleep(0.2)
    assert main(words("cut")) == 0
    assert predictions(run) == predictions(tmp_path / "whole" / "lf_rnn" / "seed-1")


def test_dry_run_prints_commands(corpus, tmp_path, capsys):
    words = [
        "compare",
        corpus,
        "--archs",
        "mme2e",
        "--seeds",
        "2",
        "--out",
        str(tmp_path / "out"),
        "--dry-run",
    ]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"fairseq-train {corpus} --user-dir mmer_fairseq --task emotion_prediction ")
    assert " --lr 3e-4" in lines[0]
    assert "face_pixels" not in lines[0]  # the corpus has no pictures
    assert not (tmp_path / "out").exists()


def test_a_system_that_fails_is_named_and_the_others_are_reported(corpus, tmp_path, capsys):
    words = [
        "compare",
        corpus,
        "--archs",
        "lf_rnn,bad=lf_rnn",
        "--with",
        "bad: --dropout nothing",
        "--seeds",
        "1",
    ]
    assert main([*words, "--out", str(tmp_path / "out"), *FLAGS, "--max-epoch", "1"]) == 2
    said = capsys.readouterr()
    assert "error: bad seed 1: training ended with status 2: " in said.err
    assert "bad is not in the report: not all of its runs ended well" in said.err
    assert "UAR" in said.out
    assert (tmp_path / "out" / "report" / "report.html").exists()


def test_a_corpus_without_a_split_to_choose_on(tmp_path, capsys):
    folder = import_arrays(
        tmp_path / "mine",
        ids=["a", "b"],
        labels=Labels(values=["calm", "glad"], kind="classes", name="emotion"),
        splits=["train", "test"],
        features={"mine": ("audio", np.eye(2))},
    )
    assert main(["compare", str(folder), "--archs", "lf_rnn", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        f"error: {folder}: expected the splits train and valid, and the one that is reported; found train, test. "
        "Write valid.tsv: the epoch is chosen on valid, never on what is reported.\n"
    )


@pytest.mark.parametrize("flag", ["--jobs", "--threads"])
def test_numbers_below_zero(corpus, tmp_path, capsys, flag):
    words = ["compare", corpus, "--archs", "lf_rnn", "--out", str(tmp_path / "out"), flag, "-1"]
    assert main(words) == 2
    assert capsys.readouterr().err == f"error: {flag}: expected 0 or more; found -1. Leave the flag out.\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "a,b"], "--out: expected a path without a comma; found a,b. Choose another folder."),
        (
            ["--tune-lr", "1e-3", "--", "--lr", "1"],
            "--tune-lr: expected no --lr beside it; found --lr. ",
        ),
    ],
)
def test_flags_that_do_not_go(corpus, capsys, words, said):
    assert main(["compare", corpus, "--archs", "lf_rnn", *words]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}")
