"""Checkpoints of the original FacialMMT: what their tensors say about the network, and their names in ours.

A released model is two files, the whole multimodal network with its language model, and the face model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from mmer_fairseq.checkpoints.naming import rename
from mmer_fairseq.checkpoints.pickled_modules import state_of, without_wrapper
from mmer_fairseq.checkpoints.pickled_objects import load_object, unwrapped
from mmer_fairseq.errors import InputError

WHAT = "a checkpoint of FacialMMT (a saved model, or its state dict)"
#: Language models, by the first part of their names.
LANGUAGE_MODELS = ("roberta", "bert")
_LINEAR = {
    "text_linear": "text",
    "audio_linear": "audio",
    "vision_linear": "video",
    "modality_linear": "video",
}
_ENCODERS = {
    "audio_utt_transformer": "audio",
    "vision_utt_transformer": "video",
    "utt_transformer": "video",
}
_CROSSINGS = {"CrossModalTrans_TA": "ta", "CrossModalTrans_TA_V": "tav"}
_ENCODER_PARTS = {
    "transformer_self_attention.selfatt.query": "attention.q_proj",
    "transformer_self_attention.selfatt.key": "attention.k_proj",
    "transformer_self_attention.selfatt.value": "attention.v_proj",
    "transformer_self_attention.dense_norm.dense": "attention.out_proj",
    "transformer_self_attention.dense_norm.LayerNorm": "attention_norm",
    "intermediate.dense": "fc1",
    "output.dense": "fc2",
    "output.LayerNorm": "ffn_norm",
}
_CROSSING_PARTS = {
    "self_attn.out_proj": "attention.out_proj",
    "layer_norms.0": "attention_norm",
    "layer_norms.1": "ffn_norm",
    "fc1": "fc1",
    "fc2": "fc2",
}
#: Of no use: a version number and uninitialised memory; what the language model counts with.
_IGNORED = ("version", "embed_positions._float_tensor")
_COUNTERS = ("position_ids", "token_type_ids")


@dataclass(frozen=True)
class Sizes:
    """What the tensors tell about a network; heads, and how long texts may be, they do not tell.

    Attributes:
        dims: modality → width of a step.
        outputs, dim, ffn_dim: as in :class:`mmer_fairseq.networks.facialmmt.FacialMMT`.
        steps: modality → its positions, of sound and picture.
        layers: modality → layers of its encoder.
        crossings: "ta" and "tav" → layers; none in a network of a single modality.
    """

    dims: Mapping[str, int]
    outputs: int
    dim: int
    ffn_dim: int
    steps: Mapping[str, int] = field(default_factory=dict)
    layers: Mapping[str, int] = field(default_factory=dict)
    crossings: Mapping[str, int] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """Those of the network that the tensors tell."""
        told: dict[str, Any] = {
            "dims": dict(self.dims),
            "outputs": self.outputs,
            "dim": self.dim,
            "ffn_dim": self.ffn_dim,
        }
        told.update({f"{m}_steps": count for m, count in self.steps.items()})
        told.update({f"{m}_layers": count for m, count in self.layers.items()})
        told.update({f"{name}_layers": count for name, count in self.crossings.items()})
        return told


def read(path: Path, what: str = WHAT) -> dict[str, Tensor]:
    """The tensors of a file: a saved model in Lightning's wrapper, a state dict, or one under "state_dict".

    Nothing in the file is run.

    Raises:
        InputError: it is no such file, or a number in it is not finite.
    """
    content = unwrapped(load_object(path, what))
    for key in ("state_dict", "model"):  # "model": a training run of ours
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    state = content if isinstance(content, dict) else state_of(content, path)
    state = without_wrapper({str(name): x for name, x in state.items() if isinstance(x, Tensor)})
    state = {name: x for name, x in state.items() if not name.endswith(_IGNORED)}
    broken = [name for name, x in state.items() if x.is_floating_point() and not x.isfinite().all()]
    if broken or not state:
        raise InputError.of(
            where=path,
            expected=f"{what}, finite tensors by name",
            found=f"NaN or infinity in {', '.join(broken[:3])}" if broken else "no tensors",
            remedy="name a checkpoint of the original FacialMMT repository",
        )
    return state


def split_language_model(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str, dict[str, Tensor]]:
    """The tensors of the network, "roberta" or "bert" ("" where there is neither), and its tensors under Hugging
    Face's names."""
    found = next((kind for kind in LANGUAGE_MODELS if any(n.startswith(f"{kind}.") for n in state)), "")
    if not found:
        return dict(state), "", {}
    start = f"{found}."
    network = {name: x for name, x in state.items() if not name.startswith(start)}
    inside = {
        name[len(start) :]: x
        for name, x in state.items()
        if name.startswith(start) and not name.endswith(_COUNTERS)
    }
    return network, found, inside


