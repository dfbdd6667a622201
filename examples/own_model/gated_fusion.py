"""A model of one's own: each modality is read by a GRU, and a gate weighs what they say, for each clip anew.

MMER_MODELS=examples/own_model fairseq-train DATA --user-dir mmer_fairseq --arch gated_fusion …
"""

from dataclasses import dataclass

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.models import register_model
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from mmer_fairseq.models._fusion import FusionModel
from mmer_fairseq.models._presets import flag


class GatedFusion(nn.Module):
    """dims: modality → width of its features; width: of the GRUs; outputs: classes or scores."""

    def __init__(self, dims, width, outputs, dropout):
        super().__init__()
        self.dims, self.modalities = dims, tuple(dims)
        self.output_layers = ("out",)  # trained anew where a checkpoint has other classes
        self.readers = nn.ModuleDict({m: nn.GRU(dim, width, batch_first=True) for m, dim in dims.items()})
        self.gates = nn.ModuleDict({m: nn.Linear(width, 1) for m in dims})
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(width, outputs)

    def forward(self, streams, lengths):
        """streams: modality → [B, T, D]; lengths: modality → [B], 0 where a clip has no such modality."""
        vectors, gates = [], []
        for m in self.modalities:
            there = lengths[m] > 0
            steps = pack_padded_sequence(
                streams[m], lengths[m].clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
            )
            last = self.readers[m](steps)[1][0]  # [B, width]: the state behind the last real step
            vectors.append(last.masked_fill(~there[:, None], 0.0))
            gates.append(self.gates[m](vectors[-1])[:, 0].masked_fill(~there, -1e4))
        weights = torch.stack(gates, dim=1).softmax(dim=1)  # [B, M]
        fused = (weights[..., None] * torch.stack(vectors, dim=1)).sum(dim=1)
        return {"logits": self.out(self.dropout(fused)), "aux": {}}


@dataclass
class GatedFusionConfig(FairseqDataclass):
    width: int = flag(64, "of the GRUs")
    dropout: float = flag(0.1, "probability before the output layer, 0 to 1")
    load_checkpoint_heads: bool = flag(False, "require the checkpoint's output layer, never train a new one")


@register_model("gated_fusion", dataclass=GatedFusionConfig)
class GatedFusionModel(FusionModel):
    @classmethod
    def build_model(cls, cfg, task):
        # stored features have a width of their own; encoders of media give the one that is asked for
        dims = {m: spec.dim if spec.form == "features" else cfg.width for m, spec in task.streams.items()}
        return cls.around(GatedFusion(dims, cfg.width, task.num_outputs, cfg.dropout), cfg, task)
