"""Clips → one padded batch. Padding goes to the longest clip of the batch, never further."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmer_fairseq.data.dialogues import collate_context


def collate(items: Sequence[dict[str, Any]], empty: dict[str, Tensor], padding_idx: int) -> dict[str, Any]:
    """Merge clips into the batch that every model takes.

    Args:
        items: one dictionary a clip: ``index`` (int), ``streams`` (modality → Tensor [T, …], absent ones left out),
            ``target`` (Tensor) and maybe ``context``, as :class:`mmer_fairseq.data.dataset.EmotionDataset` makes them.
        empty: modality → a tensor [0, …] of the shape and type that the modality has.
        padding_idx: fills the padded steps of token streams; other streams are padded with zeros.

    Returns:
        ``{}`` for no clips (fairseq fills short shards so), else a dictionary with
        ``id`` LongTensor [B];
        ``net_input``: ``streams`` (text LongTensor [B, T]; audio FloatTensor [B, samples]; video FloatTensor
        [B, T, 3, H, W] in [0, 1]; stored features FloatTensor [B, T, D]) and ``lengths`` (LongTensor [B], 0 where
        the clip has no such modality; such a stream still has one padded step), and with ``--context`` where a clip has
        a text ``context``, see :func:`mmer_fairseq.data.dialogues.collate_context`;
        ``target`` LongTensor [B] (classes) | DoubleTensor [B, N] | DoubleTensor [B, T, N], with ``target_mask``
        BoolTensor [B, T, N] (``True``: padding or no valid label) for traces. Doubles, because fairseq's ``--fp16``
        would round single-precision labels to half;
        ``nsentences`` B and ``ntokens``, the valid steps of all modalities.
    """
    if not items:
        return {}
    streams, lengths = {}, {}
    for modality, nothing in empty.items():
        steps = [item["streams"].get(modality, nothing) for item in items]
        lengths[modality] = torch.tensor([len(each) for each in steps])
        streams[modality] = _pad(steps, padding_idx if nothing.dtype == torch.long else 0)
    net_input: dict[str, Any] = {"streams": streams, "lengths": lengths}
    context = collate_context(items, padding_idx)
    if context:
        net_input["context"] = context
    batch = {
        "id": torch.tensor([item["index"] for item in items]),
        "net_input": net_input,
        "nsentences": len(items),
        "ntokens": int(sum(int(each.sum()) for each in lengths.values())),
    }
    batch.update(_targets([item["target"] for item in items]))
    return batch


def _pad(steps: list[Tensor], value: int) -> Tensor:
    if all(len(each) == 0 for each in steps):
        steps = [torch.full((1, *steps[0].shape[1:]), value, dtype=steps[0].dtype), *steps[1:]]
    padded = pad_sequence(steps, batch_first=True, padding_value=value)
    return padded.float().div_(255) if padded.dtype == torch.uint8 else padded


def _targets(targets: list[Tensor]) -> dict[str, Tensor]:
    if targets[0].dim() < 2:
        stacked = torch.stack(targets)
        return {"target": stacked.double() if stacked.is_floating_point() else stacked}
    padded = pad_sequence(targets, batch_first=True, padding_value=float("nan")).double()
    mask = padded.isnan()
    return {"target": padded.masked_fill(mask, 0.0), "target_mask": mask}
