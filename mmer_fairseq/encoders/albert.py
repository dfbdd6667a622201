"""ALBERT from a folder of Hugging Face: last-layer vectors of its tokens, ``[CLS]`` first.

Its layers are those of the transformers package, which is optional: ``pip install 'mmer_fairseq[transformers]'``.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.encoders.fairseq_checkpoint import load_exactly
from mmer_fairseq.encoders.huggingface import weights_file
from mmer_fairseq.encoders.huggingface_config import CONFIG, read_json
from mmer_fairseq.encoders.safe_pickle import load_pickle, load_safetensors
from mmer_fairseq.encoders.tokens import check_tokens
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.masks import padding_mask

_FIRST = "embeddings.word_embeddings.weight"
_PARTS = ("embeddings.", "encoder.")
#: Settings that change no output.
_NEUTRAL = re.compile(r".*drop.*|_.*|transformers_version|architectures|(torch_)?dtype|.*token_id")


class ALBERT(Encoder):
    """The transformer with shared layers, of whatever size is in the folder, without the pooler and heads.

    Source: Lan et al., "ALBERT: A Lite BERT for self-supervised learning of language representations", 2020.

    Args:
        path: folder with ``config.json`` and ``model.safetensors`` or ``pytorch_model.bin``.
        tokens: size of the tokenizer's vocabulary, to be checked against the model's (0: not known).

    Raises:
        InputError: no such folder, another model, a tokenizer of another vocabulary, or transformers is not installed.
    """

    def __init__(self, path: str, tokens: int = 0) -> None:
        folder = Path(path)
        if not folder.is_dir():
            raise InputError.of(
                where=path,
                expected="a folder of Hugging Face's ALBERT",
                found="a file" if folder.exists() else "no such folder",
                remedy="download one, and name it (nothing is downloaded)",
            )
        weights = weights_file(folder, "ALBERT")
        settings = read_json(folder / CONFIG)
        if settings.get("model_type") != "albert":
            raise InputError.of(
                where=folder / CONFIG,
                expected='settings of an ALBERT model ("model_type": "albert")',
                found=f"those of a model '{settings.get('model_type')}'",
                remedy="name the right folder, or the encoder that it belongs to",
            )
        library = _transformers()
        try:
            config = getattr(library, "AlbertConfig")(**settings)  # noqa: B009 (made when it is asked for)
            model = getattr(library, "AlbertModel")(config, add_pooling_layer=False)  # noqa: B009
        except Exception as error:  # whatever a stranger's settings make the library raise
            raise InputError.of(
                where=folder / CONFIG,
                expected="settings of an ALBERT model",
                found=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
                remedy="download the folder again",
            ) from error
        if tokens not in (0, config.vocab_size):
            raise InputError.of(
                where=path,
                expected=f"ALBERT's own tokenizer, of {config.vocab_size} tokens",
                found=f"one of {tokens}",
                remedy="name the spiece.model of the same folder with --tokenizer-model",
            )
        super().__init__(config.hidden_size, checkpoint=weights, variant=_variant(settings))
        self.vocab_size = int(config.vocab_size)
        self.max_tokens = int(config.max_position_embeddings)
        self.model = model
        load_exactly(self.model, _tensors(weights), weights)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """LongTensor [B, T] of its tokens, ``[CLS]`` first → [B, T, D]."""
        if x.size(1) > self.max_tokens:
            raise InputError.of(
                where="stream of tokens",
                expected=f"at most {self.max_tokens} tokens, which ALBERT has positions for",
                found=x.size(1),
                remedy="set --max-text-tokens, or cut the clips",
            )
        x = x[:, : int(lengths.max())]
        padding = padding_mask(lengths, x.size(1))
        x = x.masked_fill(padding, 0)
        check_tokens(x, self.vocab_size)
        return self.model(input_ids=x, attention_mask=(~padding).long()).last_hidden_state, lengths


def _tensors(weights: Path) -> dict[str, Tensor]:
    """The tensors of the model alone."""
    expected = "the tensors of an ALBERT model"
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
    return {name: x for name, x in inner.items() if name.startswith(_PARTS) and not name.endswith("_ids")}


def _transformers() -> Any:
    try:
        return importlib.import_module("transformers")
    except ImportError as error:
        raise InputError.of(
            where="encoder 'albert'",
            expected="the package transformers, which computes it",
            found=f"none that can be imported ({error})",
            remedy="pip install 'mmer_fairseq[transformers]'",
        ) from error


def _variant(settings: Mapping[str, Any]) -> str:
    matters = {key: value for key, value in settings.items() if not _NEUTRAL.fullmatch(key)}
    return "+" + hashlib.sha256(json.dumps(matters, sort_keys=True).encode()).hexdigest()[:16]


def build(spec: StreamSpec, width: int, path: str) -> ALBERT:
    """Builder for the registry."""
    return ALBERT(path, spec.vocab_size)
