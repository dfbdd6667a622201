"""Faults that only a whole run meets, through fairseq's own commands: one message, no traceback."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmer_fairseq.corpus import Corpus

pytestmark = pytest.mark.slow


def train(corpus: Path, run: Path, *more: object) -> list[object]:
    return [
        "fairseq-train", corpus, "--user-dir", "mmer_fairseq", "--task", "emotion_prediction", "--modalities", "audio",
        "--arch", "robertaEMO_small", "--criterion", "emotion_prediction_cri", "--cpu", "--optimizer", "adam",
        "--lr", "1e-3", "--batch-size", 4, "--max-epoch", 1, "--num-workers", 1, "--save-dir", run, *more,
    ]  # fmt: skip


def test_a_fault_in_a_data_loading_process_ends_training_with_its_message(twelve, command, tmp_path) -> None:
    bad = shutil.copytree(twelve, tmp_path / "bad", copy_function=os.link)
    wav = bad / Corpus.load(bad).clips("train")[2].media["audio"]
    samples, rate = soundfile.read(wav, dtype="float32")
    samples[50] = np.nan
    wav.unlink()
    soundfile.write(wav, samples, rate, subtype="FLOAT")
    done = command(train(bad, tmp_path / "run"), ok=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"error: {bad}/train.tsv:4: {wav}: expected finite samples")
    assert not (tmp_path / "run" / "crash.pt").exists()


def test_a_cut_checkpoint_ends_every_process_with_a_message(twelve, command, tmp_path) -> None:
    (tmp_path / "checkpoint_last.pt").write_bytes(b"PK\x03\x04" + bytes(999))
    words = train(twelve, tmp_path)
    words[0] = Path(sys.executable).parent / "fairseq-train"
    done = command(["torchrun", "--nproc-per-node", 2, "--master-port", 29641, *words], ok=False)
    assert done.returncode != 0
    assert (
        f"error: {tmp_path / 'checkpoint_last.pt'}: expected a checkpoint that fairseq-train wrote"
        in done.stderr
    )
    assert not re.search(r"\[rank\d\]: *Traceback", done.stderr), done.stderr[-3000:]
