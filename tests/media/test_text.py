from __future__ import annotations

import logging
import pickle
from pathlib import Path

import pytest
import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.text import SentencePieceTokenizer, ids_from_text, train_sentencepiece

LINES = [
    "I am so happy today",
    "this is terrible",
    "what do you want from me",
    "leave me alone, please!",
    "I love it when\nyou smile",
] * 4


@pytest.fixture
def model(tmp_path: Path) -> Path:
    train_sentencepiece(LINES, tmp_path / "deep" / "tokenizer.model", vocab_size=120)
    return tmp_path / "deep" / "tokenizer.model"


def test_encoding_keeps_the_contract(model: Path):
    tokenizer = SentencePieceTokenizer(model)
    ids = tokenizer.encode("I am so happy, you")
    assert ids.dtype == torch.int64
    assert (ids[0], ids[-1]) == (0, 2)
    assert 1 < len(ids) - 2 <= 10
    assert ids.max() < tokenizer.vocab_size == 120
    assert tokenizer.padding_idx == 1
    assert tokenizer.encode("").tolist() == [0, 2]
    # Characters never seen are <unk>; what looks like a special token is text.
    assert 3 in tokenizer.encode("日本").tolist()
    assert tokenizer.encode("<s> me </s>").tolist().count(0) == 1


def test_words_of_a_small_corpus_stay_whole(model: Path):
    tokenizer = SentencePieceTokenizer(model)
    assert len(tokenizer.encode("I am so happy today")) == 2 + 5


def test_training_is_deterministic(tmp_path: Path, model: Path):
    train_sentencepiece(iter(LINES), tmp_path / "again.model", vocab_size=120)
    assert (tmp_path / "again.model").read_bytes() == model.read_bytes()
    fingerprints = {SentencePieceTokenizer(path).fingerprint for path in (model, tmp_path / "again.model")}
    assert len(fingerprints) == 1
    train_sentencepiece(LINES, tmp_path / "other.model", vocab_size=100)
    assert SentencePieceTokenizer(tmp_path / "other.model").fingerprint not in fingerprints
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.model", "deep", "other.model"]


def test_a_small_corpus_says_that_it_gives_fewer_pieces(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "a.model"
    with caplog.at_level(logging.WARNING):
        pieces = train_sentencepiece(LINES, path, vocab_size=1000)
    assert 30 < pieces < 300
    assert SentencePieceTokenizer(path).vocab_size == pieces
    assert caplog.messages == [f"{path}: the transcripts give only {pieces} pieces, not the 1000 asked for"]


def test_long_lines_are_not_left_out(tmp_path: Path):
    train_sentencepiece(["a b " * 5000, "ü" + "c d " * 3000], tmp_path / "a.model", vocab_size=50)
    assert 3 not in SentencePieceTokenizer(tmp_path / "a.model").encode("a d ü").tolist()


def test_a_tokenizer_travels_to_workers(model: Path):
    tokenizer = SentencePieceTokenizer(model)
    again = pickle.loads(pickle.dumps(tokenizer))
    assert torch.equal(again.encode(LINES[2]), tokenizer.encode(LINES[2]))
    assert again.fingerprint == tokenizer.fingerprint


def test_nothing_to_train_on(tmp_path: Path):
    for lines in ([], ["", " \n"], ["\u200b"]):
        with pytest.raises(InputError) as error:
            train_sentencepiece(lines, tmp_path / "a.model")
        assert str(error.value) == (
            f"{tmp_path / 'a.model'}: expected transcripts to train a tokenizer on; "
            "found none with a word in it. Fill the column `text` of the split."
        )


def test_a_vocabulary_without_room_for_the_characters(tmp_path: Path):
    with pytest.raises(InputError) as error:
        train_sentencepiece(LINES, tmp_path / "a.model", vocab_size=10)
    assert str(error.value) == (
        f"{tmp_path / 'a.model'}: expected a vocabulary with room for 23 distinct characters "
        "and 4 special pieces; found vocab_size 10. Raise the vocabulary size to 28 or more."
    )
    train_sentencepiece(LINES, tmp_path / "a.model", vocab_size=28)


def test_a_place_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    for path, found in (("file/a.model", "Not a directory|File exists"), (".", "Is a directory|.*")):
        with pytest.raises(InputError, match=f"expected a place to write the model to; found ({found})"):
            train_sentencepiece(LINES, tmp_path / path, vocab_size=100)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_files_that_are_no_tokenizer(tmp_path: Path):
    import sentencepiece

    path = tmp_path / "a.model"
    with pytest.raises(InputError, match="expected a sentencepiece model; found no such file"):
        SentencePieceTokenizer(path)
    path.write_bytes(b"garbage")
    with pytest.raises(InputError) as error:
        SentencePieceTokenizer(path)
    remedy = "Name a tokenizer.model that `mmer tokenizer` wrote."
    assert (
        str(error.value) == f"{path}: expected a sentencepiece model; found bytes of another kind. {remedy}"
    )
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(LINES),
            model_writer=file,
            vocab_size=60,
            hard_vocab_limit=False,
            minloglevel=2,
        )
    with pytest.raises(InputError) as error:
        SentencePieceTokenizer(path)
    assert str(error.value) == (
        f"{path}: expected the ids of <s>, <pad>, </s>, <unk> to be 0, 1, 2, 3; found 1, -1, 2, 0. {remedy}"
    )


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("0 31414 232 2", [0, 31414, 232, 2]),
        ("0\t31414\n232\t2\n", [0, 31414, 232, 2]),
        ("31414 232", [0, 31414, 232, 2]),
        ("0 5 2 1 1 1", [0, 5, 2]),
        ("0", [0, 2]),
        ("2", [0, 2]),
    ],
)
def test_ids_made_elsewhere(text: str, ids: list[int]):
    read = ids_from_text(text, 50265)
    assert read.dtype == torch.int64
    assert read.tolist() == ids


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0 hello 2", "'hello'"),
        ("0 -5 2", "'-5'"),
        ("0 1.5 2", "'1.5'"),
        ("0 ² 2", "'²'"),
        ("0 50265 2", "id 50265"),
        ("", "no ids"),
        ("1 1 1", "no ids"),
    ],
)
def test_text_that_holds_no_ids(text: str, found: str):
    with pytest.raises(InputError) as error:
        ids_from_text(text, 50265, "train.tsv:3")
    assert str(error.value) == (
        f"train.tsv:3: expected token ids from 0 to 50264, separated by blanks; found {found}. "
        "Write ids; for words, say `text: words` in corpus.yaml and name a tokenizer."
    )
