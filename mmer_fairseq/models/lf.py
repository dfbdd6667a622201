"""LF-RNN and LF-Transformer in fairseq: ``--arch lf_rnn``, ``lf_transformer``; see ``networks/late_fusion.py``."""

import logging
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from fairseq.dataclass import FairseqDataclass
from fairseq.models import BaseFairseqModel, register_model
from torch import Tensor

from mmer_fairseq.encoders.streams import StreamEncoders
from mmer_fairseq.models._presets import flag
from mmer_fairseq.modules.state import CheckedLoading
from mmer_fairseq.networks.late_fusion import LFRNN, MODALITIES, LateFusionNetwork, LFTransformer

logger = logging.getLogger(__name__)


@dataclass
class LFConfig(FairseqDataclass):
    feature_dim: int = flag(
        60, "width that encoders give which run in the model (stored features: their own)"
    )
    original_behaviour: bool = flag(
        False, "let padding take part, as the original's code does (old checkpoints)"
    )
    load_checkpoint_heads: bool = flag(False, "require the checkpoint's output layers, never train new ones")


@dataclass
class LFTransformerConfig(LFConfig):
    trans_nlayers: int = flag(2, "layers of each transformer")
    heads_text: int = flag(0, "attention heads of text (0: at most 4, such that they divide the width)")
    heads_audio: int = flag(0, "attention heads of sound (0: at most 2, such that they divide the width)")
    heads_video: int = flag(0, "attention heads of picture (0: at most 5, such that they divide the width)")
    dropout: float = flag(0.1, "dropout probability in the transformers, 0 to 1")


@register_model("lf_rnn", dataclass=LFConfig)
class LFRNNModel(CheckedLoading, BaseFairseqModel):
    """Encoders of the streams, then LF-RNN."""

    def __init__(self, encoders: StreamEncoders, network: LateFusionNetwork) -> None:
        super().__init__()
        self.encoders = encoders
        self.network = network
        self.modalities: Tuple[str, ...] = network.modalities
        self.output_layers = tuple(f"network.heads.{m}.out_proj" for m in network.modalities)

    @classmethod
    def build_model(cls, cfg: Any, task: Any) -> "LFRNNModel":
        streams = {m: s for m, s in task.streams.items() if m in MODALITIES} or dict(task.streams)
        others = [m for m in task.streams if m not in streams]
        if others:
            logger.info("late fusion takes text, audio and video; %s is not read", ", ".join(others))
        network = cls.network_of(
            cfg,
            dims={m: s.dim if s.form == "features" else cfg.feature_dim for m, s in streams.items()},
            outputs=task.num_outputs,
            original_behaviour=cfg.original_behaviour,
        )
        model = cls(StreamEncoders({m: streams[m] for m in network.dims}, network.dims), network)
        model.load_checkpoint_heads = cfg.load_checkpoint_heads
        return model

    @staticmethod
    def network_of(cfg: Any, **sizes: Any) -> LateFusionNetwork:
        """The network in these sizes."""
        return LFRNN(**sizes)

    def forward(self, streams: Dict[str, Tensor], lengths: Dict[str, Tensor]) -> Dict[str, Any]:
        return self.network(*self.encoders(streams, lengths))

    def max_positions(self) -> Optional[int]:
        """None: nothing has positions."""
        return None


@register_model("lf_transformer", dataclass=LFTransformerConfig)
class LFTransformerModel(LFRNNModel):
    """Encoders of the streams, then LF-Transformer."""

    @staticmethod
    def network_of(cfg: Any, **sizes: Any) -> LateFusionNetwork:
        heads = {m: getattr(cfg, f"heads_{m}") for m in MODALITIES}
        return LFTransformer(layers=cfg.trans_nlayers, attention_heads=heads, dropout=cfg.dropout, **sizes)
