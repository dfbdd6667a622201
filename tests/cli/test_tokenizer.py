from __future__ import annotations

import logging
from pathlib import Path

import pytest

from mmer_fairseq.cli.main import main
from mmer_fairseq.media.text import SentencePieceTokenizer

DESCRIPTION = """
name: small
media_root: .
text: {form}
labels:
  mood: {{kind: classes, column: mood, classes: [good, bad]}}
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "corpus.yaml").write_text(DESCRIPTION.format(form="words"))
    (tmp_path / "spoken.txt").write_text("a transcript in a file")
    rows = [
        "id\ttext\tmood",
        "a\twhat a lovely day\tgood",
        "b\tspoken.txt\tbad",
        "c\t\tgood",
        "d\tstore:roberta\tbad",
    ]
    (tmp_path / "train.tsv").write_text("\n".join(rows) + "\n")
    (tmp_path / "valid.tsv").write_text("id\ttext\tmood\nq\tquizzical zebras\tgood\n")
    with (tmp_path / "corpus.yaml").open("a") as file:
        file.write("features:\n  roberta: {path: features/roberta, modality: text}\n")
    return tmp_path


def test_it_learns_from_the_training_split_alone(corpus: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["tokenizer", str(corpus), "--vocab-size", "40"]) == 0
    path = corpus / "tokenizer.model"
    assert capsys.readouterr().out == f"wrote {path}: 40 pieces from 2 transcripts of train\n"
    tokenizer = SentencePieceTokenizer(path)
    assert 3 not in tokenizer.encode("a lovely transcript").tolist()
    assert 3 in tokenizer.encode("quizzical").tolist()


def test_splits_size_and_file_can_be_chosen(
    corpus: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    path = corpus / "other.model"
    with caplog.at_level(logging.WARNING):
        assert main(["tokenizer", str(corpus), "--splits", "train", "valid", "--out", str(path)]) == 0
    pieces = SentencePieceTokenizer(path).vocab_size
    assert capsys.readouterr().out == f"wrote {path}: {pieces} pieces from 3 transcripts of train, valid\n"
    assert f"{pieces} pieces, not the 1000 asked for" in caplog.text
    assert 3 not in SentencePieceTokenizer(path).encode("quizzical").tolist()
    assert not (corpus / "tokenizer.model").exists()


def test_faults_end_with_a_message(corpus: Path, capsys: pytest.CaptureFixture[str]):
    def error(*words: str) -> str:
        assert main(["tokenizer", str(corpus), *words]) == 2
        return capsys.readouterr().err

    assert "expected the split to be one of train, valid; found 'test'" in error("--splits", "test")
    assert "expected a vocabulary with room for" in error("--vocab-size", "5")
    (corpus / "spoken.txt").unlink()
    assert "train.tsv:3: expected a transcript; found no such file" in error()
    (corpus / "train.tsv").write_text("id\ttext\tmood\nd\tstore:roberta\tgood\n")
    assert "expected transcripts to train a tokenizer on; found none with a word in it" in error()
    (corpus / "train.tsv").write_text("id\ttext\tmood\na\t0 5 2\tgood\n")
    (corpus / "corpus.yaml").write_text(DESCRIPTION.format(form="ids"))
    assert "expected texts that are words; found texts that are token ids already" in error()
