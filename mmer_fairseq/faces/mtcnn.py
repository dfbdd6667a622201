"""MTCNN as facenet-pytorch 2.6 ships it, weights included: three small networks on a pyramid of the picture.

Source: Zhang et al. 2016, Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.detectors import Face

logger = logging.getLogger(__name__)


class MTCNNDetector:
    """All faces of a picture; scores are probabilities. Thresholds and pyramid are the package's own.

    Args:
        min_face: pixels a face has at least, in the pictures that it gets.
        device: as torch names it.
    """

    def __init__(self, min_face: int, device: str = "cpu") -> None:
        import torch
        from facenet_pytorch import MTCNN

        try:
            place = torch.device(device)
            self._find: Any = MTCNN(keep_all=True, min_face_size=min_face, device=place).eval()
        except (RuntimeError, AssertionError) as error:
            raise InputError.of(
                where="--device",
                expected="a device of this machine",
                found=f"{device!r} ({str(error).splitlines()[0]})",
                remedy="write cpu, or cuda where there is a GPU",
            ) from error
        self._min_face = min_face

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[list[Face]]:
        if min(pictures[0].shape[:2]) < self._min_face:
            return [[] for _ in pictures]  # no room for a face: the pyramid would be empty
        try:
            boxes, scores, points = self._find.detect(np.stack(pictures), landmarks=True)
        except (RuntimeError, IndexError) as error:
            if "out of memory" in str(error):
                raise
            # facenet-pytorch stops at candidates that lie outside the picture altogether.
            if len(pictures) > 1:
                return [self([picture])[0] for picture in pictures]
            logger.warning("mtcnn gave up a picture: %s", error)
            return [[]]
        return [
            []
            if found is None
            else [
                Face(
                    (float(x0), float(y0), float(x1), float(y1)),
                    float(p),
                    tuple((float(x), float(y)) for x, y in five),
                )
                for (x0, y0, x1, y1), p, five in zip(found, sure, marks)
            ]
            for found, sure, marks in zip(boxes, scores, points)
        ]
