"""One batch under one condition. What is drawn for a clip depends on its id and the seed, never on its batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmer_fairseq.evaluation.conditions import SUBSET, Condition
from mmer_fairseq.media import noise


@dataclass(frozen=True)
class Chance:
    """Where noise comes from.

    Attributes:
        seed: of all that is drawn.
        recording: FloatTensor [N], noise at the batch's sample rate (None: white noise).
    """

    seed: int = 1
    recording: Tensor | None = None

    def of(self, kind: str, clip_id: str) -> torch.Generator:
        """The same at every level, so that levels differ in nothing else."""
        return noise.generator_of(self.seed, kind, clip_id)


@dataclass(frozen=True)
class Variant:
    """A batch under a condition.

    Attributes:
        batch: as ``data.collate`` makes it; what did not change is shared with the original.
        lacking: clips with none of the kept modalities; of a spoiling, clips without the modality to spoil.
        silent: clips whose sound is silent, to which no noise is added.
    """

    batch: dict[str, Any]
    lacking: int
    silent: int = 0


def variant(
    batch: dict[str, Any], condition: Condition, clip_ids: Sequence[str], chance: Chance, padding_idx: int = 1
) -> Variant:
    """Put a batch under a condition.

    Args:
        batch: see :func:`mmer_fairseq.data.collate.collate`; is not changed.
        condition: which.
        clip_ids: id of each clip of the batch.
        chance: where noise comes from.
        padding_idx: token of a text that is taken away.
    """
    lengths = batch["net_input"]["lengths"]
    if condition.kind == SUBSET:
        there = torch.stack([lengths[m] for m in condition.kept]).sum(dim=0)
        return Variant(_keep(batch, condition.kept, padding_idx), int((there == 0).sum()))
    modality = condition.modality
    stream, steps = batch["net_input"]["streams"][modality], lengths[modality].tolist()
    spoilt, silent = stream.clone(), 0
    for row, (clip_id, length) in enumerate(zip(clip_ids, steps)):
        if length:
            part = stream[row, :length]
            silent += int(condition.kind == "snr" and noise.is_silent(part))
            spoilt[row, :length] = _spoil(part, condition, chance, clip_id)
    net_input = {**batch["net_input"], "streams": {**batch["net_input"]["streams"], modality: spoilt}}
    return Variant({**batch, "net_input": net_input}, steps.count(0), silent)


def _spoil(part: Tensor, condition: Condition, chance: Chance, clip_id: str) -> Tensor:
    """One clip's sound [samples] or pictures [T, 3, H, W], spoilt."""
    level = condition.level
    assert level is not None, condition
    if condition.kind == "snr":
        return noise.add_noise(part, level, chance.of("snr", clip_id), chance.recording)
    if condition.kind == "blur":
        return noise.blur(part, level)
    return noise.occlude(part, level, chance.of("occlusion", clip_id))


def _keep(batch: dict[str, Any], kept: Sequence[str], padding_idx: int) -> dict[str, Any]:
    """The batch that ``data.collate`` makes of clips which have no other modalities than ``kept``."""
    streams, lengths = dict(batch["net_input"]["streams"]), dict(batch["net_input"]["lengths"])
    for modality in streams:
        if modality not in kept:
            whole = streams[modality]
            value = 0 if whole.is_floating_point() else padding_idx
            streams[modality] = whole.new_full((len(whole), 1, *whole.shape[2:]), value)
            lengths[modality] = torch.zeros_like(lengths[modality])
    tokens = int(sum(int(steps.sum()) for steps in lengths.values()))
    net_input = {**batch["net_input"], "streams": streams, "lengths": lengths}
    if "text" not in kept:
        net_input.pop("context", None)
    return {**batch, "net_input": net_input, "ntokens": tokens}
