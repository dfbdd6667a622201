"""AuxFormer in fairseq: ``--arch auxformer`` and its siblings. The network is ``networks/auxformer.py``."""

from dataclasses import dataclass
from typing import Any, Dict, Optional

from fairseq.dataclass import FairseqDataclass
from fairseq.models import register_model

from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.registry import is_pretrained
from mmer_fairseq.models._fusion import FusionModel, taken
from mmer_fairseq.models._presets import flag, register_presets
from mmer_fairseq.networks.auxformer import MODALITIES, AuxFormer


@dataclass
class AuxFormerConfig(FairseqDataclass):
    audio_dim: int = flag(1024, "width of sound features (small trainable encoders: that of the network)")
    video_dim: int = flag(50, "width of picture features (small trainable encoders: that of the network)")
    encoder_layers: int = flag(5, "layers of each encoder")
    encoder_embed_dim: int = flag(50, "width of all encoders; features of another width are projected to it")
    encoder_attention_heads: int = flag(10, "attention heads; their number divides the width")
    attention_dropout: float = flag(0.1, "dropout probability of attention weights within a modality, 0 to 1")
    activation_dropout: float = flag(0.1, "dropout probability after the ReLU, 0 to 1")
    residual_dropout: float = flag(0.1, "dropout probability of what is added to a residual, 0 to 1")
    embed_dropout: float = flag(0.25, "dropout probability of what comes into an encoder, 0 to 1")
    out_dropout: float = flag(0.2, "dropout probability in the heads, 0 to 1")
    no_attention_mask: bool = flag(False, "let each step see later ones, too")
    original_behaviour: bool = flag(
        False,
        "compute what the original code computes, padding and missing modalities included (old checkpoints)",
    )
    load_checkpoint_heads: bool = flag(False, "require the checkpoint's output layers, never train new ones")


@register_model("auxformer", dataclass=AuxFormerConfig)
class AuxFormerModel(FusionModel):
    """Encoders of sound and picture, then AuxFormer."""

    @classmethod
    def build_model(cls, cfg: Any, task: Any) -> "AuxFormerModel":
        chosen = taken(task.streams, MODALITIES, "AuxFormer")
        network = AuxFormer(
            modalities=tuple(chosen),
            outputs=task.num_outputs,
            audio_dim=_width(task.streams.get("audio"), cfg.audio_dim, cfg.encoder_embed_dim),
            video_dim=_width(task.streams.get("video"), cfg.video_dim, cfg.encoder_embed_dim),
            dim=cfg.encoder_embed_dim,
            heads=cfg.encoder_attention_heads,
            layers=cfg.encoder_layers,
            attention_dropout=cfg.attention_dropout,
            activation_dropout=cfg.activation_dropout,
            residual_dropout=cfg.residual_dropout,
            embed_dropout=cfg.embed_dropout,
            out_dropout=cfg.out_dropout,
            causal=not cfg.no_attention_mask,
            original_behaviour=cfg.original_behaviour,
        )
        return cls.around(network, cfg, task)


def _width(stream: Optional[StreamSpec], published: int, dim: int) -> int:
    """Small encoders that are trained with the network give its own width; others have the published one."""
    small = stream is not None and stream.form != "features" and not is_pretrained(stream)
    return dim if small else published


PRESETS: Dict[str, Dict[str, int]] = {
    # v1, the paper: openSMILE LLDs and VGG-Face; the plain name is v2: wav2vec 2.0 and EMOCA
    "auxformer_lld": dict(audio_dim=130, video_dim=4096, encoder_embed_dim=130),
    # ours, for encoders that are trained with it
    "auxformer_small": dict(encoder_embed_dim=48, encoder_attention_heads=4, encoder_layers=2),
}

register_presets(__name__, globals(), AuxFormerModel, AuxFormerConfig, PRESETS)
