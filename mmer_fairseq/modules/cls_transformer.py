"""A transformer that reads a whole sequence into one vector, through a learned row in front of it.

Letters for shapes: B clips, N real steps of all clips, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmer_fairseq.modules.dense import is_dense
from mmer_fairseq.modules.init import attention_init
from mmer_fairseq.modules.layers import LayerSizes, LayerStack
from mmer_fairseq.modules.rows import Rows


class ClsTransformer(nn.Module):
    """Post-norm layers over a learned row and the steps of a clip, without positions; the row comes out.

    Padding takes no part: layers run over the rows of real steps, and the last one for the learned row alone. A clip
    of no step gives what the learned row makes of itself.

    Source: Dai et al., "Multimodal End-to-End Sparse Model for Emotion Recognition", NAACL 2021, and its code.
    """

    def __init__(
        self, *, dim: int, layers: int, heads: int, dropout: float = 0.1, ffn_dim: int = 2048
    ) -> None:
        """Build it.

        Args:
            dim: D, a multiple of ``heads``.
            layers: their number, 1 or more.
            heads: attention heads.
            dropout: probability on attention weights, on what is added to residuals, and after the ReLU.
            ffn_dim: width inside the feed-forward parts.
        """
        super().__init__()
        sizes = LayerSizes(
            ffn_dim=ffn_dim,
            heads=heads,
            dropout=dropout,
            attention_dropout=dropout,
            activation_dropout=dropout,
            activation="relu",
        )
        self.cls = nn.Parameter(torch.randn(1, dim))
        self.encoder = LayerStack(count=layers, dim=dim, sizes=sizes)
        self.apply(attention_init)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Read.

        Args:
            x: [N, D], the steps of all clips one after the other; dense: padded ones, too.
            lengths: LongTensor [B] on the CPU, steps of each clip; they sum up to N.

        Returns:
            [B, D].
        """
        if is_dense():
            return self._dense(x, lengths)
        batch = len(lengths)
        rows = Rows(lengths + 1, x.device)
        clips = torch.arange(batch).repeat_interleave(lengths)
        starts = (lengths + 1).cumsum(0) - lengths - 1
        order = torch.empty(batch + len(clips), dtype=torch.long)
        order[starts] = torch.arange(batch)
        order[torch.arange(len(clips)) + clips + 1] = torch.arange(batch, batch + len(clips))
        first = self.cls.to(x.dtype).expand(batch, -1)
        y = torch.cat([first, x]).index_select(0, order.to(x.device))
        for layer in self.encoder.layers[:-1]:
            y = layer(y, rows)
        single = Rows(torch.ones_like(lengths), x.device)
        return self.encoder.layers[-1](y.index_select(0, starts.to(x.device)), single, y, rows)

    def _dense(self, x: Tensor, lengths: Tensor) -> Tensor:
        batch, steps = lengths.shape[0], x.shape[0] // lengths.shape[0] + 1
        first = self.cls.to(x.dtype).expand(batch, 1, -1)
        x = torch.cat([first, x.view(batch, steps - 1, x.shape[1])], dim=1)
        y, rows = x.flatten(0, 1), Rows(lengths + 1, steps=steps)
        for layer in self.encoder.layers[:-1]:
            y = layer(y, rows)
        single = Rows(torch.ones_like(lengths), steps=1)
        return self.encoder.layers[-1](y.view(batch, steps, y.shape[1])[:, 0], single, y, rows)
