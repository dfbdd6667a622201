"""Reading the log of a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.plots.history import History, lower_is_better, read_history

# As fairseq writes it: plain lines of the start, lines repeated once more with each epoch, numbers as text.
LOG = """\
{'_name': None, 'common': {'_name': None, 'seed': 1}}
SSEFTModel(
)
{"epoch": 1, "update": 0.5, "loss": "1.9"}
{"epoch": 1, "train_loss": "1.5", "train_weighted_f1": "0.25", "train_wall": "3"}
{"epoch": 1, "valid_loss": "1.25", "valid_weighted_f1": "0.5", "valid_best_loss": "1.25"}
{"epoch": 2, "train_loss": "1", "train_weighted_f1": "0.75", "train_wall": "5"}
{"epoch": 2, "train_loss": "1", "train_weighted_f1": "0.75", "train_wall": "5"}
{"epoch": 2, "valid_loss": "nan", "valid_weighted_f1": "0.625", "valid_best_loss": "1"}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "train.log"
    path.write_text(text, encoding="utf-8")
    return path


def test_epochs(tmp_path: Path) -> None:
    history = read_history(write(tmp_path, LOG))
    assert history.train["loss"] == {1: 1.5, 2: 1.0}
    assert history.valid["weighted_f1"] == {1: 0.5, 2: 0.625}
    assert history.valid["loss"][1] == 1.25
    assert "update" not in history.train


def test_a_resumed_run_counts_last(tmp_path: Path) -> None:
    history = read_history(
        write(tmp_path, LOG + '{"epoch": 2, "train_loss": "0.5"}\n{"epoch": 3, "train_loss": 0.25}\n')
    )
    assert history.train["loss"] == {1: 1.5, 2: 0.5, 3: 0.25}


def test_what_a_terminal_shows(tmp_path: Path) -> None:
    line = '2026-01-31 12:00:00 | INFO | train | {"epoch": 1, "train_loss": "1.5", "train_list": [1, 2]}\n'
    history = read_history(
        write(tmp_path, "2026-01-31 12:00:00 | INFO | fairseq_cli.train | {'seed': 1}\n" + line)
    )
    assert history.train == {"loss": {1: 1.5}}


def test_a_line_still_being_written(tmp_path: Path) -> None:
    assert read_history(write(tmp_path, LOG + '{"epoch": 3, "train_lo')).train["loss"] == {1: 1.5, 2: 1.0}


def test_as_fairseq_writes_it(tmp_path: Path) -> None:
    # In a process of its own: fairseq keeps the log file open for good.
    script = (
        "import logging, sys\n"
        "from fairseq.logging.progress_bar import progress_bar\n"
        "logging.getLogger('fairseq.logging.progress_bar').setLevel(logging.INFO)\n"
        "for epoch in (1, 2):\n"
        "    bar = progress_bar(range(3), log_format='json', log_file=sys.argv[1], epoch=epoch)\n"
        "    bar.print({'loss': 1.5 / epoch, 'f1': 0.5}, tag='train')\n"
        "    bar.print({'loss': 2.0, 'f1': 0.25, 'best_f1': 0.25}, tag='valid')\n"
    )
    path = tmp_path / "train.log"
    ran = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    history = read_history(path)
    assert history.train == {"loss": {1: 1.5, 2: 0.75}, "f1": {1: 0.5, 2: 0.5}}
    assert history.main_metric() == "f1"
    assert len(path.read_text().splitlines()) > 4  # each epoch's lines once more than the one before


def test_the_metric_to_show(tmp_path: Path) -> None:
    assert read_history(write(tmp_path, LOG)).main_metric() == "weighted_f1"
    one = {1: 0.5}
    assert History(valid={"accuracy": one, "ccc": one, "best_accuracy": one}).main_metric() == "accuracy"
    assert History(valid={"loss": one, "best_loss": one, "mae": one}).main_metric() == "mae"
    assert History(valid={"loss": one, "best_loss": one}).main_metric() is None


def test_which_end_is_better() -> None:
    assert [lower_is_better(name) for name in ("total_loss", "mae", "rmse_valence", "ccc", "f1_mae")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_a_broken_line(tmp_path: Path) -> None:
    path = write(tmp_path, LOG + '{"epoch": 3, "trai{"epoch": 3, "train_loss": "1"}\n')
    with pytest.raises(InputError) as error:
        read_history(path)
    assert str(error.value) == (
        f'{path}:10: expected one JSON object; found \'{{"epoch": 3, "trai{{"epoch": 3, "train_loss": "1"}}'
        "' (Expecting ':' delimiter at character 21). Delete that line if a killed run left half of it."
    )


def test_an_epoch_that_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, LOG + '{"train_loss": "1"}\n')
    with pytest.raises(InputError) as error:
        read_history(path)
    assert str(error.value) == (
        f'{path}:10: expected a whole number under "epoch"; found None. '
        "Train with --log-format json --log-file FILE and give that file."
    )


@pytest.mark.parametrize("text", ["", "epoch 001 | loss 1.5\n", "{'seed': 1}\n"])
def test_a_log_of_another_form(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as error:
        read_history(path)
    assert str(error.value) == (
        f'{path}: expected a JSON line such as {{"epoch": 1, "train_loss": "0.69", …}} for each ended epoch; '
        "found none. Train with --log-format json --log-file FILE and give that file."
    )


def test_no_log(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none", tmp_path, tmp_path / "bytes"):
        with pytest.raises(
            InputError, match=r"expected a readable log in UTF-8; found .*\. Train with --log-format"
        ):
            read_history(path)
