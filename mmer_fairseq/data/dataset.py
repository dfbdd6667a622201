"""The fairseq dataset of clips with one label each: read on demand, bucketed by length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Union

import numpy as np
import torch
from torch import Tensor

from mmer_fairseq.corpus import Clip, LabelSpace
from mmer_fairseq.data.batching import BatchedDataset
from mmer_fairseq.data.dialogues import Dialogues
from mmer_fairseq.data.durations import Durations, with_progress
from mmer_fairseq.data.second_task import SecondTask
from mmer_fairseq.data.sources import JoinedSource, RawSource, StoredSource
from mmer_fairseq.errors import InputError

Source = Union[RawSource, StoredSource, JoinedSource]


class EmotionDataset(BatchedDataset):
    """Clips of one split.

    Args:
        clips: the clips, in corpus order; ``id`` of a batch counts in this order.
        sources: modality → where its tensors come from.
        empty: see :class:`BatchedDataset`.
        labels: turns a clip's label into a target.
        directory: corpus folder, where the durations are remembered.
        dialogues: gives each clip the text of its dialogue; None: texts are read by themselves.
        second: gives each batch faces to learn from, too; None: there are none.
        options: of :class:`BatchedDataset`.

    Raises:
        InputError: a source does not fit the clips.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        sources: Mapping[str, Source],
        empty: Mapping[str, Tensor],
        labels: LabelSpace,
        *,
        directory: str | Path,
        dialogues: Dialogues | None = None,
        second: SecondTask | None = None,
        **options: Any,
    ) -> None:
        super().__init__(empty, **options)
        self.clips = list(clips)
        self.sources = dict(sources)
        self.labels = labels
        for source in self.sources.values():
            source.check(self.clips)
        self.dialogues = dialogues
        self.second = second
        if dialogues is not None:
            self.groups = np.array(dialogues.numbers(self.clips), dtype=np.int64)
        self.steps, self.seconds = self._measure(Durations(directory))

    def clip_of(self, index: int) -> Clip:
        return self.clips[index]

    def _measure(self, durations: Durations) -> tuple[np.ndarray, np.ndarray]:
        """Steps of each clip, all modalities together, and its duration in seconds, likewise."""
        steps = np.zeros(len(self.clips), dtype=np.int64)
        seconds = np.zeros(len(self.clips))
        for index, clip in enumerate(with_progress(self.clips, len(self.clips), "reading durations")):
            for source in self.sources.values():
                if source.present(clip):
                    here = self._steps(source, clip, durations)
                    steps[index] += here
                    seconds[index] += durations.of_clip(source, clip, here)
        durations.save()
        return np.maximum(steps, 1), seconds

    def _steps(self, source: Source, clip: Clip, durations: Durations) -> int:
        try:
            return source.steps(clip, durations(source, clip))
        except InputError:
            if self.bad_clips == "error":
                raise
            return 0  # __getitem__ names it when it is read

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> dict[str, Any]:
        clip = self.clips[index]
        if self.second is not None and not self.second.with_clips(self.epoch):
            return {"index": int(index), "streams": {}, "target": self.labels.target(clip)}
        random = np.random.default_rng((self.seed, self.epoch, int(index))) if self.training else None
        present = [modality for modality, source in self.sources.items() if source.present(clip)]
        streams = {}
        for modality in self._kept(index, present):
            source = self.sources[modality]
            stream = self._read(clip, modality, partial(source.read, clip, random=random))
            if stream is not None:
                streams[modality] = stream
        item = {"index": int(index), "streams": streams, "target": self.labels.target(clip)}
        if self.dialogues is not None and "text" in streams:
            part = self.dialogues.of_clip(clip)
            start, length = part.spans[clip.id]
            streams["text"] = part.tokens[start : start + length]
            item["context"] = (part.key, part.tokens, start, length)
        return item

    def collater(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Merge clips into a batch, and put the faces of a second task beside them.

        Returns:
            As :func:`mmer_fairseq.data.collate.collate`; with faces ``net_input`` holds ``faces`` FloatTensor
            [N, 3, H, W], and the batch ``face_target`` LongTensor [N]. A batch of faces alone has no streams.
        """
        batch = super().collater(samples)
        if self.second is not None and samples and self.second.with_faces(self.epoch):
            faces, batch["face_target"] = self.second.batch(self.epoch, int(samples[0]["index"]))
            if not self.second.with_clips(self.epoch):
                batch["net_input"] = {"streams": {}, "lengths": {}}
            batch["net_input"]["faces"] = faces
        return batch


def nothing(form: str, *, dim: int = 0, size: int = 0) -> Tensor:
    """The tensor of a missing modality.

    Args:
        form: ``tokens``, ``samples``, ``frames``, ``series`` or ``features``.
        dim: width of the features, or channels of the series.
        size: pixels of a frame's side.

    Returns:
        A tensor with no steps, of the shape and type the form has.
    """
    if form == "tokens":
        return torch.zeros(0, dtype=torch.long)
    if form == "samples":
        return torch.zeros(0)
    if form == "frames":
        return torch.zeros(0, 3, size, size, dtype=torch.uint8)
    return torch.zeros(0, dim)
