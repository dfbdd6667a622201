"""One clip of a corpus: its film and sound → what was found out about everybody in it, a file that appears whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Callable

import numpy as np

from mmer_fairseq.corpus import Clip
from mmer_fairseq.corpus.write import replace_file, writing
from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.clip_faces import Moment, Task, pictures, save
from mmer_fairseq.faces.crop import as_jpeg, centre_box, cut, region
from mmer_fairseq.faces.detectors import DETECTORS
from mmer_fairseq.faces.follow import FALLBACK, FOUND, NONE
from mmer_fairseq.faces.speaker.boxes import Table, by_picture
from mmer_fairseq.faces.speaker.embed import embedder
from mmer_fairseq.faces.speaker.find import Analysis, analyse
from mmer_fairseq.faces.speaker.score import Evidence
from mmer_fairseq.faces.speaker.settings import LIP_RATE
from mmer_fairseq.faces.speaker.tracks import Track
from mmer_fairseq.faces.work import Job
from mmer_fairseq.media.picture_folder import is_picture_folder
from mmer_fairseq.media.sound import load_sound
from mmer_fairseq.media.video import video_info

_FORMAT = "mmer speaker 1"
_SOUND_RATE = 16000

# Bytes of pictures kept in memory; longer clips are decoded again for every step.
_MEMORY = 600_000_000


def lip_rate(task: Task) -> float:
    """Pictures a second in which lips are read, in Hz: a multiple of the crops' rate, near 25."""
    return task.rate * max(1, round(LIP_RATE / task.rate))


