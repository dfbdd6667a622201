"""Labelled faces of a second corpus, that the face model of a run is trained on beside its own clips.

Source: Zheng et al., ACL 2023 (FacialMMT), section 3.4: faces of Aff-Wild2 with seven expressions beside MELD.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmer_fairseq.corpus import Clip, Corpus
from mmer_fairseq.data.sources import RawSource
from mmer_fairseq.errors import InputError

logger = logging.getLogger(__name__)

SCHEDULES = ("together", "alternate")


@dataclass(frozen=True)
class SecondTask:
    """Draws faces for each batch of a run.

    Attributes:
        clips: with a label each; of one with several pictures, the first is the face.
        corpus: of the clips.
        source: reads pictures as the run's own are read.
        size: faces beside a batch.
        alternate: epochs 1, 3, 5 … are of faces alone, the others of clips alone, as the original does; else each step
            learns from both.
        seed: of the draw.
        bad_clips: ``missing``: a picture that cannot be read is left out, with a warning.
    """

    clips: Sequence[Clip]
    corpus: Corpus
    source: RawSource
    size: int
    alternate: bool
    seed: int
    bad_clips: str = "error"

    def with_clips(self, epoch: int) -> bool:
        """Whether an epoch is (also) of the run's own clips."""
        return not self.alternate or epoch % 2 == 0

    def with_faces(self, epoch: int) -> bool:
        """Whether an epoch is (also) of faces."""
        return not self.alternate or epoch % 2 == 1

    def batch(self, epoch: int, first: int) -> tuple[Tensor, Tensor]:
        """Faces and their labels, drawn anew for each batch of each epoch; the same again if asked again.

        Args:
            epoch: counted from 1.
            first: index of the first clip of the batch that they go with.

        Returns:
            FloatTensor [N, 3, H, W] in [0, 1], LongTensor [N].

        Raises:
            InputError: a picture cannot be read; or none can be.
        """
        random = np.random.default_rng((self.seed, epoch, first, 2))
        images, labels = [], []
        for index in random.choice(len(self.clips), min(self.size, len(self.clips)), replace=False):
            clip = self.clips[index]
            try:
                images.append(self.source.read(clip, random=None)[0])
            except InputError as error:
                if self.bad_clips == "error":
                    raise
                logger.warning("face %s is left out: %s", clip.id, error)
                continue
            labels.append(self.corpus.label_space.target(clip))
        if not images:
            raise InputError.of(
                where=self.corpus.directory,
                expected="faces that can be read",
                found=f"none of the {self.size} that were drawn",
                remedy="run mmer check --decode on it",
            )
        return torch.stack(images).float().div_(255), torch.stack(labels)


def plan_second_task(flags: Any, stream: Any, seed: int, bad_clips: str = "error") -> SecondTask | None:
    """What ``--aux-data`` and its siblings ask for; None: nothing.

    Args:
        flags: the task's.
        stream: the run's stream of pictures (see ``data.plan``); None: it has none.
        seed: of the run.
        bad_clips: as for the run's own clips.

    Raises:
        InputError: a flag is out of range, the run reads no pictures, or the corpus has no labelled faces.
    """
    if not flags.aux_data:
        return None
    if flags.aux_schedule not in SCHEDULES:
        _refuse("--aux-schedule", " or ".join(SCHEDULES), repr(flags.aux_schedule), "write one of them")
    if flags.aux_batch_size < 1:
        _refuse("--aux-batch-size", "1 face or more", flags.aux_batch_size, "correct it")
    if not (math.isfinite(flags.aux_weight) and flags.aux_weight > 0):
        _refuse("--aux-weight", "a number above 0", flags.aux_weight, "correct it, or leave out --aux-data")
    if stream is None or not isinstance(stream.source, RawSource):
        found = "no pictures" if stream is None else "stored features of them"
        _refuse("--aux-data", "a run that reads pictures", found, "add video to --modalities, as a medium")
    corpus = Corpus.load(flags.aux_data, labels=flags.aux_labels)
    space = corpus.label_space
    if space.kind != "classes":
        found = f"{space.name}, which is of kind {space.kind}"
        _refuse(
            f"--aux-data {flags.aux_data}", "a label space of classes", found, "name one with --aux-labels"
        )
    clips = [clip for clip in corpus.clips("train") if clip.has("video") and not clip.stores("video")]
    if not clips:
        _refuse(f"--aux-data {flags.aux_data}", "pictures in its split train", "none", "import it again")
    options = replace(stream.source.options, max_frames=1, frame_rate=None)
    logger.info("second task: %d faces of %s, %s", len(clips), corpus.name, flags.aux_schedule)
    return SecondTask(
        clips,
        corpus,
        RawSource("video", options),
        flags.aux_batch_size,
        flags.aux_schedule == "alternate",
        seed,
        bad_clips,
    )


def _refuse(where: str, expected: str, found: object, remedy: str) -> None:
    raise InputError.of(where=where, expected=expected, found=found, remedy=remedy)
