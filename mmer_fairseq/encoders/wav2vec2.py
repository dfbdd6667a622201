"""wav2vec 2.0 and HuBERT from fairseq checkpoints: last-layer vectors of a raw wave, 50 a second.

Both have the same layers. The first group norm takes its statistics over time: here over the valid steps of
each clip, so a clip's vectors are the ones it gets alone.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.encoders.convolution import chain_length, conv_length, parse_layers, total_stride
from mmer_fairseq.encoders.fairseq_checkpoint import (
    FairseqCheckpoint,
    fairseq_module,
    quiet_fairseq,
    read_fairseq,
)
from mmer_fairseq.encoders.wav2vec import check_rate, conv_block, prepared_wave
from mmer_fairseq.modules.masks import padding_mask

_CONFIGS = {
    "wav2vec2": ("wav2vec 2.0", "fairseq.models.wav2vec.wav2vec2", "Wav2Vec2Config"),
    "hubert": ("HuBERT", "fairseq.models.hubert.hubert", "HubertConfig"),
}


class Wav2Vec2(Encoder):
    """Convolutional extractor, then the transformer; fine-tuned (CTC) checkpoints give their inner model.

    A clip shorter than the extractor's receptive field is zero-padded up to it and gives one vector. What
    only pre-training needs (masking, quantizer, projections) is not kept. The learning-rate factor of the
    extractor (``feature_grad_mult``) is not applied when the encoder is trained.

    Source: Baevski et al., "wav2vec 2.0", 2020; Hsu et al., "HuBERT", 2021; the layers are fairseq's.

    Args:
        path: checkpoint file.
        kind: "wav2vec2" or "hubert".

    Raises:
        InputError: not such a checkpoint, or a variant that mixes the clips of a batch.
    """

    def __init__(self, path: str, kind: str = "wav2vec2") -> None:
        what, module, config_name = _CONFIGS[kind]
        checkpoint = read_fairseq(path, what, (kind,))
        _refuse_variants(checkpoint)
        task = checkpoint.task
        check_rate(task.get("sample_rate"), path)
        wav2vec2 = fairseq_module("fairseq.models.wav2vec.wav2vec2")
        config = checkpoint.config(getattr(fairseq_module(module), config_name), quantize_targets=False)
        layers = parse_layers(str(config.conv_feature_layers), f"{path}: conv_feature_layers")
        super().__init__(int(config.encoder_embed_dim), stride=total_stride(layers), checkpoint=Path(path))
        self.layers = layers
        self.normalize = bool(task.get("normalize", False))
        with quiet_fairseq():
            self.feature_extractor = wav2vec2.ConvFeatureExtractionModel(
                conv_layers=layers,
                dropout=0.0,
                mode=str(config.extractor_mode),
                conv_bias=bool(config.conv_bias),
            )
            embed = layers[-1][0]
            self.layer_norm = wav2vec2.LayerNorm(embed)
            self.post_extract_proj = nn.Linear(embed, self.dim) if embed != self.dim else None
            self.encoder = wav2vec2.TransformerEncoder(config)
        for name in ("feature_extractor", "layer_norm", "post_extract_proj", "encoder"):
            if getattr(self, name) is not None:
                checkpoint.load(getattr(self, name), f"{name}.")

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """n ← floor((n − kernel) / stride) + 1 through the extractor."""
        return chain_length(lengths, self.layers)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, samples] at 16 kHz → [B, T', D]."""
        x, lengths = prepared_wave(x, lengths, self.layers, self.normalize, self)
        x = x[:, None]
        for block, (_, kernel, stride) in zip(self.feature_extractor.conv_layers, self.layers):
            lengths = conv_length(lengths, kernel, stride)
            x = conv_block(block, x, lengths)
        x = self.layer_norm(x.transpose(1, 2))
        if self.post_extract_proj is not None:
            x = self.post_extract_proj(x)
        mask = padding_mask(lengths, x.size(1))
        y, _ = self.encoder(x, padding_mask=mask if bool(mask.any()) else None)
        return y, lengths


def _refuse_variants(checkpoint: FairseqCheckpoint) -> None:
    model = checkpoint.model
    layer_type = model.get("layer_type") or "transformer"
    checkpoint.refuse(layer_type != "transformer", f"'{layer_type}' layers")
    checkpoint.refuse(model.get("quantize_input"), "quantized input")
    checkpoint.refuse((model.get("pos_conv_depth") or 1) > 1, "several positional convolutions")
    checkpoint.refuse(model.get("conv_pos_batch_norm"), "batch norm before its positional convolution")


def build(spec: StreamSpec, width: int, path: str) -> Wav2Vec2:
    """Builder of ``wav2vec2:PATH`` for the registry."""
    return Wav2Vec2(path, "wav2vec2")


def build_hubert(spec: StreamSpec, width: int, path: str) -> Wav2Vec2:
    """Builder of ``hubert:PATH`` for the registry."""
    return Wav2Vec2(path, "hubert")
