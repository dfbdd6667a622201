"""The tokenizer that lies beside the weights of a published text encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.albert_text import FILE as ALBERT_MODEL
from mmer_fairseq.media.albert_text import AlbertTokenizer
from mmer_fairseq.media.bert_text import bert_tokenizer
from mmer_fairseq.media.bpe import GPT2BPETokenizer
from mmer_fairseq.media.files import PathLike
from mmer_fairseq.media.library_text import FILE, LibraryTokenizer, read_json, read_pieces, read_settings
from mmer_fairseq.media.text import Tokenizer


def own_tokenizer(encoder: str) -> Optional[Tokenizer]:
    """The tokenizer of an encoder; None: its folder has none, or it is no published one.

    Args:
        encoder: ``NAME`` or ``NAME:PATH``, as a user writes it.

    Raises:
        InputError: it cannot be read.
    """
    name, _, path = encoder.partition(":")
    if name == "albert":
        return AlbertTokenizer(Path(path) / ALBERT_MODEL)
    if name == "bert":
        return bert_tokenizer(path)
    if (
        name == "roberta"
        and (Path(path) / "config.json").is_file()
        and not (Path(path) / "model.pt").exists()
    ):
        return roberta_tokenizer(path)
    return None


def roberta_tokenizer(folder: PathLike) -> Tokenizer:
    """The tokenizer of a RoBERTa or XLM-RoBERTa in Hugging Face's form, ``<s>`` pieces ``</s>``.

    Args:
        folder: with ``vocab.json`` and ``merges.txt``, or ``tokenizer.json``.

    Raises:
        InputError: neither, files of another model, or the package tokenizers, which reads the second form, is not
            installed.
    """
    folder = Path(folder)
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        blank = bool(read_settings(folder).get("add_prefix_space", False))
        return GPT2BPETokenizer.of_huggingface(folder, prefix_space=blank)
    file = folder / FILE
    if not file.is_file():
        raise InputError.of(
            where=folder,
            expected=f"RoBERTa's vocab.json and merges.txt, or its {FILE}",
            found="neither",
            remedy="download them into it, or name others with --gpt2-bpe",
        )
    content, raw = read_json(file, "RoBERTa's tokenizer")
    pieces = read_pieces(file, content, "RoBERTa's", ("BPE", "Unigram"))
    special = ("<s>", "</s>", "<pad>", "<unk>")
    return LibraryTokenizer(pieces, special, doubled=True, where=file, what="RoBERTa's", content=raw)
