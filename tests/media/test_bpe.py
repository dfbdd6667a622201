from __future__ import annotations

import json
import pickle
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.bpe import GPT2BPETokenizer, byte_letters

TEXT = "the cat sat on the mat, the cats aren't there and they'll never sit. Übermut tut selten gut! 123 1234"
HARD = [
    "",
    " ",
    "  two  blanks \n\n and\tlines ",
    "I'll've they're 'S 's",
    "déjà vu — naïve ☕ 日本語 🙂🙃",
    "word\u00a0nbsp\u200bzero",
    "the the the thethe hthe",
    "<s> </s> <mask> madeupword0000",
    "a" * 300,
    "Ünïcödé123abc!!!???...",
    "\x00\x01\x7f",
]


def merges(count: int) -> list[tuple[str, str]]:
    """Byte pair encoding learned from TEXT, as GPT-2's was from the web."""
    letters = byte_letters()
    words = [[letters[byte] for byte in f" {word}".encode()] for word in TEXT.split()]
    learned: list[tuple[str, str]] = []
    while len(learned) < count:
        pairs = Counter(pair for word in words for pair in zip(word, word[1:]))
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        learned.append(best)
        for word in words:
            for i in range(len(word) - 2, -1, -1):
                if i + 1 < len(word) and (word[i], word[i + 1]) == best:
                    word[i : i + 2] = ["".join(best)]
    return learned


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bpe")
    learned = merges(80)
    pieces = [*byte_letters(), *map("".join, learned), "<|endoftext|>"]
    (folder / "encoder.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
    lines = ["#version: 0.2", *map(" ".join, learned)]
    (folder / "vocab.bpe").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # The dictionary has its own order, lacks some pieces and ends in made-up words, as RoBERTa's does.
    order = [i for i in range(len(pieces) - 1, -1, -1) if i % 17]
    rows = [f"{i} {5000 - i}" for i in order] + ["madeupword0000 0", "madeupword0001 0"]
    (folder / "dict.txt").write_text("\n".join(rows) + "\n")
    return folder


def load(folder: Path, dictionary: bool = True) -> GPT2BPETokenizer:
    files = [folder / "encoder.json", folder / "vocab.bpe"] + [folder / "dict.txt"] * dictionary
    return GPT2BPETokenizer(*files)


def test_a_folder_holds_all_of_roberta_s_files(model: Path, tmp_path: Path):
    assert GPT2BPETokenizer.of_folder(model).fingerprint == load(model).fingerprint
    for name in ("encoder.json", "vocab.bpe"):
        shutil.copyfile(model / name, tmp_path / name)
    assert GPT2BPETokenizer.of_folder(tmp_path).fingerprint == load(model, dictionary=False).fingerprint


@pytest.mark.parametrize("text", [TEXT, *HARD])
def test_the_ids_are_those_of_roberta_in_fairseq(model: Path, text: str):
    from fairseq.data import Dictionary
    from fairseq.data.encoders.gpt2_bpe_utils import get_encoder

    bpe = get_encoder(str(model / "encoder.json"), str(model / "vocab.bpe"))
    dictionary = Dictionary.load(str(model / "dict.txt"))
    dictionary.add_symbol("<mask>")
    # As RobertaHubInterface.encode does it.
    sentence = f"<s> {' '.join(map(str, bpe.encode(text)))} </s>"
    wanted = dictionary.encode_line(sentence, append_eos=False, add_if_not_exist=False).long()
    tokenizer = load(model)
    assert torch.equal(tokenizer.encode(text), wanted)
    assert torch.equal(tokenizer.encode(text), wanted)
    assert tokenizer.vocab_size == len(dictionary)
    assert tokenizer.padding_idx == dictionary.pad()


def test_without_a_dictionary_the_ids_are_those_of_gpt2(model: Path):
    from fairseq.data.encoders.gpt2_bpe_utils import get_encoder

    bpe = get_encoder(str(model / "encoder.json"), str(model / "vocab.bpe"))
    tokenizer = load(model, dictionary=False)
    assert tokenizer.encode(TEXT).tolist() == [0, *(4 + i for i in bpe.encode(TEXT)), 2]
    assert tokenizer.vocab_size == 4 + 256 + len(merges(80)) + 1


def test_half_a_surrogate_pair_is_no_traceback(model: Path):
    tokenizer = load(model)
    assert torch.equal(tokenizer.encode("a \ud83d b"), tokenizer.encode("a ? b"))


def test_the_fingerprint_covers_every_file(model: Path):
    assert load(model).fingerprint == load(model).fingerprint
    assert load(model).fingerprint != load(model, dictionary=False).fingerprint
    assert torch.equal(pickle.loads(pickle.dumps(load(model))).encode(TEXT), load(model).encode(TEXT))


def copy(model: Path, folder: Path, **changed: bytes) -> Path:
    names = {"encoder": "encoder.json", "vocab": "vocab.bpe", "dictionary": "dict.txt"}
    for key, name in names.items():
        (folder / name).write_bytes(changed.get(key, (model / name).read_bytes()))
    return folder


@pytest.mark.parametrize(
    ("changed", "file", "expected", "found"),
    [
        (
            {"encoder": b"{nonsense"},
            "encoder.json",
            "GPT-2's encoder.json: a JSON object piece → id",
            "no JSON ('",
        ),
        (
            {"encoder": b"[1]"},
            "encoder.json",
            "GPT-2's encoder.json: a JSON object piece → id",
            "JSON of another form. ",
        ),
        ({"encoder": b'{"a": "b"}'}, "encoder.json", "GPT-2's encoder.json", "JSON of another form. "),
        ({"encoder": b'{"a": 1}'}, "encoder.json", "every piece that ", "no '"),
        ({"encoder": b""}, "encoder.json", "GPT-2's encoder.json", "an empty file (0 bytes). "),
        (
            {"vocab": b"#v\na b c\n"},
            "vocab.bpe",
            "GPT-2's vocab.bpe: a line '#version'",
            "'a b c' in line 2. ",
        ),
        ({"vocab": b"#v\n\xff\n"}, "vocab.bpe", "GPT-2's vocab.bpe", "bytes that are no UTF-8 text. "),
        (
            {"dictionary": b"5 1\n6\n"},
            "dict.txt",
            "fairseq's dict.txt: '<GPT-2 id> <count>' a line",
            "'6' in line 2. ",
        ),
        (
            {"dictionary": b"5 1\n5 1\n"},
            "dict.txt",
            "fairseq's dict.txt",
            "a word for the second time, '5 1' in line 2. ",
        ),
        ({"dictionary": b"\xff\n"}, "dict.txt", "fairseq's dict.txt", "bytes that are no UTF-8 text. "),
    ],
)
def test_files_that_are_not_the_published_ones(model: Path, tmp_path: Path, changed, file, expected, found):
    folder = copy(model, tmp_path, **changed)
    with pytest.raises(InputError) as error:
        load(folder)
    text = str(error.value)
    assert text.startswith(f"{folder / file}: expected {expected}")
    assert f"; found {found}" in text
    assert text.endswith(".")


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(InputError, match=r"expected GPT-2's encoder\.json; found no such file"):
        load(tmp_path)
