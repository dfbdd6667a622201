"""Additive attention of one learned query: the steps of a clip → one vector.

Letters for shapes: B clips, N rows (steps of all clips), T steps, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmer_fairseq.modules.attention import attention_weights
from mmer_fairseq.modules.rows import Rows


class AdditivePooling(nn.Module):
    """Σ_t a_t h_t with a = softmax(w · tanh(W h_t + b)).

    A learned query q adds Q q + b_Q to every step, which is one vector: it is the b here. A bias of w would add the
    same number to all scores, which softmax does not see.

    Source: Bahdanau et al., "Neural Machine Translation by Jointly Learning to Align and Translate", ICLR 2015.
    """

    def __init__(self, dim: int) -> None:
        """Build it for steps of width ``dim``, D."""
        super().__init__()
        self.key = nn.Linear(dim, dim)
        self.score = nn.Linear(dim, 1, bias=False)
        query, project = torch.randn(dim), nn.Linear(dim, dim)
        with torch.no_grad():  # it starts as a query of N(0, 1) behind a layer of its own would
            self.key.bias.add_(project(query))

    def forward(self, x: Tensor, rows: Rows, hidden: Tensor | None = None) -> Tensor:
        """Pool.

        Args:
            x: [N, D].
            rows: where they lie.
            hidden: BoolTensor [B, T], True where a step is not seen; a clip of which none is seen gives zeros. None:
                all are seen.

        Returns:
            [B, D].
        """
        scores = rows.unpack(self.score(self.key(x).tanh())).squeeze(2)
        hidden = rows.padding if hidden is None else hidden
        if hidden is None:
            return self._mixed(scores, None, x, rows)
        empty = hidden.all(dim=1, keepdim=True)
        return self._mixed(scores, hidden & ~empty, x, rows).masked_fill(empty, 0.0)

    def _mixed(self, scores: Tensor, hidden: Tensor | None, x: Tensor, rows: Rows) -> Tensor:
        weights = attention_weights(scores, hidden, 0.0).to(x.dtype)
        return torch.bmm(weights[:, None], rows.unpack(x)).squeeze(1)
