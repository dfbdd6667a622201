"""wav2vec 1.0 from a fairseq checkpoint: context vectors of a raw wave, 100 a second.

fairseq's own forward normalises over the whole padded length (group norm over time). Here the statistics are
taken over the valid steps of each clip, so a clip's vectors are the ones it gets alone.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.encoders.convolution import (
    chain_length,
    conv_length,
    masked_group_norm,
    masked_layer_norm,
    parse_layers,
    receptive_field,
    total_stride,
    zero_padded,
)
from mmer_fairseq.encoders.fairseq_checkpoint import fairseq_module, quiet_fairseq, read_fairseq
from mmer_fairseq.errors import InputError


class Wav2Vec(Encoder):
    """Convolutional feature extractor, then the causal convolutional aggregator.

    A clip shorter than the receptive field of the extractor is zero-padded up to it and gives one vector.

    Source: Schneider et al., "wav2vec: Unsupervised Pre-training for Speech Recognition", 2019; the layers
        are
    fairseq's.

    Args:
        path: checkpoint file, such as ``wav2vec_large.pt``.

    Raises:
        InputError: not a wav2vec 1.0 checkpoint, or a variant that mixes the clips of a batch.
    """

    def __init__(self, path: str) -> None:
        checkpoint = read_fairseq(path, "wav2vec 1.0", ("wav2vec", "audio_cpc"))
        checkpoint.refuse(checkpoint.name.startswith("wav2vec2"), "a transformer (use wav2vec2:PATH)")
        fairseq = fairseq_module("fairseq.models.wav2vec.wav2vec")
        config = checkpoint.config(fairseq.Wav2VecConfig)
        checkpoint.refuse(config.aggregator != "cnn", f"the aggregator '{config.aggregator}'")
        checkpoint.refuse(config.vq_type not in ("none", None), f"the vector quantizer '{config.vq_type}'")
        layers = parse_layers(str(config.conv_feature_layers), f"{path}: conv_feature_layers")
        context = parse_layers(str(config.conv_aggregator_layers), f"{path}: conv_aggregator_layers")
        checkpoint.refuse(any(stride != 1 for _, _, stride in context), "strides in its aggregator")
        config.conv_feature_layers, config.conv_aggregator_layers = str(layers), str(context)
        check_rate(checkpoint.task.get("sample_rate"), path)
        with quiet_fairseq():
            model = fairseq.Wav2VecModel(config)
        super().__init__(context[-1][0], stride=total_stride(layers), checkpoint=Path(path))
        self.layers = layers
        self.normalize = bool(checkpoint.task.get("normalize", False))
        self.feature_extractor = model.feature_extractor
        self.feature_aggregator = model.feature_aggregator
        checkpoint.load(self.feature_extractor, "feature_extractor.")
        checkpoint.load(self.feature_aggregator, "feature_aggregator.")

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """n ← floor((n − kernel) / stride) + 1 through the extractor; the aggregator keeps the length."""
        return chain_length(lengths, self.layers)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, samples] at 16 kHz → [B, T', D]."""
        x, lengths = prepared_wave(x, lengths, self.layers, self.normalize, self)
        extractor = self.feature_extractor
        x = x[:, None]
        for block, (_, kernel, stride) in zip(extractor.conv_layers, self.layers):
            residual = x
            lengths = conv_length(lengths, kernel, stride)
            x = conv_block(block, x, lengths)
            if extractor.skip_connections and x.size(1) == residual.size(1):
                # fairseq picks the residual's steps by the ratio of two lengths: that of this layer's stride
                x = (x + residual[..., ::stride][..., : x.size(2)]) * extractor.residual_scale
        if extractor.log_compression:
            x = (x.abs() + 1).log()
        aggregator = self.feature_aggregator
        for shortcut, block in zip(aggregator.residual_proj, aggregator.conv_layers):
            residual = x
            x = conv_block(block, x, lengths)
            if aggregator.skip_connections:
                x = (x + (residual if shortcut is None else shortcut(residual))) * aggregator.residual_scale
        return x.transpose(1, 2), lengths


def conv_block(block: nn.Sequential, x: Tensor, lengths: Tensor) -> Tensor:
    """One of fairseq's blocks [padding,] convolution, dropout, group norm, activation on [B, C, T].

    Args:
        lengths: LongTensor [B], valid steps AFTER the convolution, over which the norm is taken.
    """
    for layer in block:
        if isinstance(layer, nn.GroupNorm):
            x = masked_group_norm(x, lengths, layer.num_groups, layer.weight, layer.bias, layer.eps)
        else:
            x = layer(x)
    return x


def prepared_wave(
    x: Tensor,
    lengths: Tensor,
    layers: list[tuple[int, int, int]],
    normalize: bool,
    encoder: Encoder,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor]:
    """Zero beyond each clip, zero-padded to the receptive field, normalised if the model wants it.

    Args:
        x: [B, T].
        lengths: LongTensor [B], valid samples.
        layers: of the extractor.
        normalize: whether the model wants zero mean and unit variance.
        encoder: the model.
        eps: added to the variance.

    Returns:
        [B, max(T, receptive field)] in the type of the weights; LongTensor [B], at least the receptive field.
    """
    field = receptive_field(layers)
    if normalize:  # over the real samples, as fairseq's data set does; in float32
        x = masked_layer_norm(x.float(), lengths, eps)
    return zero_padded(x.to(encoder.dtype), lengths, field), lengths.clamp(min=field)


def check_rate(rate: object, path: str) -> None:
    """Refuse a checkpoint trained on another rate than the 16000 Hz that we give it."""
    if isinstance(rate, int) and rate != 16000:
        raise InputError.of(
            where=path,
            expected="a model of sound at 16000 Hz",
            found=f"one trained at {rate} Hz",
            remedy="use a checkpoint trained at 16000 Hz",
        )


def build(spec: StreamSpec, width: int, path: str) -> Wav2Vec:
    """Builder for the registry."""
    return Wav2Vec(path)
