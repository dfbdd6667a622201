"""References of JMT's backbones: our network's output for weights and inputs that follow from names and shapes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from references.fill import fill, inputs
from torch import Tensor, nn

from mmer_fairseq.encoders.backbone import Backbone
from mmer_fairseq.encoders.i3d import I3D
from mmer_fairseq.encoders.r2plus1d import R2Plus1D
from mmer_fairseq.encoders.resnet_logmel import ResNetLogMel
from mmer_fairseq.errors import InputError

_NAME = re.compile(r"(R2D1 (?:MAX|AVG|FLATTEN)|I3D|ResNet18) (?:clip|spec)=x\(\((\d+(?:,\d+){3,4})\),(\d+)\)")
#: Backbone → (ours, part → the original's name of it, with which its weights were made).
_R2D1 = "vision_r2d1.r2plus1d"
_BACKBONES: dict[str, tuple[Callable[[], Any], dict[str, str]]] = {
    "R2D1 MAX": (lambda: R2Plus1D("random", "max"), {"body": _R2D1}),
    "R2D1 AVG": (lambda: R2Plus1D("random", "avg"), {"body": _R2D1}),
    "R2D1 FLATTEN": (lambda: R2Plus1D("random", "flatten"), {"body": _R2D1, "flatten": "vision_r2d1_fc"}),
    "I3D": (
        lambda: I3D("random"),
        {"body": "vision_i3d.i3d_WSDDA", "temporal": "vision_i3d.temporal"},
    ),
    "ResNet18": (lambda: ResNetLogMel("random"), {"body": "audio_resnet18.resnet"}),
}


@torch.no_grad()
def run(name: str, path: object) -> Tensor | None:
    """Our output for a case, in double precision; None if its name is of no backbone.

    Args:
        name: "R2D1 MAX clip=x((1,3,8,112,112),0)"; also AVG, FLATTEN, I3D, and "ResNet18 spec=x((2,1,64,104),0)".
        path: the file of the case, for messages.

    Returns:
        DoubleTensor [N, 512].

    Raises:
        InputError: a backbone that is named in another form.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        if name.split(" ")[0] not in ("R2D1", "I3D", "ResNet18"):
            return None
        raise InputError.of(
            where=path,
            expected='"I3D clip=x((1,3,8,112,112),0)"',
            found=repr(name),
            remedy="make the reference file again",
        )
    build, parts = _BACKBONES[match[1]]
    encoder: Backbone = build().double().eval()
    for part, original in parts.items():
        fill(_named(encoder.get_submodule(part), original))
    x = inputs(tuple(int(size) for size in match[2].split(",")), int(match[3]))
    return encoder.spectrogram_vectors(x) if match[1] == "ResNet18" else encoder.clip_vectors(x)


def _named(module: nn.Module, name: str) -> nn.Module:
    """The module under a dotted name ('' : none) of the original's."""
    for part in reversed(name.split(".") if name else []):
        outer = nn.Module()
        outer.add_module(part, module)
        module = outer
    return module
