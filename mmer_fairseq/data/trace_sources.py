"""Where the sub-sequences of one modality come from: its media, or feature stores."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Union

import numpy as np
import torch
from torch import Tensor

from mmer_fairseq.corpus import Clip
from mmer_fairseq.corpus.subsequences import Stretch, SubsequenceReader, Subsequences
from mmer_fairseq.data.durations import Durations
from mmer_fairseq.data.sources import NAMED, RawSource, StoredSource, name_half_stored
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.store import FeatureStore

logger = logging.getLogger(__name__)

#: How much earlier than its trace a modality may end without a word, in seconds.
EARLY = 1.0
#: Keys of a store's options that say it was made of sub-sequences, one vector for each step of the trace.
MADE_OF = ("subseq_length", "dilation")


@dataclass(frozen=True)
class RawTrace:
    """Decodes sub-sequences from a clip's medium.

    Args:
        source: of the modality; says which clips have it.
        reader: of the same modality.
    """

    source: RawSource
    reader: SubsequenceReader

    @property
    def modality(self) -> str:
        return self.source.modality

    @property
    def chunk(self) -> int:
        """Steps of the stream in each sub-sequence."""
        return self.reader.chunk

    def present(self, clip: Clip) -> bool:
        """Whether the clip has this modality as a medium."""
        return self.source.present(clip)

    def check(self, clips: Sequence[Clip]) -> None:
        """Refuse clips whose modality exists only as stored features."""
        self.source.check(clips)

    def seconds(self, clip: Clip, durations: Durations, steps: int, rate: float) -> float:
        """How long the medium is; 0 where headers do not tell."""
        return durations(self.source, clip)

    def read(self, clip: Clip, stretch: Stretch, seconds: float) -> Tensor:
        """See :meth:`SubsequenceReader.read`."""
        return self.reader.read(clip, stretch, seconds)


@dataclass(frozen=True)
class StoredTrace:
    """Reads one vector a sub-sequence from one or several stores, whose vectors are put side by side.

    A store that was made of sub-sequences holds that vector. From others it is the mean of the vectors at the times of
    the sub-sequence's pictures.

    Args:
        modality: of all stores.
        stores: in the order in which their vectors are joined.
        subsequences: of the run.
    """

    modality: str
    stores: tuple[FeatureStore, ...]
    subsequences: Subsequences

    chunk = 1

    def present(self, clip: Clip) -> bool:
        """Whether all stores hold the clip."""
        return all(clip.id in store for store in self.stores)

    def check(self, clips: Sequence[Clip]) -> None:
        """Refuse stores that lack clips, or that were made of other sub-sequences.

        Raises:
            InputError: naming the store.
        """
        wanted = {"subseq_length": self.subsequences.length, "dilation": self.subsequences.dilation}
        for store in self.stores:
            StoredSource(self.modality, store).check(clips)
            made = {key: store.meta["options"].get(key) for key in MADE_OF}
            if made["subseq_length"] is not None and made != wanted:
                raise InputError.of(
                    where=store.path,
                    expected=f"vectors of sub-sequences of {wanted['subseq_length']} steps, dilation "
                    f"{wanted['dilation']} (--subseq-length, --dilation)",
                    found=f"{made['subseq_length']} steps, dilation {made['dilation']}",
                    remedy="give the run these numbers, or run mmer extract with its own",
                )
        name_half_stored(self.modality, self.stores, clips)

    def seconds(self, clip: Clip, durations: Durations, steps: int, rate: float) -> float:
        """How long the shortest of the stored sequences is."""
        return min(
            self.store_steps(store, clip) / self._rate(store, clip, steps, rate) for store in self.stores
        )

    @staticmethod
    def store_steps(store: FeatureStore, clip: Clip) -> int:
        """Vectors of the clip."""
        return store.length(clip.id)

    def _rate(self, store: FeatureStore, clip: Clip, steps: int, rate: float) -> float:
        """Vectors a second. Without a clock of its own a store must have as many as the trace has steps."""
        if _of_subsequences(store):
            return rate
        if not store.rate and store.length(clip.id) != steps:
            raise InputError.of(
                where=f"{clip.where}, {store.path}",
                expected=f"a store with a rate in Hz, or one vector for each of the trace's {steps} steps",
                found=f"no rate, and {store.length(clip.id)} vectors of clip '{clip.id}'",
                remedy="state the rate when the features are imported or extracted",
            )
        return store.rate or rate

    def read(self, clip: Clip, stretch: Stretch, seconds: float) -> Tensor:
        """FloatTensor [S, D], one vector for each target."""
        return torch.cat([self._of(store, clip, stretch) for store in self.stores], dim=1)

    def _of(self, store: FeatureStore, clip: Clip, stretch: Stretch) -> Tensor:
        last = store.length(clip.id) - 1
        if _of_subsequences(store):
            places = np.minimum(stretch.targets, last)[:, None]
        else:
            steps = self.subsequences.steps(stretch.targets)
            ratio = store.rate / stretch.rate if store.rate else 1.0
            places = np.minimum(((steps + 0.5) * ratio).astype(np.int64), last)
        first = int(places.min())
        rows = store.rows(clip.id, first, int(places.max()) + 1)
        chosen = rows[torch.from_numpy(places.flatten() - first)]
        return chosen.view(*places.shape, -1).mean(dim=1)


TraceSource = Union[RawTrace, StoredTrace]


def _of_subsequences(store: FeatureStore) -> bool:
    return store.meta["options"].get("subseq_length") is not None


def name_short(modality: str, short: Sequence[tuple[str, float]]) -> None:
    """Warn of clips whose modality ends well before their trace: what is missing is silence, or the last picture.

    Args:
        modality: which.
        short: clip id and seconds that are missing.
    """
    if short:
        named = ", ".join(f"{clip_id} ({missing:.1f} s)" for clip_id, missing in short[:NAMED])
        more = " …" if len(short) > NAMED else ""
        logger.warning(
            "%s ends before the trace in %d clips, the rest counts as silence or the last picture: %s%s",
            modality,
            len(short),
            named,
            more,
        )
