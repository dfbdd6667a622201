"""The timeline of a recording as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmer_fairseq.plots.timeline import Bar, timeline_figure
from mmer_fairseq.predict.segment import Segment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Points of a trace that the picture keeps of each segment.
_POINTS = 60
_KEY_FRAMES = 10


def light(segment: Segment, number: int, modalities: Sequence[str]) -> Bar:
    """What the picture needs of a segment: memory stays flat.

    Args:
        segment: one prediction.
        number: of the segment, which is its place where there is no clock.
        modalities: of the model.
    """
    start, end = segment.start, segment.end
    if start is None or end is None:
        start, end = number, number + 1
    trace = None
    if segment.trace is not None:
        every = max(1, len(segment.trace) // _POINTS)
        times = start + np.arange(0, len(segment.trace), every) / segment.rate
        trace = times, segment.trace[::every]
    read = [m for m in modalities if m not in segment.missing]
    return Bar(float(start), float(end), segment.scores, segment.label, read, trace, segment.text)


def draw(recording: Any, bars: Sequence[Bar], name: str = "") -> Figure:
    """The timeline, with faces where the recording has pictures.

    Args:
        recording: :class:`mmer_fairseq.predict.recording.Recording` that was predicted.
        bars: at least one, of :func:`light`.
        name: of the file, in the title (default: that of its path).
    """
    from mmer_fairseq.predict.key_frames import key_faces, moments

    labels, faces = recording.predictor.labels, []
    clocked = bool(recording.seconds)
    if recording.found.picture and clocked:
        times = moments([(bar.start, bar.end) for bar in bars], recording.seconds, _KEY_FRAMES)
        faces = key_faces(recording.path, times, recording.picture_rate)
    return timeline_figure(
        bars,
        labels.names,
        kind=labels.kind,
        title=f"{name or recording.path.name}: predicted {labels.name}",
        subtitle=recording.about,
        modalities=recording.predictor.modalities,
        faces=faces,
        limits=labels.range,
        clocked=clocked,
        end=recording.seconds if clocked else float(len(bars)),
    )
