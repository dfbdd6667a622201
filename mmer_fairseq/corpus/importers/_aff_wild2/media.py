"""Faces, sound and frame rate of Aff-Wild2's videos. Only folders and headers are read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import files_under, recordings
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.picture_folder import ENDINGS, picture_numbers
from mmer_fairseq.media.video import video_info

FILMS = (".mp4", ".avi", ".mov", ".mkv")
SOUNDS = (".wav",)
#: Two persons of one video are annotated apart; their sound and frame rate are those of the video.
SIDES = ("_left", "_right")


@dataclass(frozen=True)
class Medium:
    """What there is of one annotated video.

    Attributes:
        faces: folder of its pictures (None: none).
        last: number of the last picture (0: none).
        sound: file of its sound (None: none).
        rate: frames a second in Hz by the header of its video (0: not known).
        frames: of its video, by the header (0: not known).
    """

    faces: Path | None = None
    last: int = 0
    sound: Path | None = None
    rate: float = 0.0
    frames: int = 0


def base_of(video: str) -> str:
    """The video that an annotated person is in: '10-60_left' → '10-60'."""
    for side in SIDES:
        if video.endswith(side) and len(video) > len(side):
            return video[: -len(side)]
    return video


def find_media(
    videos: Iterable[str], faces: Path | None, films: Path | None, sounds: Path | None, left_out: LeftOut
) -> dict[str, Medium]:
    """Look for the media of the videos.

    Args:
        videos: their names, perhaps with _left or _right.
        faces: holds a folder of numbered pictures for each (None: not wanted).
        films: the videos themselves, in any folders below it (None: not wanted).
        sounds: .wav files that are preferred to the track of the video (None: those beside the videos).
        left_out: told what is missing.

    Raises:
        InputError: two files of one video, or a picture that is not named by a number.
    """
    videos = list(videos)
    files = files_under(films) if films else []
    found_films, empty = recordings(files, FILMS, _name)
    found_sounds, silent = recordings([*files, *(files_under(sounds) if sounds else [])], SOUNDS, _name)
    left_out.note("with an empty file, taken as none", sorted({*empty, *silent}))
    headers: dict[Path, tuple[float, int, bool]] = {}
    unreadable: dict[str, str] = {}
    media = {}
    for video in videos:
        film = found_films.get(video) or found_films.get(base_of(video))
        sound = found_sounds.get(video) or found_sounds.get(base_of(video))
        rate, frames, has_sound = 0.0, 0, False
        if film is not None:
            try:
                if film not in headers:
                    info = video_info(film)
                    headers[film] = info.rate, info.frames, info.has_sound
                rate, frames, has_sound = headers[film]
            except InputError as error:
                unreadable[video] = str(error)
        folder, last = _faces(faces, video)
        media[video] = Medium(folder, last, sound or (film if has_sound else None), rate, frames)
    if unreadable:
        left_out.note("whose video cannot be read, taken as none", unreadable)
        left_out.notes.append(f"the first of them: {next(iter(unreadable.values()))}")
    if faces:
        left_out.note("without faces", [video for video in videos if not media[video].faces])
    if films or sounds:
        left_out.note("without sound", [video for video in videos if not media[video].sound])
    if films:
        lost = [video for video in videos if not media[video].rate and video not in unreadable]
        left_out.note("without a video, whose frame rate is taken as that of the label space", lost)
    return media


def _name(stem: str, where: str) -> str:
    return stem


def _faces(faces: Path | None, video: str) -> tuple[Path | None, int]:
    """The folder of pictures and its last number; (None, 0) where there are no pictures."""
    folder = faces / video if faces else None
    if folder is None or not folder.is_dir():
        return None, 0
    with os.scandir(folder) as entries:
        if not any(entry.name.lower().endswith(ENDINGS) for entry in entries):
            return None, 0
    return folder, int(picture_numbers(folder)[-1])
