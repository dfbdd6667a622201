"""Checkpoints of the original SSE-FT: what their tensors say about the network, and their names in ours.

Keys follow ``decoder.sentence_encoder.*`` (fusion), ``classification_heads.*`` (head) and
``model_text2vec.*``, ``model_wav2vec.*``, ``model_vid2vec.*`` (frozen encoders).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mmer_fairseq.checkpoints.naming import rename
from mmer_fairseq.errors import InputError
from mmer_fairseq.networks.sse_ft import SSEFT

MODALITIES = {"t": "text", "a": "audio", "v": "video"}
ENCODERS = {"text": "model_text2vec.", "audio": "model_wav2vec.", "video": "model_vid2vec."}
FUSION = "decoder.sentence_encoder."
HEAD = "classification_heads.emotion_classification_head."

_INPUTS = {"SE_embeddings": "start", "embed_positions": "positions", "emb_layer_norm": "norm"}
_PARTS = {
    "self_attn.out_proj": "attention.out_proj",
    "self_attn_layer_norm": "attention_norm",
    "fc1": "fc1",
    "fc2": "fc2",
    "final_layer_norm": "ffn_norm",
}
#: Flags of the original that ours keep by name, besides the sizes, which the tensors tell.
_MODEL_FLAGS = (
    "activation_fn",
    "pooler_activation_fn",
    "dropout",
    "attention_dropout",
    "activation_dropout",
    "pooler_dropout",
    "max_positions_t",
)
_TASK_FLAGS = (
    "data",
    "sample_rate",
    "max_sample_size",
    "min_sample_size",
    "num_classes",
    "regression_target",
    "regression_target_mos",
    "binary_target_iemocap",
    "softmax_target_meld",
    "softmax_target_binary_meld",
    "eval_matric",
)
_LAYER = re.compile(r"layers_([tav]{1,2})\.(\d+)\.(.+)")


@dataclass(frozen=True)
class Sizes:
    """What the tensors tell about a network; the number of heads they do not tell.

    Attributes:
        modalities: those it was built for.
        dims: modality → width.
        max_positions: "audio", "video" → steps, the start vector counted.
        ffn_dim: 0 when there is no layer.
        layers, cross_layers, outputs: as in :class:`mmer_fairseq.networks.sse_ft.SSEFT`.
    """

    modalities: tuple[str, ...]
    dims: Mapping[str, int]
    max_positions: Mapping[str, int]
    ffn_dim: int
    layers: int
    cross_layers: int
    outputs: int


def network_of(sizes: Sizes, heads: int) -> SSEFT:
    """Our network in these sizes, with fresh weights."""
    of_modality: dict[str, Any] = {f"{m}_dim": dim for m, dim in sizes.dims.items()}
    of_modality.update({f"max_positions_{m}": steps for m, steps in sizes.max_positions.items()})
    return SSEFT(
        modalities=sizes.modalities,
        outputs=sizes.outputs,
        ffn_dim=sizes.ffn_dim or 1,
        heads=heads,
        layers=sizes.layers,
        cross_layers=sizes.cross_layers,
        **of_modality,
    )


def model_flags(sizes: Sizes, args: Mapping[str, Any]) -> dict[str, Any]:
    """Our model's configuration: sizes from the tensors, the rest from the original's arguments.

    The original takes ``--encoder-normalize-before`` but its layers are post-norm either way, so that flag
    stays off.
    """
    flags: dict[str, Any] = {
        "_name": "robertaEMO",
        "encoder_attention_heads": args["encoder_attention_heads"],
        "encoder_ffn_embed_dim": sizes.ffn_dim or 1,
        "encoder_layers": sizes.layers,
        "encoder_layers_cross": sizes.cross_layers,
    }
    suffixes = {"text": "", "audio": "_a", "video": "_v"}
    flags.update({f"encoder_embed_dim{suffixes[m]}": dim for m, dim in sizes.dims.items()})
    flags.update({f"max_positions_{m[0]}": steps for m, steps in sizes.max_positions.items()})
    flags.update({name: args[name] for name in _MODEL_FLAGS if args.get(name) is not None})
    return flags


def task_flags(sizes: Sizes, args: Mapping[str, Any]) -> dict[str, Any]:
    """Our task's configuration, from the original's arguments."""
    flags: dict[str, Any] = {"_name": "emotion_prediction", "modalities": ",".join(sizes.modalities)}
    flags.update({name: args[name] for name in _TASK_FLAGS if args.get(name) is not None})
    if isinstance(flags.get("data"), list):  # fairseq of some versions keeps a list of one folder
        flags["data"] = flags["data"][0]
    return flags


def split_encoders(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    """Part the trained fusion from the frozen encoders.

    Args:
        state: the checkpoint's "model".

    Returns:
        The fusion and head under their original names; modality → its encoder's tensors, prefix removed.
    """
    trained = {name: x for name, x in state.items() if not name.startswith(tuple(ENCODERS.values()))}
    encoders = {
        modality: {name[len(prefix) :]: x for name, x in state.items() if name.startswith(prefix)}
        for modality, prefix in ENCODERS.items()
    }
    return trained, {modality: part for modality, part in encoders.items() if part}


def sizes_of(state: Mapping[str, Tensor], where: object) -> Sizes:
    """Read the network's sizes off the shapes.

    Args:
        state: fusion and head under their original names.
        where: the file, for messages.

    Raises:
        InputError: it is no SSE-FT checkpoint, or a tensor that tells a size is missing.
    """
    fused = _shape(state, HEAD + "dense.weight", where)[1]
    dims = {}
    for letter in "av":
        if f"{FUSION}SE_embeddings_{letter}.weight" in state:
            dims[MODALITIES[letter]] = _shape(state, f"{FUSION}SE_embeddings_{letter}.weight", where)[1]
    if fused > sum(dims.values()):
        dims["text"] = fused - sum(dims.values())
    layers: dict[str, int] = {}
    for name in state:
        match = _LAYER.fullmatch(name[len(FUSION) :]) if name.startswith(FUSION) else None
        if match:
            stack, index = match[1], int(match[2])
            layers[stack] = max(layers.get(stack, 0), index + 1)
    ffn = [x.shape[0] for name, x in state.items() if name.startswith(FUSION) and name.endswith("fc1.weight")]
    positions = {
        MODALITIES[m]: _shape(state, f"{FUSION}embed_positions_{m}.weight", where)[0] - 2
        for m in "av"
        if MODALITIES[m] in dims
    }
    return Sizes(
        modalities=tuple(m for m in MODALITIES.values() if m in dims),
        dims=dims,
        max_positions=positions,
        ffn_dim=ffn[0] if ffn else 0,
        layers=max((n for stack, n in layers.items() if len(stack) == 1), default=0),
        cross_layers=max((n for stack, n in layers.items() if len(stack) == 2), default=0),
        outputs=_shape(state, HEAD + "out_proj.weight", where)[0],
    )


def to_network(state: Mapping[str, Tensor], where: object) -> dict[str, Tensor]:
    """Give the tensors of fusion and head the names they have in our network.

    Attention's key biases are left out: softmax does not see them, so our layers have none.

    Args:
        state: fusion and head under their original names.
        where: the file, for messages.

    Returns:
        A state dict of :class:`mmer_fairseq.networks.sse_ft.SSEFT`.

    Raises:
        InputError: a name is unknown.
    """
    return rename(state, _renamed, where, "SSE-FT")


def _renamed(name: str, x: Tensor) -> dict[str, Tensor] | None:
    if name.startswith(HEAD):
        rest = name[len(HEAD) :]
        return {f"head.{rest}": x} if rest.startswith(("dense.", "out_proj.")) else None
    if not name.startswith(FUSION):
        return None
    name = name[len(FUSION) :]
    match = re.fullmatch(r"(\w+)_([av])\.(weight|bias)", name)
    if match and match[1] in _INPUTS:
        return {f"inputs.{MODALITIES[match[2]]}.{_INPUTS[match[1]]}.{match[3]}": x}
    match = _LAYER.fullmatch(name)
    if not match:
        return None
    stack, index, rest = match.groups()
    kind = "self_stacks" if len(stack) == 1 else "cross_stacks"
    layer = f"{kind}.{'_'.join(MODALITIES[letter] for letter in stack)}.layers.{index}."
    part, _, leaf = rest.rpartition(".")
    if part in _PARTS:
        return {f"{layer}{_PARTS[part]}.{leaf}": x}
    if rest == "self_attn.in_proj_weight":
        return {f"{layer}attention.{p}_proj.weight": w for p, w in zip("qkv", x.chunk(3))}
    if rest == "self_attn.in_proj_bias":
        return {f"{layer}attention.{p}_proj.bias": b for p, b in zip("qkv", x.chunk(3)) if p != "k"}
    match = re.fullmatch(r"self_attn\.([qkv])_proj_weight", rest)
    return {f"{layer}attention.{match[1]}_proj.weight": x} if match else None


def _shape(state: Mapping[str, Tensor], name: str, where: object) -> tuple[int, ...]:
    if name not in state or state[name].dim() != 2:
        raise InputError.of(
            where=where,
            expected=f"an SSE-FT checkpoint, with a matrix {name}",
            found=f"{len(state)} tensors without it" if name not in state else "another shape",
            remedy="name a checkpoint of the original SSE-FT repository",
        )
    return tuple(state[name].shape)
