"""SSE-FT in fairseq: ``--arch robertaEMO`` and its siblings. The network is ``networks/sse_ft.py``."""

from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple

from fairseq.dataclass import FairseqDataclass
from fairseq.dataclass.utils import merge_with_parent
from fairseq.models import BaseFairseqModel, register_model, register_model_architecture
from torch import Tensor

from mmer_fairseq.encoders.streams import StreamEncoders
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.state import CheckedLoading
from mmer_fairseq.networks.sse_ft import PAIR_ORDER, SSEFT


@dataclass
class SSEFTConfig(FairseqDataclass):
    encoder_layers: int = field(
        default=12, metadata={"help": "self-attention layers of sound and of picture"}
    )
    encoder_layers_cross: int = field(default=1, metadata={"help": "layers of each cross-modal stack"})
    encoder_embed_dim: int = field(default=768, metadata={"help": "width of text"})
    encoder_embed_dim_a: int = field(default=768, metadata={"help": "width of sound"})
    encoder_embed_dim_v: int = field(default=768, metadata={"help": "width of picture"})
    encoder_embed_dim_concat: Optional[int] = field(
        default=None,
        metadata={"help": "width of the fused vector: the sum of the widths, checked when given"},
    )
    encoder_ffn_embed_dim: int = field(
        default=3072, metadata={"help": "width inside the feed-forward layers"}
    )
    encoder_attention_heads: int = field(
        default=12, metadata={"help": "attention heads; they divide every width"}
    )
    activation_fn: str = field(
        default="gelu", metadata={"help": "activation function of the feed-forward layers"}
    )
    pooler_activation_fn: str = field(default="tanh", metadata={"help": "activation function of the head"})
    encoder_normalize_before: bool = field(
        default=False,
        metadata={"help": "LayerNorm before attention and feed-forward, not after the residual"},
    )
    dropout: float = field(default=0.1, metadata={"help": "dropout probability, 0 to 1"})
    attention_dropout: float = field(
        default=0.1, metadata={"help": "dropout probability of attention weights"}
    )
    activation_dropout: float = field(default=0.0, metadata={"help": "dropout after the activation function"})
    pooler_dropout: float = field(default=0.0, metadata={"help": "dropout probability in the head"})
    max_positions_t: int = field(default=512, metadata={"help": "longest text, in tokens"})
    max_positions_a: int = field(
        default=936, metadata={"help": "longest sound, in steps with the start vector"}
    )
    max_positions_v: int = field(
        default=301, metadata={"help": "longest picture, in steps with the start vector"}
    )
    load_checkpoint_heads: bool = field(
        default=False,
        metadata={"help": "require the checkpoint's output layer (default: a new one if sizes differ)"},
    )
    t_only: bool = field(default=False, metadata={"help": "text alone (with another *-only: these together)"})
    a_only: bool = field(
        default=False, metadata={"help": "sound alone (with another *-only: these together)"}
    )
    v_only: bool = field(
        default=False, metadata={"help": "picture alone (with another *-only: these together)"}
    )
    all_in: bool = field(default=False, metadata={"help": "require text, sound and picture"})


@register_model("robertaEMO", dataclass=SSEFTConfig)
class RobertaEMO(CheckedLoading, BaseFairseqModel):
    """Encoders of the chosen streams, then SSE-FT."""

    output_layers = ("network.head.out_proj",)

    def __init__(self, encoders: StreamEncoders, network: SSEFT) -> None:
        super().__init__()
        self.encoders = encoders
        self.network = network
        self.modalities: Tuple[str, ...] = network.modalities

    @classmethod
    def build_model(cls, cfg: Any, task: Any) -> "RobertaEMO":
        if "_name" in cfg:  # a preset named in YAML arrives without the fields that it does not set
            cfg = merge_with_parent(SSEFTConfig(), cfg)
        modalities = chosen_modalities(cfg, tuple(task.streams))
        network = SSEFT(
            modalities=modalities,
            outputs=task.num_outputs,
            text_dim=cfg.encoder_embed_dim,
            audio_dim=cfg.encoder_embed_dim_a,
            video_dim=cfg.encoder_embed_dim_v,
            ffn_dim=cfg.encoder_ffn_embed_dim,
            heads=cfg.encoder_attention_heads,
            layers=cfg.encoder_layers,
            cross_layers=cfg.encoder_layers_cross,
            dropout=cfg.dropout,
            attention_dropout=cfg.attention_dropout,
            activation_dropout=cfg.activation_dropout,
            pooler_dropout=cfg.pooler_dropout,
            activation=cfg.activation_fn,
            pooler_activation=cfg.pooler_activation_fn,
            normalize_before=cfg.encoder_normalize_before,
            max_positions_text=cfg.max_positions_t,
            max_positions_audio=cfg.max_positions_a,
            max_positions_video=cfg.max_positions_v,
        )
        width = sum(network.dims.values())
        if cfg.encoder_embed_dim_concat not in (None, width):
            raise InputError.of(
                where="--encoder-embed-dim-concat",
                expected=f"{width}, the widths of {', '.join(modalities)} together",
                found=cfg.encoder_embed_dim_concat,
                remedy="leave it out",
            )
        model = cls(StreamEncoders({m: task.streams[m] for m in modalities}, network.dims), network)
        model.load_checkpoint_heads = cfg.load_checkpoint_heads
        return model

    def forward(self, streams: Dict[str, Tensor], lengths: Dict[str, Tensor]) -> Dict[str, Any]:
        return self.network(*self.encoders(streams, lengths))

    def max_positions(self) -> None:
        """No single number: the network checks each modality and names its flag, nothing is dropped unseen."""
        return None


def chosen_modalities(cfg: Any, streams: Tuple[str, ...]) -> Tuple[str, ...]:
    """The modalities that the model flags ask for, in order; without a flag all streams of the task."""
    only = tuple(m for m in PAIR_ORDER if getattr(cfg, f"{m[0]}_only"))
    wanted = PAIR_ORDER if cfg.all_in else only or streams
    if (cfg.all_in and only) or any(m not in streams for m in wanted):
        raise InputError.of(
            where="--t-only, --a-only, --v-only, --all-in",
            expected="--all-in alone or some of the others, and a corpus that has these modalities",
            found=f"{', '.join(wanted)} asked for{' with --all-in' if cfg.all_in else ''}, streams {', '.join(streams)}",
            remedy="leave these flags out and choose with --modalities",
        )
    return wanted


PRESETS = {
    "robertaEMO_base": {},
    "robertEMO_large": dict(
        encoder_layers=24,
        encoder_embed_dim=1024,
        encoder_embed_dim_a=512,
        encoder_embed_dim_v=256,
        encoder_ffn_embed_dim=1024,
        encoder_attention_heads=16,
    ),
    "robertaEMO_small": dict(
        encoder_layers=2,
        encoder_embed_dim=96,
        encoder_embed_dim_a=96,
        encoder_embed_dim_v=96,
        encoder_ffn_embed_dim=192,
        encoder_attention_heads=4,
    ),
}
for _name, _numbers in PRESETS.items():

    @register_model_architecture("robertaEMO", _name)
    def _preset(cfg: Any, numbers: Dict[str, int] = _numbers) -> None:
        for key, number in numbers.items():
            if getattr(cfg, key, None) is None:
                setattr(cfg, key, number)
