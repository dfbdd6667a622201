"""Small corpora of real sound files, and a tiny wav2vec checkpoint in its published form."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mmer_fairseq.corpus import Corpus, write_corpus

LABELS = {"emotion": {"kind": "classes", "column": "emotion", "classes": ["calm", "angry"]}}


def _speech(folder: Path, clips: int, seconds: float = 0.3) -> Corpus:
    random = np.random.default_rng(7)
    (folder / "wav").mkdir(parents=True)
    rows = {"train": [], "valid": []}
    for index in range(clips):
        clip_id = f"clip{index}"
        samples = int(16000 * seconds * random.uniform(0.5, 1.5))
        soundfile.write(folder / "wav" / f"{clip_id}.wav", random.normal(0, 0.1, samples), 16000)
        audio = "" if index % 10 == 9 else f"wav/{clip_id}.wav"
        row = {"id": clip_id, "text": "some words", "audio": audio, "emotion": ["calm", "angry"][index % 2]}
        rows["valid" if index % 5 == 4 else "train"].append(row)
    write_corpus(folder, description={"name": "speech", "labels": LABELS}, rows=rows)
    return Corpus.load(folder)


@pytest.fixture(scope="session")
def speech():
    """Makes a corpus of noises: ``speech(folder, clips)``; every tenth clip has no sound."""
    return _speech


@pytest.fixture(scope="session")
def wav2vec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny wav2vec 1.0 checkpoint."""
    from mmer_fairseq.encoders.fairseq_checkpoint import fairseq_module

    fairseq = fairseq_module("fairseq.models.wav2vec.wav2vec")
    settings = {
        "arch": "wav2vec",
        "conv_feature_layers": "[(32, 10, 5), (32, 8, 4), (32, 4, 2)]",
        "conv_aggregator_layers": "[(24, 2, 1), (24, 3, 1)]",
        "prediction_steps": 2,
        "infonce": False,
    }
    config = fairseq.Wav2VecConfig()
    for name, value in settings.items():
        setattr(config, name, value)
    torch.manual_seed(0)
    model = fairseq.Wav2VecModel(config)
    path = tmp_path_factory.mktemp("wav2vec") / "wav2vec_tiny.pt"
    torch.save({"args": argparse.Namespace(**settings), "model": model.state_dict()}, path)
    return path
