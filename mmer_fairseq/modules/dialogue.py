"""Utterances inside a dialogue that a language model read as one text.

Letters for shapes: D dialogues, U utterances of a dialogue, B utterances that are wanted, T tokens of a dialogue, L
tokens of an utterance, H width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.masks import padding_mask

#: Layout → tokens from the one that closes an utterance to the first of the next: ``<s> u1 </s> </s> u2 </s>`` and
#: ``[CLS] u1 [SEP] u2 [SEP]``.
LAYOUTS = {"roberta": 2, "bert": 1}


def utterance_spans(closing: Tensor, layout: str) -> tuple[Tensor, Tensor]:
    """Where the utterances of dialogues lie.

    Args:
        closing: LongTensor [D, U], position of the token that closes each utterance, in order; -1 where a dialogue has
            no more.
        layout: one of ``LAYOUTS``.

    Returns:
        LongTensor [D, U] twice: position of an utterance's first token, and its number of tokens, 0 where a dialogue
        has no more.

    Raises:
        InputError: there is no such layout.
    """
    if layout not in LAYOUTS:
        raise InputError.of(
            where="layout of a dialogue",
            expected=" or ".join(LAYOUTS),
            found=repr(layout),
            remedy="name that of the language model",
        )
    before = closing[:, :-1] + LAYOUTS[layout]
    starts = torch.cat([torch.ones_like(closing[:, :1]), before], dim=1)
    return starts.clamp(min=1), (closing - starts).clamp(min=0)


def utterance_steps(
    hidden: Tensor, dialogues: Tensor, starts: Tensor, lengths: Tensor, limit: int | None = None
) -> tuple[Tensor, Tensor]:
    """Cut utterances out of encoded dialogues.

    Args:
        hidden: [D, T, H], what the language model gives for the dialogues.
        dialogues: LongTensor [B], the dialogue that each utterance is part of.
        starts, lengths: LongTensor [B], its first token and its number of tokens (:func:`utterance_spans`); 0: the
            clip has no text. What lies behind T is not there.
        limit: tokens after which an utterance is cut off; None: never.

    Returns:
        [B, L, H], zero at padded steps, L at least 1; LongTensor [B], tokens of each.
    """
    steps = hidden.shape[1]
    lengths = torch.minimum(lengths, (steps - starts).clamp(min=0))
    lengths = lengths if limit is None else lengths.clamp(max=limit)
    longest = max(int(lengths.max()), 1)
    within = starts[:, None] + torch.arange(longest, device=starts.device)
    index = dialogues[:, None] * steps + within.clamp(max=steps - 1)
    found = hidden.flatten(0, 1).index_select(0, index.flatten()).view(*index.shape, -1)
    return found.masked_fill(padding_mask(lengths, longest)[..., None], 0.0), lengths


def without_ends(x: Tensor, lengths: Tensor, first: int, last: int) -> tuple[Tensor, Tensor]:
    """Take steps away at both ends of each clip.

    Args:
        x: [B, T, H].
        lengths: LongTensor [B]; 0: there is nothing to take away.
        first, last: how many steps.

    Returns:
        [B, L, H], zero at padded steps, L at least 1; LongTensor [B].
    """
    kept = (lengths - first - last).clamp(min=0)
    rest = x[:, first:] if x.shape[1] > first else x[:, :0]
    longest = max(int(kept.max()), 1)
    rest = F.pad(rest[:, :longest], (0, 0, 0, max(longest - rest.shape[1], 0)))
    return rest.masked_fill(padding_mask(kept, longest)[..., None], 0.0), kept
