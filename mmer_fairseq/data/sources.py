"""Where the tensors of one modality come from: its media, or a feature store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmer_fairseq.corpus import Clip
from mmer_fairseq.corpus.streams import RawOptions, read_stream, stream_seconds
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.store import FeatureStore
from mmer_fairseq.media.augment import PictureAugmentation
from mmer_fairseq.media.sound import change_speed

logger = logging.getLogger(__name__)

#: Clips that an error names before it only counts the rest.
NAMED = 5


@dataclass(frozen=True)
class RawSource:
    """Decodes a clip's medium each time it is asked.

    Args:
        modality: which one.
        options: how media become tensors.
        max_samples: sound only; longer waves are cut to this many samples, at a random start in training and at the
            beginning elsewhere (None: never).
        min_samples: sound only; shorter waves are padded with silence up to it.
        speed_perturbation: sound only; in training, each clip is played at a speed between 1 / (1 + this) and
            1 + this, drawn anew each time.
        augmentation: pictures only; changes them in training (None: never).
    """

    modality: str
    options: RawOptions
    max_samples: int | None = None
    min_samples: int | None = None
    speed_perturbation: float = 0.0
    augmentation: PictureAugmentation | None = None

    def present(self, clip: Clip) -> bool:
        """Whether the clip has this modality as a medium."""
        return clip.has(self.modality) and not clip.stores(self.modality)

    def check(self, clips: Sequence[Clip]) -> None:
        """Refuse clips whose modality exists only as stored features.

        Raises:
            InputError: there are such clips.
        """
        for clip in clips:
            if clip.stores(self.modality):
                name = clip.stores(self.modality)[0]
                raise InputError.of(
                    where=clip.where,
                    expected=f"the {self.modality} of clip {clip.id} as a medium",
                    found=f"stored features only ({clip.media[self.modality]})",
                    remedy=f"read the store with --features {self.modality}={name}",
                )

    def read(self, clip: Clip, *, random: np.random.Generator | None) -> Tensor:
        """Decode one clip.

        Args:
            clip: must be :meth:`present`.
            random: draws speed and start of a wave and how pictures are changed; None leaves both as they are and
                crops at the beginning.

        Returns:
            text LongTensor [T]; audio FloatTensor [samples]; video ByteTensor [T, 3, H, W]; physio FloatTensor [T, C].
        """
        stream = read_stream(clip, self.modality, self.options)
        if self.modality == "video" and random is not None and self.augmentation is not None:
            return self.augmentation(stream, random)
        if self.modality != "audio":
            return stream
        if random is not None and self.speed_perturbation:
            most = np.log1p(self.speed_perturbation)
            stream = change_speed(stream, float(np.exp(random.uniform(-most, most))))
        if self.max_samples is not None and len(stream) > self.max_samples:
            spare = len(stream) - self.max_samples
            start = 0 if random is None else int(random.integers(spare + 1))
            # clone: a view would send the whole wave through the worker's pipe
            return stream[start : start + self.max_samples].clone()
        if self.min_samples is not None and len(stream) < self.min_samples:
            return torch.nn.functional.pad(stream, (0, self.min_samples - len(stream)))
        return stream

    def steps(self, clip: Clip, seconds: float) -> int:
        """How many steps :meth:`read` will give, from the duration alone (text: from its words)."""
        if self.modality == "text":
            return len(clip.media["text"].split()) + 2
        if self.modality == "audio":
            steps = int(seconds * self.options.sample_rate)
            return max(min(steps, self.max_samples or steps), self.min_samples or 0)
        if self.modality == "physio":
            rate = self.options.physio_to_rate or self.options.physio_rate or 0.0
            return int(seconds * rate) if seconds and rate else len(self.read(clip, random=None))
        return min(int(seconds * (self.options.frame_rate or 25.0)) + 1, self.options.max_frames)

    def seconds(self, clip: Clip) -> float:
        """Duration from the medium's header (0 for text)."""
        return 0.0 if self.modality == "text" else stream_seconds(clip, self.modality, self.options)


