"""What is said of runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from mmer_fairseq.compare.plan import System
from mmer_fairseq.compare.pool import Failure, Place, Pool
from mmer_fairseq.compare.progress import Progress, best_epoch, best_rates, most_epochs, spoken, write_runs


@pytest.fixture
def done(make):
    folder = make()
    Pool([Place("cpu", 1)], lambda *_: None).run([folder])
    return folder


def test_the_best_epoch(done, make):
    assert best_epoch(done, "uar") == (2, 0.6)
    assert most_epochs(done) == 3
    epoch, value = best_epoch(make("B"), "uar")
    assert epoch == 0
    assert math.isnan(value)


def test_lines_of_runs_that_end_and_that_fail(done, make, capsys):
    with Progress([done, make("B")], [], "uar") as progress:
        progress([], [done], [])
        progress([], [], [Failure(make("B"), "training ended with status 1: no")])
    said = capsys.readouterr().err
    assert "A seed 1: valid uar 0.600 in epoch 2, " in said
    assert "(1 of 2 runs)" in said
    assert "error: B seed 1: training ended with status 1: no\n" in said
    assert f"all it said is in {make('B').path}/output.txt" in said


def test_the_table_of_runs(done, tmp_path):
    write_runs(tmp_path / "runs.tsv", [done], "uar")
    header, row = (tmp_path / "runs.tsv").read_text().splitlines()
    assert header == "system\tarch\tlr\tseed\tepochs\tbest_epoch\tvalid_uar\tseconds\trun"
    cells = row.split("\t")
    assert cells[:7] == ["A", "mine", "1", "1", "3", "2", "0.6"]
    assert cells[8] == str(done.path)


@pytest.mark.parametrize(
    ("seconds", "words"), [(3.4, "3 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations_in_words(seconds, words):
    assert spoken(seconds) == words


def test_the_rate_that_is_best_on_valid(make):
    folders = []
    for name, rate, value in (
        ("A", "1", "nan"),
        ("A", "1e-2", 0.5),
        ("A", "1e-3", 0.7),
        ("A", "1e-4", 0.7),
        ("B", "1e-2", 0.1),
    ):
        folder = make(f"{name}-{rate}")
        folder.job = replace(folder.job, system=System(name, "mine"), rate=rate)
        folder.path.mkdir(parents=True)
        (folder.path / "train.log").write_text(
            '{"epoch": 1, "valid_u\n' + json.dumps({"epoch": 1, "valid_uar": str(value)}) + "\n"
        )
        folders.append(folder)
    assert best_rates(folders, "uar") == {"A": "1e-3", "B": "1e-2"}
