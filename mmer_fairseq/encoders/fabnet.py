"""FAb-Net's face encoder from its released checkpoint: one vector of 256 a frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.encoders.fairseq_checkpoint import load_exactly
from mmer_fairseq.encoders.images import each_image, unit_range
from mmer_fairseq.encoders.safe_pickle import load_pickle
from mmer_fairseq.errors import InputError

CHANNELS = (3, 32, 64, 128, 256, 256, 256, 256, 256)
SIZE = 256  # pixels

#: A frame takes about 4 MB on its way through the first layers.
_AT_ONCE = 64


class FAbNet(Encoder):
    """Eight 4×4 convolutions of stride 2, LeakyReLU(0.2) between them, batch norm from the second on.

    Takes frames of 256×256 pixels, RGB in [0, 1]. Only real frames are computed, those of all clips together.

    Source: Wiles et al., "Self-supervised learning of a facial attribute embedding from video", BMVC 2018.

    Args:
        path: the released file, a dictionary with ``state_dict_model`` whose keys ``encoder.<i>.*`` are used.

    Raises:
        InputError: not such a file.
    """

    def __init__(self, path: str) -> None:
        content = load_pickle(Path(path), "a FAb-Net checkpoint")
        state = content.get("state_dict_model")
        if not isinstance(state, Mapping) or not any(str(key).startswith("encoder.") for key in state):
            raise InputError.of(
                where=path,
                expected="a FAb-Net checkpoint, with 'state_dict_model' that holds 'encoder.<i>.*'",
                found=f"a dictionary with {sorted(map(str, content))[:8]}",
                remedy="name the file released with FAb-Net",
            )
        super().__init__(CHANNELS[-1], checkpoint=Path(path))
        self.encoder = _layers(bias="encoder.0.bias" in state)
        prefix = "encoder."
        part = {key[len(prefix) :]: x for key, x in state.items() if key.startswith(prefix)}
        load_exactly(self.encoder, part, Path(path), prefix)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, 3, 256, 256], uint8 or in [0, 1] → [B, T, 256]."""
        if tuple(x.shape[2:]) != (3, SIZE, SIZE):
            raise InputError.of(
                where="stream of frames",
                expected=f"frames of 3×{SIZE}×{SIZE} for FAb-Net",
                found="×".join(str(n) for n in x.shape[2:]),
                remedy=f"set the frame size to {SIZE} pixels (--frame-size {SIZE})",
            )
        # batch norm that is being trained needs all frames together
        at_once = 0 if self.training else _AT_ONCE
        return each_image(x, lengths, self.dim, self._vectors, at_once=at_once), lengths

    def _vectors(self, images: Tensor) -> Tensor:
        return self.encoder(unit_range(images, self.dtype)).flatten(1)


def _layers(bias: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index, (n_in, n_out) in enumerate(zip(CHANNELS, CHANNELS[1:])):
        last = index == len(CHANNELS) - 2
        layers.append(nn.Conv2d(n_in, n_out, 4, stride=2, padding=1, bias=bias))
        if index > 0 and not last:
            layers.append(nn.BatchNorm2d(n_out))
        if not last:
            layers.append(nn.LeakyReLU(0.2))
    return nn.Sequential(*layers)


def build(spec: StreamSpec, width: int, path: str) -> FAbNet:
    """Builder for the registry."""
    return FAbNet(path)
