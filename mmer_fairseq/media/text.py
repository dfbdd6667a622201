"""Words → token ids; those of our own models are ``<s> … </s>`` with RoBERTa's special ids."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Optional, Protocol

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.bpe import BOS, EOS, PAD, UNK, GPT2BPETokenizer
from mmer_fairseq.media.files import PathLike, read_head

__all__ = [
    "BOS",
    "EOS",
    "PAD",
    "UNK",
    "GPT2BPETokenizer",
    "SentencePieceTokenizer",
    "Tokenizer",
    "ids_from_text",
    "train_sentencepiece",
]

logger = logging.getLogger(__name__)


class Tokenizer(Protocol):
    """What turns a transcript into ids.

    Attributes:
        vocab_size: every id is below it.
        padding_idx: id that no transcript contains.
        separator: ids between the words of one utterance and those of the next where a model reads a dialogue,
            the first one's closing token included: RoBERTa's ``<s> u1 </s> </s> u2 </s>`` has ``(2, 2)``, BERT's
            ``[CLS] u1 [SEP] u2 [SEP]`` has the id of ``[SEP]`` alone.
        fingerprint: SHA-256 of the files it was read from: two tokenizers with the same one give the same
            ids.
    """

    vocab_size: int
    padding_idx: int
    separator: tuple[int, ...]
    fingerprint: str

    def encode(self, text: str) -> Tensor:
        """Return LongTensor [T], from the opening token (``<s>``, ``[CLS]``) to the closing one (``</s>``, ``[SEP]``).

        Neither stands anywhere else in it, whatever the text says.
        """
        ...


class SentencePieceTokenizer:
    """A sentencepiece model, for instance one that :func:`train_sentencepiece` wrote.

    Args:
        path: the model file. Its special ids must be ours (``<s>`` 0, ``<pad>`` 1, ``</s>`` 2, ``<unk>`` 3).

    Raises:
        InputError: missing, empty or foreign file, or other special ids.
    """

    padding_idx = PAD
    separator: tuple[int, ...] = (EOS, EOS)

    def __init__(self, path: PathLike) -> None:
        import sentencepiece

        read_head(path, expected="a sentencepiece model")
        content = Path(path).read_bytes()
        remedy = "name a tokenizer.model that `mmer tokenizer` wrote"
        try:
            self._pieces = sentencepiece.SentencePieceProcessor(model_proto=content)
        except RuntimeError as error:
            raise InputError.of(
                where=path, expected="a sentencepiece model", found="bytes of another kind", remedy=remedy
            ) from error
        model = self._pieces
        special = (model.bos_id(), model.pad_id(), model.eos_id(), model.unk_id())
        if special != (BOS, PAD, EOS, UNK):
            raise InputError.of(
                where=path,
                expected=f"the ids of <s>, <pad>, </s>, <unk> to be {BOS}, {PAD}, {EOS}, {UNK}",
                found=", ".join(map(str, special)),
                remedy=remedy,
            )
        self.vocab_size = int(model.get_piece_size())
        self.fingerprint = hashlib.sha256(content).hexdigest()

    def encode(self, text: str) -> Tensor:
        """Return LongTensor [T] that starts with ``<s>`` and ends with ``</s>``."""
        return torch.tensor([BOS, *self._pieces.encode(text), EOS])


def train_sentencepiece(
    lines: Iterable[str], path: PathLike, *, vocab_size: int = 1000, model_type: str = "bpe"
) -> int:
    """Train a sentencepiece model; the same lines give the same file, byte for byte.

    Args:
        lines: transcripts, whole (line breaks count as blanks).
        path: model file to write.
        vocab_size: wanted number of pieces, special ones included. A corpus too small for it gets fewer, with
            a warning.
        model_type: "bpe" keeps whole words from a few hundred transcripts on; "unigram" needs larger corpora.

    Returns:
        The number of pieces written.

    Raises:
        InputError: no words, or ``vocab_size`` below the number of distinct characters.
    """
    import sentencepiece

    sentences = [" ".join(line.split()) for line in lines]
    sentences = [sentence for sentence in sentences if sentence]
    if not any(unicodedata.category(character)[0] not in "CZ" for line in sentences for character in line):
        raise _no_words(path)  # not a character that shows
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            vocab_size=vocab_size,
            model_type=model_type,
            hard_vocab_limit=False,
            bos_id=BOS,
            pad_id=PAD,
            eos_id=EOS,
            unk_id=UNK,
            character_coverage=1.0,
            # In bytes; longer sentences would be left out without a word.
            max_sentence_length=max(4192, *(len(sentence.encode()) + 1 for sentence in sentences)),
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        characters = len(set("".join(sentences)))
        if vocab_size >= characters + 5:  # room enough: it is about something else
            raise _no_words(path) from error
        raise InputError.of(
            where=path,
            expected=f"a vocabulary with room for {characters} distinct characters and 4 special pieces",
            found=f"vocab_size {vocab_size}",
            remedy=f"raise the vocabulary size to {characters + 5} or more",
        ) from error
    target = Path(path)
    # Renamed when whole: nobody ever reads half a model.
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(model.getvalue())
        os.replace(draft, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise InputError.of(
            where=target,
            expected="a place to write the model to",
            found=error.strerror or type(error).__name__,
            remedy="name another file, or make the folder writable",
        ) from error
    pieces = SentencePieceTokenizer(target).vocab_size
    if pieces < vocab_size:
        logger.warning(
            "%s: the transcripts give only %d pieces, not the %d asked for", target, pieces, vocab_size
        )
    return pieces


def _no_words(path: PathLike) -> InputError:
    return InputError.of(
        where=path,
        expected="transcripts to train a tokenizer on",
        found="none with a word in it",
        remedy="fill the column `text` of the split",
    )


def ids_from_text(text: str, vocab_size: int, where: Optional[str] = None) -> Tensor:
    """Read ids that were made elsewhere, as the SSE-FT layout stores them.

    Args:
        text: integers separated by blanks, tabs or line breaks. Padding at the end is dropped; ``<s>`` and
            ``</s>`` are added where they are missing.
        vocab_size: every id must be below it.
        where: what messages name.

    Returns:
        LongTensor [T] that starts with ``<s>`` and ends with ``</s>``.

    Raises:
        InputError: no ids, something else than integers, or an id outside the vocabulary.
    """
    words = text.split()
    wrong = next((word for word in words if not (word.isascii() and word.isdigit())), None)
    ids = [int(word) for word in words] if wrong is None else []
    outside = next((number for number in ids if number >= vocab_size), None)
    while ids and ids[-1] == PAD:
        ids.pop()
    if wrong is not None or outside is not None or not ids:
        found = f"'{wrong[:40]}'" if wrong is not None else "no ids" if outside is None else f"id {outside}"
        raise InputError.of(
            where=where or "the text",
            expected=f"token ids from 0 to {vocab_size - 1}, separated by blanks",
            found=found,
            remedy="write ids; for words, say `text: words` in corpus.yaml and name a tokenizer",
        )
    return torch.tensor([BOS] * (ids[0] != BOS) + ids + [EOS] * (ids[-1] != EOS))