class Film:
    """The pictures of a clip, as often as they are asked for."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._kept: list[np.ndarray] | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[np.ndarray] | None = []
        size = 0
        for part in pictures(self._task):
            for picture in part:
                size += picture.nbytes
                if size > _MEMORY:
                    kept = None
                if kept is not None:
                    kept.append(picture)
                yield picture
        self._kept = kept


def sound_of(clip: Clip) -> np.ndarray | None:
    """Samples of a clip at 16 kHz, or None where it has no sound.

    Raises:
        InputError: the sound cannot be read.
    """
    path = clip.media.get("audio", "")
    if not path or clip.stores("audio"):
        path = clip.media["video"]
        if is_picture_folder(path) or not video_info(path, where=clip.where).has_sound:
            return None
    sound = load_sound(
        path, start=clip.start, end=clip.end, rate=_SOUND_RATE, allow_silent=True, where=clip.where
    )
    return np.asarray(sound.numpy())


@dataclass(frozen=True)
class AnalysisJob(Job):
    """Find everybody in each clip.

    Attributes:
        folder: where the results go.
        names: clip id → name of its file.
        table: boxes in place of a detector.
    """

    folder: Path = Path(".")
    names: dict[str, str] = field(default_factory=dict)
    table: Table | None = None

    def begin(self) -> Callable[[Task], str]:
        speaker = self.settings.speaker
        assert speaker is not None
        detector = self.detector() if self.table is None else None
        helper = None
        if detector is not None and speaker.helper != "none":
            helper = DETECTORS[speaker.helper].build(self.settings.min_face, self.device)
        embed = embedder(speaker.embed, self.device)

        def work(task: Task) -> str:
            try:
                film = Film(replace(task, rate=lip_rate(task)))
                count = sum(1 for _ in film)
                times = np.arange(count) / lip_rate(task)
                boxes = self.table and by_picture(self.table.get(task.clip.id, ()), lip_rate(task), count)
                analysis = analyse(
                    film,
                    times,
                    wave=sound_of(task.clip),
                    rate=_SOUND_RATE,
                    boxes=None if self.table is None else boxes or {},
                    detector=detector,
                    helper=helper,
                    embed=embed,
                    lips=speaker.lips,
                    tracker=speaker.tracker,
                    looks=speaker.looks,
                    shorter=self.settings.detect_size,
                )
            except InputError as error:
                return str(error)
            keep(self.folder / self.names[task.clip.id], task, analysis)
            return ""

        return work


def keep(file: Path, task: Task, analysis: Analysis) -> None:
    """Write what was found out."""
    tracks = [
        {
            **{key: value for key, value in asdict(track).items() if key not in ("boxes", "points")},
            "boxes": np.round(track.boxes, 1).tolist(),
            "evidence": {key: round(value, 4) for key, value in asdict(evidence).items()},
            "vector": np.round(vector, 4).tolist(),
        }
        for track, evidence, vector in zip(analysis.tracks, analysis.evidence, analysis.vectors)
    ]
    note = {
        "format": _FORMAT,
        "clip": task.clip.id,
        "source": _source(task),
        "count": analysis.count,
        "cuts": analysis.cuts,
        "heard": round(analysis.heard, 4),
        "sound": analysis.sound,
        "tracks": tracks,
    }
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(file, json.dumps(note, ensure_ascii=False, separators=(",", ":")) + "\n")


def _source(task: Task) -> dict[str, Any]:
    audio = task.clip.media.get("audio", "")
    return {**task.source, "audio": Path(audio).name}


def kept(file: Path, task: Task) -> Analysis | None:
    """What was found out about a clip before; None: nothing, or about another film."""
    try:
        note = json.loads(file.read_text(encoding="utf-8"))
        if (note["format"], note["clip"], note["source"]) != (_FORMAT, task.clip.id, _source(task)):
            return None
        tracks, evidence, vectors = [], [], []
        for row in note["tracks"]:
            evidence.append(Evidence(**{**row["evidence"], "track": int(row["evidence"]["track"])}))
            vectors.append(np.array(row["vector"], np.float32))
            plain = {key: row[key] for key in ("id", "shot", "first", "seen", "looked", "score")}
            tracks.append(Track(boxes=np.array(row["boxes"], np.float64), **plain))
        return Analysis(
            note["count"], list(note["cuts"]), tracks, evidence, vectors, note["heard"], note["sound"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def moments_of(
    task: Task, boxes: np.ndarray, tracks: Analysis, chosen: list[int], score: float
) -> list[Moment]:
    """What each picture of the new corpus shows.

    Args:
        task: whose.
        boxes: float64 [T, 4] at the lips' rate, NaN: no picture.
        tracks: of the clip.
        chosen: ids of the tracks that the boxes are of.
        score: confidence of the clip.
    """
    every = round(lip_rate(task) / task.rate)
    owners = [track for track in tracks.tracks if track.id in chosen]
    moments = []
    for number, index in enumerate(range(0, tracks.count, every), 1):
        box = boxes[index]
        if np.isnan(box).any():
            moments.append(Moment(number, NONE))
            continue
        owner = next((track.id for track in owners if track.box_at(index) is not None), 0)
        x0, y0, x1, y1 = (float(x) for x in np.round(box, 2))
        moments.append(Moment(number, FOUND, (x0, y0, x1, y1), round(score, 4), owner))
    return moments


@dataclass(frozen=True)
class CropJob(Job):
    """Cut the chosen face of each clip.

    Attributes:
        wanted: clip id → its moments.
    """

    wanted: dict[str, list[Moment]] = field(default_factory=dict)

    def begin(self) -> Callable[[Task], str]:
        def work(task: Task) -> str:
            moments, crops = [], {}
            wanted = iter(self.wanted[task.clip.id])
            try:
                for part in pictures(task):
                    for picture in part:
                        moment = next(wanted, None)
                        if moment is None:
                            break
                        moment, crop = self._crop(moment, picture)
                        moments.append(moment)
                        if crop:
                            crops[moment.number] = crop
            except InputError as error:
                return str(error)
            save(task, moments, crops)
            return ""

        return work

    def _crop(self, moment: Moment, picture: np.ndarray) -> tuple[Moment, bytes]:
        height, width = picture.shape[:2]
        settings = self.settings
        if moment.box is not None:
            x0, y0, x1, y1 = region(moment.box, settings.margin, settings.size, width, height)
            if x1 > x0 and y1 > y0:
                return moment, as_jpeg(cut(picture, (x0, y0, x1, y1), settings.size))
        if settings.fallback == "centre":
            box = centre_box(width, height)
            where = region(box, settings.margin, settings.size, width, height)
            return Moment(moment.number, FALLBACK, box), as_jpeg(cut(picture, where, settings.size))
        return Moment(moment.number, NONE), b""
