"""A transformer encoder over the steps of a clip with learned positions, as BERT's.

Letters for shapes: B clips, N rows (steps of all clips), D width.
"""

from __future__ import annotations

from torch import Tensor, nn

from mmer_fairseq.modules.layers import LayerSizes, LayerStack
from mmer_fairseq.modules.rows import Rows


class StepEncoder(nn.Module):
    """A learned position is added to each step; then layers, post-norm unless their sizes say otherwise.

    Nothing normalises or drops out the sum of step and position.

    Source: Zheng et al., "A Facial Expression-Aware Multimodal Multi-task Learning Framework for Emotion Recognition
    in Multi-party Conversations", ACL 2023, and its published code.
    """

    def __init__(self, *, dim: int, steps: int, layers: int, sizes: LayerSizes) -> None:
        """Build it.

        Args:
            dim: D.
            steps: positions that there are, which start as N(0, 1).
            layers: their number.
            sizes: of the layers.
        """
        super().__init__()
        self.positions = nn.Embedding(steps, dim)
        self.encoder = LayerStack(count=layers, dim=dim, sizes=sizes)

    def forward(self, x: Tensor, rows: Rows, hidden: Tensor | None = None) -> Tensor:
        """Run it.

        Args:
            x: [N, D].
            rows: where they lie, no clip longer than there are positions.
            hidden: BoolTensor [B, T], True where a step is not seen; None: all are.

        Returns:
            [N, D].
        """
        positions = self.positions.weight[: rows.steps].expand(rows.batch, -1, -1)
        return self.encoder(x + rows.pack(positions).to(x.dtype), rows, None, None, hidden)
