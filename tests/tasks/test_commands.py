"""fairseq's own commands, run as a user runs them, on the toy corpus."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

pytestmark = pytest.mark.slow

REPO = Path(__file__).resolve().parents[2]

PLUGIN = ["--user-dir", "mmer_fairseq", "--task", "emotion_prediction"]
MODEL = ["--arch", "robertaEMO_small", "--criterion", "emotion_prediction_cri", "--cpu"]
QUIET = ["--no-progress-bar", "--log-format", "json", "--log-interval", "1"]
NO_DROPOUT = ["--dropout", "0", "--attention-dropout", "0", "--pooler-dropout", "0"]


def training(corpus: Path, run: Path, *more: object) -> list[object]:
    return [
        "fairseq-train", corpus, *PLUGIN, *MODEL, *QUIET, "--modalities", "text,audio", "--max-sample-size", 16000,
        "--optimizer", "adam", "--lr", "1e-3", "--num-workers", 1, "--no-epoch-checkpoints", "--save-dir", run,
        "--batch-size", 8, "--max-epoch", 2, *more,
    ]  # fmt: skip


def validation(corpus: Path, run: Path, *more: object) -> list[object]:
    path = run / "checkpoint_last.pt"
    return ["fairseq-validate", corpus, *PLUGIN, "--cpu", *QUIET, "--path", path, *more]


def logged(output: str, tag: str) -> list[dict[str, float]]:
    """The numbers that fairseq logged under ``| tag |``, or under hydra's ``[tag]``."""
    lines = re.findall(rf"(?:\| {tag} \||\[{tag}\]\[INFO\] -) (\{{.*)$", output, flags=re.MULTILINE)
    return [{key: float(value) for key, value in json.loads(line).items()} for line in lines]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoint_last.pt", weights_only=True)["model"]


def distance(a: Path, b: Path) -> float:
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    return max(float((first[key] - second[key]).abs().max()) for key in first)


def torchrun(words: list[object], port: int) -> list[object]:
    program = Path(sys.executable).parent / str(words[0])
    return ["torchrun", "--nproc-per-node", 2, "--master-port", port, program, *words[1:]]


@pytest.fixture(scope="module")
def trained(toy, command, tmp_path_factory) -> Path:
    """A run of two epochs."""
    run = tmp_path_factory.mktemp("trained")
    done = command(training(toy, run, *NO_DROPOUT))
    (run / "output.txt").write_text(done.stdout)
    return run


def test_training_logs_losses_metrics_and_every_clip(trained):
    output = (trained / "output.txt").read_text()
    train, valid = logged(output, "train"), logged(output, "valid")
    assert [epoch["train_clips"] for epoch in train] == [24, 24]
    assert [epoch["valid_clips"] for epoch in valid] == [8, 8]
    assert train[1]["train_loss"] < train[0]["train_loss"]
    assert {"valid_uar", "valid_accuracy", "valid_weighted_f1"} <= valid[0].keys()


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_validation_agrees_with_scikit_learn_for_any_batch_size(batch, toy, trained, command, tmp_path):
    file = tmp_path / "predictions.tsv"
    done = command(validation(toy, trained, "--batch-size", batch, "--save-predictions", file))
    check_against_scikit_learn(logged(done.stdout, "valid")[-1], file, clips=8)


def test_validation_in_two_processes_agrees_with_scikit_learn(toy, trained, command, tmp_path):
    file = tmp_path / "predictions.tsv"
    words = validation(toy, trained, "--batch-size", 3, "--save-predictions", file)
    done = command(torchrun(words, 29611))
    check_against_scikit_learn(logged(done.stdout, "valid")[-1], file, clips=8)


