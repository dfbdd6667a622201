"""Recordings of CMU-MOSEI and CMU-MOSI: whole ones, or one file a clip."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmer_fairseq.corpus.faults import some
from mmer_fairseq.corpus.importers._cmu.labels import Label, clip_number
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import files_under, recordings
from mmer_fairseq.errors import InputError

ENDINGS = {"audio": (".wav",), "video": (".mp4", ".avi")}
WHOLE, SEGMENTS = "whole", "segments"

#: Where the release has the same sound at several rates, that of 16 kHz is taken.
_RATE = "WAV_16000"


@dataclass
class Found:
    """Files of one modality: video → whole recording, clip → its own one."""

    whole: dict[str, Path] = field(default_factory=dict)
    segments: dict[str, Path] = field(default_factory=dict)

    def of(self, clip: str, label: Label, form: str) -> Path | None:
        return self.whole.get(label.video) if form == WHOLE else self.segments.get(clip)


def find_media(
    labels: Mapping[str, Label],
    timed: Collection[str],
    places: Mapping[str, Path],
    modalities: Collection[str],
    form: str | None,
    left_out: LeftOut,
) -> tuple[dict[str, dict[str, Path]], str]:
    """The files of each clip, all of one form, because the times of a clip hold for all its media.

    Args:
        labels: of the clips.
        timed: clips whose times are known.
        places: folder of the ``audio`` and of the ``video``; the folders in it count.
        modalities: that are wanted.
        form: ``whole`` or ``segments``; None: that which gives more clips more of the modalities.
        left_out: told what is missing.

    Returns:
        Clip → modality → file, and the form.

    Raises:
        InputError: two files are of one recording, or there is none of a modality.
    """
    wanted = [modality for modality in ENDINGS if modality in modalities]
    if not wanted:
        return {clip: {} for clip in labels}, form or SEGMENTS
    found = {what: _look(places[what], what, labels, left_out) for what in ENDINGS if what in wanted}
    films = found.get("video") or _look(places["video"], "video", labels, LeftOut())
    choices = {one: _gather(labels, timed, found, films, one) for one in (SEGMENTS, WHOLE)}
    form = form or max(choices, key=lambda one: sum(map(len, choices[one][0].values())))
    media, tracks = choices[form]
    for modality in wanted:
        lacking = [clip for clip, files in media.items() if modality not in files]
        if len(lacking) == len(media):
            ending = ENDINGS[modality][0]
            name = f"<video>{ending}" if form == WHOLE else f"<video>_<clip>{ending}"
            raise InputError.of(
                where=places[modality],
                expected=f"{modality} of labelled clips ({name})",
                found="none",
                remedy=f"name the folder with --{'sounds' if modality == 'audio' else 'videos'}, or leave "
                f"{modality} out of --modalities",
            )
        left_out.note(f"without {modality}", lacking)
    left_out.note("without a .wav, whose sound is the track of the video", tracks)
    if form == WHOLE:
        left_out.note("without times, so that nothing can be cut for them", sorted(set(labels) - set(timed)))
    return media, form


def _gather(
    labels: Mapping[str, Label],
    timed: Collection[str],
    found: Mapping[str, Found],
    films: Found,
    form: str,
) -> tuple[dict[str, dict[str, Path]], list[str]]:
    """Files of each clip, and the clips whose sound is the track of their video."""
    media: dict[str, dict[str, Path]] = {}
    tracks = []
    for clip, label in labels.items():
        files = media[clip] = {}
        if form == WHOLE and clip not in timed:
            continue
        for modality, of_modality in found.items():
            file = of_modality.of(clip, label, form)
            if file is None and modality == "audio":
                file = films.of(clip, label, form)
                tracks += [clip] if file else []
            if file is not None:
                files[modality] = file
    return media, tracks


def _look(place: Path, modality: str, labels: Mapping[str, Label], left_out: LeftOut) -> Found:
    endings = ENDINGS[modality]
    files = [path for path in files_under(place) if path.suffix.lower() in endings]
    preferred = [path for path in files if _RATE in path.parts]
    videos = {label.video for label in labels.values()}
    whole, segments, others = {}, {}, []
    for path in preferred or files:
        clip = _clip_of(path, labels, videos)
        if path.stem in videos:
            whole[path] = path.stem
        elif clip:
            segments[path] = clip
        else:
            others.append(path)
    if others:
        shown = some(path.relative_to(place) for path in others)
        left_out.notes.append(f"files of no labelled clip, passed over: {shown}")
    found = Found()
    found.whole, empty = recordings(whole, endings, lambda _, path: whole[Path(path)])
    if empty:
        left_out.notes.append(f"videos with an empty file of {modality}, taken as none: {some(empty)}")
    found.segments, empty = recordings(segments, endings, lambda _, path: segments[Path(path)])
    left_out.note(f"with an empty file of {modality}, taken as none", empty)
    return found


def _clip_of(path: Path, labels: Mapping[str, Label], videos: Collection[str]) -> str | None:
    """``<video>_<clip>.mp4`` or ``<video>/<clip>.mp4``; None where that is no labelled clip."""
    video, _, last = path.stem.rpartition("_")
    if not video and path.parent.name in videos:
        video = path.parent.name
    number = clip_number(last) if last.isdigit() else None
    name = f"{video}_{number}"
    return name if name in labels else None
