"""Frames of a face that show an emotion, with that emotion beside their features.

Letters for shapes: B clips, T frames, D width of a frame's features, C emotions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.modules.checks import check_range
from mmer_fairseq.modules.masks import padding_mask


class FrameFilter(nn.Module):
    """Keeps the frames whose emotion is clear: those with Σ_c p_c² above a threshold, p the distribution over emotions.

    In training p is drawn with Gumbel noise; in evaluation it is the softmax itself, so the same clip gives the same
    numbers every time. Every clip is decided upon by itself, whatever the batch: of one without any clear frame, all
    are kept.

    Source: Zheng et al., "A Facial Expression-Aware Multimodal Multi-task Learning Framework for Emotion Recognition
    in Multi-party Conversations", ACL 2023, section 3.4. Differs from its published code in evaluation, which has
    noise there too, and in batches of two or more clips, for which that code takes wrong frames.
    """

    def __init__(self, *, threshold: float = 0.2, tau: float = 1.0) -> None:
        """Keep the settings.

        Args:
            threshold: 0 to 1; 1 / C is what a uniform distribution has, 1 what a certain one has.
            tau: temperature of the softmax, above 0.

        Raises:
            InputError: a number outside its range.
        """
        super().__init__()
        check_range("--frame-threshold", threshold, 0, 1)
        check_range("--gumbel-tau", tau, 1e-6)
        self.threshold = threshold
        self.tau = tau

    def forward(self, features: Tensor, logits: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Filter.

        Args:
            features: [B, T, D], what the network is to see of each frame.
            logits: [B, T, C], of the face model.
            lengths: LongTensor [B], frames of each clip; 0: it has no picture.

        Returns:
            [B, T, D + C], the kept frames at the front, features beside distribution, zeros behind them; and
            LongTensor [B], their number.
        """
        padding = padding_mask(lengths, logits.shape[1])
        emotions = self.distribution(logits.masked_fill(padding[..., None], 0.0))
        kept = (emotions.square().sum(dim=-1) > self.threshold) & ~padding
        kept = kept | ~(padding | kept.any(dim=1, keepdim=True))
        counts = kept.sum(dim=1)
        order = kept.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
        both = torch.cat([features, emotions.to(features.dtype)], dim=-1)
        both = both.gather(1, order[..., None].expand_as(both))
        return both.masked_fill(padding_mask(counts, both.shape[1])[..., None], 0.0), counts

    def distribution(self, logits: Tensor) -> Tensor:
        """[…, C] → […, C], each adding up to 1, in single precision at least."""
        logits = logits.double() if logits.dtype == torch.float64 else logits.float()
        if self.training:
            return F.gumbel_softmax(logits, tau=self.tau)
        return (logits / self.tau).softmax(dim=-1)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, tau={self.tau}"
