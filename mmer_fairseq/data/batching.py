"""What all our fairseq datasets share: order, batches, missing modalities."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from fairseq.data import FairseqDataset
from torch import Tensor

from mmer_fairseq.corpus import Clip
from mmer_fairseq.data.collate import collate
from mmer_fairseq.data.dropping import dropped
from mmer_fairseq.data.grouping import grouped_order, pack_groups
from mmer_fairseq.errors import InputError

logger = logging.getLogger(__name__)

#: Clips of similar length that stay together when an epoch is shuffled; batches are cut from the result, so that
#: which clips meet does not depend on the number of processes.
BLOCK = 16
#: Clips among which the similar ones are looked for. Small enough that epochs differ.
WINDOW = 64 * BLOCK


class BatchedDataset(FairseqDataset):
    """Order, batches and missing modalities of a split; a subclass reads its items.

    Args:
        empty: modality → tensor [0, …] that stands for a missing modality.
        training: random crops, lost modalities.
        shuffle: another order in each epoch.
        seed: of all that is random.
        bad_clips: ``error`` ends the run at a medium that cannot be read; ``missing`` warns, names the clip, and goes
            on as if the clip had no such modality.
        dropout: in training, modality → probability that an item goes without it, drawn anew in each epoch.
        padding_idx: token that fills padded text.

    Attributes:
        clips: of the split, in corpus order.
        steps: int64, steps of each item, all modalities together.
        seconds: float64, length of each item.
        groups: int64, items of one number meet in a batch where they can; None: items of similar length do.
    """

    clips: list[Clip]
    steps: np.ndarray
    seconds: np.ndarray
    groups: np.ndarray | None = None

    def __init__(
        self,
        empty: Mapping[str, Tensor],
        *,
        training: bool = False,
        shuffle: bool = False,
        seed: int = 1,
        bad_clips: str = "error",
        dropout: Mapping[str, float] | None = None,
        padding_idx: int = 1,
    ) -> None:
        self.empty = dict(empty)
        self.training = training
        self.shuffle = shuffle
        self.seed = seed
        self.bad_clips = bad_clips
        self.dropout = dict(dropout or {})
        self.padding_idx = padding_idx
        self.epoch = 1

    def clip_of(self, index: int) -> Clip:
        """The clip that an item is, or is a part of."""
        raise NotImplementedError

    def steps_of(self, index: int) -> np.ndarray | None:
        """Steps of its clip's trace that an item predicts; None: an item is a whole clip."""
        return None

    def _kept(self, index: int, present: Sequence[str]) -> list[str]:
        """The modalities that are read: in training, some may be taken away."""
        if not (self.training and self.dropout):
            return list(present)
        # numbers of its own, so that crops are the same with and without
        random = np.random.default_rng((self.seed, self.epoch, int(index), 1))
        lost = dropped(self.dropout, present, random)
        return [modality for modality in present if modality not in lost]

    def _read(self, clip: Clip, modality: str, read: Callable[[], Tensor]) -> Tensor | None:
        try:
            return read()
        except InputError as error:
            if self.bad_clips == "error":
                raise
            logger.warning("clip %s goes on without %s: %s", clip.id, modality, error)
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
        """Clips of a group, or of similar length, next to each other; shuffled in blocks if the dataset is shuffled.

        The generator is our own: fairseq 0.12.2 seeds NumPy's with the same number in every epoch. Evaluation goes
        from long to short: a batch that does not fit into memory shows at once.
        """
        random = np.random.default_rng((self.seed, self.epoch))
        if self.groups is not None:
            return grouped_order(self.groups, self.seconds, random if self.shuffle else None)
        if not self.shuffle:
            return np.argsort(-self.seconds, kind="stable")
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
        clip = self.clip_of(index)
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
        if self.groups is not None:
            batches = pack_groups(indices, self.groups, self.steps, max_tokens, max_sentences)
        else:
            batches = super().batch_by_size(indices, max_tokens=max_tokens, max_sentences=max_sentences)
        batched = sum(len(batch) for batch in batches)
        assert batched == len(indices), f"{batched} of {len(indices)} clips in the batches"
        return batches
