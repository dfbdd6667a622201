"""The fairseq dataset of traces: an item is a window, a sequence of sub-sequences and the labels that they end with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from mmer_fairseq.corpus import Clip, LabelSpace
from mmer_fairseq.corpus.subsequences import Stretch
from mmer_fairseq.data.batching import BatchedDataset
from mmer_fairseq.data.durations import Durations, with_progress
from mmer_fairseq.data.trace_sources import EARLY, TraceSource, name_short
from mmer_fairseq.data.windows import Windows, tabulate
from mmer_fairseq.errors import InputError


class TraceDataset(BatchedDataset):
    """Windows over the traces of one split. The traces are in memory, the media are not.

    Args:
        clips: the clips, in corpus order.
        sources: modality → where its sub-sequences come from.
        empty: see :class:`BatchedDataset`.
        labels: the label space, of traces.
        windows: their lengths.
        directory: corpus folder, where the durations are remembered.
        options: of :class:`BatchedDataset`; evaluation reads in the order of time.

    Raises:
        InputError: a trace or a source is at fault, or a training split holds no label.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        sources: Mapping[str, TraceSource],
        empty: Mapping[str, Tensor],
        labels: LabelSpace,
        windows: Windows,
        *,
        directory: str | Path,
        **options: Any,
    ) -> None:
        super().__init__(empty, **options)
        self.clips = list(clips)
        self.sources = dict(sources)
        self.labels = labels
        self.windows = windows
        for source in self.sources.values():
            source.check(self.clips)
        self.traces = [
            labels.target(clip) for clip in with_progress(self.clips, len(clips), "reading traces")
        ]
        labelled = [(~trace.isnan()).any(dim=1).numpy() for trace in self.traces]
        self.table = tabulate(windows, labelled, training=self.training)
        if not len(self.table):
            raise InputError.of(
                where=f"{directory}, {self.clips[0].split}",
                expected="traces with one labelled step at least, to train on",
                found=f"none in {len(self.clips)} clips",
                remedy="check the traces and 'invalid:' of the label space",
            )
        self._lengths = self._measure(Durations(directory))
        last = self.table.lengths[self.table.clip] - self.table.start
        predicted = np.minimum(-(-last // windows.subseq_length), windows.steps)
        chunks = sum(source.chunk for source in self.sources.values())
        self.steps = np.maximum(predicted * chunks, 1)
        self.seconds = predicted.astype(np.float64)

    def _measure(self, durations: Durations) -> dict[str, np.ndarray]:
        """Modality → seconds of each clip's medium; clips that end before their trace are named."""
        lengths = {modality: np.zeros(len(self.clips)) for modality in self.sources}
        short: dict[str, list[tuple[str, float]]] = {modality: [] for modality in self.sources}
        for number, clip in enumerate(with_progress(self.clips, len(self.clips), "reading durations")):
            steps, rate = len(self.traces[number]), self.labels.rate_of(clip)
            for modality, source in self.sources.items():
                if not source.present(clip):
                    continue
                try:
                    seconds = source.seconds(clip, durations, steps, rate)
                except InputError:
                    if self.bad_clips == "error":
                        raise
                    continue  # __getitem__ names it when it is read
                lengths[modality][number] = seconds
                if seconds and seconds < steps / rate - EARLY:
                    short[modality].append((clip.id, steps / rate - seconds))
        for modality, clips in short.items():
            name_short(modality, clips)
        durations.save()
        return lengths

    def __len__(self) -> int:
        return len(self.table)

    def clip_of(self, index: int) -> Clip:
        return self.clips[self.table.clip[index]]

    def steps_of(self, index: int) -> np.ndarray:
        """int64 [S]: the steps that a window predicts, counted in its clip's trace."""
        length = self.table.lengths[self.table.clip[index]]
        return self.windows.targets(int(self.table.start[index]), int(length))

    def __getitem__(self, index: int) -> dict[str, Any]:
        number = int(self.table.clip[index])
        clip, trace = self.clips[number], self.traces[number]
        targets = self.steps_of(index)
        around = None if self.training else self.windows.group(int(self.table.start[index]), len(trace))
        stretch = Stretch(targets, self.labels.rate_of(clip), around)
        present = [modality for modality, source in self.sources.items() if source.present(clip)]
        streams = {}
        for modality in self._kept(index, present):
            source, seconds = self.sources[modality], float(self._lengths[modality][number])
            stream = self._read(clip, modality, partial(source.read, clip, stretch, seconds))
            if stream is not None:
                streams[modality] = stream
        return {"index": int(index), "streams": streams, "target": trace[targets]}

    def ordered_indices(self) -> np.ndarray:
        """Shuffled for training; evaluation goes clip by clip in the order of time, so each is decoded once."""
        return super().ordered_indices() if self.shuffle else np.arange(len(self))
