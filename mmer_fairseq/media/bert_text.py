"""BERT's tokens: WordPiece, cased or not, from the folder of its weights."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.files import PathLike, read_head
from mmer_fairseq.media.library_text import (
    FILE,
    LibraryTokenizer,
    read_json,
    read_pieces,
    read_settings,
    tokenizers_library,
)

logger = logging.getLogger(__name__)

VOCABULARY = "vocab.txt"
SPECIAL = ("[CLS]", "[SEP]", "[PAD]", "[UNK]")

#: transformers' names of what is done to a text before → the library's.
_NORMALISER = {
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}


def bert_tokenizer(folder: PathLike) -> LibraryTokenizer:
    """The tokenizer of a BERT folder, ``[CLS]`` pieces ``[SEP]``.

    Letters are made small if ``tokenizer_config.json`` says so (``do_lower_case``), else if ``tokenizer.json`` does;
    where neither says anything they are, as in transformers.

    Source: Devlin et al., 2019, and its published code.

    Args:
        folder: with ``tokenizer.json`` or ``vocab.txt``, and ``tokenizer_config.json`` if the model has one.

    Raises:
        InputError: neither file, files of another model, or the package tokenizers is not installed.
    """
    folder = Path(folder)
    given = read_settings(folder)
    asked = {theirs: given[ours] for ours, theirs in _NORMALISER.items() if ours in given}
    if (folder / FILE).is_file():
        return _of_json(folder / FILE, asked)
    return _of_vocabulary(folder / VOCABULARY, asked)


def _of_json(file: Path, asked: dict[str, Any]) -> LibraryTokenizer:
    content, _ = read_json(file, "BERT's tokenizer")
    before = content.get("normalizer")
    if isinstance(before, dict) and before.get("type") == "BertNormalizer":
        content["normalizer"] = {**before, **asked}
    pieces = read_pieces(file, content, "BERT's", ("WordPiece",))
    return _made(pieces, file, json.dumps(content, sort_keys=True).encode())


def _of_vocabulary(file: Path, asked: dict[str, Any]) -> LibraryTokenizer:
    expected = f"BERT's {VOCABULARY} (or {FILE})"
    read_head(file, expected=expected)
    raw = file.read_bytes()
    try:
        words = raw.decode("utf-8").replace("\r\n", "\n").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise InputError.of(
            where=file,
            expected=f"{expected}, one token a line",
            found="bytes that are no UTF-8 text",
            remedy="name the folder published with the model",
        ) from error
    if "lowercase" not in asked:
        logger.warning(
            "%s: nothing beside it says whether the model is cased (do_lower_case in tokenizer_config.json); taken "
            "as uncased",
            file,
        )
    settings = {"lowercase": True, "strip_accents": None, "handle_chinese_chars": True, **asked}
    library = tokenizers_library()
    pieces = library.Tokenizer(
        library.models.WordPiece({word: i for i, word in enumerate(words)}, unk_token=SPECIAL[-1])
    )
    pieces.normalizer = library.normalizers.BertNormalizer(clean_text=True, **settings)
    pieces.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    return _made(pieces, file, raw + json.dumps(settings, sort_keys=True).encode())


def _made(pieces: Any, file: Path, content: bytes) -> LibraryTokenizer:
    return LibraryTokenizer(pieces, SPECIAL, doubled=False, where=file, what="BERT's", content=content)
