"""Checkpoints of the original AuxFormer: what their tensors say about the network, and their names in ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from mmer_fairseq.checkpoints.naming import rename
from mmer_fairseq.errors import InputError
from mmer_fairseq.networks.auxformer import HIDDEN, AuxFormer

#: The original's encoders → ours.
ENCODERS = {
    "trans_a_with_v": "cross.audio",
    "trans_v_with_a": "cross.video",
    "trans_a_mem": "main.audio",
    "trans_v_mem": "main.video",
    "a_mem": "auxiliary.audio",
    "v_mem": "auxiliary.video",
}
#: Other layers of the original → ours.
LAYERS = {
    "conv_1d_a": "projections.audio",
    "conv_1d_v": "projections.video",
    "proj1": "main_head.layers.0",
    "proj2": "main_head.layers.1",
    "out_layer": "main_head.out_proj",
    "proj_aux1": "auxiliary_head.layers.0",
    "proj_aux2": "auxiliary_head.layers.1",
    "proj_aux3": "auxiliary_head.layers.2",
    "out_layer_aux": "auxiliary_head.out_proj",
}
_PARTS = {
    "self_attn.out_proj": "attention.out_proj",
    "layer_norms.0": "attention_norm",
    "layer_norms.1": "ffn_norm",
    "fc1": "fc1",
    "fc2": "fc2",
}
_LAYER = re.compile(r"layers\.(\d+)\.(.+)")
#: Of no use: a version number and uninitialised memory.
_IGNORED = ("version", "embed_positions._float_tensor")
WHAT = "an AuxFormer checkpoint (final_head.pt of v2, or a saved model of v1)"


@dataclass(frozen=True)
class Sizes:
    """What the tensors tell about a network; heads and causal masks they do not tell.

    Attributes:
        audio_dim, video_dim: width of what comes in.
        dim, layers, outputs: as in :class:`mmer_fairseq.networks.auxformer.AuxFormer`.
    """

    audio_dim: int
    video_dim: int
    dim: int
    layers: int
    outputs: int


def sizes_of(state: Mapping[str, Tensor], where: object) -> Sizes:
    """Read the network's sizes off the shapes.

    Args:
        state: the tensors under their original names.
        where: the file, for messages.

    Raises:
        InputError: it is no AuxFormer checkpoint, or a tensor that tells a size is missing.
    """
    fused = _shape(state, "proj1.weight", where)[0]
    given = {
        m: _shape(state, f"conv_1d_{m}.weight", where)[1] if f"conv_1d_{m}.weight" in state else fused // 2
        for m in "av"
    }
    hidden = _shape(state, "proj_aux1.weight", where)[0], _shape(state, "proj_aux2.weight", where)[0]
    if hidden != HIDDEN:
        raise InputError.of(
            where=where,
            expected=f"an auxiliary head with {HIDDEN[0]} and {HIDDEN[1]} numbers inside, as published",
            found=f"{hidden[0]} and {hidden[1]}",
            remedy="build AuxFormer(hidden=…) in Python: no flag sets them",
        )
    indices = [int(match[1]) for match in map(re.compile(r"a_mem\.layers\.(\d+)\.").match, state) if match]
    return Sizes(
        audio_dim=given["a"],
        video_dim=given["v"],
        dim=fused // 2,
        layers=max(indices, default=-1) + 1,
        outputs=_shape(state, "out_layer.weight", where)[0],
    )


def network_of(
    sizes: Sizes, heads: int, *, causal: bool = True, original_behaviour: bool = True
) -> AuxFormer:
    """Our network in these sizes, with fresh weights."""
    return AuxFormer(
        outputs=sizes.outputs,
        audio_dim=sizes.audio_dim,
        video_dim=sizes.video_dim,
        dim=sizes.dim,
        heads=heads,
        layers=sizes.layers,
        causal=causal,
        original_behaviour=original_behaviour,
    )


def to_network(state: Mapping[str, Tensor], where: object) -> dict[str, Tensor]:
    """Give the tensors the names they have in our network.

    Attention's key biases are left out: softmax does not see them, so our layers have none.

    Args:
        state: the tensors under their original names.
        where: the file, for messages.

    Returns:
        A state dict of :class:`mmer_fairseq.networks.auxformer.AuxFormer`.

    Raises:
        InputError: a name is unknown.
    """
    return rename(state, _renamed, where, "AuxFormer")


def _renamed(name: str, x: Tensor) -> dict[str, Tensor] | None:
    first, _, rest = name.partition(".")
    if first in LAYERS:
        return {f"{LAYERS[first]}.{rest}": x.squeeze(-1) if first.startswith("conv") else x}
    if first not in ENCODERS:
        return None
    encoder = ENCODERS[first]
    if rest in _IGNORED:
        return {}
    if rest in ("layer_norm.weight", "layer_norm.bias"):
        return {f"{encoder}.norm.{rest.rpartition('.')[2]}": x}
    match = _LAYER.fullmatch(rest)
    if not match:
        return None
    layer, rest = f"{encoder}.layers.{match[1]}.", match[2]
    part, _, leaf = rest.rpartition(".")
    if part in _PARTS:
        return {f"{layer}{_PARTS[part]}.{leaf}": x}
    if rest == "alpha" and x.numel() == 1:
        return {f"{layer}alpha": x.reshape(())}
    if rest == "self_attn.in_proj_weight":
        return {f"{layer}attention.{p}_proj.weight": w for p, w in zip("qkv", x.chunk(3))}
    if rest == "self_attn.in_proj_bias":
        return {f"{layer}attention.{p}_proj.bias": b for p, b in zip("qkv", x.chunk(3)) if p != "k"}
    return None


def _shape(state: Mapping[str, Tensor], name: str, where: object) -> tuple[int, ...]:
    if name not in state or state[name].dim() < 2:
        raise InputError.of(
            where=where,
            expected=f"{WHAT}, with a matrix {name}",
            found=f"{len(state)} tensors without it" if name not in state else "another shape",
            remedy="name a checkpoint of the original AuxFormer repository",
        )
    return tuple(state[name].shape)
