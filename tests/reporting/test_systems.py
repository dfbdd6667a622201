"""Runs of the command line, and faults in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.reporting.systems import load, on_common_clips, parse, remarks

HEADER = "id\tsplit\ttarget\tprediction\tscore_calm\tscore_glad"


def table(path: Path, rows: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [HEADER, *(f"c{i}\ttest\t{row}\t0.5\t0.5" for i, row in enumerate(rows))]
    path.write_text("\n".join(line.replace(" ", "\t") for line in lines) + "\n")
    return path


def read(*words: object):
    return load(list(map(str, words)), "test", data=None, evaluate=None)


def test_names_and_seeds(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "p.tsv").touch()
    a = tmp_path / "a"
    assert parse([f"X={a},{a}/p.tsv", str(a), f"{a}/p.tsv"]) == [
        ("X", [a, a / "p.tsv"]),
        ("a", [a]),
        ("a/p", [a / "p.tsv"]),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["X=a", "X=b"],
            "mmer report: expected a name of its own for each system; found X 2 times. Give NAME=RUN; ",
        ),
        (["X=,"], "X=,: expected NAME=RUN[,RUN…]; found no run. Name a folder of fairseq-train."),
    ],
)
def test_words_that_cannot_be_read(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        parse(words)
    assert str(error.value).startswith(message)


def test_folders_without_a_run(tmp_path):
    with pytest.raises(InputError) as error:
        read(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: expected test.tsv (of --save-predictions) or checkpoint_best.pt; found neither. "
        "Name the --save-dir of a training run."
    )
    with pytest.raises(
        InputError, match=r"expected a folder of fairseq-train, .*; found nothing\. Correct the path"
    ):
        read(tmp_path / "x")


def test_only_common_clips_count(tmp_path):
    one = table(tmp_path / "one" / "test.tsv", ["calm calm", "glad calm", "glad glad"])
    two = table(tmp_path / "two" / "test.tsv", ["calm glad", "glad glad"])
    systems, left_out = on_common_clips(read(f"A={one.parent}", f"B={two}"))
    assert [system.runs[0].scored.ids for system in systems] == [("c0", "c1")] * 2
    assert systems[0].runs[0].scored.prediction[:, 0].tolist() == [0, 0]
    assert remarks(systems, left_out) == [
        "1 clips are not in the predictions of every run and were left out of all."
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            ["glad calm"],
            "expected the labels that {one} has for the same clips; found others. Evaluate all runs on",
        ),
    ],
)
def test_other_labels(rows, message, tmp_path):
    one, two = table(tmp_path / "1.tsv", ["calm calm"]), table(tmp_path / "2.tsv", rows)
    with pytest.raises(InputError) as error:
        on_common_clips(read(f"A={one}", f"B={two}"))
    assert str(error.value).startswith(f"{two}: " + message.format(one=one))


def test_no_common_clip(tmp_path):
    one, two = table(tmp_path / "1.tsv", ["calm calm"]), tmp_path / "2.tsv"
    two.write_text(one.read_text().replace("c0", "other"))
    with pytest.raises(
        InputError, match=r"expected clips that are in .*1\.tsv, too; found none\. Compare runs on one"
    ):
        on_common_clips(read(f"A={one}", f"B={two}"))


def test_other_classes(tmp_path):
    one, two = table(tmp_path / "1.tsv", ["calm calm"]), tmp_path / "2.tsv"
    two.write_text(one.read_text().replace("glad", "sad"))
    with pytest.raises(
        InputError, match=r"\(classes: calm, glad\); found classes: calm, sad\. Compare systems of one"
    ):
        read(f"A={one}", f"B={two}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("c1\t", "c0\t"),
            ":3: expected every clip once; found 'c0', which stands in line 2, too. Give the file",
        ),
        (
            ("0.5\t0.5", "0.5\tx"),
            ":2: expected a number in each of score_calm, score_glad; found '0.5', 'x'. Write",
        ),
    ],
)
def test_tables_with_a_fault(change, message, tmp_path):
    path = table(tmp_path / "1.tsv", ["calm calm", "glad glad"])
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(InputError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}{message}")


def test_a_file_in_which_each_clip_happens_to_have_one_label_is_multilabel_beside_others(tmp_path):
    one = table(tmp_path / "1.tsv", ["calm calm", "glad calm"])
    two = table(tmp_path / "2.tsv", ["calm calm", "glad calm|glad"])
    systems, _ = on_common_clips(read(f"A={one}", f"B={two}"))
    assert [system.runs[0].scored.kind for system in systems] == ["multilabel"] * 2
    assert systems[0].runs[0].scored.prediction.tolist() == [[1, 0], [1, 0]]
