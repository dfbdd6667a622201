"""A language model that was trained inside another model, as a folder of Hugging Face."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from mmer_fairseq.errors import InputError

#: Model → what its shapes do not tell. Its heads are 64 wide, as those of all that are published.
_UNTOLD: dict[str, dict[str, Any]] = {
    "roberta": {"layer_norm_eps": 1e-5, "pad_token_id": 1},
    "bert": {"layer_norm_eps": 1e-12, "pad_token_id": 0},
}
_HEAD = 64
_TABLES = {
    "vocab_size": "embeddings.word_embeddings.weight",
    "max_position_embeddings": "embeddings.position_embeddings.weight",
    "type_vocab_size": "embeddings.token_type_embeddings.weight",
}


def settings_of(kind: str, tensors: Mapping[str, Tensor], where: object) -> dict[str, Any]:
    """The ``config.json`` of a language model.

    Args:
        kind: "roberta" or "bert".
        tensors: under Hugging Face's names, without prefix.
        where: the file they are from, for messages.

    Raises:
        InputError: a tensor is missing, or its width is none of the published models'.
    """
    inside = "encoder.layer.0.intermediate.dense.weight"
    missing = [name for name in (*_TABLES.values(), inside) if name not in tensors]
    if missing:
        raise InputError.of(
            where=where,
            expected=f"the tensors of a {kind} language model",
            found=f"none called {', '.join(missing)}",
            remedy="name the file that the original saved",
        )
    width = tensors[_TABLES["vocab_size"]].shape[1]
    if width % _HEAD:
        raise InputError.of(
            where=where,
            expected=f"a {kind} language model in a published size, {_HEAD} numbers a head",
            found=f"width {width}",
            remedy="name the file that the original saved",
        )
    layers = [re.match(r"encoder\.layer\.(\d+)\.", name) for name in tensors]
    return {
        "model_type": kind,
        **{name: tensors[table].shape[0] for name, table in _TABLES.items()},
        "hidden_size": width,
        "intermediate_size": tensors[inside].shape[0],
        "num_attention_heads": width // _HEAD,
        "num_hidden_layers": max(int(match[1]) for match in layers if match) + 1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        **_UNTOLD[kind],
    }


def write_folder(settings: Mapping[str, Any], tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Write the folder, as a whole or not at all. There are no words in it: the vocabulary is the published one's."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    (partial / "config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    save_file({name: x.contiguous() for name, x in tensors.items()}, str(partial / "model.safetensors"))
    partial.rename(folder)
