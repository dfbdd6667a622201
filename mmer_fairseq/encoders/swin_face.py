"""FacialMMT's face model as an encoder of faces: what tells whose face it is, and the logits of its emotion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.checkpoints import facialmmt, swin_face
from mmer_fairseq.encoders.base import Encoder, StreamSpec, file_sha256
from mmer_fairseq.encoders.fairseq_checkpoint import load_exactly
from mmer_fairseq.encoders.images import each_image, unit_range
from mmer_fairseq.encoders.safe_pickle import load_pickle
from mmer_fairseq.errors import InputError, optional
from mmer_fairseq.modules.state import check_state
from mmer_fairseq.modules.swin_face import SwinFace

#: Pixels of the published face crops; the face model enlarges them to its own size.
SIZE = 160
EMOTIONS = 7
RANDOM = "random"
#: Where a training run of ours keeps the face model.
_OWN = "encoders.encoder.video.swin."
_FACENET_DIM = 512
#: A face takes about 40 MB on its way through the transformer.
_AT_ONCE = 32


class SwinFaceEncoder(Encoder):
    """[B, T, 3, 160, 160] RGB → [B, T, 512 + 7]: features of the face, then its emotion's logits.

    The features are those of the Swin transformer, or with a second file those of InceptionResnetV1 (facenet-pytorch,
    never trained), as in the published model.

    Source: Zheng et al., ACL 2023 (FacialMMT), sections 3.3 and 3.4, and its published code.

    Args:
        path: ``SWIN`` or ``SWIN+FACENET``. SWIN is best_swin_….pt of FacialMMT, what ``mmer convert`` made of it, the
            checkpoint of an earlier run (of a Swin-T), a Swin transformer of FaceX-Zoo (whose emotion layers then start
            untrained), or ``random``; FACENET is a state dict of InceptionResnetV1, such as
            20180402-114759-vggface2.pt.

    Raises:
        InputError: a file is missing or another one, or facenet-pytorch is not installed.
    """

    def __init__(self, path: str) -> None:
        swin, _, facenet = path.partition("+")
        weights, sizes = ({}, {}) if swin == RANDOM else _weights(Path(swin))
        untrained = "" if "outputs" in sizes else (RANDOM if swin == RANDOM else "its emotion's layers")
        model = SwinFace(**{"outputs": EMOTIONS, **sizes})
        if model.classifier.out_features != EMOTIONS:
            raise InputError.of(
                where=swin,
                expected=f"a face model of {EMOTIONS} emotions",
                found=f"one of {model.classifier.out_features}",
                remedy="name FacialMMT's own, or train one from FaceX-Zoo's",
            )
        if weights:
            fresh = {} if "outputs" in sizes else model.state_dict()
            weights = {
                **{n: x for n, x in fresh.items() if n.startswith(("hidden", "classifier"))},
                **weights,
            }
            check_state(model, weights, swin)
            model.load_state_dict(weights)
        variant = "swin_face" + (
            f"+{file_sha256(Path(facenet))}" if facenet and Path(facenet).is_file() else ""
        )
        width = _FACENET_DIM if facenet else model.face.out_features
        super().__init__(width + EMOTIONS, checkpoint=None if swin == RANDOM else Path(swin), variant=variant)
        self.untrained = untrained
        self.swin = model
        self.facenet: nn.Module | None = _facenet(Path(facenet)) if facenet else None

    def train(self, mode: bool = True) -> SwinFaceEncoder:
        """Set the mode; what tells whose face it is stays as it is."""
        super().train(mode)
        if self.facenet is not None:
            self.facenet.eval()
        return self

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, 3, 160, 160], uint8 or in [0, 1] → [B, T, 519]."""
        # batch norm that is being trained needs all faces together
        return each_image(
            x, lengths, self.dim, self._vectors, at_once=0 if self.training else _AT_ONCE
        ), lengths

    def _vectors(self, images: Tensor) -> Tensor:
        images = unit_range(images, self.dtype)
        size = self.swin.image_size
        large = images
        if images.shape[-1] != size or images.shape[-2] != size:
            large = F.interpolate(images, (size, size), mode="bicubic", align_corners=False).clamp(0, 1)
        features = self.swin.features(large.flip(1) * 2 - 1)  # blue first, as it was trained
        logits = self.swin.classifier(F.relu(self.swin.hidden(features)))
        if self.facenet is not None:
            own = images if images.shape[-1] == SIZE else F.interpolate(images, (SIZE, SIZE), mode="area")
            with torch.no_grad():
                features = self.facenet((own * 255 - 127.5) / 128)
        return torch.cat([features, logits], dim=1)


def _weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State dict of :class:`SwinFace` and the arguments that it tells."""
    state = facialmmt.read(path, swin_face.WHAT)
    own = {name[len(_OWN) :]: x for name, x in state.items() if name.startswith(_OWN)}
    if "classifier.weight" in own and "face.weight" in own:
        outputs, hidden = own["classifier.weight"].shape
        return own, {"outputs": outputs, "hidden_dim": hidden, "face_dim": len(own["face.weight"])}
    state = swin_face.backbone_of(state)
    sizes = swin_face.arguments_of(state, path)
    return swin_face.to_network(state, path), sizes


def _facenet(path: Path) -> nn.Module:
    module = optional(
        "facenet_pytorch",
        where="encoder 'swin_face' with a second file",
        expected="the package facenet-pytorch, which computes it",
        remedy="install it: pip install requests && pip install --no-deps facenet-pytorch==2.6.0",
    )
    model = module.InceptionResnetV1(pretrained=None)
    content = load_pickle(path, "weights of InceptionResnetV1 (facenet-pytorch)")
    load_exactly(model, {n: x for n, x in content.items() if not n.startswith("logits.")}, path)
    return model.eval().requires_grad_(False)


def build(spec: StreamSpec, width: int, path: str) -> SwinFaceEncoder:
    """Builder for the registry."""
    return SwinFaceEncoder(path)
