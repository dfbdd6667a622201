"""LF-RNN and LF-Transformer in fairseq: ``--arch lf_rnn``, ``lf_transformer``; see ``networks/late_fusion.py``."""

from dataclasses import dataclass
from typing import Any

from fairseq.dataclass import FairseqDataclass
from fairseq.models import register_model

from mmer_fairseq.models._fusion import FusionModel, taken
from mmer_fairseq.models._presets import flag
from mmer_fairseq.networks.late_fusion import LFRNN, MODALITIES, LateFusionNetwork, LFTransformer


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
class LFRNNModel(FusionModel):
    """Encoders of the streams, then LF-RNN."""

    recipe = {"lr": "5e-4"}

    @classmethod
    def build_model(cls, cfg: Any, task: Any) -> "LFRNNModel":
        streams = taken(task.streams, MODALITIES, "late fusion")
        network = cls.network_of(
            cfg,
            dims={m: s.dim if s.form == "features" else cfg.feature_dim for m, s in streams.items()},
            outputs=task.num_outputs,
            original_behaviour=cfg.original_behaviour,
        )
        return cls.around(network, cfg, task)

    @staticmethod
    def network_of(cfg: Any, **sizes: Any) -> LateFusionNetwork:
        """The network in these sizes."""
        return LFRNN(**sizes)


@register_model("lf_transformer", dataclass=LFTransformerConfig)
class LFTransformerModel(LFRNNModel):
    """Encoders of the streams, then LF-Transformer."""

    @staticmethod
    def network_of(cfg: Any, **sizes: Any) -> LateFusionNetwork:
        heads = {m: getattr(cfg, f"heads_{m}") for m in MODALITIES}
        return LFTransformer(layers=cfg.trans_nlayers, attention_heads=heads, dropout=cfg.dropout, **sizes)