def check_against_scikit_learn(shown: dict[str, float], file: Path, clips: int) -> None:
    with open(file, encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    target, prediction = [row["target"] for row in rows], [row["prediction"] for row in rows]
    assert len(rows) == len({row["id"] for row in rows}) == clips == shown["valid_clips"]
    assert shown["valid_accuracy"] == pytest.approx(accuracy_score(target, prediction), abs=1e-6)
    assert shown["valid_uar"] == pytest.approx(balanced_accuracy_score(target, prediction), abs=1e-6)
    assert shown["valid_weighted_f1"] == pytest.approx(
        f1_score(target, prediction, average="weighted"), abs=1e-6
    )


def test_two_processes_train_what_one_does_with_twice_the_batch(toy, trained, command, tmp_path):
    done = command(torchrun([*training(toy, tmp_path, *NO_DROPOUT), "--batch-size", 4], 29612))
    losses = [epoch["train_loss"] for epoch in logged(done.stdout, "train")[:2]]
    alone = [epoch["train_loss"] for epoch in logged((trained / "output.txt").read_text(), "train")]
    assert losses == pytest.approx(alone, abs=1e-4)
    assert distance(tmp_path, trained) < 1e-3


def test_killed_and_resumed_training_ends_with_the_same_weights(toy, command, tmp_path):
    often = ["--save-interval-updates", 2, "--keep-interval-updates", 1, "--max-epoch", 3]
    command(training(toy, tmp_path / "whole", *often))
    words = [str(word) for word in training(toy, tmp_path / "killed", *often)]
    words[0] = str(Path(sys.executable).parent / words[0])
    log = open(tmp_path / "output.txt", "w+")  # noqa: SIM115
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(words, stdout=log, stderr=log, env=environment, start_new_session=True)
    last = tmp_path / "killed" / "checkpoint_last.pt"
    deadline = time.time() + 120
    while not last.exists() and process.poll() is None and time.time() < deadline:
        time.sleep(0.01)
    time.sleep(random.Random(4).uniform(0, 0.5))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    log.close()
    assert last.exists(), (tmp_path / "output.txt").read_text()[-3000:]
    resumed = command(training(toy, tmp_path / "killed", *often))
    assert "Loaded checkpoint" in resumed.stdout
    assert distance(tmp_path / "whole", tmp_path / "killed") == 0


def test_a_finished_run_stays_finished(toy, trained, command):
    before = weights(trained)
    command(training(toy, trained, *NO_DROPOUT))
    after = weights(trained)
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_patience_goes_on_where_it_was_in_two_processes(toy, command, tmp_path):
    words = training(
        toy, tmp_path, *NO_DROPOUT, "--modalities", "text", "--lr", 0, "--batch-size", 4, "--patience", 2,
        "--best-checkpoint-metric", "uar", "--maximize-best-checkpoint-metric",
    )  # fmt: skip
    command(torchrun(words, 29613))  # nothing is learnt: the second epoch is no better than the first
    resumed = command(torchrun([*words, "--max-epoch", 9], 29614))
    assert {epoch["epoch"] for epoch in logged(resumed.stdout, "valid")} == {3}
    again = command([*words, "--max-epoch", 9])
    assert "of a run that was over: nothing is trained" in again.stdout


def hydra(corpus: Path, run: Path, *more: object) -> list[object]:
    config = REPO / "examples" / "sse_ft" / "config"
    return [
        "fairseq-hydra-train", "--config-dir", config, "--config-name", "toy", f"task.data={corpus}",
        "task.modalities=text", "optimization.max_epoch=1", f"checkpoint.save_dir={run}", "common.cpu=true",
        "model.dropout=0", "+model.attention_dropout=0", *more,
    ]  # fmt: skip


def test_hydra_trains_from_yaml_in_one_process_and_in_two(toy, command, tmp_path):
    done = command(hydra(toy, tmp_path / "one"))
    assert logged(done.stdout, "valid")[-1]["valid_clips"] == 8
    more = ["dataset.batch_size=4", "distributed_training.distributed_backend=gloo"]
    done = command(torchrun(hydra(toy, tmp_path / "two", *more), 29615))
    assert logged(done.stdout, "valid")[-1]["valid_clips"] == 8
    assert distance(tmp_path / "one", tmp_path / "two") < 1e-3


def test_hydra_shows_a_fault_of_the_user_alone(command, tmp_path):
    done = command(hydra(tmp_path / "nowhere", tmp_path), ok=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith(f"error: {tmp_path}/nowhere: expected a corpus")
    assert "Traceback" not in done.stderr


def test_wrong_metric_stops_before_training(toy, command, tmp_path):
    done = command(training(toy, tmp_path, "--best-checkpoint-metric", "acc"), ok=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: --best-checkpoint-metric: expected one of loss, accuracy, uar")
    assert "Traceback" not in done.stderr


def test_corpus_with_other_labels_is_refused_by_the_checkpoint(toy, trained, command):
    done = command(validation(toy, trained, "--batch-size", 8, "--labels", "sentiment"), ok=False)
    assert "expected the checkpoint's label space (classes: happy, content, sad, angry)" in done.stderr
    assert "Traceback" not in done.stderr


def test_fault_found_by_a_data_loading_process_is_shown_alone(toy, command, tmp_path):
    import shutil

    corpus = tmp_path / "corpus"
    shutil.copytree(toy, corpus)
    (sorted(corpus.glob("media/train*.wav"))[0]).write_text("no sound")
    done = command(training(corpus, tmp_path / "run"), ok=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert "train.tsv:" in done.stderr
    assert "Traceback" not in done.stderr
