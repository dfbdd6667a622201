"""Commands of fairseq that we write down for people, and start ourselves."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import mmer_fairseq

PLUGIN = ("--user-dir", "mmer_fairseq", "--task", "emotion_prediction")

MODULES = {"fairseq-train": "fairseq_cli.train", "fairseq-validate": "fairseq_cli.validate"}


def validate(checkpoint: Path, split: str, data: str, predictions: Path) -> list[str]:
    """The words of ``fairseq-validate`` that write a checkpoint's predictions of a split.

    Args:
        checkpoint: to be scored.
        split: of the corpus.
        data: its folder.
        predictions: TSV file that is written.
    """
    words = ["fairseq-validate", data, *PLUGIN, "--path", str(checkpoint), "--valid-subset", split]
    return [*words, "--batch-size", "8", "--save-predictions", str(predictions)]


def startable(words: Sequence[str]) -> list[str]:
    """The same command with this Python, this fairseq and this plugin, wherever it is started from."""
    place = words.index(PLUGIN[0]) + 1
    here = str(Path(mmer_fairseq.__file__).parent)
    return [sys.executable, "-m", MODULES[words[0]], *words[1:place], here, *words[place + 1 :]]
