"""Chosen thresholds, weights of the labels and the text's learning rate through fairseq's own commands."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

import mmer_fairseq

pytestmark = pytest.mark.slow

PLUGIN = ["--user-dir", "mmer_fairseq", "--task", "emotion_prediction", "--cpu", "--num-workers", 0]
QUIET = ["--no-progress-bar", "--log-format", "json", "--log-interval", "1"]
TUNED = ["--thresholds", "valid", "--pos-weight", "train", "--text-lr-factor", 10]
BEST = ["--best-checkpoint-metric", "f1", "--maximize-best-checkpoint-metric"]
NAMES = ("happy", "content", "sad", "angry")
GRID = [step / 20 for step in range(1, 20)]


def training(corpus: Path, run: Path, *more: object) -> list[object]:
    return [
        "fairseq-train", corpus, *PLUGIN, *QUIET, "--arch", "robertaEMO_small",
        "--criterion", "emotion_prediction_cri", "--labels", "emotions", "--modalities", "text",
        "--dropout", 0, "--attention-dropout", 0, "--pooler-dropout", 0, "--optimizer", "adam", "--lr", "3e-3",
        "--no-epoch-checkpoints", "--save-dir", run, "--batch-size", 8, "--max-epoch", 3, *more,
    ]  # fmt: skip


def validation(corpus: Path, path: Path, *more: object) -> list[object]:
    return ["fairseq-validate", corpus, *PLUGIN, *QUIET, "--path", path, *more]


def two(words: list[object], port: int) -> list[object]:
    program = Path(sys.executable).parent / str(words[0])
    return ["torchrun", "--nproc-per-node", 2, "--master-port", port, program, *words[1:]]


def logged(output: str, split: str) -> list[dict[str, float]]:
    """The numbers that were logged for a split, without its name before each."""
    lines = re.findall(rf"\| {split} \| (\{{.*)$", output, flags=re.MULTILINE)
    return [{k.replace(f"{split}_", "", 1): float(v) for k, v in json.loads(line).items()} for line in lines]


def read(file: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets, decisions and probabilities [M, 4] of a predictions file."""
    with open(file, encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    sets = {
        key: np.array([[name in row[key].split("|") for name in NAMES] for row in rows]) for key in rows[0]
    }
    scores = np.array([[float(row[f"score_{name}"]) for name in NAMES] for row in rows])
    return sets["target"], sets["prediction"], scores


def check(shown: dict[str, float], file: Path, thresholds: list[float]) -> None:
    """Every number that was logged, against scikit-learn on the predictions file."""
    target, decided, scores = read(file)
    assert np.array_equal(decided, scores > np.array(thresholds))
    assert len(target) == shown["clips"] == 8
    sums: dict[str, list[float]] = {}
    for c, name in enumerate(NAMES):
        t, p = target[:, c], decided[:, c]
        one_sided = len(set(t)) < 2
        each = {
            "acc": sk.accuracy_score(t, p),
            "recall": sk.recall_score(t, p, zero_division=0),
            "precision": sk.precision_score(t, p, zero_division=0),
            "f1": sk.f1_score(t, p, zero_division=0),
            "wf1": sk.f1_score(t, p, average="weighted", zero_division=0),
            "wa": sk.balanced_accuracy_score(t, p),
            "auc": np.nan if one_sided else sk.roc_auc_score(t, scores[:, c]),
        }
        for metric, value in each.items():
            assert shown[f"{metric}_{name}"] == pytest.approx(value, abs=1e-6, nan_ok=True), (metric, name)
            sums.setdefault(metric, []).append(value)
    long = {"acc": "accuracy", "wf1": "weighted_f1", "wa": "weighted_accuracy"}
    for metric, values in sums.items():
        assert shown[long.get(metric, metric)] == pytest.approx(np.nanmean(values), abs=1e-6), metric
    assert shown["exact_match"] == pytest.approx(sk.accuracy_score(target, decided), abs=1e-6)


def best(file: Path) -> list[float]:
    target, _, scores = read(file)
    return [
        GRID[int(np.argmax([sk.f1_score(target[:, c], scores[:, c] > cut, zero_division=0) for cut in GRID]))]
        for c in range(len(NAMES))
    ]


def plain(value):
    """Tensors, such as the tokenizer's bytes, as lists."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    return {key: plain(each) for key, each in value.items()} if isinstance(value, dict) else value


def state(path: Path) -> dict:
    mmer_fairseq.register()  # lets argparse.Namespace be loaded, which fairseq's sgd keeps
    return torch.load(path, weights_only=True)


@pytest.fixture(scope="module")
def tuned(toy, command, tmp_path_factory) -> Path:
    """A run of three epochs with all the options; its folder holds what it wrote on valid and its output."""
    run = tmp_path_factory.mktemp("tuned")
    done = command(training(toy, run, *TUNED, *BEST, "--save-predictions", run / "valid.tsv"))
    (run / "output.txt").write_text(done.stdout + done.stderr)
    return run


def test_thresholds_are_chosen_on_valid_and_kept(tuned):
    output = (tuned / "output.txt").read_text()
    kept = state(tuned / "checkpoint_last.pt")["task_state"]["thresholds"]
    assert kept == {"split": "valid", "values": best(tuned / "valid.tsv")}
    assert kept["values"] != [0.5] * 4
    named = ", ".join(f"{name} {value:g}" for name, value in zip(NAMES, kept["values"]))
    assert f"thresholds chosen on valid, whose metrics are at them: {named}" in output
    epochs = logged(output, "valid")
    check(epochs[-1], tuned / "valid.tsv", kept["values"])
    assert "exact_match" not in logged(output, "train")[-1]


def test_the_best_checkpoint_is_that_of_the_highest_mean_f1_and_has_its_own_thresholds(
    tuned, toy, command, tmp_path
):
    epochs = logged((tuned / "output.txt").read_text(), "valid")
    assert epochs[-1]["best_f1"] == max(epoch["f1"] for epoch in epochs)
    file = tmp_path / "p.tsv"
    path = tuned / "checkpoint_best.pt"
    done = command(validation(toy, path, "--batch-size", 64, "--save-predictions", file))
    shown = logged(done.stdout, "valid")[-1]
    assert shown["f1"] == pytest.approx(epochs[-1]["best_f1"], abs=1e-6)
    check(shown, file, state(path)["task_state"]["thresholds"]["values"])


@pytest.mark.parametrize("batch", [1, 7])
def test_validation_gives_loss_and_metrics_of_the_training_run(batch, tuned, toy, command):
    done = command(validation(toy, tuned / "checkpoint_last.pt", "--batch-size", batch))
    trained = logged((tuned / "output.txt").read_text(), "valid")[-1]
    shown = logged(done.stdout, "valid")[-1]
    assert len(shown) > 30
    for name, value in shown.items():
        assert trained[name] == pytest.approx(value, abs=1e-5), name


def test_the_test_split_is_decided_at_the_thresholds_of_valid_in_two_processes_too(
    tuned, toy, command, tmp_path
):
    path, one, both = tuned / "checkpoint_last.pt", tmp_path / "one.tsv", tmp_path / "two.tsv"
    words = validation(toy, path, "--valid-subset", "test", "--batch-size", 3)
    done = command([*words, "--save-predictions", one])
    chosen = state(path)["task_state"]["thresholds"]["values"]
    assert "decisions at thresholds chosen on valid: happy" in done.stdout + done.stderr
    check(logged(done.stdout, "test")[-1], one, chosen)
    done = command(two([*words, "--save-predictions", both], 29671))
    check(logged(done.stdout, "test")[-1], both, chosen)
    done = command([*words, "--save-predictions", tmp_path / "half.tsv", "--thresholds", "0.5"])
    check(logged(done.stdout, "test")[-1], tmp_path / "half.tsv", [0.5] * 4)


def test_two_processes_choose_what_one_does(tuned, toy, command, tmp_path):
    words = training(toy, tmp_path, *TUNED, *BEST, "--save-predictions", tmp_path / "valid.tsv")
    done = command(two([*words, "--batch-size", 4, "--batch-size-valid", 3], 29672))
    kept = state(tmp_path / "checkpoint_last.pt")["task_state"]["thresholds"]["values"]
    assert kept == best(tmp_path / "valid.tsv")
    assert np.allclose(read(tmp_path / "valid.tsv")[2], read(tuned / "valid.tsv")[2], atol=1e-4)
    check(logged(done.stdout, "valid")[-1], tmp_path / "valid.tsv", kept)


def test_resumed_training_ends_with_the_same_weights_and_thresholds(tuned, toy, command, tmp_path):
    command(training(toy, tmp_path, *TUNED, *BEST, "--max-epoch", 1))
    done = command(training(toy, tmp_path, *TUNED, *BEST))
    assert "decisions at thresholds chosen on valid" in done.stdout + done.stderr
    whole, resumed = state(tuned / "checkpoint_last.pt"), state(tmp_path / "checkpoint_last.pt")
    assert all(torch.equal(whole["model"][key], resumed["model"][key]) for key in whole["model"])
    assert plain(whole["task_state"]) == plain(resumed["task_state"])


def test_auc_chooses_the_best_checkpoint_in_two_processes(toy, command, tmp_path):
    flags = ["--best-checkpoint-metric", "auc", "--maximize-best-checkpoint-metric"]
    done = command(two(training(toy, tmp_path, *flags, "--batch-size", 4), 29673))
    epochs = logged(done.stdout, "valid")
    assert epochs[-1]["best_auc"] == max(epoch["auc"] for epoch in epochs)
    assert all(0 <= epoch["auc"] <= 1 for epoch in epochs)
    words = validation(toy, tmp_path / "checkpoint_last.pt", "--batch-size", 8, "--thresholds", "valid")
    assert "expected thresholds in the checkpoint" in command(words, ok=False).stderr
    again = command(training(toy, tmp_path, *flags, "--max-valid-steps", 1), ok=False)
    assert "--best-checkpoint-metric: expected one of loss, accuracy, f1" in again.stderr


def test_balanced_classes_have_the_loss_of_training_and_an_auc(twelve, command, tmp_path):
    words = training(twelve, tmp_path, "--labels", "emotion", "--class-weight", "balanced", "--max-epoch", 1)
    trained = logged(command(words).stdout, "valid")[-1]
    path, file = tmp_path / "checkpoint_last.pt", tmp_path / "p.tsv"
    done = command(validation(twelve, path, "--batch-size", 2, "--save-predictions", file))
    shown = logged(done.stdout, "valid")[-1]
    assert shown["loss"] == pytest.approx(trained["loss"], abs=1e-5)
    target, _, scores = read(file)
    weights = dict(zip(NAMES, state(path)["task_state"]["label_weights"]))
    each = [-np.log2(p[t][0]) * weights[NAMES[int(t.argmax())]] for t, p in zip(target, scores)]
    assert shown["loss"] == pytest.approx(np.mean(each), abs=1e-5)
    assert len({round(weight, 6) for weight in weights.values()}) > 1
    found = [sk.roc_auc_score(target[:, c], scores[:, c]) for c in range(4) if 0 < target[:, c].sum() < 3]
    assert shown["auc"] == pytest.approx(np.mean(found), abs=1e-6)


def test_one_update_moves_the_text_encoder_by_its_share(toy, command, tmp_path):
    runs = {"still": ["--lr", 0], "plain": ["--lr", 1], "slow": ["--lr", 1, "--text-lr-factor", 4]}
    found = {}
    for name, flags in runs.items():
        words = training(toy, tmp_path / name, "--optimizer", "sgd", "--max-update", 1, *flags)
        words += ["--modalities", "text,audio", "--max-sample-size", 8000, "--disable-validation"]
        done = command(words)
        found[name] = state(tmp_path / name / "checkpoint_last.pt")["model"]
    assert "of the text encoder learn at --lr / 4" in done.stdout + done.stderr
    moved = {"text": 0.0, "other": 0.0}
    for key, start in found["still"].items():
        plain, slow = found["plain"][key] - start, found["slow"][key] - start
        part = "text" if key.startswith("encoders.encoder.text.") else "other"
        assert torch.allclose(slow, plain / 4 if part == "text" else plain, atol=1e-6), key
        moved[part] = max(moved[part], float(plain.abs().max()))
    assert min(moved.values()) > 1e-4
