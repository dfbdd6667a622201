"""``mmer report``."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmer_fairseq.cli import report
from mmer_fairseq.cli.main import main
from mmer_fairseq.evaluation.paper_tables import FORMS

NAMES = ("angry", "excited", "frustrated", "happy", "neutral", "sad")


def predictions(path: Path, rows: list[tuple[str, str, str]], names=NAMES) -> Path:
    header = ["id", "split", "target", "prediction", *(f"score_{name}" for name in names)]
    lines = ["\t".join(header)]
    for i, row in enumerate(rows):
        lines.append("\t".join([f"c{i}", *row, *["0.5"] * len(names)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_forms_are_those_there_are():
    assert tuple(FORMS) == report.FORMS


def test_classes_and_yes_no_decisions_of_one_model_give_one_line(tmp_path, capsys):
    rows = [("test", name, "angry" if name == "sad" else name) for name in NAMES]
    one = predictions(tmp_path / "one.tsv", [*rows, ("valid", "sad", "happy")])
    many = predictions(tmp_path / "many.tsv", [*rows, ("test", "", "sad|happy")])
    assert main(["report", "--form", "mme2e-iemocap", f"A={one}", f"B={many}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "IEMOCAP: accuracy / F1 in percent"
    assert lines[1].split() == ["model", *NAMES, "avg"]
    full = "100.0/100.0"
    assert lines[2].split() == ["A", "83.3/66.7", full, full, full, full, "83.3/0.0", "94.4/77.8"]
    assert lines[3].split()[0] == "B"
    assert lines[3].split()[-2] == "71.4/0.0"
    assert lines[4] == "A: 6 clips of test; B: 7 clips of test"


def test_a_model_without_a_name_is_called_as_its_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    predictions(Path("a=b.tsv"), [("dev", "sad", "sad")])
    assert main(["report", "--form", "mme2e-iemocap", "a=b.tsv"]) == 0
    assert "a=b: 1 clips of dev" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "names", "message"),
    [
        (
            [("valid", "sad", "sad"), ("train", "sad", "sad")],
            NAMES,
            "expected one split; found valid, train. Choose one with --split.",
        ),
        (
            [("test", "0.5", "1")],
            ("sentiment",),
            "expected decisions: labels of kind classes or multilabel; found labels of kind score. "
            "Name predictions of emotions.",
        ),
    ],
)
def test_files_that_are_no_table_of_emotions(rows, names, message, tmp_path, capsys):
    path = predictions(tmp_path / "p.tsv", rows, names)
    assert main(["report", "--form", "mme2e-iemocap", str(path)]) == 2
    assert capsys.readouterr().err == f"error: {path}: {message}\n"


def test_a_split_that_is_not_there(tmp_path, capsys):
    path = predictions(tmp_path / "p.tsv", [("valid", "sad", "sad")])
    assert main(["report", "--form", "mme2e-mosei", "--split", "test", str(path)]) == 2
    assert "expected clips of the split 'test'; found none" in capsys.readouterr().err
