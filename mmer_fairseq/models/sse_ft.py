"""SSE-FT in fairseq: ``--arch robertaEMO`` and its siblings. The network is ``networks/sse_ft.py``."""

from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from fairseq.dataclass import FairseqDataclass
from fairseq.models import register_model

from mmer_fairseq.errors import InputError
from mmer_fairseq.models._fusion import FusionModel
from mmer_fairseq.models._presets import flag, register_presets
from mmer_fairseq.networks.sse_ft import MODALITIES, SSEFT


@dataclass
class SSEFTConfig(FairseqDataclass):
    encoder_layers: int = flag(12, "self-attention layers of sound and of picture")
    encoder_layers_cross: int = flag(1, "layers of each cross-modal stack")
    encoder_embed_dim: int = flag(768, "width of text")
    encoder_embed_dim_a: int = flag(768, "width of sound")
    encoder_embed_dim_v: int = flag(768, "width of picture")
    encoder_embed_dim_concat: Optional[int] = flag(None, "width of the fused vector: the sum of the widths")
    encoder_ffn_embed_dim: int = flag(3072, "width inside the feed-forward layers")
    encoder_attention_heads: int = flag(12, "attention heads; their number divides every width")
    activation_fn: str = flag("gelu", "activation function of the feed-forward layers")
    pooler_activation_fn: str = flag("tanh", "activation function of the head")
    encoder_normalize_before: bool = flag(False, "LayerNorm before attention and feed-forward, not after")
    dropout: float = flag(0.1, "dropout probability, 0 to 1")
    attention_dropout: float = flag(0.1, "dropout probability of attention weights, 0 to 1")
    activation_dropout: float = flag(0.0, "dropout probability after the activation function, 0 to 1")
    pooler_dropout: float = flag(0.0, "dropout probability in the head, 0 to 1")
    max_positions_t: int = flag(512, "longest text in tokens")
    max_positions_a: int = flag(936, "longest sound in steps, the start vector counted")
    max_positions_v: int = flag(301, "longest picture in steps, the start vector counted")
    load_checkpoint_heads: bool = flag(False, "require the checkpoint's output layer, never train a new one")
    t_only: bool = flag(False, "text alone; several of these flags: these modalities together")
    a_only: bool = flag(False, "sound alone; several of these flags: these modalities together")
    v_only: bool = flag(False, "picture alone; several of these flags: these modalities together")
    all_in: bool = flag(False, "require text, sound and picture")


@register_model("robertaEMO", dataclass=SSEFTConfig)
class RobertaEMO(FusionModel):
    """Encoders of the chosen streams, then SSE-FT."""

    @classmethod
    def build_model(cls, cfg: Any, task: Any) -> "RobertaEMO":
        network = SSEFT(
            modalities=chosen_modalities(cfg, tuple(task.streams)),
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
                expected=f"{width}, the widths of {', '.join(network.dims)} together",
                found=cfg.encoder_embed_dim_concat,
                remedy="leave it out",
            )
        return cls.around(network, cfg, task, cfg.dropout)


def chosen_modalities(cfg: Any, streams: Tuple[str, ...]) -> Tuple[str, ...]:
    """The modalities that the model's flags ask for; without such a flag, all streams of the task."""
    only = tuple(m for m in MODALITIES if getattr(cfg, f"{m[0]}_only"))
    wanted = MODALITIES if cfg.all_in else only or streams
    if (cfg.all_in and only) or any(m not in streams for m in wanted):
        raise InputError.of(
            where="--t-only, --a-only, --v-only, --all-in",
            expected=f"--all-in, or others of these, for streams that the task reads ({', '.join(streams)})",
            found=" ".join(["--all-in"] * cfg.all_in + [f"--{m[0]}-only" for m in only]),
            remedy="leave these flags out and choose with --modalities",
        )
    return wanted


PRESETS: Dict[str, Dict[str, int]] = {
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


register_presets(__name__, globals(), RobertaEMO, SSEFTConfig, PRESETS)
