"""JMT in fairseq: ``--arch jmt`` and its sibling. The network is ``networks/jmt.py``."""

from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from fairseq.dataclass import FairseqDataclass
from fairseq.models import BaseFairseqModel, register_model
from torch import Tensor

from mmer_fairseq.encoders.streams import StreamEncoders
from mmer_fairseq.models._presets import flag, register_presets
from mmer_fairseq.modules.state import CheckedLoading
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
class JMTModel(CheckedLoading, BaseFairseqModel):
    """Encoders of the streams, then JMT."""

    def __init__(self, encoders: StreamEncoders, network: JMT) -> None:
        super().__init__()
        self.encoders = encoders
        self.network = network
        self.modalities: Tuple[str, ...] = network.modalities
        self.output_layers = tuple(f"network.{name}" for name in network.output_layers)

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
        model = cls(StreamEncoders({m: task.streams[m] for m in network.dims}, network.dims), network)
        model.load_checkpoint_heads = cfg.load_checkpoint_heads
        return model

    def forward(self, streams: Dict[str, Tensor], lengths: Dict[str, Tensor]) -> Dict[str, Any]:
        return self.network(*self.encoders(streams, lengths))

    def max_positions(self) -> Optional[int]:
        """None: positions have no end."""
        return None


PRESETS: Dict[str, Dict[str, int]] = {
    # ours, for encoders that are trained with it
    "jmt_small": dict(embed_dim=64, head_dim=32, num_heads=4),
}

register_presets(__name__, globals(), JMTModel, JMTConfig, PRESETS)
