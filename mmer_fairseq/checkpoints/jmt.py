"""Checkpoints of the original JMT: what their tensors say about the network, and their names in ours.

The original writes one state dict for each of its modules: the fusion (``fusion_w.pt``) or, from pretraining, a head
(``backbone_pretrainer_w.pt``); one for each modality that has two backbones; and the backbones themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mmer_fairseq.checkpoints.naming import rename
from mmer_fairseq.errors import InputError

#: Layers of the fusion → ours; "": nothing uses it.
FUSION = {
    "visual_encoder": "encoders.video",
    "physiological_encoder": "encoders.audio",
    "joint_representation_encoder": "encoders.joint",
    "cross_attention_v": "cross.video",
    "cross_attention_p": "cross.audio",
    "cross_attention_pv": "cross.joint",
    "out_layer_pv": "join",
    "final_visual_encoder": "fusion.encoder",
    "final_self_attention": "fusion.attention",
    "out_layer1": "mix",
    "final_layer": "mix",
    "fc": "mix",
    "final_encoder": "",
    "gated_attention": "",
}
_LAYER = {
    "feed_forward.0": "fc1",
    "feed_forward.2": "fc2",
    "layer_norm1": "attention_norm",
    "layer_norm2": "ffn_norm",
}
_HEADS = {"vregressor": 0, "aregressor": 1}
_HEAD = {"0.weight": "hidden_weight", "0.bias": "hidden_bias", "3.weight": "weight", "3.bias": "bias"}
_PRETRAINER = {"regressor.0": "head.dense", "regressor.3": "head.out_proj"}
#: Backbones that the original saves, one file each; ``all_backbones.pt`` has them all under these prefixes.
BACKBONES = ("vision_r2d1", "vision_i3d", "audio_resnet18")
ALL_BACKBONES = "all_backbones"
#: The layer over the flattened map of ``vision_r2d1``, in a file of its own.
FLATTEN = "vision_r2d1_fc"
#: I3D's heads, which nothing uses, and a second list of the same convolutions.
_UNUSED = re.compile(
    r"i3d_WSDDA\.logits\.|predictions\.|vregressor\.|aregressor\.|temporal\.network\.\d+\.net\."
)
WHAT = "a fusion_w.pt or backbone_pretrainer_w.pt of the original JMT"


@dataclass(frozen=True)
class Sizes:
    """What the tensors tell about a fusion; heads they do not tell.

    Attributes:
        joint_modalities, output_format, dim, head_dim, layers: as in :class:`mmer_fairseq.networks.jmt.JMT`.
    """

    joint_modalities: str
    output_format: str
    dim: int
    head_dim: int
    layers: int


def without_wrappers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors without the "module." that DataParallel puts into names, wherever it stands."""
    return {name.replace("module.", ""): x for name, x in state.items()}


def sizes_of(state: Mapping[str, Tensor], where: object) -> Sizes:
    """Read a fusion's variant and sizes off its names and shapes.

    Args:
        state: the tensors under their original names.
        where: the file, for messages.

    Raises:
        InputError: it is no fusion of the original, or a tensor that tells a size is missing.
    """
    head_dim, width = matrix(state, "vregressor.0.weight", where)
    joint, output = "FC", "FC"
    if "mm_transformer.out_layer_pv.weight" in state:
        joint = "TRANSFORMER"
        output = "FC" if "mm_transformer.out_layer1.weight" in state else "SELF_ATTEN"
    elif "mm_transformer.final_layer.weight" in state:
        joint = "NONE"
    else:
        matrix(state, "mm_transformer.fc.weight", where)
    dim = width // 2 if (joint, output) == ("TRANSFORMER", "FC") else width
    layers = layers_of(state, "mm_transformer.visual_encoder") if joint != "FC" else 1
    return Sizes(joint, output, dim, head_dim, layers)


def layers_of(state: Mapping[str, Tensor], encoder: str) -> int:
    """The number of layers of one of its encoders."""
    pattern = re.compile(re.escape(encoder) + r"\.layers\.(\d+)\.")
    return max((int(match[1]) + 1 for match in map(pattern.match, state) if match), default=0)


def fusion_to_network(state: Mapping[str, Tensor], where: object) -> dict[str, Tensor]:
    """Give a fusion's tensors the names they have in :class:`mmer_fairseq.networks.jmt.JMT`.

    What nothing uses, and attention's key biases, which softmax does not see, are left out.

    Args:
        state: the tensors under their original names.
        where: the file, for messages.

    Raises:
        InputError: a name is unknown, or a tensor of one of the two heads is missing.
    """
    named = rename(state, _fusion_name, where, "JMT")
    for part, ours in _HEAD.items():
        both = [named.pop(f"{head}.{part}", None) for head in _HEADS]
        if any(x is None for x in both) or both[0].shape != both[1].shape:  # type: ignore[union-attr]
            raise InputError.of(
                where=where,
                expected=f"two heads of one size, each with {part}",
                found="another head",
                remedy="name a fusion_w.pt that the original JMT repository wrote",
            )
        heads = torch.stack([x for x in both if x is not None])
        named[f"head.{ours}"] = heads.squeeze(1) if part.startswith("3") else heads
    return named


def pretrainer_to_network(state: Mapping[str, Tensor], where: object) -> dict[str, Tensor]:
    """The same for the head of a single backbone, for a network with ``goal="pretraining"``."""
    return rename(state, lambda name, x: _moved(name, x, _PRETRAINER), where, "JMT")


