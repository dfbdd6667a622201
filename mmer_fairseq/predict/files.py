"""What a file has: pictures, sound, words; and which files of a folder are meant."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.files import KINDS, sniff
from mmer_fairseq.media.medium import open_medium
from mmer_fairseq.media.picture_folder import ENDINGS, is_picture, is_picture_folder, pictures_seconds
from mmer_fairseq.media.sound import sound_seconds
from mmer_fairseq.media.wholeness import examine

SUBTITLES = (".vtt", ".srt")
TEXT = ".txt"
_MEDIA = {suffix for kind in KINDS for suffix in kind.suffixes} - {".dat"}
_HEAD = 1024


@dataclass(frozen=True)
class Found:
    """What is in a file.

    Attributes:
        path: of it.
        kind: ``text``, ``subtitles`` or ``media``.
        seconds: how long it is, from headers; 0: it has no clock.
        sound: it has a sound track.
        picture: it has pictures.
    """

    path: Path
    kind: str
    seconds: float = 0.0
    sound: bool = False
    picture: bool = False

    @property
    def media(self) -> dict[str, str]:
        """Modality → path, of what it has."""
        found = {"audio": self.sound, "video": self.picture}
        return {modality: str(self.path) for modality, there in found.items() if there}


def look(path: Path, picture_rate: float) -> Found:
    """Look into a file; nothing is decoded.

    Args:
        path: a file, or a folder of numbered pictures.
        picture_rate: of such pictures, in Hz.

    Raises:
        InputError: it is missing, empty, truncated, or of no kind that can be read.
    """
    suffix = path.suffix.lower()
    if path.exists() and is_picture_folder(path):
        seconds = 0.0 if is_picture(path) else pictures_seconds(path, picture_rate)
        return Found(path, "media", seconds, picture=True)
    if suffix in (*SUBTITLES, TEXT) and path.is_file():
        return Found(path, "text" if suffix == TEXT else "subtitles")
    if suffix == ".pt":
        return Found(path, "media", sound_seconds(path), sound=True)
    kind = examine(path, wanted="a video, a sound, a text (.txt) or subtitles (.vtt, .srt)")
    if kind.medium == "sound":
        return Found(path, "media", sound_seconds(path), sound=True)
    with open_medium(path) as medium:
        sound, picture = medium.find("audio") is not None, medium.find("video") is not None
        if not sound and not picture:
            medium.track("video")  # says what there is instead
        return Found(path, "media", medium.seconds, sound, picture)


def beside(path: Path) -> Path | None:
    """A subtitle or text file of the same name beside a medium."""
    for suffix in (*SUBTITLES, TEXT):
        other = path.with_suffix(suffix)
        if other != path and other.is_file():
            return other
    return None


def expand(paths: Iterable[str | Path]) -> list[Path]:
    """Files, and what folders hold: every medium, and every text that lies beside none.

    A folder of numbered pictures is one video.

    Raises:
        InputError: a folder holds nothing that can be read; nothing was named.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir() or _is_video(path):
            found.append(path)
            continue
        inside = sorted(_inside(path))
        if not inside:
            raise InputError.of(
                where=path,
                expected="a folder with videos, sounds or texts",
                found="none, by their names",
                remedy="name another folder, or the files themselves",
            )
        found += inside
    return found


def _inside(folder: Path) -> Iterable[Path]:
    for root, folders, names in os.walk(folder):
        here = [Path(root) / name for name in names if not name.startswith(".")]
        videos = [Path(root) / name for name in folders if _is_video(Path(root) / name)]
        folders[:] = [
            name for name in folders if not name.startswith(".") and Path(root) / name not in videos
        ]
        yield from videos
        media = [path for path in here if path.suffix.lower() in _MEDIA and _is_medium(path)]
        yield from media
        stems = {path.stem for path in media}
        yield from (p for p in here if p.suffix.lower() in (*SUBTITLES, TEXT) and p.stem not in stems)


def _is_medium(path: Path) -> bool:
    """False for TypeScript, whose files end as MPEG transport streams do."""
    if path.suffix.lower() != ".ts":
        return True
    try:
        with open(path, "rb") as file:
            kind = sniff(file.read(_HEAD))
    except OSError:
        return True  # reading it says what is wrong
    return kind is None or kind.name != "text"


def _is_video(folder: Path) -> bool:
    """Whether a folder holds numbered pictures, and nothing else by its names."""
    names = [name for name in os.listdir(folder) if not name.startswith(".")]
    pictures = [name for name in names if name.lower().endswith(ENDINGS)]
    return bool(pictures) and all(Path(name).stem.isdigit() for name in pictures)
