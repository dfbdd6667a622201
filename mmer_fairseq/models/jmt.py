"""JMT in fairseq: ``--arch jmt`` and its sibling. The network is ``networks/jmt.py``."""

from dataclasses import dataclass
from typing import Any, Dict, Optional

from fairseq.dataclass import FairseqDataclass
from fairseq.models import register_model

from mmer_fairseq.models._fusion import FusionModel
from mmer_fairseq.models._presets import flag, register_presets
from mmer_fairseq.networks.jmt import JMT


@dataclass
class JMTConfig(FairseqDataclass):
    goal: str = flag(
        "training", "training, or pretraining: a single stream with a head, on features as they are"
    )
    joint_modalities: str = flag(
        "TRANSFORMER",
        "TRANSFORMER: streams attend to each other and to a joint representation; NONE: to each other; "
        "FC: a linear layer alone",
    )
    output_format: str = flag(
        "SELF_ATTEN", "what makes one vector of what TRANSFORMER found: SELF_ATTEN, or FC: a linear layer"
    )
    intra_modal_fusion: Optional[str] = flag(
        None,
        "feat_concat_fc or encoder_plus_self_attention: joins the feature stores of one modality, where there are two",
    )
    embed_dim: int = flag(
        512, "width of all streams and layers; features of another width are projected to it"
    )
    head_dim: int = flag(128, "width inside the heads")
    num_heads: int = flag(1, "attention heads; their number divides the width")
    num_layers: int = flag(1, "layers of each encoder")
    v_dropout: float = flag(0.0, "dropout probability in the head of the first output (valence), 0 to 1")
    a_dropout: float = flag(0.0, "dropout probability in the other heads (arousal), 0 to 1")
    positions: str = flag(
        "none", "sinusoidal: let the streams know the order of their steps, which none does not"
    )
    original_behaviour: bool = flag(
        False,
        "with --joint-modalities NONE: encoders attend over the batch, as the original code (old checkpoints)",
    )
    load_checkpoint_heads: bool = flag(False, "require the checkpoint's output layers, never train new ones")


@register_model("jmt", dataclass=JMTConfig)
class JMTModel(FusionModel):
    """Encoders of the streams, then JMT."""

    @classmethod
    def build_model(cls, cfg: Any, task: Any) -> "JMTModel":
        network = JMT(
            streams=tuple(task.streams),
            outputs=task.num_outputs,
            parts={m: stream.parts for m, stream in task.streams.items()},
            over_time=bool(getattr(task, "over_time", False)),
            goal=cfg.goal,
            joint_modalities=cfg.joint_modalities,
            output_format=cfg.output_format,
            intra_modal_fusion=cfg.intra_modal_fusion,
            dim=cfg.embed_dim,
            head_dim=cfg.head_dim,
            heads=cfg.num_heads,
            layers=cfg.num_layers,
            v_dropout=cfg.v_dropout,
            a_dropout=cfg.a_dropout,
            positions=cfg.positions,
            original_behaviour=cfg.original_behaviour,
        )
        return cls.around(network, cfg, task)


PRESETS: Dict[str, Dict[str, int]] = {
    # ours, for encoders that are trained with it
    "jmt_small": dict(embed_dim=64, head_dim=32, num_heads=4),
}

register_presets(__name__, globals(), JMTModel, JMTConfig, PRESETS)
