"""R(2+1)D-18 over short clips of face images: one vector of 512 a clip."""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path

from torch import Tensor, nn

from mmer_fairseq.encoders.backbone import RANDOM, Weights, download, need_training, read_weights
from mmer_fairseq.encoders.base import StreamSpec, file_sha256
from mmer_fairseq.encoders.clips import PIECE, ClipBackbone
from mmer_fairseq.errors import InputError

DIM = 512
REDUCTIONS = ("max", "avg", "flatten")
KINETICS = "kinetics400"

_WHAT = "R(2+1)D-18"
_STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")
_ANCHOR = "stem.0.weight"
_SIDE = 7  # positions a side of the last map of 112 pixels
#: The original keeps the layer of ``flatten`` in a file of its own, beside that of the network.
_FLATTEN_FILE, _FLATTEN_KEY = "vision_r2d1_fc.pt", "vision_r2d1_fc."


class R2Plus1D(ClipBackbone):
    """torchvision's network up to its last map [512, T / 8, 7, 7], then one vector from all its positions.

    Source: Tran et al., "A closer look at spatiotemporal convolutions for action recognition", CVPR 2018; the
        reductions are those of the Joint Multimodal Transformer (Waligora et al., CVPRW 2024).

    Args:
        path: a file of weights: torchvision's, the original's ``vision_r2d1.pt`` or ``all_backbones.pt``, or of a
            training run of ours; or ``kinetics400`` (torchvision's, downloaded) or ``random``. A stem of four
            channels (colour and mask) is cut to the three of colour.
        reduction: ``max`` or ``avg`` over all positions; or ``flatten``, the mean over time and then a linear layer
            over the 49 positions.
        piece: frames of a clip.
        modality: of the stream.

    Raises:
        InputError: no such file, or it holds other tensors.
    """

    def __init__(
        self, path: str, reduction: str = "max", piece: int = PIECE, modality: str = "video"
    ) -> None:
        from torchvision.models.video import R2Plus1D_18_Weights, r2plus1d_18

        published = R2Plus1D_18_Weights.KINETICS400_V1
        weights = None
        if path == KINETICS:
            fetch = lambda: published.get_state_dict(progress=False, check_hash=True)  # noqa: E731
            weights = download(KINETICS, _WHAT, modality, fetch)
        elif path != RANDOM:
            weights = read_weights(path, _WHAT, modality)
        named = f"{KINETICS}:" if path == KINETICS else ""
        super().__init__(
            DIM,
            piece,
            checkpoint=weights.path if weights else None,
            variant=f"{named}@{reduction}/{piece}",
            untrained="" if weights else "the network",
        )
        network = r2plus1d_18(weights=None)
        self.body = nn.Sequential(OrderedDict((name, getattr(network, name)) for name in _STAGES))
        self.flatten = nn.Linear(DIM * _SIDE**2, DIM) if reduction == "flatten" else None
        self.reduction = reduction
        if weights is not None:
            self._load(weights)

    def _load(self, weights: Weights) -> None:
        prefix = weights.prefix(_ANCHOR)
        if prefix is None:
            raise weights.foreign(_ANCHOR)
        stem = weights.state[prefix + _ANCHOR]
        weights.load(self.body, prefix, {_ANCHOR: stem[:, :3]} if stem.dim() == 5 else None)
        if self.flatten is None:
            return
        ours = re.sub(r"body\.$", "flatten.", prefix)
        beside = weights.path.parent / _FLATTEN_FILE if weights.path else None
        if f"{_FLATTEN_KEY}weight" in weights.state:
            weights.load(self.flatten, _FLATTEN_KEY)
        elif ours != prefix and f"{ours}weight" in weights.state:
            weights.load(self.flatten, ours)
        elif beside is not None and beside.is_file():
            layer = read_weights(str(beside), f"{_WHAT}'s layer over the flattened map", weights.modality)
            layer.load(self.flatten, _FLATTEN_KEY if f"{_FLATTEN_KEY}weight" in layer.state else "")
            self.variant += f"+{file_sha256(beside)[:16]}"
        else:
            self.untrained = "the layer over the flattened map"

    def clip_vectors(self, clips: Tensor) -> Tensor:
        """Normalised clips [N, 3, T, H, W] → [N, 512]."""
        y = self.body(clips)  # [N, 512, T / 8, H / 16, W / 16]
        if self.flatten is not None:
            return self.flatten(y.mean(dim=2).flatten(1))
        return y.amax(dim=(2, 3, 4)) if self.reduction == "max" else y.mean(dim=(2, 3, 4))


def split_reduction(path: str) -> tuple[str, str]:
    """Split ``PATH@REDUCTION`` into its parts; a path that exists as it is written has no reduction.

    Raises:
        InputError: an unknown reduction.
    """
    name, at, reduction = path.rpartition("@")
    if not at or Path(path).exists() or not re.fullmatch(r"\w*", reduction):
        return path, REDUCTIONS[0]
    if reduction not in REDUCTIONS:
        raise InputError.of(
            where=f"encoder r2plus1d:{path}",
            expected=f"a reduction behind the '@', one of {', '.join(REDUCTIONS)}",
            found=repr(reduction),
            remedy="write one of these, or leave it out for the maximum",
        )
    return name, reduction


def build(spec: StreamSpec, width: int, path: str) -> R2Plus1D:
    """Builder for the registry.

    Raises:
        InputError: also a flattening layer without weights that would be frozen.
    """
    path, reduction = split_reduction(path)
    encoder = R2Plus1D(path, reduction, spec.chunk or PIECE, spec.modality)
    if path != RANDOM:
        need_training(spec, encoder, path, f"name all_backbones.pt, put {_FLATTEN_FILE} beside the file")
    return encoder
