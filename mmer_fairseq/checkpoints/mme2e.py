"""Checkpoints of the original MME2E repository: what their tensors say about the network, and their names in ours.

Four systems: ``mme2e``, ``mme2e_sparse`` (MESM), ``lf_rnn`` and ``lf_transformer``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from mmer_fairseq.checkpoints.naming import rename
from mmer_fairseq.errors import InputError

LETTERS = {"t": "text", "a": "audio", "v": "video"}
WHAT = "a checkpoint of the MME2E repository (the state dict that its training saves)"
#: Before the names of the text model, ALBERT.
ALBERT = "T.albert."
#: Not read: the face detector; what the text model has and does not use.
DROPPED = ("mtcnn.", f"{ALBERT}pooler.", f"{ALBERT}embeddings.position_ids")

_VGG = {"conv1": "conv1", "bn1": "norm1", "conv2": "conv2", "bn2": "norm2"}
#: Places in the original's list of layers → ours.
_DENSE = {
    "0": "stem.conv",
    "1": "stem.norm",
    "4": "stem.blocks.0",
    "5": "stem.blocks.1",
    "6": "stages.0",
    "8": "stages.1",
    "10": "stages.2",
}
_SPARSE = {"0": "conv1", "1": "norm1", "2": "conv2", "3": "norm2"}
_LAYER = {
    "self_attn.out_proj": "attention.out_proj",
    "linear1": "fc1",
    "linear2": "fc2",
    "norm1": "attention_norm",
    "norm2": "ffn_norm",
}
_ATTENTION = {"channel_affine": "site", "y_affine": "guide", "attn_weight_affine": "score"}


@dataclass(frozen=True)
class Sizes:
    """What the tensors tell about a network; heads, threshold, and which modalities it fuses they do not tell.

    Attributes:
        system: ``mme2e``, ``mme2e_sparse``, ``lf_rnn`` or ``lf_transformer``.
        outputs: C.
        fused: how many modalities it fuses.
        dims: modality → width of what comes in, of text for the first two, of each for the others.
        trans_dim: width of the transformers (0: as wide as what comes in, or none).
        layers: of each transformer (0: none).
    """

    system: str
    outputs: int
    fused: int
    dims: Mapping[str, int]
    trans_dim: int = 0
    layers: int = 0


def sizes_of(state: Mapping[str, Tensor], where: object) -> Sizes:
    """Read the network's sizes off names and shapes.

    Args:
        state: the tensors under their original names.
        where: the file, for messages.

    Raises:
        InputError: it is no checkpoint of this repository, or a tensor that tells a size is missing.
    """
    fused = _shape(state, "weighted_fusion.weight", where)[1]
    layers = [
        int(found[1]) for found in map(re.compile(r".*encoder\.layers\.(\d+)\.norm1").match, state) if found
    ]
    count = max(layers, default=-1) + 1
    if "t_out.weight" in state:
        outputs, text = _shape(state, "t_out.weight", where)
        sparse = any(".sparse_layers." in name for name in state)
        width = _shape(state, "v_out.weight", where)[1]
        return Sizes("mme2e_sparse" if sparse else "mme2e", outputs, fused, {"text": text}, width, count)
    system = "lf_rnn" if any(name.startswith("rnns.") for name in state) else "lf_transformer"
    dims = {}
    for letter, m in LETTERS.items():
        name = f"affines.{letter}.0.weight"
        if name in state:
            width = _shape(state, name, where)[1]
            dims[m] = width // 2 if system == "lf_rnn" else width
    if not dims:
        _shape(state, "t_out.weight", where)
    letter = next(letter for letter, m in LETTERS.items() if m in dims)
    return Sizes(system, _shape(state, f"affines.{letter}.2.weight", where)[0], fused, dims, layers=count)


def split_text(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor], list[str]]:
    """The tensors of the network, those of ALBERT under their Hugging Face names, and names that are not read."""
    network, albert, dropped = {}, {}, []
    for name, x in state.items():
        if name.startswith(DROPPED):
            dropped.append(name)
        elif name.startswith(ALBERT):
            albert[name[len(ALBERT) :]] = x
        else:
            network[name] = x
    return network, albert, dropped


def to_network(state: Mapping[str, Tensor], modalities: tuple[str, ...], where: object) -> dict[str, Tensor]:
    """Give the tensors the names they have in our network.

    Left out: the branches of modalities that it does not fuse, which the original has anyway; key biases of attention
    and the bias of MESM's attention, which softmax does not see; the fusion weight of a single modality.

    Args:
        state: the tensors of the network under their original names (:func:`split_text`).
        modalities: that it fuses.
        where: the file, for messages.

    Returns:
        A state dict of :class:`~mmer_fairseq.networks.mme2e.MME2E`, of
        :class:`~mmer_fairseq.networks.mme2e_sparse.MESM`, or of the networks in
        :mod:`mmer_fairseq.networks.late_fusion`.

    Raises:
        InputError: a name is unknown, or the weights of the fusion are for another number of modalities.
    """
    fused = _shape(state, "weighted_fusion.weight", where)[1]
    if fused != len(modalities):
        raise InputError.of(
            where=where,
            expected=f"{fused} modalities, for which it has fusion weights",
            found=", ".join(modalities),
            remedy="name those it was trained with (--mod)",
        )
    renamed = rename(state, _renamed, where, "MME2E")
    left = [m for m in LETTERS.values() if m not in modalities]
    outside = tuple(f"{part}.{m}." for part in ("branches", "heads", "readers") for m in left)
    skipped = outside + (("fusion.",) if fused == 1 else ())
    if "text" in left:
        renamed = {name: x for name, x in renamed.items() if not name.endswith("selection.guide.weight")}
    return {name: x for name, x in renamed.items() if not name.startswith(skipped or "\0")}


def _renamed(name: str, x: Tensor) -> dict[str, Tensor] | None:
    first, _, rest = name.partition(".")
    if name == "weighted_fusion.weight":
        return {"fusion.weights.weight": x}
    letter, _, part = first.partition("_")
    if part == "out" and letter in LETTERS and rest in ("weight", "bias"):
        return {f"heads.{LETTERS[letter]}.{rest}": x}
    if first in ("V", "A"):
        new = _cnn(rest, x)
        return new and {f"branches.{LETTERS[first.lower()]}.cnn.{key}": value for key, value in new.items()}
    if part == "flatten" and letter in LETTERS:
        place, _, leaf = rest.partition(".")
        ours = {"0": "flatten", "2": "project"}.get(place)
        return {f"branches.{LETTERS[letter]}.{ours}.{leaf}": x} if ours else None
    if part == "transformer" and letter in LETTERS:
        return _prefixed(f"branches.{LETTERS[letter]}.transformer.", _transformer(rest, x))
    letter, _, rest = rest.partition(".")
    if letter not in LETTERS:
        return None
    if first == "transformers":
        return _prefixed(f"readers.{LETTERS[letter]}.", _transformer(rest, x))
    if first == "rnns":
        return {f"readers.{LETTERS[letter]}.{rest}": x}
    if first == "affines":
        place, _, leaf = rest.partition(".")
        ours = {"0": "dense", "2": "out_proj"}.get(place)
        return {f"heads.{LETTERS[letter]}.{ours}.{leaf}": x} if ours else None
    return None


def _prefixed(prefix: str, new: dict[str, Tensor] | None) -> dict[str, Tensor] | None:
    return None if new is None else {prefix + name: x for name, x in new.items()}


def _transformer(name: str, x: Tensor) -> dict[str, Tensor] | None:
    if name == "cls_emb.weight":
        return {"cls": x}
    match = re.fullmatch(r"encoder\.(layers\.\d+)\.(.+)", name)
    if match is None:
        return None
    layer, rest = f"encoder.{match[1]}.", match[2]
    part, _, leaf = rest.rpartition(".")
    if part in _LAYER:
        return {f"{layer}{_LAYER[part]}.{leaf}": x}
    if rest == "self_attn.in_proj_weight":
        return {f"{layer}attention.{p}_proj.weight": w for p, w in zip("qkv", x.chunk(3))}
    if rest == "self_attn.in_proj_bias":
        return {f"{layer}attention.{p}_proj.bias": b for p, b in zip("qkv", x.chunk(3)) if p != "k"}
    return None


def _cnn(name: str, x: Tensor) -> dict[str, Tensor] | None:
    match = re.fullmatch(r"sparse_layers\.(\d)\.0\.([0-3])\.(\w+)", name)
    if match:
        if match[3] == "weight" and x.dim() > 1:
            x = x.squeeze(1) if x.dim() == 4 else x  # (9, 1, C, C') of newer versions
        return {f"stages.{match[1]}.{_SPARSE[match[2]]}.{match[3]}": x}
    match = re.fullmatch(r"attn_layers\.(\d)\.(\w+)\.(weight|bias)", name)
    if match and match[2] in _ATTENTION:
        if (match[2], match[3]) == ("attn_weight_affine", "bias"):
            return {}
        return {f"stages.{match[1]}.selection.{_ATTENTION[match[2]]}.{match[3]}": x}
    place, _, rest = name.replace("low_level.", "", 1).partition(".")
    if place not in _DENSE:
        return None
    part, _, leaf = rest.rpartition(".")
    if not part:
        return {f"{_DENSE[place]}.{leaf}": x}
    return {f"{_DENSE[place]}.{_VGG[part]}.{leaf}": x} if part in _VGG else None


def _shape(state: Mapping[str, Tensor], name: str, where: object) -> tuple[int, ...]:
    if name not in state or state[name].dim() != 2:
        raise InputError.of(
            where=where,
            expected=f"{WHAT}, with a matrix {name}",
            found=f"{len(state)} tensors without it" if name not in state else "another shape",
            remedy="name a checkpoint of the original MME2E repository",
        )
    return tuple(state[name].shape)
