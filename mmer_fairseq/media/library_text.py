"""Tokens of a published model that the package tokenizers computes (it comes with transformers)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError, optional
from mmer_fairseq.media.files import PathLike, read_head

#: The whole tokenizer, with its vocabulary.
FILE = "tokenizer.json"
#: What transformers says about it besides.
SETTINGS = "tokenizer_config.json"


class LibraryTokenizer:
    """The pieces of the library between two special tokens; those that a text names are read as plain text.

    Args:
        pieces: a ``tokenizers.Tokenizer``.
        special: opening, closing, padding and unknown token.
        doubled: between two utterances of a dialogue the closing token stands twice, as in RoBERTa.
        where: the file it is from, for messages.
        what: whose tokenizer it should be, for messages ("BERT's").
        content: what decides the ids, for the fingerprint.

    Raises:
        InputError: a special token is not in the vocabulary.
    """

    def __init__(
        self,
        pieces: Any,
        special: tuple[str, str, str, str],
        *,
        doubled: bool,
        where: Path,
        what: str,
        content: bytes,
    ) -> None:
        vocabulary: dict[str, int] = pieces.get_vocab(with_added_tokens=True)
        missing = [word for word in special if word not in vocabulary]
        if missing:
            raise InputError.of(
                where=where,
                expected=f"{what} vocabulary, with {', '.join(special)}",
                found=f"no {', '.join(missing)} among its {len(vocabulary)} entries",
                remedy="name the folder published with the model",
            )
        self._opening, self._closing, self.padding_idx, _ = (vocabulary[word] for word in special)
        self.separator: tuple[int, ...] = (self._closing,) * (2 if doubled else 1)
        self.vocab_size = max(vocabulary.values()) + 1
        self.fingerprint = hashlib.sha256(content).hexdigest()
        pieces.no_truncation()
        pieces.no_padding()
        self._pieces = pieces
        self._plain()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._plain()

    def _plain(self) -> None:
        self._pieces.encode_special_tokens = True  # the library does not save it

    def encode(self, text: str) -> Tensor:
        """LongTensor [T], from the opening to the closing token."""
        # half a surrogate pair is no character; "?" stands for it
        text = text.encode("utf-8", errors="replace").decode("utf-8")
        ids = self._pieces.encode(text, add_special_tokens=False).ids
        return torch.tensor([self._opening, *ids, self._closing])


def read_json(path: PathLike, expected: str) -> tuple[dict[str, Any], bytes]:
    """A JSON file, as it means and as it is.

    Raises:
        InputError: missing, empty, or of another kind.
    """
    read_head(path, expected=expected)
    raw = Path(path).read_bytes()
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _foreign(path, expected, f"no JSON ('{error}')") from error
    if not isinstance(content, dict):
        raise _foreign(path, expected, "JSON of another form")
    return content, raw


def read_settings(folder: Path) -> dict[str, Any]:
    """transformers' settings of a folder's tokenizer; {} if it has none.

    Raises:
        InputError: they cannot be read.
    """
    file = folder / SETTINGS
    return read_json(file, "settings of a tokenizer")[0] if file.is_file() else {}


def read_pieces(file: Path, content: Mapping[str, Any], what: str, kinds: tuple[str, ...]) -> Any:
    """The library's tokenizer of a ``tokenizer.json``.

    Args:
        file: for messages.
        content: what it holds.
        what: whose it should be, for messages ("BERT's").
        kinds: its model is one of these ("WordPiece").

    Raises:
        InputError: another one, or one that the library cannot make.
    """
    model = content.get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    expected = f"{what} tokenizer, of the kind {' or '.join(kinds)}"
    if kind not in kinds:
        raise _foreign(file, expected, f"one of the kind {kind}")
    try:
        return tokenizers_library().Tokenizer.from_str(json.dumps(content))
    except InputError:
        raise
    except Exception as error:  # the library raises no other class
        raise _foreign(file, expected, f"{' '.join(str(error).split())[:200]}") from error


def tokenizers_library() -> Any:
    """The package tokenizers.

    Raises:
        InputError: it is not installed.
    """
    return optional(
        "tokenizers",
        where="tokens of a Hugging Face folder",
        expected="the package tokenizers, which computes them",
        remedy="install it: pip install 'mmer_fairseq[transformers]'",
    )


def _foreign(path: PathLike, expected: str, found: str) -> InputError:
    return InputError.of(
        where=path, expected=expected, found=found, remedy="name the folder published with the model"
    )
