"""FacialMMT in fairseq: ``--arch facialmmt`` and its siblings. The network is ``networks/facialmmt.py``."""

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

from fairseq.dataclass import FairseqDataclass
from fairseq.models import register_model
from torch import Tensor

from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.registry import is_pretrained
from mmer_fairseq.errors import InputError
from mmer_fairseq.models._faces import FaceModel, frame_emotions
from mmer_fairseq.models._fusion import taken
from mmer_fairseq.models._presets import flag, register_presets
from mmer_fairseq.modules.dialogue import without_ends
from mmer_fairseq.modules.frame_filter import FrameFilter
from mmer_fairseq.networks.facialmmt import MODALITIES, FacialMMT

#: Flags that are the network's arguments under the same names.
_SAME = [f"{part}_{what}" for part in ("ta", "tav") for what in ("layers", "heads", "attention_dropout")]
_SAME += [
    "audio_layers",
    "video_layers",
    "dropout",
    "attention_dropout",
    "embed_dropout",
    "original_behaviour",
]


@dataclass
class FacialMMTConfig(FairseqDataclass):
    text_dim: int = flag(1024, "width of text features (BERT and RoBERTa: 768 base, 1024 large)")
    audio_dim: int = flag(768, "width of sound features (small trainable encoders: that of the network)")
    video_dim: int = flag(512, "width of picture features (small trainable encoders: that of the network)")
    encoder_embed_dim: int = flag(768, "width of the network")
    encoder_ffn_embed_dim: int = flag(3072, "width inside the feed-forward layers")
    encoder_attention_heads: int = flag(12, "attention heads of the encoders of sound and picture")
    audio_layers: int = flag(5, "layers of the encoder of sound")
    video_layers: int = flag(2, "layers of the encoder of picture")
    ta_layers: int = flag(2, "layers of the crossing of text and sound (or of the only two modalities)")
    ta_heads: int = flag(12, "its attention heads")
    ta_attention_dropout: float = flag(0.1, "dropout probability of its attention weights, 0 to 1")
    tav_layers: int = flag(2, "layers of the crossing of both and picture")
    tav_heads: int = flag(12, "its attention heads")
    tav_attention_dropout: float = flag(0.1, "dropout probability of its attention weights, 0 to 1")
    max_text_steps: int = flag(38, "tokens of an utterance that the network sees")
    max_audio_steps: int = flag(512, "steps of sound that the network sees")
    max_video_steps: int = flag(128, "frames that the network sees")
    dropout: float = flag(0.1, "dropout probability in the encoders and before the output, 0 to 1")
    attention_dropout: float = flag(0.1, "dropout probability of attention weights in the encoders, 0 to 1")
    embed_dropout: float = flag(0.0, "dropout probability of what comes into a crossing, 0 to 1")
    frame_emotions: int = flag(
        -1,
        "the last so many numbers of a frame are an emotion's logits (-1: those of its encoder, of a small encoder as "
        "many as there are classes; 0: none, and no frame is left out)",
    )
    frame_threshold: float = flag(
        0.2, "frames whose distribution over emotions has a smaller squared norm are left out"
    )
    gumbel_tau: float = flag(1.0, "temperature of that distribution")
    original_behaviour: bool = flag(
        False, "let padding take part, as the original's code does (old checkpoints)"
    )
    load_checkpoint_heads: bool = flag(False, "require the checkpoint's output layers, never train new ones")


@register_model("facialmmt", dataclass=FacialMMTConfig)
class FacialMMTModel(FaceModel):
    """Encoders of the streams, the filter of frames, then FacialMMT."""

    filter: Optional[FrameFilter]  # no default: a module is not found behind a class attribute
    bare_text = False

    @classmethod
    def build_model(cls, cfg: Any, task: Any) -> "FacialMMTModel":
        streams = taken(task.streams, MODALITIES, "FacialMMT")
        emotions = frame_emotions(streams.get("video"), cfg, task)
        network = FacialMMT(
            dims={m: _width(m, stream, emotions, cfg) for m, stream in streams.items()},
            outputs=task.num_outputs,
            dim=cfg.encoder_embed_dim,
            heads=cfg.encoder_attention_heads,
            ffn_dim=cfg.encoder_ffn_embed_dim,
            text_steps=cfg.max_text_steps,
            audio_steps=cfg.max_audio_steps,
            video_steps=cfg.max_video_steps,
            **{name: getattr(cfg, name) for name in _SAME},
        )
        model = cls.around(network, cfg, task)
        model.emotions = emotions
        model.filter = FrameFilter(threshold=cfg.frame_threshold, tau=cfg.gumbel_tau) if emotions else None
        model.bare_text = "text" in streams and streams["text"].form == "tokens"
        return model

    def forward(
        self,
        streams: Dict[str, Tensor],
        lengths: Dict[str, Tensor],
        context: Optional[Dict[str, Tensor]] = None,
        faces: Optional[Tensor] = None,
    ) -> Dict[str, Any]:
        told = {} if faces is None else {"face_logits": self.face_logits(faces)}
        if not streams:  # a batch of the second task alone
            return {"face_logits": told["face_logits"] + self._link(), "aux": {}}
        features, steps = self.encoders(streams, lengths, context)
        if self.bare_text:  # the network sees the utterance's own tokens
            ends = (1, 1) if context is None else (1, 0)
            features["text"], steps["text"] = without_ends(features["text"], steps["text"], *ends)
        if self.filter is not None:
            width = self.network.dims["video"]  # type: ignore[union-attr, index]
            own, logits = features["video"].split([int(width) - self.emotions, self.emotions], dim=2)
            features["video"], steps["video"] = self.filter(own, logits, steps["video"])
        return {**self.network(features, steps), **told}


def _width(modality: str, stream: StreamSpec, emotions: int, cfg: Any) -> int:
    """Of a step: as stored, of the published encoder, or what the network wants of a small one."""
    if stream.form == "features":
        width = stream.dim
    elif is_pretrained(stream):
        width = getattr(cfg, f"{modality}_dim") + (emotions if modality == "video" else 0)
    else:
        width = cfg.encoder_embed_dim + (emotions if modality == "video" else 0)
    if modality == "video" and width <= emotions:
        raise InputError.of(
            where="--frame-emotions",
            expected=f"fewer than the {width} numbers of a frame",
            found=emotions,
            remedy="give the number of emotions that the store was made with, or 0",
        )
    return width


_SMALL = dict(encoder_embed_dim=64, encoder_ffn_embed_dim=128, encoder_attention_heads=4, audio_layers=1)
_SMALL.update(video_layers=1, ta_layers=1, ta_heads=4, tav_layers=1, tav_heads=4)
PRESETS: Dict[str, Mapping[str, int]] = {
    "facialmmt_base": dict(text_dim=768),
    "facialmmt_small": _SMALL,  # ours, for encoders that are trained with it
}
register_presets(__name__, globals(), FacialMMTModel, FacialMMTConfig, PRESETS)
