"""Checkpoints of FacialMMT's face model and of FaceX-Zoo's Swin transformers, as a state dict of ours."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmer_fairseq.checkpoints.facialmmt import shape_of
from mmer_fairseq.checkpoints.naming import rename
from mmer_fairseq.errors import InputError

WHAT = "a face model of FacialMMT, or a Swin transformer of FaceX-Zoo"
_HEAD = {"0": "norm", "2": "face", "3": "face_norm"}
_LAYERS = {"linear": "hidden", "classifier": "classifier"}
_MLP = {"fc1": "0", "fc2": "3"}


def backbone_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under the names of FacialMMT's face model.

    FaceX-Zoo calls the transformer "backbone", and what lies above it tells faces apart that nobody asks for: it is
    left out. A file with both names is read as the original means to: "backbone" comes first.
    """
    if "classifier.weight" in state or not any(name.startswith("backbone.") for name in state):
        return {name: x for name, x in state.items() if not name.startswith(("backbone.", "head."))}
    start = len("backbone.")
    return {f"swin.{name[start:]}": x for name, x in state.items() if name.startswith("backbone.")}


def arguments_of(state: Mapping[str, Tensor], where: object) -> dict[str, Any]:
    """Read the sizes off names and shapes.

    Args:
        state: as :func:`backbone_of` gives it.
        where: the file, for messages.

    Returns:
        The arguments of :class:`mmer_fairseq.modules.swin_face.SwinFace` that the tensors tell; without "outputs" and
        "hidden_dim" where the file has no emotion layers.

    Raises:
        InputError: it is no such file, or a tensor that tells a size is missing.
    """
    embed_dim, _, patch, _ = shape_of(state, "swin.patch_embed.proj.weight", where, WHAT)
    depths: list[int] = []
    heads: list[int] = []
    table = re.compile(r"swin\.layers\.(\d+)\.blocks\.(\d+)\.attn\.relative_position_bias_table")
    places = sorted((int(m[1]), int(m[2])) for m in map(table.fullmatch, state) if m)
    window = 1
    for stage, block in places:
        positions, count = shape_of(state, table_name(stage, block), where, WHAT)
        window = (math.isqrt(positions) + 1) // 2
        depths, heads = (depths, heads) if stage < len(depths) else ([*depths, 0], [*heads, count])
        depths[-1] = block + 1
    face_dim, flat = shape_of(state, "swin.output_layer.2.weight", where, WHAT)
    inside = shape_of(state, "swin.layers.0.blocks.0.mlp.fc1.weight", where, WHAT)[0]
    side = math.isqrt(flat // (embed_dim << (len(depths) - 1)))
    told: dict[str, Any] = {
        "image_size": side * patch << (len(depths) - 1),
        "patch_size": patch,
        "embed_dim": embed_dim,
        "depths": tuple(depths),
        "heads": tuple(heads),
        "window": window,
        "mlp_ratio": inside / embed_dim,
        "face_dim": face_dim,
    }
    if "classifier.weight" in state:
        told["outputs"], told["hidden_dim"] = shape_of(state, "classifier.weight", where, WHAT)
    return told


def to_network(state: Mapping[str, Tensor], where: object) -> dict[str, Tensor]:
    """Give the tensors the names they have in our network; masks of shifted windows are not stored there.

    Args:
        state: as :func:`backbone_of` gives it.
        where: the file, for messages.

    Returns:
        A state dict of :class:`mmer_fairseq.modules.swin_face.SwinFace`, without "hidden" and "classifier" where the
        file has no emotion layers.

    Raises:
        InputError: a name is unknown.
    """
    renamed = rename(state, _renamed, where, "FacialMMT")
    if not renamed:
        raise InputError.of(
            where=where, expected=WHAT, found="no tensors", remedy="name the file that you downloaded"
        )
    return renamed


def table_name(stage: int, block: int) -> str:
    """The original's name of a block's table of relative positions."""
    return f"swin.layers.{stage}.blocks.{block}.attn.relative_position_bias_table"


def _renamed(name: str, x: Tensor) -> dict[str, Tensor] | None:
    first, _, rest = name.partition(".")
    if first in _LAYERS:
        return {f"{_LAYERS[first]}.{rest}": x}
    if first != "swin":
        return None
    place, _, leaf = rest.rpartition(".")
    if place.startswith("output_layer."):
        part = place[len("output_layer.") :]
        return {f"{_HEAD[part]}.{leaf}": x} if part in _HEAD else None
    if place in ("patch_embed.proj", "patch_embed.norm"):
        return {f"stages.0.{0 if place.endswith('proj') else 2}.{leaf}": x}
    match = re.fullmatch(r"layers\.(\d+)\.(?:blocks\.(\d+)\.)?(.+)", rest)
    if match is None:
        return None
    stage, block, part = int(match[1]), match[2], match[3]
    if block is None:
        merged = part.startswith(("downsample.reduction.", "downsample.norm."))
        return {f"stages.{2 * stage + 2}.{part[len('downsample.') :]}": x} if merged else None
    if part == "attn_mask":
        return {}
    if part == "attn.relative_position_index":
        x = x.flatten()
    layer = re.fullmatch(r"mlp\.(fc[12])\.(weight|bias)", part)
    part = f"mlp.{_MLP[layer[1]]}.{layer[2]}" if layer else part
    return {f"stages.{2 * stage + 1}.{block}.{part}": x}
