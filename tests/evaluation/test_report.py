"""What is said about the results of a sweep."""

from __future__ import annotations

import csv

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.evaluation.conditions import Condition
from mmer_fairseq.evaluation.report import COLUMNS, remarks, table, write_tsv
from mmer_fairseq.evaluation.sweep import Result

ALL = ("text", "audio")
RESULTS = [
    Result(Condition("subset", ALL), 9, values={"accuracy": 0.5, "uar": 2 / 3}),
    Result(Condition("subset", ("audio",)), 9, lacking=2, values={"accuracy": 0.25, "uar": 0.1}),
    Result(Condition("snr", ALL, 10.0), 9, lacking=2, silent=1, values={"accuracy": 0.5, "uar": 2 / 3}),
    Result(Condition("snr", ALL, 0.5), 9, lacking=2, silent=1, values={"accuracy": 0.5, "uar": 0.7}),
]


def test_the_table_to_read():
    assert table(RESULTS, "uar").splitlines() == [
        "condition               clips    uar  difference",
        "text + audio                9  0.667",
        "audio                       9  0.100      -0.567",
        "audio: noise at 10 dB       9  0.667      +0.000",
        "audio: noise at 0.5 dB      9  0.700      +0.033",
    ]


def test_what_could_not_be_treated_alike_is_said():
    assert remarks(RESULTS) == [
        "audio: 2 of 9 clips have none of these; they are scored",
        "--snr: 2 of 9 clips have no audio and stay as they are",
        "--snr: 1 of 9 clips are silent and stay as they are",
    ]
    assert remarks(RESULTS[:1]) == []


def test_the_file_has_every_metric_in_full(tmp_path):
    write_tsv(RESULTS, tmp_path / "x.tsv")
    with open(tmp_path / "x.tsv", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    assert list(rows[0]) == [*COLUMNS, "accuracy", "uar"]
    assert [float(row["uar"]) for row in rows] == [result.values["uar"] for result in RESULTS]
    assert list(rows[1].values())[:7] == ["subset", "", "", "audio", "9", "2", "0"]
    assert list(rows[3].values())[:7] == ["snr", "audio", "0.5", "text,audio", "9", "2", "1"]
    assert [path.name for path in tmp_path.iterdir()] == ["x.tsv"]


def test_a_place_that_cannot_be_written_to(tmp_path):
    with pytest.raises(InputError) as error:
        write_tsv(RESULTS, tmp_path / "no" / "x.tsv")
    assert str(error.value) == (
        f"{tmp_path}/no/x.tsv: expected a place to write to; found No such file or directory. Change --out."
    )