def intra_to_network(state: Mapping[str, Tensor], modality: str, where: object) -> dict[str, Tensor]:
    """The same for what joins two backbones of one modality; its names in ours begin with ``intra.MODALITY``.

    The ``fc`` of the picture's transformer, which nothing uses, is left out.
    """

    def name_of(name: str, x: Tensor) -> dict[str, Tensor] | None:
        first, _, rest = name.partition(".")
        ours = f"intra.{modality}"
        if first == "fc_layer":
            return {f"{ours}.fc.{rest}": x}
        if first == "fc":
            return {f"{ours}.projections.1.{rest}": x} if modality == "audio" else {}
        if first == "final_visual_encoder":
            return _encoder(f"{ours}.fusion.encoder", rest, x)
        return _attention(f"{ours}.fusion.attention", rest, x) if first == "final_self_attention" else None

    return rename(state, name_of, where, "JMT")


def parts_of(state: Mapping[str, Tensor], modality: str, where: object) -> tuple[str, tuple[int, int]]:
    """How two backbones of one modality are joined, and their widths.

    Raises:
        InputError: it is no such module of the original.
    """
    if "fc_layer.weight" in state:
        dim, width = matrix(state, "fc_layer.weight", where)
        if width <= dim:
            raise InputError.of(
                where=where,
                expected=f"features of two backbones, the first {dim} wide",
                found=f"{width} numbers in all",
                remedy="name the files of one run of the original JMT repository",
            )
        return "feat_concat_fc", (dim, width - dim)
    dim, width = matrix(state, "fc.weight", where)
    matrix(state, "final_self_attention.in_proj_weight", where)
    return "encoder_plus_self_attention", (dim, width if modality == "audio" else dim)


def left_out(state: Mapping[str, Tensor], modality: str = "") -> dict[str, int]:
    """Modules whose weights nothing uses → how many numbers they hold.

    Args:
        state: the tensors of a fusion, or of what joins two backbones, under their original names.
        modality: of the latter.
    """
    unused = [f"mm_transformer.{name}" for name, ours in FUSION.items() if not ours]
    unused += ["fc"] if modality == "video" else []
    counts = {
        prefix: sum(x.numel() for name, x in state.items() if name.startswith(f"{prefix}."))
        for prefix in unused
    }
    return {prefix: count for prefix, count in counts.items() if count}


def backbones(states: Mapping[str, Mapping[str, Tensor]]) -> dict[str, tuple[dict[str, Tensor], int]]:
    """The backbones among the files of a run.

    Args:
        states: name of a file without ``.pt`` → its tensors.

    Returns:
        Name of the backbone → its tensors without prefix (with ``vision_r2d1_fc.`` where there is that layer), and how
        many tensors nothing uses and are left out. Each is what ``mmer_fairseq.encoders`` reads.
    """
    together = states.get(ALL_BACKBONES, {})
    found = {}
    for name in (*BACKBONES, FLATTEN):
        inner = {key[len(name) + 1 :]: x for key, x in together.items() if key.startswith(f"{name}.")}
        found[name] = dict(states.get(name) or inner)
    if found["vision_r2d1"]:
        found["vision_r2d1"].update({f"{FLATTEN}.{key}": x for key, x in found[FLATTEN].items()})
    kept = {
        name: {key: x for key, x in found[name].items() if name != "vision_i3d" or not _UNUSED.match(key)}
        for name in BACKBONES
    }
    return {name: (state, len(found[name]) - len(state)) for name, state in kept.items() if state}


def matrix(state: Mapping[str, Tensor], name: str, where: object) -> tuple[int, int]:
    """The shape of a matrix.

    Raises:
        InputError: it is not there.
    """
    if name not in state or state[name].dim() != 2:
        raise InputError.of(
            where=where,
            expected=f"{WHAT}, or another file of its SavedWeights, with a matrix {name}",
            found=f"{len(state)} tensors without it" if name not in state else "another shape",
            remedy="name the folder SavedWeights of one run of the original JMT repository",
        )
    return int(state[name].shape[0]), int(state[name].shape[1])


def _fusion_name(name: str, x: Tensor) -> dict[str, Tensor] | None:
    first, _, rest = name.partition(".")
    if first in _HEADS:
        return {name: x} if rest in _HEAD else None
    module, _, rest = rest.partition(".")
    if first != "mm_transformer" or module not in FUSION:
        return None
    ours = FUSION[module]
    if not ours:
        return {}
    if ours.startswith("encoders") or ours == "fusion.encoder":
        return _encoder(ours, rest, x)
    if ours.startswith("cross") or ours == "fusion.attention":
        return _attention(ours, rest, x)
    return {f"{ours}.{rest}": x}


def _encoder(ours: str, rest: str, x: Tensor) -> dict[str, Tensor] | None:
    match = re.fullmatch(r"layers\.(\d+)\.(.+)", rest)
    if not match:
        return None
    layer = f"{ours}.layers.{match[1]}"
    if match[2].startswith("attention."):
        return _attention(f"{layer}.attention", match[2].partition(".")[2], x)
    return _moved(match[2], x, {theirs: f"{layer}.{own}" for theirs, own in _LAYER.items()})


def _attention(ours: str, rest: str, x: Tensor) -> dict[str, Tensor] | None:
    if rest == "in_proj_weight":
        return {f"{ours}.{part}_proj.weight": w for part, w in zip("qkv", x.chunk(3))}
    if rest == "in_proj_bias":
        return {f"{ours}.{part}_proj.bias": b for part, b in zip("qkv", x.chunk(3)) if part != "k"}
    return {f"{ours}.{rest}": x} if rest in ("out_proj.weight", "out_proj.bias") else None


def _moved(name: str, x: Tensor, layers: Mapping[str, str]) -> dict[str, Tensor] | None:
    layer, _, leaf = name.rpartition(".")
    return {f"{layers[layer]}.{leaf}": x} if layer in layers else None
