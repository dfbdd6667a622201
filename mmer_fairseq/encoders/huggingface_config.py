"""Settings of Hugging Face's wav2vec 2.0: from ``config.json``, or read off shapes; in fairseq's words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mmer_fairseq.errors import InputError

CONFIG = "config.json"

#: What Hugging Face takes for a setting that the file leaves out.
_DEFAULTS: dict[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "feat_extract_activation": "gelu",
    "feat_extract_norm": "group",
    "layer_norm_eps": 1e-5,
    "conv_dim": [512] * 7,
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_bias": False,
    "num_conv_pos_embeddings": 128,
    "num_conv_pos_embedding_groups": 16,
    "do_stable_layer_norm": False,
    "add_adapter": False,
    "adapter_attn_dim": None,
}
_DROPOUTS = {
    "dropout": "hidden_dropout",
    "attention_dropout": "attention_dropout",
    "activation_dropout": "activation_dropout",
    "encoder_layerdrop": "layerdrop",
}
#: fairseq has these built in: setting → the one value it may have.
_FIXED = ("hidden_act", "feat_extract_activation", "layer_norm_eps", "add_adapter", "adapter_attn_dim")

#: Attention heads of the published models, by width.
_HEADS = {768: 12, 1024: 16, 1280: 16, 1920: 16}
#: (norm of the extractor, bias of its convolutions) → do_stable_layer_norm, of the published models.
_STABLE = {("group", False): False, ("layer", True): True}


def read_json(file: Path) -> dict[str, Any]:
    """A JSON file of settings.

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        content = error
    if not isinstance(content, dict):
        found = str(content) if isinstance(content, Exception) else f"a {type(content).__name__}"
        raise InputError.of(
            where=file, expected="settings as JSON", found=found, remedy="download the file again"
        )
    return content


def check_model_type(settings: Mapping[str, Any], where: Path, what: str, types: tuple[str, ...]) -> str:
    """The ``model_type`` of a model's settings.

    Args:
        settings: of its ``config.json``.
        where: their file, for messages.
        what: the model with its article, for messages.
        types: those that will do.

    Raises:
        InputError: another one.
    """
    found = settings.get("model_type")
    if found not in types:
        wanted = " or ".join(f'"{name}"' for name in types)
        raise InputError.of(
            where=where,
            expected=f'settings of {what} model ("model_type": {wanted})',
            found=f"those of a model '{found}'",
            remedy="name the right folder, or the encoder that it belongs to",
        )
    return str(found)


def to_fairseq(config: Mapping[str, Any], where: Path) -> dict[str, Any]:
    """fairseq's settings of the same model.

    Args:
        config: Hugging Face's.
        where: their file, for messages.

    Raises:
        InputError: a variant that fairseq's layers do not compute, or a value that makes no sense.
    """
    config = {**_DEFAULTS, **{key: value for key, value in config.items() if value is not None}}
    for name in _FIXED:
        if config[name] != _DEFAULTS[name]:
            raise _bad(where, name, f"{_DEFAULTS[name]!r}, as in the published models", config)
    if config["feat_extract_norm"] not in ("group", "layer"):
        raise _bad(where, "feat_extract_norm", "'group' or 'layer'", config)
    sizes = {name: _whole(config, name, where) for name, value in _DEFAULTS.items() if type(value) is int}
    hidden, heads = sizes["hidden_size"], sizes["num_attention_heads"]
    for name in ("num_attention_heads", "num_conv_pos_embedding_groups"):
        if hidden % sizes[name]:
            raise _bad(where, name, f"a divisor of hidden_size {hidden}", config)
    parts = [config[name] for name in ("conv_dim", "conv_kernel", "conv_stride")]
    if not all(isinstance(part, list) and len(part) == len(parts[0]) for part in parts):
        raise _bad(where, "conv_dim", "a list as long as conv_kernel and conv_stride", config)
    return {
        "conv_feature_layers": str(list(zip(*parts))),  # whoever reads it checks the numbers
        "extractor_mode": "layer_norm" if config["feat_extract_norm"] == "layer" else "default",
        "conv_bias": bool(config["conv_bias"]),
        "encoder_layers": sizes["num_hidden_layers"],
        "encoder_embed_dim": hidden,
        "encoder_ffn_embed_dim": sizes["intermediate_size"],
        "encoder_attention_heads": heads,
        "conv_pos": sizes["num_conv_pos_embeddings"],
        "conv_pos_groups": sizes["num_conv_pos_embedding_groups"],
        "layer_norm_first": bool(config["do_stable_layer_norm"]),
        **{ours: _share(config, theirs, where) for ours, theirs in _DROPOUTS.items()},
    }


