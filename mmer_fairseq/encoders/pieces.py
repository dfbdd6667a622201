"""Clips cut into pieces of one length, each of which becomes one vector; padding is never touched."""

from __future__ import annotations

from typing import Callable

import torch
from torch import Tensor

from mmer_fairseq.modules.masks import padding_mask


def piece_count(lengths: Tensor, piece: int) -> Tensor:
    """Pieces of clips with that many steps: rounded up; LongTensor [B] → LongTensor [B]."""
    return torch.div(lengths + piece - 1, piece, rounding_mode="floor")


def each_piece(
    x: Tensor,
    starts: Tensor,
    counts: Tensor,
    steps: Callable[[Tensor, Tensor], Tensor],
    pieces_to_vectors: Callable[[Tensor], Tensor],
    dim: int,
    at_once: int,
) -> Tensor:
    """Run a network over the pieces of all clips together, in groups of about one size.

    A batch norm that is being trained takes its statistics over a group.

    Args:
        x: [B, T, …].
        starts: LongTensor [B, P], first step of each piece.
        counts: LongTensor [B], pieces of each clip, at most P.
        steps: (first steps [N], clips [N]) → LongTensor [N, L], the steps of which each piece consists.
        pieces_to_vectors: [N, L, …] → [N, D].
        dim: D.
        at_once: most pieces in one call, a bound on memory.

    Returns:
        [B, P, D], zero behind the pieces of a clip.
    """
    valid = ~padding_mask(counts, starts.size(1))
    clips = valid.nonzero()[:, 0]
    firsts = starts[valid]
    groups = max(-(-len(clips) // at_once), 1)
    vectors = torch.cat(
        [
            pieces_to_vectors(x[clip[:, None], steps(first, clip)])
            for clip, first in zip(clips.tensor_split(groups), firsts.tensor_split(groups))
        ]
    )
    y = vectors.new_zeros(*starts.shape, dim)
    y[valid] = vectors
    return y


def each_frame_piece(
    frames: Tensor,
    lengths: Tensor,
    piece: int,
    pieces_to_vectors: Callable[[Tensor], Tensor],
    dim: int,
    at_once: int,
) -> tuple[Tensor, Tensor]:
    """Pieces one behind the other; the last one of a clip is filled by repeating its last frame.

    Args:
        frames: [B, T, 3, H, W].
        lengths: LongTensor [B], valid frames, at least 1.
        piece: frames of a piece.
        pieces_to_vectors: [N, piece, 3, H, W] → [N, D].
        dim: D.
        at_once: most pieces in one call.

    Returns:
        [B, P, D] and LongTensor [B], its valid steps.
    """
    counts = piece_count(lengths, piece)
    starts = torch.arange(int(counts.max()), device=lengths.device)[None] * piece
    inside = torch.arange(piece, device=lengths.device)

    def steps(first: Tensor, clip: Tensor) -> Tensor:
        return torch.minimum(first[:, None] + inside, lengths[clip][:, None] - 1)

    starts = starts.expand(len(lengths), -1)
    return each_piece(frames, starts, counts, steps, pieces_to_vectors, dim, at_once), counts
