"""The model in words for the page, and one prediction of a file as events."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.stopping import check
from mmer_fairseq.predict.picture import light
from mmer_fairseq.predict.write import Writer
from mmer_fairseq.serve.safety import scrub

if TYPE_CHECKING:
    from mmer_fairseq.predict import Predictor, Segment
    from mmer_fairseq.serve.uploads import Upload

#: Seconds of a file that typed words can belong to: it is read as one clip.
WORDS_SECONDS = 120.0
#: Seconds of windows that a user may ask for; 0: as the file suggests.
WINDOWS = (0.0, 1.0, 2.0, 5.0, 10.0)

Event = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a user asks of a file.

    Attributes:
        without: modalities that are switched off, sorted.
        window: seconds; one of :data:`WINDOWS`.
        text: what is said; '': nothing is known, or subtitles are given.
    """

    without: tuple[str, ...] = ()
    window: float = 0.0
    text: str = ""

    @classmethod
    def of(cls, plain: Any, predictor: Predictor) -> Wish:
        """Read what the page sends.

        Raises:
            ValueError: it is not of that form.
        """
        without, window, text = plain.get("without", []), plain.get("window", 0), plain.get("text", "")
        known = set(predictor.modalities)
        if not isinstance(without, list) or not all(m in known for m in without):
            raise ValueError("without")
        if not isinstance(window, (int, float)) or float(window) not in WINDOWS:
            raise ValueError("window")
        if not isinstance(text, str) or len(text) > 20000:
            raise ValueError("text")
        text.encode()  # refuses half of a surrogate pair, which no file could hold
        return cls(tuple(sorted(set(without))), float(window), " ".join(text.split()))


def about(predictor: Predictor, settings: Any) -> dict[str, Any]:
    """What the page must know before a file is given."""
    from mmer_fairseq.serve.safety import ACCEPTED

    labels = predictor.labels
    return {
        "name": Path(predictor.path).name,
        "labels": labels.name,
        "kind": labels.kind,
        "names": list(labels.names),
        "range": list(labels.range) if labels.range else None,
        "modalities": [
            {"name": m, "why": scrub(predictor.unavailable.get(m, ""), {})} for m in predictor.modalities
        ],
        "windows": list(WINDOWS) if predictor.windows is None else [0.0],
        "accepted": list(ACCEPTED),
        "max_bytes": settings.max_bytes,
        "max_minutes": settings.max_minutes,
        "keep": settings.keep,
        "words_seconds": WORDS_SECONDS,
    }


def predict(
    predictor: Predictor, upload: Upload, wish: Wish, folder: Path, faces: str
) -> Iterator[tuple[Event, Any]]:
    """Predict a file and write its tables.

    Args:
        predictor: the model.
        upload: the file.
        wish: what of it.
        folder: for the tables.
        faces: as ``--faces``.

    Yields:
        (event for the page, what the picture needs of it: the recording, then bars).

    Raises:
        InputError: the file cannot be read, or has nothing that the model takes.
        StoppedError: see :mod:`mmer_fairseq.media.stopping`.
    """
    recording = predictor.open(upload.path, **_options(predictor, upload, wish, faces))
    recording.missing = {m: upload.plainly(why) for m, why in recording.missing.items()}
    clocked, began, done = bool(recording.seconds), time.monotonic(), 0.0
    start: Event = {
        "type": "start",
        "seconds": recording.seconds,
        "clocked": clocked,
        "cut": recording.about,
        "missing": recording.missing,
        "sound": recording.found.sound,
        "picture": recording.found.picture,
    }
    yield start, recording
    count = 0
    with Writer(folder, recording, upload.name, Path(predictor.path).name) as writer:
        for number, segment in enumerate(recording.segments()):
            check()
            notes = tuple(upload.plainly(note) for note in segment.notes)
            segment = dataclasses.replace(segment, notes=notes)
            writer.add(segment)
            done, count = max(done, segment.end or 0.0), number + 1
            took = time.monotonic() - began
            event = {"type": "segment", "segment": _plain(segment), "done": done, "took": took}
            yield event, light(segment, number, predictor.modalities)
        recording.notes[:] = [upload.plainly(note) for note in recording.notes]
    took = time.monotonic() - began
    yield {"type": "done", "count": count, "notes": recording.notes, "took": took, "done": done}, None


def _options(predictor: Predictor, upload: Upload, wish: Wish, faces: str) -> dict[str, Any]:
    found = upload.found
    assert found is not None
    options: dict[str, Any] = {"without": wish.without, "beside": False, "faces": faces}
    options["folder"] = str(upload.folder)
    if predictor.windows is not None or found.kind != "media":
        return options
    if wish.text and "text" in predictor.sources:
        if found.seconds > WORDS_SECONDS:
            raise InputError.of(
                where=upload.name,
                expected=f"a recording of at most {WORDS_SECONDS:g} seconds for words without times",
                found=f"{found.seconds:.0f} seconds",
                remedy="give the words as subtitles (.vtt or .srt)",
            )
        return {**options, "text": wish.text, "whole": True}
    if upload.words is not None and "text" in predictor.sources:
        return {**options, "subtitles": str(upload.words)}
    return {**options, "window": wish.window}


def _plain(segment: Segment) -> dict[str, Any]:
    """For JSON, which knows no NaN; traces in four digits."""
    plain = segment.about()
    if segment.trace is not None:
        plain["trace"] = [
            [round(x, 4) if math.isfinite(x) else None for x in row] for row in segment.trace.tolist()
        ]
    return plain