def from_shapes(state: Mapping[str, Tensor], file: Path) -> dict[str, Any]:
    """The ``config.json`` of a model of which there are only tensors.

    Shapes tell all widths and numbers of layers. Strides, heads and where the layers norm they do not: these
    are taken from the published models of the same kernels, width, and norm and bias of the extractor.

    Args:
        state: tensors by their names in Hugging Face, without prefix.
        file: for messages.

    Raises:
        InputError: no published model has these shapes, or a tensor is missing.
    """

    def shape(name: str) -> tuple[int, ...]:
        if name not in state:
            raise InputError.of(
                where=file,
                expected="the tensors of Hugging Face's Wav2Vec2Model",
                found=f"no {name}",
                remedy="download the checkpoint again",
            )
        return tuple(state[name].shape)

    conv = "feature_extractor.conv_layers."
    convolutions = [shape(f"{conv}{i}.conv.weight") for i in range(_count(state, conv))]
    kernels = [kernel for _, _, kernel in convolutions]
    if kernels != _DEFAULTS["conv_kernel"]:
        raise _untold(file, "strides", f"kernels {_DEFAULTS['conv_kernel']}", kernels)
    norms = [f"{conv}{i}.layer_norm.weight" in state for i in range(len(kernels))]
    norm = "layer" if all(norms) else "group"
    bias = f"{conv}0.conv.bias" in state
    if (norm, bias) not in _STABLE:
        found = f"{norm} norms {'with' if bias else 'without'} bias"
        wanted = "group norm without bias or layer norms with bias in its convolutions"
        raise _untold(file, "where its layers norm (do_stable_layer_norm)", wanted, found)
    (hidden,) = shape("encoder.layer_norm.weight")
    if hidden not in _HEADS:
        wanted = f"a width of {', '.join(map(str, _HEADS))}"
        raise _untold(file, "the number of attention heads", wanted, hidden)
    position = "encoder.pos_conv_embed.conv."
    newer = f"{position}parametrizations.weight.original1"
    _, group, kernel = shape(newer if newer in state else f"{position}weight_v")
    return {
        "hidden_size": hidden,
        "num_hidden_layers": _count(state, "encoder.layers."),
        "num_attention_heads": _HEADS[hidden],
        "intermediate_size": shape("encoder.layers.0.feed_forward.intermediate_dense.weight")[0],
        "feat_extract_norm": norm,
        "conv_dim": [channels for channels, _, _ in convolutions],
        "conv_bias": bias,
        "num_conv_pos_embeddings": kernel,
        "num_conv_pos_embedding_groups": hidden // max(group, 1),
        "do_stable_layer_norm": _STABLE[norm, bias],
    }


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """One more than the largest number that stands behind the prefix."""
    found = [re.match(re.escape(prefix) + r"(\d{1,4})\.", name) for name in state]
    return max((int(match.group(1)) + 1 for match in found if match), default=0)


def _untold(file: Path, what: str, expected: str, found: object) -> InputError:
    return InputError.of(
        where=file,
        expected=f"tensors of a published model, with {expected}, because shapes do not tell {what}",
        found=str(found),
        remedy=f"put it into a folder as pytorch_model.bin, beside the {CONFIG} of the model, and name the folder",
    )


def _whole(config: Mapping[str, Any], name: str, where: Path) -> int:
    value = config[name]
    if type(value) is not int or value < 1:
        raise _bad(where, name, "a whole number from 1 on", config)
    return value


def _share(config: Mapping[str, Any], name: str, where: Path) -> float:
    value = config.get(name, 0.1)
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise _bad(where, name, "a number from 0 to 1", config)
    return float(value)


def _bad(where: Path, name: str, expected: str, config: Mapping[str, Any]) -> InputError:
    return InputError.of(
        where=f"{where}: {name}",
        expected=expected,
        found=repr(config[name]),
        remedy="use a checkpoint of the published form",
    )
