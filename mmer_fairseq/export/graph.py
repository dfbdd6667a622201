"""A trained model as one graph that fits every batch: streams and lengths in, logits out."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mmer_fairseq.errors import InputError
from mmer_fairseq.export.encoders import check_exportable, encoded
from mmer_fairseq.export.facialmmt import PaddedFacialMMT, filtered, without_ends
from mmer_fairseq.modules.dense import dense
from mmer_fairseq.modules.masks import padding_mask
from mmer_fairseq.networks.facialmmt import FacialMMT


class Graph(nn.Module):
    """A model of ours in evaluation, in single precision on the CPU.

    Attributes:
        modalities: in the order of the inputs.
        encodes: those whose encoder is part of the graph; of the others, it takes what their encoder gives.
    """

    def __init__(self, model: Any, features_only: bool = False) -> None:
        """Take a copy of a model.

        Args:
            model: with ``encoders`` and ``network``.
            features_only: leave all encoders out but those of stored features.

        Raises:
            InputError: it computes as the original's code, or has an encoder that cannot be exported.
        """
        super().__init__()
        if getattr(model.network, "original_behaviour", False) or _scrambles(model.network):
            raise InputError.of(
                where="--path",
                expected="a model whose output for a clip does not depend on the other clips of its batch",
                found="one that was trained with --original-behaviour, which computes over padding",
                remedy="train without that flag to export",
            )
        self.modalities: tuple[str, ...] = tuple(model.encoders.encoder)
        encoders = model.encoders.encoder
        raw = [m for m in self.modalities if type(encoders[m]).__name__ not in ("Identity", "Standardise")]
        left_out = raw if features_only else []
        self.encodes = tuple(m for m in self.modalities if m not in left_out)
        for m in self.encodes:
            check_exportable(m, encoders[m])
        self.encoder = nn.ModuleDict({m: copy.deepcopy(encoders[m]) for m in self.encodes})
        self.projection = copy.deepcopy(model.encoders.projection)
        self.chunk = dict(model.encoders.chunk)
        network = copy.deepcopy(model.network)
        self.network = PaddedFacialMMT(network) if isinstance(network, FacialMMT) else network
        self.emotions = int(getattr(model, "emotions", 0) or 0)
        self.filter = copy.deepcopy(getattr(model, "filter", None))
        self.bare_text = bool(getattr(model, "bare_text", False))
        self.float().cpu().eval().requires_grad_(False)

    def forward(self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> Tensor:
        """Predict.

        Args:
            streams: modality → [B, T, …], T at least 1.
            lengths: modality → LongTensor [B], real steps; 0: the clip has no such modality.

        Returns:
            Logits FloatTensor [B, C], or [B, T, C] of a model over time.
        """
        with dense():
            features, steps = {}, {}
            for m in self.modalities:
                y, steps[m] = self._encoded(m, streams[m], lengths[m])
                if m in self.projection:
                    y = self.projection[m](y)
                features[m] = y.masked_fill(padding_mask(steps[m], y.shape[1])[..., None], 0.0)
            if self.bare_text:
                features["text"], steps["text"] = without_ends(features["text"], steps["text"], 1, 1)
            if self.filter is not None:
                x = features["video"]
                own, logits = x.split([x.shape[2] - self.emotions, self.emotions], dim=2)
                features["video"], steps["video"] = filtered(self.filter, own, logits, steps["video"])
            return self.network(features, steps)["logits"]

    def _encoded(self, modality: str, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        if modality not in self.encodes:
            return x, lengths
        return encoded(self.encoder[modality], x, lengths, self.chunk[modality])


def _scrambles(network: nn.Module) -> bool:
    return any(getattr(module, "original_behaviour", False) for module in network.modules())
