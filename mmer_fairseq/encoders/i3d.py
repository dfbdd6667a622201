"""I3D without temporal strides, and a temporal convolutional network on top, over short clips of face images."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.encoders.backbone import RANDOM, Weights, need_training, read_weights
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.clips import PIECE, ClipBackbone
from mmer_fairseq.encoders.tcn import TCN

DIM = 512
SIDE = 224  # pixels that the network wants; frames are scaled to it

_WHAT = "I3D"
_ANCHOR = "Conv3d_1a_7x7.conv3d.weight"
_TEMPORAL = "network.0.conv1.weight_v"
#: Pieces that run together: in training as many as the others take, for the batch norms; else 0.4 GB each is enough.
_AT_ONCE = 4

#: Name → widths of the branches: 1×1; 1×1 and 3×3×3; 1×1 and 3×3×3; 1×1 behind a max pool.
_MIXED = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}
#: Pools before these blocks, as (kernel, stride); time keeps its length.
_POOLS = {
    "3b": ("MaxPool3d_3a_3x3", (1, 3, 3), (1, 2, 2)),
    "4b": ("MaxPool3d_4a_3x3", (3, 3, 3), (1, 2, 2)),
    "5b": ("MaxPool3d_5a_2x2", (2, 2, 2), (1, 2, 2)),
}

Triple = tuple[int, int, int]


def same_padded(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """Zeros around [N, C, T, H, W] as TensorFlow's "SAME" sets them: half before (rounded down), half behind."""
    pads: list[int] = []
    for size, k, s in zip(x.shape[:1:-1], kernel[::-1], stride[::-1]):  # F.pad begins with the last dimension
        total = max(k - (size % s or s), 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads) if any(pads) else x


class Unit(nn.Module):
    """Convolution, batch norm, ReLU.

    Args:
        n_in: channels of the input.
        n_out: channels of the output.
        kernel: of time, height and width alike.
        stride: of time, height and width.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: Triple = (1, 1, 1)) -> None:
        super().__init__()
        self.kernel: Triple = (kernel, kernel, kernel)
        self.stride = stride
        self.conv3d = nn.Conv3d(n_in, n_out, self.kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(n_out, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, H, W] → [N, C', T', H', W']."""
        return F.relu(self.bn(self.conv3d(same_padded(x, self.kernel, self.stride))))


class Pool(nn.Module):
    """Maximum over a window; kernel and stride of time, height and width."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, H, W] → [N, C, T', H', W']."""
        return F.max_pool3d(same_padded(x, self.kernel, self.stride), self.kernel, self.stride)


class Mixed(nn.Module):
    """Four branches side by side; ``widths`` as in the published table."""

    def __init__(self, n_in: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.b0 = Unit(n_in, widths[0], 1)
        self.b1a = Unit(n_in, widths[1], 1)
        self.b1b = Unit(widths[1], widths[2], 3)
        self.b2a = Unit(n_in, widths[3], 1)
        self.b2b = Unit(widths[3], widths[4], 3)
        self.b3a = Pool((3, 3, 3), (1, 1, 1))
        self.b3b = Unit(n_in, widths[5], 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, H, W] → [N, C', T, H, W]."""
        branches = (self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x)))
        return torch.cat(branches, dim=1)


def inception() -> nn.Sequential:
    """[N, 3, T, H, W] → [N, 1024, T, H / 32, W / 32]; names as in the published PyTorch weights."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        Conv3d_1a_7x7=Unit(3, 64, 7, (1, 2, 2)),
        MaxPool3d_2a_3x3=Pool((1, 3, 3), (1, 2, 2)),
        Conv3d_2b_1x1=Unit(64, 64, 1),
        Conv3d_2c_3x3=Unit(64, 192, 3),
    )
    width = 192
    for name, widths in _MIXED.items():
        if name in _POOLS:
            pool, kernel, stride = _POOLS[name]
            layers[pool] = Pool(kernel, stride)
        layers[f"Mixed_{name}"] = Mixed(width, widths)
        width = widths[0] + widths[2] + widths[4] + widths[5]
    return nn.Sequential(layers)


class I3D(ClipBackbone):
    """Inception with 3-D convolutions at 224×224 pixels, mean over 2×7×7, TCN, maximum over time.

    Source: Carreira and Zisserman, "Quo vadis, action recognition?", CVPR 2017; the strides and the TCN are those
        of the Joint Multimodal Transformer (Waligora et al., CVPRW 2024).

    Args:
        path: a file of weights: the original's ``vision_i3d.pt`` or ``all_backbones.pt``; of a training run of ours;
            I3D alone (``rgb_imagenet.pt``), whose TCN then is untrained; or ``random``. Heads are left out.
        piece: frames of a clip.
        modality: of the stream.

    Raises:
        InputError: no such file, or it holds other tensors.
    """

    def __init__(self, path: str, piece: int = PIECE, modality: str = "video") -> None:
        weights = None if path == RANDOM else read_weights(path, _WHAT, modality)
        super().__init__(
            DIM,
            piece,
            checkpoint=weights.path if weights else None,
            variant=f"/{piece}",
            untrained="" if weights else "the network",
        )
        self.body = inception()
        self.temporal = TCN(sum(_MIXED["5c"][index] for index in (0, 2, 4, 5)), [DIM] * 4)
        if weights is not None:
            self._load(weights)

    def _load(self, weights: Weights) -> None:
        prefix = weights.prefix(_ANCHOR)
        if prefix is None:
            raise weights.foreign(_ANCHOR)
        weights.load(self.body, prefix)
        temporal = weights.prefix(_TEMPORAL)
        if temporal is None:
            self.untrained = "the temporal network (TCN)"
            return
        # the original lists every convolution a second time
        state = {name: x for name, x in weights.state.items() if not re.search(r"network\.\d+\.net\.", name)}
        replace(weights, state=state).load(self.temporal, temporal)

    @property
    def at_once(self) -> int:  # type: ignore[override]
        """Most pieces that run together."""
        return ClipBackbone.at_once if self.training else _AT_ONCE

    def clip_vectors(self, clips: Tensor) -> Tensor:
        """Normalised clips [N, 3, T, H, W] → [N, 512]."""
        batch, _, steps = clips.shape[:3]
        images = clips.transpose(1, 2).flatten(0, 1)
        images = F.interpolate(images, (SIDE, SIDE), mode="bilinear", align_corners=False)
        y = self.body(images.view(batch, steps, 3, SIDE, SIDE).transpose(1, 2))  # [N, 1024, T, 7, 7]
        y = F.avg_pool1d(y.mean(dim=(3, 4)), min(2, steps), stride=1)
        return self.temporal(y).amax(dim=2)


def build(spec: StreamSpec, width: int, path: str) -> I3D:
    """Builder for the registry.

    Raises:
        InputError: also a temporal network without weights that would be frozen.
    """
    encoder = I3D(path, spec.chunk or PIECE, spec.modality)
    if path != RANDOM:
        need_training(spec, encoder, path, "name the original's vision_i3d.pt or a file of your own training")
    return encoder
