"""What a run of ``mmer faces`` does, fixed on disk before it starts: a killed one can be gone on with."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mmer_fairseq.corpus.lock import locked
from mmer_fairseq.corpus.write import replace_file
from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.speaker.settings import SpeakerSettings

PLAN = "plan.json"
FACES = ("track", "largest")
FALLBACKS = ("none", "centre")

#: Pictures a second, in Hz, where nothing says otherwise: one every 500 ms.
RATE = 2.0

_LONGEST_NAME = 150


@dataclass(frozen=True)
class Settings:
    """All that decides what the crops are.

    Attributes:
        detector: key in ``DETECTORS``.
        version: of the detector's package.
        instead_of: the default detector, where it is not installed.
        rate: pictures a second, in Hz (0: the rate of each clip's trace; where there is none, :data:`RATE`).
        size: pixels of a crop, which is square.
        margin: pixels of the crop around the box, both sides together.
        face: ``track`` (the most prominent person) or ``largest`` (of each picture).
        hold: seconds without a face that are bridged with the box before them.
        fallback: ``centre``: the middle of the picture where there is no face; ``none``: no picture.
        detect_size: pixels of the shorter side of the pictures that the detector gets, at most (0: as they are).
        min_face: pixels of a face in them, at least.
        speaker: how the one who speaks is found among several people (None: whoever is prominent is taken).
    """

    detector: str
    version: str = ""
    instead_of: str = ""
    rate: float = 0.0
    size: int = 48
    margin: int = 2
    face: str = FACES[0]
    hold: float = 1.0
    fallback: str = FALLBACKS[0]
    detect_size: int = 360
    min_face: int = 20
    speaker: SpeakerSettings | None = None

    def check(self) -> None:
        """Refuse what cannot be done.

        Raises:
            InputError: naming the flag.
        """
        numbers = [
            ("--rate", self.rate, self.rate >= 0, "a rate above 0 Hz"),
            ("--size", self.size, self.size >= 1, "1 pixel or more"),
            (
                "--margin",
                self.margin,
                0 <= self.margin < self.size,
                f"0 or more pixels, less than --size {self.size}",
            ),
            ("--hold", self.hold, self.hold >= 0, "0 seconds or more"),
            ("--detect-size", self.detect_size, self.detect_size >= 0, "0 (as stored) or more pixels"),
            ("--min-face", self.min_face, self.min_face >= 12, "12 pixels or more"),
        ]
        for flag, value, good, expected in numbers:
            if not good:
                raise InputError.of(where=flag, expected=expected, found=f"{value:g}", remedy="correct it")
        for flag, word, words in (("--face", self.face, FACES), ("--fallback", self.fallback, FALLBACKS)):
            if word not in words:
                raise InputError.of(
                    where=flag, expected=" or ".join(words), found=repr(word), remedy="write one of them"
                )
        if self.speaker is not None:
            self.speaker.check()

    @property
    def asked(self) -> dict[str, Any]:
        """As they are kept on disk."""
        every = asdict(self)
        if every["speaker"] is None:
            del every["speaker"]
        return every


def settle(folder: Path, settings: Settings) -> None:
    """Write the settings into the folder of the crops, or find that those there are the same.

    Raises:
        InputError: the folder holds something else, or faces found otherwise.
    """
    file, asked = folder / PLAN, settings.asked
    if not file.is_file():
        others = sorted(name for name in os.listdir(folder) if not name.startswith("."))
        if others:
            raise InputError.of(
                where=folder,
                expected="an empty folder, or one that mmer faces began",
                found=", ".join(others[:3]),
                remedy="choose another --out",
            )
        replace_file(file, json.dumps(asked, indent=1) + "\n")
        return
    try:
        there = json.loads(file.read_text(encoding="utf-8"))
        asked = {**({"speaker": None} if "speaker" in there else {}), **asked}
        differ = {key: there.get(key) for key in asked if there.get(key) != asked[key]}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError.of(
            where=file,
            expected="the settings of mmer faces",
            found=f"a damaged file ({error})",
            remedy=f"remove the folder {folder} and run mmer faces again",
        ) from error
    if differ:
        raise InputError.of(
            where=folder,
            expected="faces found with " + ", ".join(f"{key} {asked[key]!r}" for key in differ),
            found="some found with " + ", ".join(f"{key} {value!r}" for key, value in differ.items()),
            remedy="choose another --out, ask for what is there, or remove the folder to start again",
        )


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one run at a time work on a folder, and remove what killed ones left half-written.

    Raises:
        InputError: another one is running, or the folder cannot be written.
    """
    with locked(folder, other="run of mmer faces into this folder", instead="choose another --out"):
        for name in os.listdir(folder):
            if name.startswith(".") and (folder / name).is_dir():
                shutil.rmtree(folder / name)
        yield


def folder_names(ids: Iterable[str]) -> dict[str, str]:
    """Clip id → name of a folder: one level, any file system, readable, and different for different ids.

    Letters, digits, '_', '-' and '.' stay; other characters become '%' and their bytes. Long names, and names that
    differ in case only, end in '=' and a checksum of the id.
    """
    names = {clip_id: quote(clip_id, safe="").replace("~", "%7E") for clip_id in ids}
    seen: dict[str, int] = {}
    for name in names.values():
        seen[name.lower()] = seen.get(name.lower(), 0) + 1
    for clip_id, name in names.items():
        if name.startswith("."):
            names[clip_id] = name = "%2E" + name[1:]
        if len(name) > _LONGEST_NAME or seen.get(name.lower(), 0) > 1:
            digest = hashlib.sha256(clip_id.encode()).hexdigest()[:12]
            names[clip_id] = f"{name[:_LONGEST_NAME]}={digest}"
    return names
