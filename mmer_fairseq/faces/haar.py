"""Viola and Jones' cascade for upright frontal faces, as OpenCV 4 ships it. OpenCV 5 has none.

Source: Viola and Jones 2001, Rapid Object Detection using a Boosted Cascade of Simple Features.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.detectors import Face

_CASCADE = "haarcascade_frontalface_default.xml"

# Each scale of the picture is 1.1 times smaller; a face is one that is found at five neighbouring places.
_STEP, _NEIGHBOURS = 1.1, 5


class HaarDetector:
    """All upright frontal faces of a picture; scores are weights of the last stage, above 0 and without a bound.

    Args:
        min_face: pixels a face has at least, in the pictures that it gets.
    """

    def __init__(self, min_face: int) -> None:
        import cv2
        import cv2.data

        cv2.setNumThreads(1)  # workers are processes
        file = Path(cv2.data.haarcascades) / _CASCADE
        if not file.is_file() or not hasattr(cv2, "CascadeClassifier"):
            raise InputError.of(
                where="--detector haar",
                expected=f"OpenCV 4, which ships {_CASCADE}",
                found=f"OpenCV {cv2.__version__} without it",
                remedy="install it: pip install 'opencv-python-headless<5'",
            )
        self._cv2: Any = cv2
        self._cascade: Any = cv2.CascadeClassifier(str(file))
        self._smallest = (min_face, min_face)

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[list[Face]]:
        return [self._faces(picture) for picture in pictures]

    def _faces(self, picture: np.ndarray) -> list[Face]:
        grey = self._cv2.cvtColor(picture, self._cv2.COLOR_RGB2GRAY)
        boxes, _, weights = self._cascade.detectMultiScale3(
            grey, _STEP, _NEIGHBOURS, 0, self._smallest, outputRejectLevels=True
        )
        return [
            Face((float(x), float(y), float(x + width), float(y + height)), max(0.0, float(weight)))
            for (x, y, width, height), weight in zip(boxes, np.ravel(weights))
        ]
