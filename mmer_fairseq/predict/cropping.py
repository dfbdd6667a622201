"""Faces cut out of a segment before the model sees it, as ``mmer faces`` cuts them out of a corpus."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmer_fairseq.corpus import Clip
from mmer_fairseq.errors import InputError
from mmer_fairseq.faces import clip_faces
from mmer_fairseq.faces.detectors import DETECTORS, choose
from mmer_fairseq.faces.settings import RATE, Settings

AUTO, NONE = "auto", "none"


class Cropper:
    """Finds the faces of one segment after the other.

    Args:
        settings: how; see ``mmer faces``.
        device: where the detector runs.
        folder: for the crops (None: the system's for temporary files).
    """

    def __init__(self, settings: Settings, device: str = "cpu", folder: str | None = None) -> None:
        self.settings, self._folder = settings, folder
        self._detector = DETECTORS[settings.detector].build(settings.min_face, device)

    @contextmanager
    def cropped(self, clip: Clip, picture_rate: float) -> Iterator[Clip]:
        """The clip with a folder of its faces as its video, which lasts as long as the block.

        Raises:
            InputError: its video is at fault, or no face is found.
        """
        with tempfile.TemporaryDirectory(prefix="mmer-faces-", dir=self._folder) as folder:
            rate = self.settings.rate or RATE
            task = clip_faces.Task(clip, Path(folder), rate, picture_rate)
            _, crops = clip_faces.find(task, self.settings, self._detector)[:2]
            if not crops:
                raise InputError.of(
                    where=clip.where,
                    expected="a face",
                    found=f"none by {self.settings.detector}",
                    remedy="try another detector with --faces, or --faces none",
                )
            for number, crop in crops.items():
                (Path(folder) / f"{number:05d}.jpg").write_bytes(crop)
            media = {**clip.media, "video": folder}
            yield dataclasses.replace(clip, media=media, rate=rate, own_pictures=True)


def plan_crops(
    wanted: str,
    recorded: Mapping[str, Any] | None,
    rate: float,
    size: int,
    device: str,
    folder: str | None = None,
) -> Cropper | None:
    """What cuts the faces out; None: the model gets whole pictures.

    Args:
        wanted: ``auto`` (as the corpus of the training was made), ``none`` or a detector's name.
        recorded: settings of ``mmer faces`` that the checkpoint remembers.
        rate: pictures a second that the model wants, in Hz (0: it does not say).
        size: of its pictures in pixels.
        device: for the detector.
        folder: see :class:`Cropper`.

    Raises:
        InputError: no such detector, or it is not installed.
    """
    if wanted == NONE or (wanted == AUTO and recorded is None):
        return None
    names = {field.name for field in dataclasses.fields(Settings)} - {"speaker", "version", "instead_of"}
    kept = {key: value for key, value in (recorded or {}).items() if key in names}
    detector = str(kept.pop("detector", "") if wanted == AUTO else wanted)
    kept.pop("detector", None)
    if detector not in DETECTORS:
        raise InputError.of(
            where="--faces",
            expected=f"one of {AUTO}, {NONE}, {', '.join(DETECTORS)}",
            found=repr(detector),
            remedy="write one of them",
        )
    kept.setdefault("size", size)
    kept["rate"] = kept.get("rate") or rate or RATE
    return Cropper(Settings(detector=choose(detector).name, **kept), device, folder)
