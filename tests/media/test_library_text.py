"""Tokens of BERT, RoBERTa and XLM-RoBERTa: those of transformers' own tokenizers."""

from __future__ import annotations

import json
import logging
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.albert_text import SEP, AlbertTokenizer
from mmer_fairseq.media.bert_text import bert_tokenizer
from mmer_fairseq.media.bpe import GPT2BPETokenizer
from mmer_fairseq.media.folder_text import own_tokenizer, roberta_tokenizer
from mmer_fairseq.media.text import SentencePieceTokenizer

WORDS = [
    "we",
    "are",
    "here",
    "##s",
    "##we",
    "cafe",
    "Café",
    "We",
    "!",
    "'",
    "你",
    "好",
    "[",
    "]",
    "sep",
    "SE",
    "##P",
]
VOCABULARY = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
TEXTS = [
    "We are here!",
    "",
    "  wewes 你好 Café\n café ",
    "[unused] 日 we're",
    "a" * 200,
    "we\u00a0are\u200b \x00here",
]
TRAINING = [
    "the cat sat on the mat",
    "the cats aren't there",
    "they'll never sit",
    " Übermut tut selten gut",
] * 3


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def library(transformers) -> Any:
    return pytest.importorskip("tokenizers")


def bert(folder: Path, settings: dict | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    if settings is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize(
    "settings",
    [
        {"do_lower_case": True},
        {"do_lower_case": False},
        {"do_lower_case": True, "strip_accents": False},
        {"do_lower_case": False, "tokenize_chinese_chars": False},
    ],
)
def test_bert_tokens_are_those_of_transformers(transformers, tmp_path, settings):
    ours = bert_tokenizer(bert(tmp_path / "bert", settings))
    theirs = transformers.BertTokenizer.from_pretrained(tmp_path / "bert")
    for text in TEXTS:
        assert ours.encode(text).tolist() == theirs(text)["input_ids"], text
    theirs.save_pretrained(tmp_path / "json")  # today's form: tokenizer.json alone
    (tmp_path / "json" / "vocab.txt").unlink(missing_ok=True)
    again = bert_tokenizer(tmp_path / "json")
    assert all(again.encode(text).tolist() == ours.encode(text).tolist() for text in TEXTS)
    assert (ours.vocab_size, ours.padding_idx, ours.separator) == (len(VOCABULARY), 0, (4,))
    assert (again.vocab_size, again.padding_idx, again.separator) == (len(VOCABULARY), 0, (4,))


def test_case_of_the_settings_comes_before_that_of_the_tokenizer(transformers, tmp_path):
    folder = bert(tmp_path / "bert", {"do_lower_case": True})
    transformers.BertTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "json")
    (tmp_path / "json" / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    cased = bert_tokenizer(tmp_path / "json")
    assert cased.encode("We").tolist() == [3, VOCABULARY.index("We"), 4]
    (tmp_path / "json" / "tokenizer_config.json").write_text("{}")
    uncased = bert_tokenizer(tmp_path / "json")
    assert uncased.encode("We").tolist() == [3, VOCABULARY.index("we"), 4]
    assert cased.fingerprint != uncased.fingerprint


def test_bert_without_settings_is_uncased_and_says_so(library, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        tokenizer = bert_tokenizer(bert(tmp_path))
    assert "do_lower_case in tokenizer_config.json); taken as uncased" in caplog.text
    assert tokenizer.encode("We").tolist() == [3, VOCABULARY.index("we"), 4]


def test_special_tokens_in_a_text_are_plain_text(transformers, tmp_path):
    folder = bert(tmp_path / "bert", {"do_lower_case": False})
    transformers.BertTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "json")
    (tmp_path / "json" / "vocab.txt").unlink(missing_ok=True)
    plain = [VOCABULARY.index(piece) for piece in ("[", "SE", "##P", "]")]
    for place in (folder, tmp_path / "json"):
        tokenizer = bert_tokenizer(place)
        assert tokenizer.encode("[SEP] we").tolist() == [3, *plain, VOCABULARY.index("we"), 4]
        travelled = pickle.loads(pickle.dumps(tokenizer))
        assert travelled.encode("[SEP] we").tolist() == [3, *plain, VOCABULARY.index("we"), 4]
        assert travelled.fingerprint == tokenizer.fingerprint
        assert tokenizer.encode("we \ud83d").tolist() == [3, VOCABULARY.index("we"), 2, 4]


def byte_level(library: Any, folder: Path) -> Path:
    """vocab.json, merges.txt and tokenizer.json of a RoBERTa that was trained on a few words."""
    folder.mkdir(exist_ok=True)
    pieces = library.ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pieces.train_from_iterator(TRAINING, vocab_size=300, special_tokens=special, show_progress=False)
    pieces.save_model(str(folder))
    pieces.save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.parametrize("blank", [False, True])
def test_roberta_tokens_are_those_of_transformers(transformers, library, tmp_path, blank):
    folder = byte_level(library, tmp_path / "roberta")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps({"add_prefix_space": blank}))
    ours = roberta_tokenizer(folder)
    theirs = transformers.RobertaTokenizer.from_pretrained(folder)
    for text in [*TEXTS, *TRAINING[:4], "the cat", " the  cat\n", "123 it's 🙂"]:
        assert ours.encode(text).tolist() == theirs(text)["input_ids"], text
    assert (ours.vocab_size, ours.padding_idx, ours.separator) == (len(theirs), 1, (2, 2))
    assert ours.encode("</s>").tolist().count(2) == 1


