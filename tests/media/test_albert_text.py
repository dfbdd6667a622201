"""ALBERT's tokens from a sentencepiece model of its form."""

from __future__ import annotations

from pathlib import Path

import pytest
import sentencepiece

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.albert_text import CLS, SEP, AlbertTokenizer
from mmer_fairseq.media.text import train_sentencepiece

LINES = ["we are here now", "are you here", "you and we are now here", "no one is here but you"] * 5


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("albert") / "spiece.model"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_prefix=str(path.with_suffix("")), vocab_size=24, pad_id=0, unk_id=1,
        bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]"], minloglevel=2,
    )  # fmt: skip
    return path


def test_a_text_stands_between_cls_and_sep(model):
    tokenizer = AlbertTokenizer(model)
    ids = tokenizer.encode("you are here").tolist()
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model))
    assert ids == [CLS, *pieces.encode("you are here"), SEP]
    assert pieces.decode(ids[1:-1]) == "you are here"
    assert tokenizer.vocab_size == 24
    assert len(tokenizer.fingerprint) == 64


def test_case_accents_and_blanks_do_not_matter(model):
    tokenizer = AlbertTokenizer(model)
    assert tokenizer.encode("Yoü  ARÉ\nhere").tolist() == tokenizer.encode("you are here").tolist()
    assert tokenizer.encode("").tolist() == [CLS, SEP]


def test_another_vocabulary_and_other_files(tmp_path):
    train_sentencepiece(LINES, tmp_path / "ours.model", vocab_size=40)
    with pytest.raises(InputError) as error:
        AlbertTokenizer(tmp_path / "ours.model")
    assert str(error.value) == (
        f"{tmp_path}/ours.model: expected a vocabulary that begins with <pad>, <unk>, [CLS], [SEP]; found <s>, <pad>, "
        "</s>, <unk>. Name the folder with ALBERT's own spiece.model."
    )
    (tmp_path / "other.model").write_text("no model")
    with pytest.raises(InputError, match="expected a sentencepiece model; found bytes of another kind"):
        AlbertTokenizer(tmp_path / "other.model")
    with pytest.raises(InputError, match="expected ALBERT's sentencepiece model; found no such file"):
        AlbertTokenizer(tmp_path / "spiece.model")
