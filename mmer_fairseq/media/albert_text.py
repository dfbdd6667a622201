"""ALBERT's tokens: its sentencepiece model, and what its authors do to a text before."""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import Path

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.files import PathLike, read_head

FILE = "spiece.model"
#: First entries of the vocabulary.
SPECIAL = ("<pad>", "<unk>", "[CLS]", "[SEP]")
PAD, _, CLS, SEP = range(len(SPECIAL))


class AlbertTokenizer:
    """Lower case without accents, ``[CLS]`` pieces ``[SEP]``.

    Source: Lan et al., 2020, and its published code (uncased models).

    Args:
        path: ``spiece.model``, as it lies beside the published weights.

    Raises:
        InputError: missing, empty or foreign file, or another vocabulary.
    """

    padding_idx = PAD
    separator: tuple[int, ...] = (SEP,)

    def __init__(self, path: PathLike) -> None:
        import sentencepiece

        read_head(path, expected="ALBERT's sentencepiece model")
        content = Path(path).read_bytes()
        remedy = f"name the folder with ALBERT's own {FILE}"
        try:
            self._pieces = sentencepiece.SentencePieceProcessor(model_proto=content)
        except RuntimeError as error:
            raise InputError.of(
                where=path, expected="a sentencepiece model", found="bytes of another kind", remedy=remedy
            ) from error
        first = tuple(
            self._pieces.id_to_piece(k) for k in range(min(len(SPECIAL), self._pieces.get_piece_size()))
        )
        if first != SPECIAL:
            raise InputError.of(
                where=path,
                expected=f"a vocabulary that begins with {', '.join(SPECIAL)}",
                found=", ".join(first),
                remedy=remedy,
            )
        self.vocab_size = int(self._pieces.get_piece_size())
        self.fingerprint = hashlib.sha256(content).hexdigest()

    def encode(self, text: str) -> Tensor:
        """LongTensor [T], from ``[CLS]`` to ``[SEP]``."""
        text = " ".join(text.split()).replace("``", '"').replace("''", '"')
        parts = unicodedata.normalize("NFKD", text)
        text = "".join(letter for letter in parts if not unicodedata.combining(letter)).lower()
        return torch.tensor([CLS, *self._pieces.encode(text), SEP])