def test_roberta_s_two_forms_are_the_same(library, tmp_path):
    folder = byte_level(library, tmp_path / "roberta")
    ours = roberta_tokenizer(folder)
    assert isinstance(ours, GPT2BPETokenizer)
    assert ours.fingerprint != GPT2BPETokenizer.of_huggingface(folder, prefix_space=True).fingerprint
    (folder / "merges.txt").unlink()
    again = roberta_tokenizer(folder)
    for text in [*TEXTS, *TRAINING[:4]]:
        assert again.encode(text).tolist() == ours.encode(text).tolist(), text
    assert again.vocab_size == ours.vocab_size
    assert (again.padding_idx, again.separator) == (1, (2, 2))


def test_xlm_roberta_reads_its_tokenizer(library, tmp_path):
    words = [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁we", -1.0], ["▁are", -2.0]]
    pieces = library.Tokenizer(library.models.Unigram([tuple(word) for word in words], unk_id=3))
    pieces.pre_tokenizer = library.pre_tokenizers.Metaspace()
    pieces.enable_truncation(4)  # some published files have it
    pieces.save(str(tmp_path / "tokenizer.json"))
    tokenizer = roberta_tokenizer(tmp_path)
    assert tokenizer.encode("we are we are we").tolist() == [0, 4, 5, 4, 5, 4, 2]
    assert (tokenizer.vocab_size, tokenizer.padding_idx, tokenizer.separator) == (6, 1, (2, 2))


def test_each_encoder_brings_its_own(library, tmp_path):
    folder = byte_level(library, tmp_path / "roberta")
    assert own_tokenizer(f"roberta:{folder}") is None  # no form of Hugging Face
    (folder / "config.json").write_text("{}")
    tokenizer = own_tokenizer(f"roberta:{folder}")
    assert tokenizer is not None
    assert tokenizer.separator == (2, 2)
    (folder / "model.pt").write_text("")
    assert own_tokenizer(f"roberta:{folder}") is None  # fairseq's comes first, as in the encoder
    assert own_tokenizer("embedding") is None
    tokenizer = own_tokenizer(f"bert:{bert(tmp_path / 'bert', {'do_lower_case': True})}")
    assert tokenizer is not None
    assert tokenizer.separator == (4,)
    with pytest.raises(InputError, match="ALBERT's sentencepiece model; found no such file"):
        own_tokenizer("albert:nowhere")


def test_what_stands_between_utterances():
    assert AlbertTokenizer.separator == (SEP,)
    assert SentencePieceTokenizer.separator == GPT2BPETokenizer.separator == (2, 2)


def test_errors_of_bert(library, tmp_path):
    with pytest.raises(
        InputError, match=r"vocab\.txt: expected BERT's vocab\.txt \(or tokenizer\.json\); found no such file"
    ):
        bert_tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    (tmp_path / "vocab.txt").write_text("we\nare\n[UNK]\n[CLS]")
    with pytest.raises(InputError) as error:
        bert_tokenizer(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/vocab.txt: expected BERT's vocabulary, with [CLS], [SEP], [PAD], [UNK]; found no [SEP], [PAD] "
        "among its 4 entries. Name the folder published with the model."
    )
    (tmp_path / "vocab.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"one token a line; found bytes that are no UTF-8 text\. Name the"):
        bert_tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("[]")
    with pytest.raises(InputError, match=r"expected settings of a tokenizer; found JSON of another form\."):
        bert_tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(InputError, match=r"expected settings of a tokenizer; found no JSON \('"):
        bert_tokenizer(tmp_path)


def test_errors_of_tokenizer_json(library, tmp_path):
    byte_level(library, tmp_path)
    with pytest.raises(
        InputError,
        match=r"expected BERT's tokenizer, of the kind WordPiece; found one of the kind BPE\. Name",
    ):
        bert_tokenizer(tmp_path)
    (tmp_path / "vocab.json").unlink()
    (tmp_path / "tokenizer.json").write_text('{"model": {"type": "BPE"}}')
    with pytest.raises(InputError, match=r"RoBERTa's tokenizer, of the kind BPE or Unigram; found \w+"):
        roberta_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(
        InputError,
        match=r"expected RoBERTa's vocab\.json and merges\.txt, or its tokenizer\.json; found neither",
    ):
        roberta_tokenizer(tmp_path)


def test_vocabulary_of_another_byte_level_model(library, tmp_path):
    folder = byte_level(library, tmp_path)
    pieces = json.loads((folder / "vocab.json").read_text())
    pieces["<s>"], pieces["</s>"] = pieces["</s>"], pieces["<s>"]
    del pieces["<unk>"]
    (folder / "vocab.json").write_text(json.dumps(pieces))
    with pytest.raises(InputError) as error:
        roberta_tokenizer(folder)
    assert str(error.value) == (
        f"{folder}/vocab.json: expected the ids of <s>, <pad>, </s>, <unk> to be 0, 1, 2, 3; found 2, 1, 0, none. Name "
        "the file published with the model."
    )


def test_without_the_library(tmp_path, monkeypatch):
    folder = bert(tmp_path, {"do_lower_case": True})
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(
        InputError,
        match=r"the package tokenizers, which computes them; found none .* install 'mmer_fairseq\[transformers\]'",
    ):
        bert_tokenizer(folder)
