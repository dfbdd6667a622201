"""Face detectors behind one form: pictures → boxes and scores. Their packages are optional and imported late."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Callable, NamedTuple, Protocol

import numpy as np

from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.crop import centre_box

logger = logging.getLogger(__name__)

Box = tuple[float, float, float, float]


class Face(NamedTuple):
    """A face in a picture: (x0, y0, x1, y1) in pixels from its upper left corner, and how sure the detector is.

    ``points``, where it knows them, are (x, y) of the left and right eye, the nose, and both corners of the mouth.
    """

    box: Box
    score: float
    points: tuple[tuple[float, float], ...] | None = None


class Detector(Protocol):
    """Finds the faces of pictures of one size."""

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[list[Face]]:
        """The faces in each of N pictures, uint8 [H, W, 3], RGB; in no fixed order."""


@dataclass(frozen=True)
class Entry:
    """A detector that a flag can name.

    Attributes:
        build: (smallest face in pixels, device as torch names it) → the detector.
        modules: what must be importable.
        package: whose version is remembered ('': none).
        install: commands that install it.
        about: what it is, for the help.
    """

    build: Callable[[int, str], Detector]
    modules: tuple[str, ...] = ()
    package: str = ""
    install: str = ""
    about: str = ""

    def fault(self) -> str:
        """Why it cannot be used ('': it can)."""
        for module in self.modules:
            try:
                import_module(module)
            except ImportError as error:
                return str(error)
        return ""

    @property
    def version(self) -> str:
        try:
            return version(self.package) if self.package else ""
        except PackageNotFoundError:
            return "unknown"


def _mtcnn(min_face: int, device: str) -> Detector:
    from mmer_fairseq.faces.mtcnn import MTCNNDetector

    return MTCNNDetector(min_face, device)


def _haar(min_face: int, device: str) -> Detector:
    from mmer_fairseq.faces.haar import HaarDetector

    return HaarDetector(min_face)


def _blobs(min_face: int, device: str) -> Detector:
    from mmer_fairseq.faces.blobs import BlobDetector

    return BlobDetector(min_face)


class _Centre:
    """No detector: the middle of every picture."""

    def __init__(self, min_face: int, device: str) -> None:
        pass

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[list[Face]]:
        return [[Face(centre_box(picture.shape[1], picture.shape[0]), 1.0)] for picture in pictures]


DETECTORS: dict[str, Entry] = {
    "mtcnn": Entry(
        _mtcnn,
        ("facenet_pytorch",),
        "facenet-pytorch",
        # Its wheel pins torch 2.2 and Pillow 10, and works with today's.
        "pip install requests && pip install --no-deps facenet-pytorch==2.6.0",
        "MTCNN of facenet-pytorch, with its weights",
    ),
    "haar": Entry(
        _haar,
        ("cv2.data",),
        "opencv-python-headless",
        "pip install 'mmer_fairseq[faces]'",
        "cascades of OpenCV 4, upright frontal faces only",
    ),
    "blobs": Entry(
        _blobs, ("scipy.ndimage",), about="drawn faces: eggs of one colour with two eyes; no weights"
    ),
    "centre": Entry(_Centre, about="no detector: the middle of each picture"),
}

#: Tried in this order where none is named.
PREFERRED = ("mtcnn", "haar")


@dataclass(frozen=True)
class Choice:
    """The detector of a run.

    Attributes:
        name: its key in :data:`DETECTORS`.
        version: of the package it comes from.
        instead_of: the default, where that is not installed ('': it is the one wanted).
    """

    name: str
    version: str
    instead_of: str = ""


def choose(name: str | None, entries: Mapping[str, Entry] = DETECTORS) -> Choice:
    """The detector that a flag names, or the first of :data:`PREFERRED` that is installed.

    Raises:
        InputError: no such detector, or it is not installed.
    """
    if name is not None and name not in entries:
        raise InputError.of(
            where="--detector",
            expected=f"one of {', '.join(entries)}",
            found=repr(name),
            remedy="write one of them",
        )
    faults = {}
    for each in (name,) if name is not None else PREFERRED:
        faults[each] = entries[each].fault()
        if faults[each]:
            continue
        instead_of = PREFERRED[0] if name is None and each != PREFERRED[0] else ""
        if instead_of:
            logger.warning(
                "faces are found by '%s', because '%s' is not installed (%s). To install it: %s",
                each,
                instead_of,
                faults[instead_of],
                entries[instead_of].install,
            )
        return Choice(each, entries[each].version, instead_of)
    named = next(iter(faults))
    raise InputError.of(
        where="--detector" if name is None else f"--detector {name}",
        expected="an installed face detector"
        if name is None
        else f"{entries[named].about or named}, installed",
        found="; ".join(faults.values()),
        remedy=f"install it: {entries[named].install}"
        + (f" (or {entries[PREFERRED[1]].install})" if name is None else "")
        + ", or cut the middle of each picture with --detector centre",
    )
