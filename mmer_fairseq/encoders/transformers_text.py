"""BERT and its relatives from a folder of Hugging Face: last-layer vectors of their tokens.

Their layers are those of the transformers package, which is optional: ``pip install 'mmer_fairseq[transformers]'``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mmer_fairseq.encoders.base import Encoder
from mmer_fairseq.encoders.fairseq_checkpoint import load_exactly
from mmer_fairseq.encoders.huggingface import weights_file
from mmer_fairseq.encoders.huggingface_config import CONFIG, check_model_type, read_json
from mmer_fairseq.encoders.safe_pickle import load_pickle, load_safetensors
from mmer_fairseq.encoders.tokens import check_tokens
from mmer_fairseq.encoders.transformers_folder import Library, existing_folder, variant
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.masks import padding_mask

_FIRST = "embeddings.word_embeddings.weight"
_PARTS = ("embeddings.", "encoder.")
#: Names of a norm's weights in files that were made from TensorFlow's.
_RENAMED = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
#: Tables of words are filled up to a multiple of this at most.
_ROUNDED = 128


@dataclass(frozen=True)
class Family:
    """Models of one architecture.

    Attributes:
        name: for messages.
        article: of the name.
        encoder: its name in the registry.
        kinds: ``model_type`` → what the names of its classes in transformers begin with.
        after_padding: positions count from behind the padding's id, as fairseq's do, instead of from 0.
    """

    name: str
    article: str
    encoder: str
    kinds: Mapping[str, str]
    after_padding: bool = False


class TransformersText(Encoder):
    """The transformer of whatever size is in the folder, without the pooler and heads.

    Args:
        path: folder with ``config.json`` and ``model.safetensors`` or ``pytorch_model.bin``.
        family: what should be in it.
        tokens: size of the tokenizer's vocabulary, to be checked against the model's (0: not known).

    Raises:
        InputError: no such folder, another model, a tokenizer of another vocabulary, or transformers is not installed.
    """

    def __init__(self, path: str, family: Family, tokens: int = 0) -> None:
        folder = existing_folder(path, family.name)
        weights = weights_file(folder, family.name)
        settings = read_json(folder / CONFIG)
        what = f"{family.article} {family.name}"
        kind = check_model_type(settings, folder / CONFIG, what, tuple(family.kinds))
        if settings.get("pad_token_id", 0) is None:
            del settings["pad_token_id"]  # the library's default
        library = Library(family.encoder, folder, what, family.kinds[kind])
        config = library.config(settings)
        model = library.model(config, add_pooling_layer=False)
        size = int(config.vocab_size)
        if tokens and not size - _ROUNDED < tokens <= size:
            raise InputError.of(
                where=path,
                expected=f"{family.name}'s own tokenizer, of {size} tokens",
                found=f"one of {tokens}",
                remedy="leave out --tokenizer-model and --gpt2-bpe: the tokenizer of that folder is taken",
            )
        padding = int(config.pad_token_id or 0)
        more = {"padding": padding} if family.after_padding else {}
        super().__init__(config.hidden_size, checkpoint=weights, variant=variant(settings, **more))
        self.name = family.name
        self.vocab_size = size
        self.padding_idx = padding
        self.max_tokens = int(config.max_position_embeddings) - (padding + 1 if family.after_padding else 0)
        self.model = model
        load_exactly(self.model, _tensors(weights, what), weights)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """LongTensor [B, T] of its tokens, the opening one first → [B, T, D]."""
        x = x[:, : int(lengths.max())]
        if x.size(1) > self.max_tokens:
            raise InputError.of(
                where="stream of tokens",
                expected=f"at most {self.max_tokens} tokens, which {self.name} has positions for",
                found=x.size(1),
                remedy="set --max-text-tokens, or cut the clips",
            )
        padding = padding_mask(lengths, x.size(1))
        x = x.masked_fill(padding, self.padding_idx)
        check_tokens(x, self.vocab_size)
        return self.model(input_ids=x, attention_mask=(~padding).long()).last_hidden_state, lengths


def _tensors(weights: Path, what: str) -> dict[str, Tensor]:
    """The tensors of the model alone, by their names of today."""
    expected = f"the tensors of {what} model"
    load = load_safetensors if weights.suffix == ".safetensors" else load_pickle
    content: Mapping[str, Any] = load(weights, expected)
    names = [str(name) for name in content if str(name).endswith(_FIRST)]
    if not names or not all(isinstance(x, Tensor) for x in content.values()):
        raise InputError.of(
            where=weights,
            expected=f"{expected}, one of them '{_FIRST}'",
            found=", ".join(sorted(map(str, content))[:3]) or "none",
            remedy="download the folder again",
        )
    prefix = names[0][: -len(_FIRST)]
    inner = {name[len(prefix) :]: x for name, x in content.items() if name.startswith(prefix)}
    own = {name: x for name, x in inner.items() if name.startswith(_PARTS) and not name.endswith("_ids")}
    return {re.sub(r"LayerNorm\.(gamma|beta)$", lambda m: _RENAMED[m[0]], name): x for name, x in own.items()}
