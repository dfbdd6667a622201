"""The loss of a second task: emotions of faces, beside what a run learns of its own clips."""

from __future__ import annotations

import math
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from mmer_fairseq.errors import InputError

#: What is logged of it; sums.
KEYS = ("aux_loss", "aux_right", "aux_faces")


def face_loss(logits: Tensor, target: Tensor, names: tuple[str, ...]) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy, summed.

    Args:
        logits: [N, C].
        target: LongTensor [N].
        names: of the classes of the second corpus.

    Returns:
        The loss and what is logged of it.

    Raises:
        InputError: the face model has another number of emotions.
    """
    if logits.shape[1] != len(names):
        raise InputError.of(
            where="--aux-data",
            expected=f"labels of the {logits.shape[1]} emotions that the face model tells apart",
            found=f"{len(names)} classes ({', '.join(names)})",
            remedy="give the corpus a label space of that many classes (its 'map' joins classes), name another with "
            "--aux-labels, or set --frame-emotions",
        )
    loss = F.cross_entropy(logits.float(), target, reduction="sum")
    right = (logits.detach().argmax(dim=1) == target).sum()
    return loss, {
        "aux_loss": float(loss.detach()),
        "aux_right": float(right),
        "aux_faces": float(len(target)),
    }


def logged(totals: dict[str, Any]) -> dict[str, float]:
    """Mean loss in bits, and accuracy; {}: no faces."""
    faces = float(totals["aux_faces"])
    if not faces:
        return {}
    bits = float(totals["aux_loss"]) / faces / math.log(2)
    return {"aux_loss": bits, "aux_accuracy": float(totals["aux_right"]) / faces}
