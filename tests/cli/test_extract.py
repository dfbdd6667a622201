"""``mmer extract`` as a user runs it, on text with RoBERTa and on video with FAb-Net."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.encoders.fairseq_checkpoint import fairseq_module
from mmer_fairseq.features.store import FeatureStore


@pytest.fixture
def corpus(tmp_path, toy) -> Path:
    """A corpus of its own, with the media of the shared one."""
    text = (toy / "corpus.yaml").read_text()
    (tmp_path / "corpus.yaml").write_text(text.replace("media_root: .", f"media_root: {toy}"))
    for split in toy.glob("*.tsv"):
        lines = split.read_text().splitlines(keepends=True)
        (tmp_path / split.name).write_text("".join(lines[:5]))
    return tmp_path


def roberta(folder: Path, tokens: int) -> Path:
    from argparse import Namespace

    module = fairseq_module("fairseq.models.roberta.model")
    dictionary = fairseq_module("fairseq.data").Dictionary()
    for number in range(tokens - len(dictionary)):
        dictionary.add_symbol(str(number))
    settings = {"encoder_layers": 1, "encoder_embed_dim": 16, "encoder_ffn_embed_dim": 16, "arch": "roberta"}
    settings.update(encoder_attention_heads=2, max_positions=64)
    model = module.RobertaModel.build_model(Namespace(**settings), Namespace(source_dictionary=dictionary))
    torch.save({"args": argparse.Namespace(**settings), "model": model.state_dict()}, folder / "model.pt")
    return folder / "model.pt"


def fabnet(folder: Path) -> Path:
    from mmer_fairseq.encoders.fabnet import _layers

    torch.manual_seed(0)
    state = {f"encoder.{name}": x for name, x in _layers(bias=True).state_dict().items()}
    torch.save({"state_dict_model": state}, folder / "fabnet.pth")
    return folder / "fabnet.pth"


def test_text_and_video(corpus, toy, tmp_path, capsys):
    from mmer_fairseq.media.text import SentencePieceTokenizer

    tokenizer = next(toy.glob("*.model"))
    model = roberta(tmp_path, SentencePieceTokenizer(tokenizer).vocab_size)
    words = ["extract", str(corpus), "--workers", "1"]
    text = ["--modality", "text", "--encoder", f"roberta:{model}", "--name", "roberta"]
    assert main([*words, *text, "--tokenizer-model", str(tokenizer)]) == 0
    shown = capsys.readouterr().out
    assert "clips, vectors of 16 float32 numbers, " in shown
    assert "train with --features text=roberta" in shown
    video = ["--modality", "video", "--encoder", f"fabnet:{fabnet(tmp_path)}", "--name", "fabnet"]
    assert main([*words, *video, "--frame-rate", "4", "--dtype", "float16"]) == 0
    assert "vectors of 256 float16 numbers, 4 vectors a second" in capsys.readouterr().out
    features = Corpus.load(corpus).features
    assert set(features) >= {"roberta", "fabnet"}
    store = FeatureStore.open(features["fabnet"].path)
    assert store.meta["options"] == {"frame_rate": 4.0, "frame_size": 256, "max_frames": 300}


@pytest.mark.parametrize("traces", [False, True])
def test_faces_that_are_missing_are_left_out_where_no_moment_counts(tmp_path, capsys, traces):
    (tmp_path / "v").mkdir()
    for number in (1, 2, 4):
        Image.new("RGB", (8, 8), (60 * number, 9, 9)).save(tmp_path / "v" / f"{number:05d}.png")
    trace = "  t: {kind: trace, column: trace, names: [v], rate: 2}\n" if traces else ""
    (tmp_path / "corpus.yaml").write_text(
        "name: c\npictures: {clock: clip}\nlabels:\n  e: {kind: classes, column: e, classes: [x]}\n" + trace
    )
    np.save(tmp_path / "t.npy", np.zeros((4, 1)))
    column, cell = ("\ttrace", "\tt.npy") if traces else ("", "")
    (tmp_path / "train.tsv").write_text(f"id\tvideo\trate\te{column}\na\tv\t2\tx{cell}\n")
    encoder = f"fabnet:{fabnet(tmp_path)}"
    words = [
        "--modality",
        "video",
        "--encoder",
        encoder,
        "--name",
        "fabnet",
        "--workers",
        "1",
        "--labels",
        "e",
    ]
    assert main(["extract", str(tmp_path), *words]) == 0, capsys.readouterr().err
    store = FeatureStore.open(Corpus.load(tmp_path, "e").features["fabnet"].path)
    assert store.length("a") == (4 if traces else 3)
    assert store.meta["options"].get("hold_gaps", True) == traces


def test_words_need_the_encoders_tokenizer(corpus, tmp_path, capsys):
    words = ["extract", str(corpus), "--modality", "text", "--encoder", "roberta:x.pt", "--name", "x"]
    assert main(words) == 2
    assert "expected the tokenizer that the encoder was trained with" in capsys.readouterr().err
    assert main([*words, "--gpt2-bpe", str(tmp_path / "no")]) == 2
    assert "no/encoder.json" in capsys.readouterr().err


def test_negative_numbers_are_refused(corpus, capsys):
    words = ["extract", str(corpus), "--modality", "text", "--encoder", "x", "--name", "x", "--workers", "-1"]
    with warnings.catch_warnings(), pytest.raises(SystemExit):
        main(words)
    assert "argument --workers: expected a whole number from 0 on, found -1" in capsys.readouterr().err