@dataclass(frozen=True)
class StoredSource:
    """Reads a clip's vectors from a feature store."""

    modality: str
    store: FeatureStore

    def present(self, clip: Clip) -> bool:
        """Whether the store holds the clip."""
        return clip.id in self.store

    def check(self, clips: Sequence[Clip]) -> None:
        """Refuse a store that lacks clips which have the modality, or that knows none of the clips.

        Raises:
            InputError: ids do not match.
        """
        skipped = self.store.meta.get("skipped") or {}
        lost = [clip for clip in clips if self._claims(clip) and clip.id not in self.store]
        left_out = [clip.id for clip in lost if clip.id in skipped]
        if left_out:
            names = ", ".join(left_out)
            logger.warning(
                "%s: %d clips without %s, skipped by mmer extract: %s",
                self.store.path,
                len(left_out),
                self.modality,
                names,
            )
            lost = [clip for clip in lost if clip.id not in skipped]
        if lost:
            names = ", ".join(clip.id for clip in lost[:NAMED]) + (" …" if len(lost) > NAMED else "")
            raise InputError.of(
                where=self.store.path,
                expected=f"the {self.modality} features of all {len(clips)} clips",
                found=f"none for {len(lost)} of them, the first at {lost[0].where}: {names}",
                remedy="run `mmer extract` again with the same --name, or empty the cell of a clip that has no "
                f"{self.modality}",
            )

    def _claims(self, clip: Clip) -> bool:
        stores = clip.stores(self.modality)
        return clip.has(self.modality) and (not stores or self.store.name in stores)

    def read(self, clip: Clip, *, random: np.random.Generator | None) -> Tensor:
        """The clip's vectors, FloatTensor [T, D]."""
        return self.store.get(clip.id)

    def steps(self, clip: Clip, seconds: float) -> int:
        """How many vectors the clip has."""
        return self.store.length(clip.id)

    def seconds(self, clip: Clip) -> float:
        """Not needed: the store knows the number of steps."""
        return 0.0


def name_half_stored(modality: str, stores: Sequence[FeatureStore], clips: Sequence[Clip]) -> None:
    """Warn of clips that only some of the joined stores hold: they go without the modality."""
    half = [c.id for c in clips if 0 < sum(c.id in store for store in stores) < len(stores)]
    if half:
        logger.warning(
            "%d clips go on without %s, because not all of %s hold them: %s%s",
            len(half),
            modality,
            ", ".join(store.name for store in stores),
            ", ".join(half[:NAMED]),
            " …" if len(half) > NAMED else "",
        )


@dataclass(frozen=True)
class JoinedSource:
    """Vectors of several stores of one modality, side by side.

    Stores of other rates are brought to the steps of the longest: its step t of T takes the vector at the same share of
    the clip.
    """

    modality: str
    parts: tuple[StoredSource, ...]

    def present(self, clip: Clip) -> bool:
        """Whether all stores hold the clip."""
        return all(part.present(clip) for part in self.parts)

    def check(self, clips: Sequence[Clip]) -> None:
        """As for each store by itself."""
        for part in self.parts:
            part.check(clips)
        name_half_stored(self.modality, [part.store for part in self.parts], clips)

    def read(self, clip: Clip, *, random: np.random.Generator | None) -> Tensor:
        """The clip's vectors, FloatTensor [T, ΣD]."""
        vectors = [part.read(clip, random=random) for part in self.parts]
        steps = max(len(each) for each in vectors)
        middle = torch.arange(steps).double() + 0.5
        chosen = [each[(middle * (len(each) / steps)).long().clamp(max=len(each) - 1)] for each in vectors]
        return torch.cat(chosen, dim=1)

    def steps(self, clip: Clip, seconds: float) -> int:
        """Vectors of the longest store."""
        return max(part.steps(clip, seconds) for part in self.parts)

    def seconds(self, clip: Clip) -> float:
        """Not needed: the stores know the number of steps."""
        return 0.0
