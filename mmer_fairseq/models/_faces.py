"""What a model has that tells emotions from faces, and so can be trained on a second corpus of faces."""

from typing import Any, Optional

import torch
from torch import Tensor

from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.registry import emotions_of, is_pretrained
from mmer_fairseq.errors import InputError
from mmer_fairseq.models._fusion import FusionModel


class FaceModel(FusionModel):
    """A model whose picture encoder ends with the logits of a face's emotion.

    Attributes:
        emotions: how many of the last numbers of a frame these are; 0: none.
    """

    emotions = 0

    def _link(self) -> Any:
        """0 that leads back to every weight, as distributed training needs; alone, a weight without part rests."""
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return 0.0
        return 0.0 * sum(p.reshape(-1)[0] for p in self.parameters() if p.requires_grad)

    def face_logits(self, images: Tensor) -> Tensor:
        """What the second task trains: faces [N, 3, H, W] → the logits of their emotions, [N, C].

        Raises:
            InputError: the model has no part that tells emotions from faces.
        """
        if not self.emotions or self.encoders.encoder["video"].frozen:
            raise InputError.of(
                where="--aux-data",
                expected="a picture encoder that tells emotions from faces and is trained",
                found="none" if not self.emotions else "one whose weights are frozen",
                remedy="use --video-encoder frames or swin_face:PATH with --finetune video, and no stored features of "
                "pictures",
            )
        ones = torch.ones(len(images), dtype=torch.long, device=images.device)
        return self.encoders.encoder["video"](images[:, None], ones)[0][:, 0, -self.emotions :]


def frame_emotions(stream: Optional[StreamSpec], cfg: Any, task: Any) -> int:
    """How many of a frame's numbers are logits."""
    if stream is None or cfg.frame_emotions >= 0:
        return 0 if stream is None else cfg.frame_emotions
    if stream.form == "features":
        return 0
    if is_pretrained(stream):
        return emotions_of(stream)
    return task.labels.size if task.labels.kind == "classes" else 0
