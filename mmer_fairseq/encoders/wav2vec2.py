"""wav2vec 2.0 (of fairseq or Hugging Face) and HuBERT (of fairseq): vectors of a raw wave, 50 a second.

Both have the same layers. The first group norm takes its statistics over time: here over the valid steps of
each clip, so a clip's vectors are the ones it gets alone.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
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
from mmer_fairseq.encoders.huggingface import read_wav2vec2
from mmer_fairseq.encoders.wav2vec import check_rate, conv_block, prepared_wave
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.masks import padding_mask

logger = logging.getLogger(__name__)

_CONFIGS = {
    "wav2vec2": ("wav2vec 2.0", "fairseq.models.wav2vec.wav2vec2", "Wav2Vec2Config"),
    "hubert": ("HuBERT", "fairseq.models.hubert.hubert", "HubertConfig"),
}


class Wav2Vec2(Encoder):
    """Convolutional extractor, then the transformer; fine-tuned (CTC) checkpoints give their inner model.

    A clip shorter than the extractor's receptive field is zero-padded up to it and gives one vector. What
    only pre-training needs (masking, quantizer, projections) is not kept. The learning-rate factor of the
    extractor (``feature_grad_mult``) is not applied when the encoder is trained.

    With fewer layers, the last norm of models that norm first (``layer_norm_first``, Hugging Face's
    ``do_stable_layer_norm``) follows the last layer kept, as it does in both libraries when layers are cut off.

    Source: Baevski et al., "wav2vec 2.0", 2020; Hsu et al., "HuBERT", 2021; the layers are fairseq's.

    Args:
        path: checkpoint file of fairseq, or (wav2vec2 only) folder or file of Hugging Face; ``PATH@N`` keeps
            the first N transformer layers. A path that exists as it is written is taken as it is.
        kind: "wav2vec2" or "hubert".

    Raises:
        InputError: not such a checkpoint, a variant that mixes the clips of a batch, or N out of range.
    """

    def __init__(self, path: str, kind: str = "wav2vec2") -> None:
        what, module, config_name = _CONFIGS[kind]
        path, count = split_layers(path)
        checkpoint = read_wav2vec2(path, what) if kind == "wav2vec2" else read_fairseq(path, what, (kind,))
        _refuse_variants(checkpoint)
        task = checkpoint.task
        check_rate(task.get("sample_rate"), path)
        wav2vec2 = fairseq_module("fairseq.models.wav2vec.wav2vec2")
        config = checkpoint.config(getattr(fairseq_module(module), config_name), quantize_targets=False)
        layers = parse_layers(str(config.conv_feature_layers), f"{path}: conv_feature_layers")
        if count is not None and count != config.encoder_layers:
            checkpoint = _first_layers(checkpoint, count, int(config.encoder_layers))
            config.encoder_layers = count
        super().__init__(
            int(config.encoder_embed_dim),
            stride=total_stride(layers),
            checkpoint=checkpoint.path,
            variant=checkpoint.variant,
        )
        self.layers = layers
        self.normalize = bool(task.get("normalize", False))
        self.normalize_eps = float(task.get("normalize_eps", 1e-5))
        with quiet_fairseq():
            self.feature_extractor = wav2vec2.ConvFeatureExtractionModel(
                conv_layers=layers,
                dropout=0.0,
                mode=str(config.extractor_mode),
                conv_bias=bool(config.conv_bias),
            )
            embed = layers[-1][0]
            self.layer_norm = wav2vec2.LayerNorm(embed)
            # Hugging Face always projects, fairseq only if the widths differ
            projected = embed != self.dim or "post_extract_proj.weight" in checkpoint.state
            self.post_extract_proj = nn.Linear(embed, self.dim) if projected else None
            self.encoder = wav2vec2.TransformerEncoder(config)
        for name in ("feature_extractor", "layer_norm", "post_extract_proj", "encoder"):
            if getattr(self, name) is not None:
                checkpoint.load(getattr(self, name), f"{name}.")

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """n ← floor((n − kernel) / stride) + 1 through the extractor."""
        return chain_length(lengths, self.layers)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, samples] at 16 kHz → [B, T', D]."""
        x, lengths = prepared_wave(x, lengths, self.layers, self.normalize, self, self.normalize_eps)
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


def split_layers(path: str) -> tuple[str, int | None]:
    """Split ``PATH@N`` into the path and the number of layers (None: all).

    A path that exists as it is written has no N; nor has one that ends in '@' and something else than a number.
    """
    match = re.fullmatch(r"(.+)@([+-]?[0-9]{1,9})", path, re.DOTALL)
    if match is None or Path(path).exists():
        return path, None
    return match.group(1), int(match.group(2))


def _first_layers(checkpoint: FairseqCheckpoint, count: int, total: int) -> FairseqCheckpoint:
    """The checkpoint without the layers from number ``count`` (from 0) on."""
    if not 1 <= count <= total:
        raise InputError.of(
            where=f"{checkpoint.path}@{count}",
            expected=f"a number of layers from 1 to {total}, which the checkpoint has",
            found=str(count),
            remedy="write one of these behind the '@', or leave it out to keep all",
        )
    dropped = tuple(f"encoder.layers.{index}." for index in range(count, total))
    state = {name: tensor for name, tensor in checkpoint.state.items() if not name.startswith(dropped)}
    logger.info("%s: the first %d of %d layers", checkpoint.path, count, total)
    return replace(checkpoint, state=state, variant=f"{checkpoint.variant}@{count}")


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
