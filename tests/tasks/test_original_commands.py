"""The two command lines of the original's README run with only ``python train.py`` replaced, on its own layout."""

from __future__ import annotations

import csv
import shlex
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TRAIN = """--data ./T_data-old/mosei_sent --restore-file None --task emotion_prediction
  --reset-optimizer --reset-dataloader --reset-meters --init-token 0 --separator-token 2
  --arch robertEMO_large --criterion emotion_prediction_cri --num-classes 1 --dropout 0.1
  --attention-dropout 0.1 --weight-decay 0.1 --optimizer adam --adam-betas "(0.9, 0.98)" --adam-eps 1e-06
  --clip-norm 0.0 --lr 1e-03 --max-epoch 32 --best-checkpoint-metric loss --encoder-layers 2
  --encoder-attention-heads 4 --max-sample-size 150000 --max-tokens 150000000 --batch-size 4
  --encoder-layers-cross 2 --max-positions-t 512 --max-positions-a 936 --max-positions-v 301
  --no-epoch-checkpoints --update-freq 2 --find-unused-parameters --ddp-backend=no_c10d
  --lr-scheduler reduce_lr_on_plateau --regression-target-mos"""
VALIDATE = """--data ./T_data/emocap --path ./checkpoints/checkpoint_best.pt
  --task emotion_prediction --valid-subset test --batch-size 4"""
#: The published sizes would write gigabytes; the test trains the same network, narrower, for one epoch.
SHORT = """--max-epoch 1 --encoder-embed-dim 32 --encoder-embed-dim-a 32 --encoder-embed-dim-v 32
  --encoder-ffn-embed-dim 64"""


def old_layout(toy: Path, folder: Path, label: str) -> int:
    """The toy corpus in the layout of the original; returns the number of test clips."""
    counts = {}
    for split in ("train", "valid", "test"):
        with open(toy / f"{split}.tsv", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))[:8]
        counts[split] = len(rows)
        for letter, ending in (("a", "wav"), ("v", "mp4"), ("t", "txt")):
            media = folder / "media" / letter
            media.mkdir(parents=True, exist_ok=True)
            names = [f"{row['id']}.{ending}" for row in rows]
            (folder / f"{split}_{letter}.tsv").write_text("\n".join([str(media.resolve()), *names]) + "\n")
            for row, name in zip(rows, names):
                if letter == "t":
                    ids = [0, *(100 + len(word) for word in row["text"].split()), 2]
                    (media / name).write_text("\t".join(map(str, ids)))
                else:
                    shutil.copyfile(toy / row["audio" if letter == "a" else "video"], media / name)
        lines = ["id,label", *(f"{row['id']},{row[label]}" for row in rows)]
        (folder / f"label_file_{split}.csv").write_text("\n".join(lines) + "\n")
    return counts["test"]


def test_train_and_validate_as_in_its_readme(toy, command, tmp_path):
    old_layout(toy, tmp_path / "T_data-old" / "mosei_sent", "sentiment")
    clips = old_layout(toy, tmp_path / "T_data" / "emocap", "sentiment")
    plugin = ["--user-dir", str(Path(__file__).resolve().parents[2] / "mmer_fairseq")]
    short = shlex.split(SHORT)
    train = command(["fairseq-train", *plugin, *shlex.split(TRAIN), *short], cwd=tmp_path)
    assert "valid_acc7" in train.stdout or "acc7" in train.stdout
    validate = command(["fairseq-validate", *plugin, *shlex.split(VALIDATE)], cwd=tmp_path)
    assert f"clips {clips}" in validate.stdout
    assert "pearson" in validate.stdout