def sizes_of(state: Mapping[str, Tensor], where: object) -> Sizes:
    """Read the network's sizes off names and shapes.

    Args:
        state: the tensors of the network under their original names (:func:`split_language_model`).
        where: the file, for messages.

    Raises:
        InputError: it is no checkpoint of FacialMMT, or a tensor that tells a size is missing.
    """
    outputs, dim = shape_of(state, "classifier.weight", where)
    dims = {
        m: shape_of(state, f"{name}.weight", where)[1]
        for name, m in _LINEAR.items()
        if f"{name}.weight" in state
    }
    if not dims:
        shape_of(state, "text_linear.weight", where)
    steps, layers = {}, {}
    for name, m in _ENCODERS.items():
        table = f"{name}.position_embeddings.weight"
        if table in state:
            steps[m] = shape_of(state, table, where)[0]
            layers[m] = _count(state, rf"{name}\.layer\.(\d+)\..*")
    crossings = {
        ours: _count(state, rf"{name}\.layers\.(\d+)\..*")
        for name, ours in _CROSSINGS.items()
        if f"{name}.layer_norm.weight" in state
    }
    inside = [x.shape[0] for name, x in state.items() if name.endswith(".intermediate.dense.weight")]
    return Sizes(dims, outputs, dim, inside[0] if inside else 4 * dim, steps, layers, crossings)


def to_network(state: Mapping[str, Tensor], where: object) -> dict[str, Tensor]:
    """Give the tensors the names they have in our network.

    Left out are biases that softmax does not see: of keys, and of the score of the pooling. The pooling's learned
    query, which always meets the same layer, is one vector here.

    Args:
        state: the tensors of the network under their original names (:func:`split_language_model`).
        where: the file, for messages.

    Returns:
        A state dict of :class:`mmer_fairseq.networks.facialmmt.FacialMMT`.

    Raises:
        InputError: a name is unknown.
    """
    pooling = [f"attention.{name}" for name in ("query_vector", "Q.weight", "Q.bias", "P.bias")]
    if not all(name in state for name in pooling):
        shape_of(state, "attention.Q.weight", where)
    query, weight, bias, own = (state[name].double() for name in pooling)
    rest = {name: x for name, x in state.items() if name not in pooling}
    renamed = rename(rest, _renamed, where, "FacialMMT")
    renamed["pooling.key.bias"] = (own + weight @ query + bias).to(state[pooling[0]].dtype)
    return renamed


def _renamed(name: str, x: Tensor) -> dict[str, Tensor] | None:
    first, _, rest = name.partition(".")
    if first in _LINEAR:
        return {f"projections.{_LINEAR[first]}.{rest}": x}
    if first == "classifier":
        return {name: x}
    if first == "attention":
        pooling = {"P.weight": {"pooling.key.weight": x}, "value.weight": {"pooling.score.weight": x}}
        return {} if rest == "value.bias" else pooling.get(rest)
    if first in _ENCODERS:
        return _encoder(f"encoders.{_ENCODERS[first]}", rest, x)
    return _crossing(f"crossings.{_CROSSINGS[first]}", rest, x) if first in _CROSSINGS else None


def _encoder(ours: str, name: str, x: Tensor) -> dict[str, Tensor] | None:
    if name == "position_embeddings.weight":
        return {f"{ours}.positions.weight": x}
    match = re.fullmatch(r"layer\.(\d+)\.(.+)\.(weight|bias)", name)
    if match is None or match[2] not in _ENCODER_PARTS:
        return None
    part = _ENCODER_PARTS[match[2]]
    if (part, match[3]) == ("attention.k_proj", "bias"):
        return {}
    return {f"{ours}.encoder.layers.{match[1]}.{part}.{match[3]}": x}


def _crossing(ours: str, name: str, x: Tensor) -> dict[str, Tensor] | None:
    if name in _IGNORED:
        return {}
    if name in ("layer_norm.weight", "layer_norm.bias"):
        return {f"{ours}.norm.{name.rpartition('.')[2]}": x}
    match = re.fullmatch(r"(layers\.\d+)\.(.+)", name)
    if match is None:
        return None
    layer, rest = f"{ours}.{match[1]}.", match[2]
    part, _, leaf = rest.rpartition(".")
    if part in _CROSSING_PARTS:
        return {f"{layer}{_CROSSING_PARTS[part]}.{leaf}": x}
    if rest == "self_attn.in_proj_weight":
        return {f"{layer}attention.{p}_proj.weight": w for p, w in zip("qkv", x.chunk(3))}
    if rest == "self_attn.in_proj_bias":
        return {f"{layer}attention.{p}_proj.bias": b for p, b in zip("qkv", x.chunk(3)) if p != "k"}
    return None


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    found = map(re.compile(pattern).match, state)
    return max((int(match[1]) for match in found if match), default=-1) + 1


def shape_of(state: Mapping[str, Tensor], name: str, where: object, what: str = WHAT) -> tuple[int, ...]:
    """The shape of a matrix or larger.

    Raises:
        InputError: there is none of this name.
    """
    if name not in state or state[name].dim() < 2:
        raise InputError.of(
            where=where,
            expected=f"{what}, with a matrix {name}",
            found=f"{len(state)} tensors without it" if name not in state else "another shape",
            remedy="name a checkpoint of the original FacialMMT repository",
        )
    return tuple(state[name].shape)
