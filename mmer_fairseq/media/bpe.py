"""GPT-2's byte-level byte pair encoding with RoBERTa's numbering.

Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, section 2.2; the ids are
    those of
fairseq's RoBERTa: the four special tokens, then the lines of dict.txt, then ``<mask>``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Optional

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.files import PathLike, read_head

BOS, PAD, EOS, UNK = 0, 1, 2, 3
_SPECIAL = {"<s>": BOS, "<pad>": PAD, "</s>": EOS, "<unk>": UNK}

# Contractions, words, numbers and other characters, each with at most one blank before it; then blanks.
_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# Distinct words whose pieces are remembered; speech repeats few.
_REMEMBERED = 100_000


def byte_letters() -> list[str]:
    """Letter for each byte: itself where it is printable, else the next free one from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    free = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(free)) for byte in range(256)]


class GPT2BPETokenizer:
    """RoBERTa's tokenizer from the files published with it.

    Args:
        encoder_json: piece → GPT-2 id.
        vocab_bpe: merges, the most frequent first.
        dict_txt: fairseq's dictionary, one "<GPT-2 id> <count>" a line: RoBERTa's order. Needed for published
            RoBERTa checkpoints; without it the ids are GPT-2's, behind the four special ones.
        ready: the ids of encoder_json are RoBERTa's already, as Hugging Face writes them.
        prefix_space: a text is read as if a blank stood before its first word.

    Raises:
        InputError: a file is missing, empty or of another kind, or the files do not belong together.
    """

    padding_idx = PAD
    separator: tuple[int, ...] = (EOS, EOS)

    def __init__(
        self,
        encoder_json: PathLike,
        vocab_bpe: PathLike,
        dict_txt: Optional[PathLike] = None,
        *,
        ready: bool = False,
        prefix_space: bool = False,
    ) -> None:
        import regex  # type: ignore[import-untyped]

        contents = [_content(file, f"GPT-2's {Path(file).name}") for file in (encoder_json, vocab_bpe)]
        encoder = _parse_encoder(contents[0], encoder_json)
        self._ranks = _parse_merges(contents[1], vocab_bpe)
        unknown = next((piece for piece in self._possible_pieces() if piece not in encoder), None)
        if unknown is not None:
            raise InputError.of(
                where=encoder_json,
                expected=f"every piece that {vocab_bpe} can make",
                found=f"no '{unknown}'",
                remedy=f"name the {Path(encoder_json).name} and {Path(vocab_bpe).name} of the same model",
            )
        if ready:
            special = {word: encoder.get(word) for word in _SPECIAL}
            if special != _SPECIAL:
                raise _foreign(
                    encoder_json,
                    f"the ids of {', '.join(_SPECIAL)} to be {', '.join(map(str, _SPECIAL.values()))}",
                    ", ".join("none" if number is None else str(number) for number in special.values()),
                )
            numbering = {number: number for number in encoder.values()}
            self.vocab_size = max(encoder.values()) + 1
        elif dict_txt is None:
            numbering = {number: 4 + number for number in encoder.values()}
            self.vocab_size = 4 + max(encoder.values()) + 1
        else:
            contents.append(_content(dict_txt, "fairseq's dict.txt"))
            order = _parse_dictionary(contents[-1], dict_txt)
            numbering = {int(word): 4 + i for i, word in enumerate(order) if word.isdigit()}
            # <mask> comes last.
            self.vocab_size = 4 + len(order) + 1
        self._ids = {piece: numbering.get(number, UNK) for piece, number in encoder.items()}
        self._letters = byte_letters()
        self._words = regex.compile(_PATTERN)
        self._known: dict[str, list[int]] = {}
        self._blank = " " if prefix_space else ""
        contents += [b"prefix space"] * prefix_space
        self.fingerprint = hashlib.sha256(b"\0".join(contents)).hexdigest()

    @classmethod
    def of_folder(cls, folder: PathLike) -> GPT2BPETokenizer:
        """The tokenizer of a folder with encoder.json, vocab.bpe and, for RoBERTa, dict.txt."""
        dictionary = Path(folder) / "dict.txt"
        return cls(
            Path(folder) / "encoder.json",
            Path(folder) / "vocab.bpe",
            dictionary if dictionary.exists() else None,
        )

    @classmethod
    def of_huggingface(cls, folder: PathLike, prefix_space: bool = False) -> GPT2BPETokenizer:
        """The tokenizer of a folder with vocab.json and merges.txt, as Hugging Face publishes RoBERTa."""
        files = Path(folder) / "vocab.json", Path(folder) / "merges.txt"
        return cls(*files, ready=True, prefix_space=prefix_space)

    def encode(self, text: str) -> Tensor:
        """Return LongTensor [T] that starts with ``<s>`` and ends with ``</s>``."""
        ids = [BOS]
        if self._blank and text and not text[0].isspace():
            text = self._blank + text
        for word in self._words.findall(text):
            found = self._known.get(word)
            if found is None:
                found = [self._ids[piece] for piece in self._pieces(word)]
                if len(self._known) < _REMEMBERED:
                    self._known[word] = found
            ids.extend(found)
        return torch.tensor([*ids, EOS])

    def _pieces(self, word: str) -> list[str]:
        """Bytes of a word, merged pair by pair, the pair learned first foremost, until none is left."""
        # Half a surrogate pair is no character; "?" stands for it.
        pieces = [self._letters[byte] for byte in word.encode("utf-8", errors="replace")]
        while len(pieces) > 1:
            best = min(zip(pieces, pieces[1:]), key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if best not in self._ranks:
                break
            merged: list[str] = []
            i = 0
            while i < len(pieces):
                if tuple(pieces[i : i + 2]) == best:
                    merged.append(best[0] + best[1])
                    i += 2
                else:
                    merged.append(pieces[i])
                    i += 1
            pieces = merged
        return pieces

    def _possible_pieces(self) -> list[str]:
        return [*byte_letters(), *(first + second for first, second in self._ranks)]


def _content(path: PathLike, what: str) -> bytes:
    read_head(path, expected=what)
    return Path(path).read_bytes()


def _foreign(path: PathLike, what: str, found: str) -> InputError:
    return InputError.of(
        where=path, expected=what, found=found, remedy="name the file published with the model"
    )


def _parse_encoder(content: bytes, path: PathLike) -> dict[str, int]:
    what = f"GPT-2's {Path(path).name}: a JSON object piece → id"
    try:
        encoder = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _foreign(path, what, f"no JSON ('{error}')") from error
    if not isinstance(encoder, dict) or not encoder or not all(type(i) is int for i in encoder.values()):
        raise _foreign(path, what, "JSON of another form")
    return encoder


def _parse_merges(content: bytes, path: PathLike) -> dict[tuple[str, str], int]:
    what = f"GPT-2's {Path(path).name}: a line '#version', then two pieces a line"
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise _foreign(path, what, "bytes that are no UTF-8 text") from error
    ranks: dict[tuple[str, str], int] = {}
    for number, line in enumerate(lines[1:], 2):
        pair = line.split()
        if len(pair) == 2:
            ranks[pair[0], pair[1]] = len(ranks)
        elif line.strip():
            raise _foreign(path, what, f"'{line[:40].strip()}' in line {number}")
    return ranks


def _parse_dictionary(content: bytes, path: PathLike) -> list[str]:
    what = "fairseq's dict.txt: '<GPT-2 id> <count>' a line"
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise _foreign(path, what, "bytes that are no UTF-8 text") from error
    order: dict[str, None] = {}
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if len(fields) < 2 or not fields[1].isdigit() or fields[0] in order:
            again = "a word for the second time, " if fields and fields[0] in order else ""
            raise _foreign(path, what, f"{again}'{line[:40].strip()}' in line {number}")
        order[fields[0]] = None
    return list(order)
