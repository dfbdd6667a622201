"""RoBERTa from a fairseq checkpoint or a folder of Hugging Face: last-layer vectors of its tokens, ``<s>`` first."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.encoders.fairseq_checkpoint import fairseq_module, load_exactly, quiet_fairseq, read_fairseq
from mmer_fairseq.encoders.huggingface_config import CONFIG
from mmer_fairseq.encoders.tokens import check_tokens
from mmer_fairseq.encoders.transformers_text import Family, TransformersText
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.masks import padding_mask

FILE = "model.pt"
HUGGING_FACE = Family(
    "RoBERTa",
    "a",
    "roberta",
    {"roberta": "Roberta", "xlm-roberta": "XLMRoberta"},
    after_padding=True,
)

_PAD = 1
_COPY = re.compile(r"layers\.\d+\.(in_proj|out_proj|fc1|fc2)_(weight|bias)")


class RoBERTa(Encoder):
    """fairseq's sentence encoder alone, without the language-model head and classification heads.

    Source: Liu et al., "RoBERTa", 2019; the layers are fairseq's.

    Args:
        path: ``model.pt``, or the folder that holds it (and, for the tokenizer, ``dict.txt``).
        tokens: size of the tokenizer's vocabulary, to be checked against the model's (0: not known).

    Raises:
        InputError: not a RoBERTa checkpoint, a ``dict.txt`` of another model, or a tokenizer of another
            vocabulary.
    """

    def __init__(self, path: str, tokens: int = 0) -> None:
        file = Path(path) / FILE if Path(path).is_dir() else Path(path)
        checkpoint = read_fairseq(str(file), "RoBERTa", ("roberta", "xlmr"))
        roberta = fairseq_module("fairseq.models.roberta.model")
        table = _tensor(checkpoint.state, "sentence_encoder.embed_tokens.weight", file)
        positions = _tensor(checkpoint.state, "sentence_encoder.embed_positions.weight", file)
        _check_vocabulary(file, table.size(0), tokens)
        # fairseq's builder wants a dictionary for its size and padding symbol alone
        dictionary = _Dictionary(table.size(0))
        settings = {**checkpoint.model, "max_positions": positions.size(0) - _PAD - 1}
        with quiet_fairseq():
            model = roberta.RobertaModel.build_model(
                Namespace(**settings), Namespace(source_dictionary=dictionary)
            )
        state = dict(checkpoint.state)
        model.upgrade_state_dict_named(state, "")  # names of older fairseq versions
        super().__init__(table.size(1), checkpoint=file)
        self.max_tokens = int(settings["max_positions"])
        self.vocab_size = table.size(0)
        self.sentence_encoder = _without_copies(model.encoder.sentence_encoder)
        prefix = "encoder.sentence_encoder."
        part = {name[len(prefix) :]: x for name, x in state.items() if name.startswith(prefix)}
        part = {name: x for name, x in part.items() if not _COPY.fullmatch(name)}
        part.setdefault("version", torch.tensor([3.0]))  # a buffer that fairseq itself reads nothing from
        load_exactly(self.sentence_encoder, part, file, prefix)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """LongTensor [B, T] of its tokens, ``<s>`` first → [B, T, D]."""
        check_tokens(x, self.vocab_size)
        if x.size(1) > self.max_tokens:
            raise InputError.of(
                where="stream of tokens",
                expected=f"at most {self.max_tokens} tokens a clip, which this RoBERTa has positions for",
                found=f"{x.size(1)}",
                remedy="cut the texts (--max-text-tokens or shorter clips)",
            )
        tokens = x.masked_fill(padding_mask(lengths, x.size(1)), _PAD)
        y = self.sentence_encoder(tokens)["encoder_out"][0]
        return y.transpose(0, 1), lengths


def _without_copies(encoder: Any) -> Any:
    """fairseq 0.12.2 keeps every weight of a layer twice, for a fast path in evaluation; keep one.

    The copies get no gradient, and would be in every checkpoint that is saved.
    """
    for layer in encoder.layers:
        copies = [
            name for name, _ in layer.named_parameters(recurse=False) if _COPY.fullmatch(f"layers.0.{name}")
        ]
        if copies:
            for name in copies:
                delattr(layer, name)
            layer.can_use_fastpath = False
            plain = {
                "_load_from_state_dict": nn.Module._load_from_state_dict
            }  # theirs would ask for the copies
            layer.__class__ = type(type(layer).__name__, (type(layer),), plain)
    return encoder


class _Dictionary:
    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def pad(self) -> int:
        return _PAD


def _tensor(state: object, ending: str, file: Path) -> Tensor:
    for name, tensor in dict(state).items():  # type: ignore[call-overload]
        if name.endswith(ending):
            return tensor
    raise InputError.of(
        where=file,
        expected=f"a RoBERTa checkpoint of fairseq, with a tensor '…{ending}'",
        found="none of that name",
        remedy="download the checkpoint again",
    )


def _check_vocabulary(file: Path, size: int, tokens: int) -> None:
    """<s> <pad> </s> <unk>, the lines of dict.txt, and <mask> make the vocabulary."""
    listed = file.parent / "dict.txt"
    if listed.is_file():
        with open(listed, encoding="utf-8", errors="replace") as lines:
            count = sum(1 for line in lines if line.strip())
        if count + 5 != size:
            raise InputError.of(
                where=listed,
                expected=f"{size - 5} lines, for the {size} tokens of {file.name}",
                found=f"{count}",
                remedy="keep the dict.txt that came with the checkpoint beside it",
            )
    if tokens and tokens not in (size, size - 1):  # a tokenizer does not count <mask>
        raise InputError.of(
            where=file,
            expected=f"a tokenizer of the {size} tokens that this RoBERTa knows",
            found=f"a tokenizer of {tokens}",
            remedy="use RoBERTa's own byte-pair encoding for this corpus",
        )


def build(spec: StreamSpec, width: int, path: str) -> Encoder:
    """Builder for the registry: fairseq's form of it, or Hugging Face's, whichever the folder holds."""
    if (Path(path) / CONFIG).is_file() and not (Path(path) / FILE).exists():
        return TransformersText(path, HUGGING_FACE, spec.vocab_size)
    return RoBERTa(path, spec.vocab_size)
