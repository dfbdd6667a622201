"""The fairseq dataset: clips of one split, read on demand, bucketed by length."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np
import torch
from fairseq.data import FairseqDataset
from torch import Tensor

from mmer_fairseq.corpus import Clip, LabelSpace
from mmer_fairseq.data.collate import collate
from mmer_fairseq.data.dropping import dropped
from mmer_fairseq.data.durations import Durations, with_progress
from mmer_fairseq.data.sources import RawSource, StoredSource
from mmer_fairseq.errors import InputError

logger = logging.getLogger(__name__)

Source = Union[RawSource, StoredSource]

#: Clips of similar length that stay together when an epoch is shuffled; batches are cut from the result, so that
#: which clips meet does not depend on the number of processes.
BLOCK = 16
#: Clips among which the similar ones are looked for. Small enough that epochs differ.
WINDOW = 64 * BLOCK


class EmotionDataset(FairseqDataset):
    """Clips of one split.

    Args:
        clips: the clips, in corpus order; ``id`` of a batch counts in this order.
        sources: modality → where its tensors come from.
        empty: modality → tensor [0, …] that stands for a missing modality.
        labels: turns a clip's label into a target.
        directory: corpus folder, where the durations are remembered.
        training: random crops.
        shuffle: another order in each epoch.
        seed: of the crops.
        bad_clips: ``error`` ends the run at a medium that cannot be read; ``missing`` warns, names the clip, and goes
            on as if the clip had no such modality.
        dropout: in training, modality → probability that a clip goes without it, drawn anew in each epoch.
        padding_idx: token that fills padded text.

    Raises:
        InputError: no clips, or a source does not fit them.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        sources: Mapping[str, Source],
        empty: Mapping[str, Tensor],
        labels: LabelSpace,
        *,
        directory: str | Path,
        training: bool = False,
        shuffle: bool = False,
        seed: int = 1,
        bad_clips: str = "error",
        dropout: Mapping[str, float] | None = None,
        padding_idx: int = 1,
    ) -> None:
        self.clips = list(clips)
        self.sources = dict(sources)
        self.empty = dict(empty)
        self.labels = labels
        self.training = training
        self.shuffle = shuffle
        self.seed = seed
        self.bad_clips = bad_clips
        self.dropout = dict(dropout or {})
        self.padding_idx = padding_idx
        self.epoch = 1
        for source in self.sources.values():
            source.check(self.clips)
        self.steps, self.seconds = self._measure(Durations(directory))

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
        random = np.random.default_rng((self.seed, self.epoch, int(index))) if self.training else None
        streams = {}
        present = [modality for modality, source in self.sources.items() if source.present(clip)]
        lost = set()
        if random is not None and self.dropout:
            # numbers of its own, so that crops are the same with and without
            lost = dropped(
                self.dropout, present, np.random.default_rng((self.seed, self.epoch, int(index), 1))
            )
        for modality, source in self.sources.items():
            if modality in present and modality not in lost:
                stream = self._read(source, clip, random)
                if stream is not None:
                    streams[modality] = stream
        return {"index": int(index), "streams": streams, "target": self.labels.target(clip)}

    def _read(self, source: Source, clip: Clip, random: np.random.Generator | None) -> Tensor | None:
        try:
            return source.read(clip, random=random)
        except InputError as error:
            if self.bad_clips == "error":
                raise
            logger.warning("clip %s goes on without %s: %s", clip.id, source.modality, error)
            return None

    def collater(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Merge clips into a batch, see :func:`mmer_fairseq.data.collate.collate`."""
        return collate(samples, self.empty, self.padding_idx)

    def set_epoch(self, epoch: int) -> None:
        """Crops and order follow the epoch, so that a resumed run sees what an uninterrupted one would."""
        self.epoch = epoch

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        """No: each epoch cuts its own batches from its own order."""
        return False

    def num_tokens(self, index: int) -> int:
        """Steps of all modalities, as counted by ``--max-tokens``."""
        return int(self.steps[index])

    def num_tokens_vec(self, indices: np.ndarray) -> np.ndarray:
        """:meth:`num_tokens` of several clips."""
        return self.steps[indices]

    def size(self, index: int) -> int:
        """Steps of all modalities."""
        return self.num_tokens(index)

    def ordered_indices(self) -> np.ndarray:
        """Clips of similar length next to each other; shuffled in blocks where the dataset is shuffled.

        The generator is our own: fairseq 0.12.2 seeds NumPy's with the same number in every epoch. Evaluation goes
        from long to short: a batch that does not fit into memory shows at once.
        """
        if not self.shuffle:
            return np.argsort(-self.seconds, kind="stable")
        random = np.random.default_rng((self.seed, self.epoch))
        order = random.permutation(len(self))
        blocks = []
        for start in range(0, len(order), WINDOW):
            window = order[start : start + WINDOW]
            window = window[np.argsort(self.seconds[window], kind="stable")]
            blocks += [window[at : at + BLOCK] for at in range(0, len(window), BLOCK)]
        # a block is sorted inside, too: shuffle it, or small batches would go from short to long in each of them
        return np.concatenate([random.permutation(blocks[k]) for k in random.permutation(len(blocks))])

    def too_long(self, index: int, limit: float) -> InputError:
        """The fault that a clip does not fit into a batch of ``--max-tokens``."""
        clip = self.clips[index]
        return InputError.of(
            where=clip.where,
            expected=f"at most {limit} steps (--max-tokens)",
            found=f"{self.num_tokens(index)} in clip {clip.id}",
            remedy="raise --max-tokens, or shorten streams with --max-sample-size or --max-frames",
        )

    def batch_by_size(
        self,
        indices: np.ndarray,
        max_tokens: int | None = None,
        max_sentences: int | None = None,
        required_batch_size_multiple: int = 1,
    ) -> list[Any]:
        """Cut batches; every clip is in exactly one.

        fairseq-fixed drops a last batch that is no multiple of ``--required-batch-size-multiple`` (8 by default),
        in evaluation too, so the option is not passed on.
        """
        if max_tokens is not None and len(indices):
            longest = int(indices[np.argmax(self.steps[indices])])
            if self.steps[longest] > max_tokens:  # fairseq would fail on an assertion
                raise self.too_long(longest, max_tokens)
        batches = super().batch_by_size(indices, max_tokens=max_tokens, max_sentences=max_sentences)
        batched = sum(len(batch) for batch in batches)
        assert batched == len(indices), f"{batched} of {len(indices)} clips in the batches"
        return batches


def nothing(form: str, *, dim: int = 0, size: int = 0) -> Tensor:
    """The tensor of a missing modality.

    Args:
        form: ``tokens``, ``samples``, ``frames`` or ``features``.
        dim: width of the features.
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
