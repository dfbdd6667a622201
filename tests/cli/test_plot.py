"""``mmer plot``."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from mmer_fairseq.cli import plot
from mmer_fairseq.errors import InputError

LOG = '{"epoch": 1, "train_loss": "1.5"}\n{"epoch": 1, "valid_loss": "1.5", "valid_uar": "0.5"}\n'
TABLE = """\
id\tsplit\ttarget\tprediction\tscore_sad\tscore_happy
a\tvalid\tsad\tsad\t1\t0
b\ttest\tsad\thappy\t0\t1
"""


def command(*words: object) -> int:
    parser = argparse.ArgumentParser()
    plot.add_arguments(parser)
    return plot.run(parser.parse_args([str(word) for word in words]))


def width(path: Path) -> int:
    from matplotlib.image import imread

    return imread(path).shape[1]


def test_a_run_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / plot.LOG).write_text(LOG)
    assert command(tmp_path) == 0
    alone = width(tmp_path / plot.PICTURE)
    (tmp_path / plot.PREDICTIONS).write_text(TABLE)
    assert command(tmp_path, "--metric", "uar", "--split", "test") == 0
    assert width(tmp_path / plot.PICTURE) > alone
    assert capsys.readouterr().out == f"{tmp_path / plot.PICTURE}\n" * 2


def test_named_files(tmp_path: Path) -> None:
    log, table = tmp_path / "a.log", tmp_path / "b.tsv"
    log.write_text(LOG)
    table.write_text(TABLE)
    command("--log", log, "--out", tmp_path / "curves.png")
    command("--predictions", table, "--out", tmp_path / "table.png")
    command("--log", log, "--predictions", table, "--out", tmp_path / "both.png")
    assert width(tmp_path / "both.png") > width(tmp_path / "table.png") > 0
    assert (tmp_path / "curves.png").is_file()


def test_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        command(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: expected a folder with train.log or predictions.tsv, or --log or --predictions; "
        "found neither file. Give RUN_DIR, --log FILE or --predictions FILE."
    )
    with pytest.raises(
        InputError, match=r"^mmer plot: expected a folder with .*; found none of them\. Give RUN_DIR"
    ):
        command()


def test_nowhere_to_write(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text(LOG)
    with pytest.raises(
        InputError, match=r"^--out: expected the file to write; found nothing\. Add --out FILE\.png\.$"
    ):
        command("--log", tmp_path / "x.log")


def test_a_bad_log_leaves_no_picture(tmp_path: Path) -> None:
    (tmp_path / plot.LOG).write_text(LOG + '{"epoch": 2, "train_loss": \n')
    with pytest.raises(
        InputError, match=r"train\.log:3: expected one JSON object; found .* Delete that line"
    ):
        command(tmp_path)
    assert not (tmp_path / plot.PICTURE).exists()
