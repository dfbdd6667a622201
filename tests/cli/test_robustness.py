"""``mmer robustness`` on models that fairseq-train made, against fairseq-validate."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mmer_fairseq.cli.main import main
from mmer_fairseq.cli.robustness import LEVELS, PICTURE, TSV

pytestmark = pytest.mark.slow

PLUGIN = ["--user-dir", "mmer_fairseq", "--task", "emotion_prediction", "--cpu"]
QUIET = ["--no-progress-bar", "--log-format", "json", "--num-workers", 0]
KNOWN = ("accuracy", "uar", "weighted_f1", "macro_f1", "recall_happy", "f1_angry")


def training(corpus: Path, run: Path, *more: object) -> list[object]:
    return [
        "fairseq-train", corpus, *PLUGIN, *QUIET, "--arch", "robertaEMO_small", "--criterion", "emotion_prediction_cri",
        "--frame-rate", 4, "--frame-size", 32, "--optimizer", "adam", "--lr", "2e-3", "--clip-norm", 1, "--dropout", 0,
        "--batch-size", 8, "--no-epoch-checkpoints", "--save-dir", run, *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def trained(toy, command, tmp_path_factory) -> Path:
    """A checkpoint for text, sound and picture."""
    run = tmp_path_factory.mktemp("trained")
    best = ["--best-checkpoint-metric", "macro_f1", "--maximize-best-checkpoint-metric"]
    command(training(toy, run, "--max-epoch", 6, *best))
    return run / "checkpoint_last.pt"


def validated(command, corpus: Path, checkpoint: Path, *more: object) -> dict[str, float]:
    """What fairseq-validate prints of the test split."""
    words = ["fairseq-validate", corpus, *PLUGIN, *QUIET, "--path", checkpoint, "--valid-subset", "test"]
    done = command([*words, "--batch-size", 8, *more])
    shown = json.loads(re.findall(r"\| test \| (\{.*)$", done.stdout, flags=re.MULTILINE)[-1])
    return {key[len("test_") :]: float(x) for key, x in shown.items() if key.startswith("test_")}


def measured(out: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    """(kind, level, kept) → row."""
    with open(out / TSV, encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return {(row["kind"], row["level"], row["kept"]): row for row in rows}


def robustness(corpus: Path, checkpoint: Path, out: Path, *more: object) -> int:
    words = ["robustness", corpus, "--path", checkpoint, "--out", out, "--cpu", "--num-workers", 0, *more]
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def scored(toy, trained, tmp_path_factory) -> Path:
    """The folder of one run with all defaults."""
    out = tmp_path_factory.mktemp("scored") / "new" / "folder"
    assert robustness(toy, trained, out) == 0
    return out


def test_every_subset_scores_as_in_validation(toy, trained, scored, command):
    rows = measured(scored)
    subsets = [kept for kind, _, kept in rows if kind == "subset"]
    assert len(subsets) == 7
    for kept in ("text,audio,video", "audio,video", "text"):
        wanted = validated(command, toy, trained, "--modalities", kept)
        row = rows["subset", "", kept]
        assert int(row["clips"]) == wanted["clips"] == 8
        for name in KNOWN:
            assert float(row[name]) == pytest.approx(wanted[name], abs=1e-9)
    assert len({tuple(rows["subset", "", kept].values())[7:] for kept in subsets}) > 2


def test_all_levels_are_there(scored):
    found = [(kind, float(level)) for kind, level, _ in measured(scored) if level]
    assert found == [(kind, level) for kind, levels in LEVELS.items() for level in levels]
    assert (scored / PICTURE).stat().st_size > 10000


@pytest.mark.parametrize("batch", [1, 7])
def test_the_same_files_for_any_batch_size_and_reader(batch, toy, trained, scored, tmp_path):
    assert robustness(toy, trained, tmp_path, "--batch-size", batch, "--num-workers", batch % 2) == 0
    for name in (TSV, PICTURE):
        assert (tmp_path / name).read_bytes() == (scored / name).read_bytes()


def test_the_table_shows_the_metric_of_the_best_checkpoint(toy, trained, tmp_path, capsys):
    shutil.copy(trained, tmp_path / "model.pt")
    none = ["--snr", "--blur", "--occlusion"]
    words = ["robustness", toy, "--path", tmp_path / "model.pt", "--cpu", "--modalities", "text,audio", *none]
    assert main([str(word) for word in words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"condition +clips +macro_f1 +difference", lines[0])
    assert [line.split("  ")[0] for line in lines[1:4]] == ["text + audio", "text", "audio"]
    assert lines[4:] == [
        "video: not read here, missing for every clip",
        str(tmp_path / TSV),
        str(tmp_path / PICTURE),
    ]


def test_missing_and_silent_clips_are_counted(toy, trained, tmp_path, capsys):
    corpus = tmp_path / "corpus"
    shutil.copytree(toy, corpus)
    with open(corpus / "test.tsv", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    rows[0]["audio"] = rows[1]["audio"] = rows[1]["video"] = ""
    soundfile.write(corpus / "silent.wav", np.zeros(16000), 16000)
    rows[2]["audio"] = "silent.wav"
    with open(corpus / "test.tsv", "w", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    assert robustness(corpus, trained, tmp_path, "--snr", 5) == 2
    assert "expected sound; found silence" in capsys.readouterr().err
    state = torch.load(trained, weights_only=False)
    state["cfg"]["task"]["allow_silent"] = True
    torch.save(state, tmp_path / "silent.pt")
    assert robustness(corpus, tmp_path / "silent.pt", tmp_path, "--snr", 5, "--blur", "--occlusion", 0.5) == 0
    shown = capsys.readouterr().out
    assert "\naudio: 2 of 8 clips have none of these; they are scored\n" in shown
    assert "\naudio + video: 1 of 8 clips have none of these; they are scored\n" in shown
    assert "\n--snr: 2 of 8 clips have no audio and stay as they are\n" in shown
    assert "\n--snr: 1 of 8 clips are silent and stay as they are\n" in shown
    assert "\n--occlusion: 1 of 8 clips have no video and stay as they are\n" in shown


def test_scores_and_stored_features(twelve, command, tmp_path, capsys):
    words = [
        "--labels",
        "sentiment",
        "--modalities",
        "audio,video",
        "--features",
        "audio=w",
        "--max-epoch",
        1,
    ]
    command(training(twelve, tmp_path, *words))
    checkpoint = tmp_path / "checkpoint_last.pt"
    assert robustness(twelve, checkpoint, tmp_path, "--blur", 8, "--seed", 5) == 0
    shown = capsys.readouterr().out
    note = "audio: stored features are read, to which no noise can be added; this needs its media"
    assert f"\n{note}\n" in shown
    rows = measured(tmp_path)
    wanted = validated(command, twelve, checkpoint)
    complete = rows["subset", "", "audio,video"]
    assert {kind for kind, _, _ in rows} == {"subset", "blur", "occlusion"}
    for name in ("mae", "pearson", "ccc"):  # fairseq prints nine digits
        assert float(complete[name]) == pytest.approx(wanted[name], rel=5e-9)
    assert len({row["mae"] for row in rows.values()}) == len(rows)  # every condition does something
    before = (tmp_path / TSV).read_text()
    assert robustness(twelve, checkpoint, tmp_path, "--blur", 8, "--seed", 5, "--split", "test") == 0
    assert (tmp_path / TSV).read_text() == before
    assert robustness(twelve, checkpoint, tmp_path, "--blur", 8, "--seed", 6) == 0
    changed = [key for key, row in measured(tmp_path).items() if row["mae"] != rows[key]["mae"]]
    assert {kind for kind, _, _ in changed} == {"occlusion"}
    capsys.readouterr()
    assert robustness(twelve, checkpoint, tmp_path, "--noise", "x.wav") == 2
    assert capsys.readouterr().err.endswith(
        "error: --noise: expected a model that reads sound from its media, and levels of --snr; found none here. "
        "Leave out --noise.\n"
    )
    assert robustness(twelve, checkpoint, tmp_path, "--labels", "emotion") == 2
    assert "expected the checkpoint's label space (score: " in capsys.readouterr().err


def test_the_training_split_is_read_without_chance(toy, trained):
    from mmer_fairseq.evaluation.trained import load_trained

    made = load_trained(str(trained), str(toy), "train", flags={}, cpu=True)
    assert (made.dataset.training, made.dataset.shuffle, made.model.training) == (False, False, False)
    assert sum(batch["nsentences"] for batch in made.batches(5, 0)) == len(made.dataset) == 24


def test_recorded_noise(toy, trained, scored, tmp_path):
    soundfile.write(tmp_path / "hum.wav", np.sin(np.arange(4000) * 0.3), 8000)
    words = ["--noise", tmp_path / "hum.wav", "--snr", "-10", "--blur", "--occlusion"]
    assert robustness(toy, trained, tmp_path, *words) == 0
    assert ("snr", "-10.0", "text,audio,video") in measured(tmp_path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--split", "tset"], "expected the split to be one of train, valid, test; found 'tset'. "),
        (
            ["--metric", "wer"],
            "--metric: expected one of accuracy, uar, weighted_f1, macro_f1, recall_happy, ",
        ),
        (["--metric", "wer"], "; found 'wer'. Name one of these metrics.\n"),
        (["--noise", "no.wav"], "--noise: no.wav: expected "),
        (["--noise", "no.wav", "--snr"], "and levels of --snr; found no level. Leave out --noise.\n"),
        (["--snr", "500"], "--snr: expected numbers from -100 to 100 (dB); found 500. "),
        (["--batch-size", "0"], "--batch-size: expected 1 or more; found 0. "),
        (["--num-workers", "-1"], "--num-workers: expected 0 or more; found -1. "),
        (["--modalities", "physio"], "--modalities: expected modalities that the corpus has "),
        (
            ["--path", "no.pt"],
            "--path no.pt: expected a checkpoint that fairseq-train wrote with --user-dir ",
        ),
    ],
)
def test_wrong_flags(flags, message, toy, trained, tmp_path, capsys):
    assert robustness(toy, trained, tmp_path, *flags) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_wrong_files(toy, trained, tmp_path, capsys):
    (tmp_path / "text.pt").write_text("hello")
    torch.save({"model": {}, "epoch": 3}, tmp_path / "other.pt")
    state = torch.load(trained, weights_only=False)
    state["cfg"]["task"]["_name"], state["cfg"]["model"]["_name"] = "translation", "transformer"
    torch.save(state, tmp_path / "foreign.pt")
    for name, found in (
        (
            "text.pt",
            "text.pt: expected a checkpoint that fairseq-train wrote with --user-dir mmer_fairseq; found ",
        ),
        ("other.pt", "found a file with model, epoch. "),
        ("foreign.pt", "found one of the model transformer. "),
    ):
        assert robustness(toy, tmp_path / name, tmp_path) == 2
        assert found in capsys.readouterr().err
    assert robustness(toy, trained, tmp_path / "text.pt" / "x") == 2
    assert capsys.readouterr().err.endswith(
        "expected a place to write to; found Not a directory. Change --out.\n"
    )
    assert not list(tmp_path.glob("robustness*"))


def test_a_corpus_without_the_checkpoints_modalities(toy, trained, tmp_path, capsys):
    state = torch.load(trained, weights_only=False)
    state["task_state"]["streams"] = {"text": state["task_state"]["streams"]["text"]}
    state["model"] = {}
    torch.save(state, tmp_path / "text.pt")
    assert robustness(toy, tmp_path / "text.pt", tmp_path, "--modalities", "audio") == 2
    assert (
        "--modalities: expected modalities that the checkpoint was trained on (text); found 'audio'. Leave it out."
        in capsys.readouterr().err
    )


def test_a_broken_medium_is_named_without_a_traceback(toy, trained, tmp_path, capsys):
    corpus = tmp_path / "corpus"
    shutil.copytree(toy, corpus)
    with open(corpus / "test.tsv", encoding="utf-8") as lines:
        row = next(csv.DictReader(lines, delimiter="\t"))
    broken = next(corpus.rglob(Path(row["audio"]).name))
    broken.write_bytes(b"\xff" * broken.stat().st_size)
    shutil.rmtree(corpus / ".mmer", ignore_errors=True)
    for workers in (0, 1):
        assert robustness(corpus, trained, tmp_path, "--num-workers", workers) == 2
        err = capsys.readouterr().err
        assert "test.tsv:2: " in err.splitlines()[-1]
        assert "Traceback" not in err
