"""The part of a recording that belongs to a step of its trace: a sub-sequence that ends there.

A trace has one label a step (a video frame in Aff-Wild2). What a model sees for the label of step t are the L steps
that end with t: some of their pictures, their sound, their biosignal. Only what is asked for is decoded, so a long
recording costs no more memory than a short one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmer_fairseq.corpus.clip import Clip
from mmer_fairseq.corpus.streams import RawOptions, stream_seconds
from mmer_fairseq.media.picture_folder import is_picture_folder, load_pictures
from mmer_fairseq.media.series import load_series
from mmer_fairseq.media.sound import load_sound
from mmer_fairseq.media.video import load_frames

#: Sound that is decoded beyond what is wanted, in seconds: a resampler needs what lies around a sample.
_MARGIN = 0.1


@dataclass(frozen=True)
class Subsequences:
    """How much of a recording a sub-sequence is.

    Attributes:
        length: L, steps of the trace that it covers; the last one is its target.
        dilation: d; every d-th of these steps, counted back from the target, gives a picture or a stored vector.
    """

    length: int = 32
    dilation: int = 4

    @property
    def picks(self) -> int:
        """n, pictures or vectors of a sub-sequence."""
        return -(-self.length // self.dilation)

    def steps(self, targets: np.ndarray) -> np.ndarray:
        """The steps that give a picture: int64 [S] → [S, n], in order of time.

        Before the beginning of a recording its first step stands in.
        """
        back = np.arange(self.picks - 1, -1, -1) * self.dilation
        return np.maximum(targets[:, None] - back, 0)

    def chunk(self, form: str, trace_rate: float, stream_rate: float) -> int:
        """Pictures, samples or values of a sub-sequence.

        Args:
            form: of the stream: ``frames``, ``samples`` or ``series``.
            trace_rate: steps of the trace a second, in Hz.
            stream_rate: samples or values a second, in Hz.
        """
        return self.picks if form == "frames" else max(1, round(self.length / trace_rate * stream_rate))


@dataclass(frozen=True)
class Stretch:
    """Sub-sequences of one clip that are read together.

    Attributes:
        targets: int64 [S], their target steps, rising.
        rate: steps of the clip's trace a second, in Hz.
        around: first and last target of all sub-sequences that are going to be read from here, in turn: what
            they share is then decoded once. None: only these.
    """

    targets: np.ndarray
    rate: float
    around: tuple[int, int] | None = None


class SubsequenceReader:
    """Reads sub-sequences of one modality from its media.

    Args:
        modality: ``audio``, ``video`` or ``physio``.
        options: how media become tensors.
        subsequences: their length and dilation.
        chunk: see :meth:`Subsequences.chunk`.
    """

    def __init__(self, modality: str, options: RawOptions, subsequences: Subsequences, chunk: int) -> None:
        self.modality = modality
        self.options = options
        self.subsequences = subsequences
        self.chunk = chunk
        self._recent: tuple[tuple[str, int, int], Tensor] | None = None

    def read(self, clip: Clip, stretch: Stretch, seconds: float = 0.0) -> Tensor:
        """Read sub-sequences, one after the other.

        Where a recording ends before its trace, its last picture stays and its sound and signal are 0.

        Args:
            clip: has the modality as a medium.
            stretch: which ones.
            seconds: how long the medium is (0: look it up).

        Returns:
            video ByteTensor [S·n, 3, H, W]; audio FloatTensor [S·chunk]; physio FloatTensor [S·chunk, C].

        Raises:
            InputError: the medium is at fault.
        """
        seconds = seconds or stream_seconds(clip, self.modality, self.options)
        if self.modality == "video":
            return self._pictures(clip, stretch, seconds)
        return self._samples(clip, stretch, seconds)

    def _pictures(self, clip: Clip, stretch: Stretch, seconds: float) -> Tensor:
        path, rate, size = clip.media["video"], stretch.rate, self.options.frame_size
        # a step is shown by the picture in its middle: times of pictures are rounded
        end = max(0, math.ceil(seconds * rate - 0.5) - 1)
        steps = np.minimum(self.subsequences.steps(stretch.targets).flatten(), end)
        begin = clip.start or 0.0
        before = round((clip.picture_span[0] or 0.0) * rate)

        def numbered(wanted: np.ndarray) -> Tensor:
            return load_pictures(path, wanted + before + 1, size=size, where=clip.where)

        def decoded(first: int, last: int) -> Tensor:
            if is_picture_folder(path):
                return numbered(np.arange(first, last + 1))
            start, stop = (first + 0.5) / rate, min((last + 1) / rate, seconds)
            start = min(start, (first / rate + seconds) / 2)  # a last picture of less than half a step
            return load_frames(
                path, start=begin + start, end=begin + stop, rate=rate, size=size, where=clip.where
            )[0]

        if stretch.around is None and is_picture_folder(path):  # no need to decode what lies between
            wanted, place = np.unique(steps, return_inverse=True)
            return numbered(wanted)[torch.from_numpy(place)]
        first, last = int(steps.min()), int(steps.max())
        if stretch.around is not None:
            first = min(max(0, stretch.around[0] - self.subsequences.length + 1), end)
            last = min(stretch.around[1], end)
        pictures = self._decoded(clip, first, last, decoded)
        return pictures[torch.from_numpy(np.minimum(steps - first, len(pictures) - 1))]

    def _samples(self, clip: Clip, stretch: Stretch, seconds: float) -> Tensor:
        """Sound or biosignal: sub-sequence i ends where its target step ends.

        Samples are counted from the medium's beginning, and decoding begins at a whole second: so a sample is the same
        whichever stretch it is read with, also where it is resampled.
        """
        options, begin = self.options, clip.start or 0.0
        rate = float(options.sample_rate)
        if self.modality == "physio":
            rate = float(options.physio_to_rate or options.physio_rate or 0.0)
        lowest, highest = stretch.around or (int(stretch.targets[0]), int(stretch.targets[-1]))

        def end_of(step: int) -> int:
            return round((begin + (step + 1) / stretch.rate) * rate)

        # what lies outside the clip is silence, also where the medium goes on
        low, high = max(end_of(lowest) - self.chunk, round(begin * rate)), end_of(highest)
        high = min(high, round((begin + seconds) * rate)) if seconds else high
        first = max(0, math.floor(low / rate - _MARGIN))
        last = high / rate + _MARGIN
        last = min(last, begin + seconds) if seconds else last
        if low < high:
            recording = self._decoded(clip, lowest, highest, lambda *_: self._recording(clip, first, last))
        else:
            recording = torch.zeros(0, *self._shape(clip))
        base = round(first * rate)
        high = min(high, base + len(recording))
        result = torch.zeros(len(stretch.targets), self.chunk, *recording.shape[1:])
        for row, step in enumerate(stretch.targets.tolist()):  # S slices: nothing is computed for each sample
            start = end_of(step) - self.chunk
            a, b = max(start, low), min(start + self.chunk, high)
            if a < b:
                result[row, a - start : b - start] = recording[a - base : b - base]
        return result.flatten(0, 1)

    def _recording(self, clip: Clip, first: float, last: float) -> Tensor:
        """Samples from ``first`` to ``last``, in seconds of the medium."""
        options, path = self.options, clip.media[self.modality]
        if self.modality == "audio":
            # silence of a few seconds is no fault
            return load_sound(
                path, start=first, end=last, rate=options.sample_rate, allow_silent=True, where=clip.where
            )
        return load_series(
            path,
            start=first,
            end=last,
            rate=options.physio_rate,
            to_rate=options.physio_to_rate,
            channels=options.physio_channels,
            where=clip.where,
        )

    def _shape(self, clip: Clip) -> tuple[int, ...]:
        """Shape of one step where nothing can be read."""
        if self.modality == "audio":
            return ()
        head = load_series(clip.media["physio"], rate=self.options.physio_rate, where=clip.where)
        return tuple(head.shape[1:])

    def _decoded(self, clip: Clip, first: int, last: int, decode: Callable[[int, int], Tensor]) -> Tensor:
        """What was decoded last, if that is it."""
        key = (clip.id, first, last)
        if self._recent is None or self._recent[0] != key:
            self._recent = None  # before the next one is in memory
            self._recent = (key, decode(first, last))
        return self._recent[1]
