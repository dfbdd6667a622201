"""Models of traces: every step of a recording, group of windows by group of windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mmer_fairseq.corpus import Clip
from mmer_fairseq.corpus.streams import stream_seconds
from mmer_fairseq.criterions.objectives import fit_steps
from mmer_fairseq.errors import InputError
from mmer_fairseq.predict.segment import Segment
from mmer_fairseq.predict.sources import RawTrace, Source, read_stretch

if TYPE_CHECKING:
    from mmer_fairseq.predict.predictor import Predictor

#: Windows that go through the model together.
BATCH = 4

#: Called with modality and error: what cannot be read is noted, or raised.
Fault = Callable[[str, InputError], None]


def seconds_of(source: Source, clip: Clip) -> float:
    """Length of the medium, from headers."""
    options = source.source.options if isinstance(source, RawTrace) else source.options
    modality = source.modality
    return stream_seconds(clip, modality, options)


def clip_trace(
    predictor: Predictor, clip: Clip, steps: int | None, missing: tuple[str, ...], notes: tuple[str, ...]
) -> Segment:
    """The whole trace of one clip; what cannot be read is an error."""

    def stop(modality: str, error: InputError) -> None:
        raise error

    rate = predictor.labels.rate_of(clip)
    sources = {m: source for m, source in predictor.sources.items() if source.present(clip)}
    lengths = {m: seconds_of(source, clip) for m, source in sources.items()}
    if steps is None:
        steps = max(1, int(max(lengths.values()) * rate + 0.5))
    groups = [trace for _, _, trace in groups_of(predictor, clip, sources, lengths, steps, stop)]
    return trace_segment(predictor, np.concatenate(groups), clip.start, clip.end, rate, missing, notes)


def groups_of(
    predictor: Predictor,
    clip: Clip,
    sources: Mapping[str, Source],
    lengths: Mapping[str, float],
    steps: int,
    fault: Fault,
    silent: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Predict a recording of ``steps`` steps.

    Args:
        predictor: of a model of traces.
        clip: the recording.
        sources: modality → what reads it.
        lengths: modality → seconds.
        steps: of the trace.
        fault: told of a modality that a group of windows cannot be read of.
        silent: told of a group whose sound has samples that are all equal; it is read as it is, as in training.

    Yields:
        first step of a group of windows, the step behind its last, float64 [T, N].
    """
    windows = predictor.windows
    assert windows is not None
    rate = predictor.labels.rate_of(clip)
    for first in range(0, steps, windows.span):
        last = min(first + windows.span, steps)
        around = windows.group(first, steps)
        starts = [s for s in range(first, first + windows.subseq_length) if s < last]
        lost: set[str] = set()
        quiet = "audio" in sources
        out = np.full((last - first, len(predictor.labels.names)), np.nan)
        for at in range(0, len(starts), BATCH):
            items, targets = [], []
            for start in starts[at : at + BATCH]:
                wanted = windows.targets(start, steps)
                streams: dict[str, Any] = {}
                for modality, source in sources.items():
                    if modality in lost:
                        continue
                    try:
                        streams[modality] = read_stretch(
                            source, clip, wanted, rate, around, lengths[modality]
                        )
                    except InputError as error:
                        lost.add(modality)
                        fault(modality, error)
                quiet = quiet and _constant(streams.get("audio"))
                items.append({"streams": streams})
                targets.append(wanted)
            if len(lost) == len(sources):
                break
            with torch.no_grad():
                logits = predictor.model(**predictor.net_input(items))["logits"].double().cpu()
            logits = fit_steps(logits, max(map(len, targets)))
            for row, wanted in enumerate(targets):
                out[wanted - first] = logits[row, : len(wanted)].numpy()
        if quiet:
            silent()
        yield first, last, out


def _constant(sound: torch.Tensor | None) -> bool:
    """Whether there is sound of one value."""
    return sound is not None and sound.dim() == 1 and len(sound) > 0 and bool((sound == sound[0]).all())


def trace_segment(
    predictor: Predictor,
    trace: np.ndarray,
    start: float | None,
    end: float | None,
    rate: float,
    missing: tuple[str, ...],
    notes: tuple[str, ...],
) -> Segment:
    """A trace as a segment; its scores are means."""
    known = not np.isnan(trace).all()
    scores, label = predictor.scorer.read(torch.from_numpy(np.nanmean(trace, axis=0))) if known else ({}, "")
    return Segment(start, end, scores, label, missing, notes, trace=trace, rate=rate)
