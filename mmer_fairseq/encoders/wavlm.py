"""WavLM from a folder of Hugging Face: vectors of a raw wave, 50 a second.

Its layers are those of the transformers package, which is optional: ``pip install 'mmer_fairseq[wavlm]'``.
"""

from __future__ import annotations

import logging

from torch import Tensor

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.encoders.convolution import (
    chain_length,
    masked_layer_norm,
    receptive_field,
    total_stride,
    zero_padded,
)
from mmer_fairseq.encoders.fairseq_checkpoint import load_exactly
from mmer_fairseq.encoders.huggingface import NORMALIZE_EPS, model_tensors, preparation, weights_file
from mmer_fairseq.encoders.huggingface_config import CONFIG, check_model_type, read_json
from mmer_fairseq.encoders.transformers_folder import Library, existing_folder, variant
from mmer_fairseq.encoders.wav2vec import check_rate
from mmer_fairseq.encoders.wav2vec2 import split_layers
from mmer_fairseq.errors import InputError

logger = logging.getLogger(__name__)

#: Clips of one length that run together.
_AT_ONCE = 16

#: Masking and skipping of pre-training.
_OFF = {"layerdrop": 0.0, "apply_spec_augment": False, "mask_time_prob": 0.0, "mask_feature_prob": 0.0}

#: Names of the positional weight in files written before torch had parametrizations.
_RENAMED = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}


class WavLM(Encoder):
    """Convolutional extractor and transformer with gated relative positions.

    Clips run unpadded, those of one length together, because the first norm of the published models sees padding. A
    clip shorter than the extractor's receptive field (400 samples) is zero-padded up to it and gives one vector.
    Time and feature masking and the skipping of layers, which pre-training uses, are off.

    With fewer layers, the last norm of models that norm first (``do_stable_layer_norm``) follows the last layer kept.

    Source: Chen et al., "WavLM: Large-scale self-supervised pre-training for full stack speech processing", 2022.

    Args:
        path: folder with ``config.json`` and ``model.safetensors`` or ``pytorch_model.bin``; ``PATH@N`` keeps the
            first N transformer layers.

    Raises:
        InputError: no such folder, another model, N out of range, or transformers is not installed.
    """

    def __init__(self, path: str) -> None:
        path, count = split_layers(path)
        folder = existing_folder(path, "WavLM")
        weights = weights_file(folder, "WavLM")
        settings, prepared = read_json(folder / CONFIG), preparation(folder)
        check_rate(prepared.get("sampling_rate"), path)
        check_model_type(settings, folder / CONFIG, "a WavLM", ("wavlm",))
        library = Library("wavlm", folder, "a WavLM", "WavLM")
        config = library.config({**settings, **_OFF})
        if config.add_adapter:
            raise InputError.of(
                where=folder / CONFIG,
                expected="a published form of WavLM",
                found="a variant with an adapter over its transformer",
                remedy="use another checkpoint",
            )
        total = config.num_hidden_layers
        if count is not None and not 1 <= count <= total:
            raise InputError.of(
                where=f"{path}@{count}",
                expected=f"a number of layers from 1 to {total}, which the model has",
                found=str(count),
                remedy="write one of these behind the '@', or leave it out to keep all",
            )
        config.num_hidden_layers = count or total
        normalize = prepared.get("do_normalize")
        self.normalize = config.feat_extract_norm == "layer" if normalize is None else bool(normalize)
        layers = list(zip(config.conv_dim, config.conv_kernel, config.conv_stride))
        super().__init__(
            config.hidden_size,
            stride=total_stride(layers),
            checkpoint=weights,
            variant=variant(settings, normalize=self.normalize)
            + (f"@{count}" if config.num_hidden_layers < total else ""),
        )
        self.layers = layers
        self.model = library.model(config)
        dropped = tuple(f"encoder.layers.{index}." for index in range(config.num_hidden_layers, total))
        tensors = model_tensors(weights, "WavLM")
        state = {_renamed(name): x for name, x in tensors.items() if not name.startswith(dropped or "\0")}
        load_exactly(self.model, state, weights)
        if dropped:
            logger.info("%s: the first %d of %d layers", path, config.num_hidden_layers, total)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """n ← floor((n − kernel) / stride) + 1 through the extractor."""
        return chain_length(lengths, self.layers)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, samples] at 16 kHz → [B, T', D]."""
        out_lengths = self.output_lengths(lengths)
        if self.normalize:
            x = masked_layer_norm(x.float(), lengths, NORMALIZE_EPS)
        field = receptive_field(self.layers)
        x, lengths = zero_padded(x.to(self.dtype), lengths, field), lengths.clamp(min=field)
        rows, parts = [], []
        for length in lengths.unique().tolist():
            for row in (lengths == length).nonzero()[:, 0].split(_AT_ONCE):
                rows.append(row)
                parts.append(self.model(x[row, :length]).last_hidden_state)
        y = parts[0].new_zeros(len(x), max(part.size(1) for part in parts), self.dim)
        for row, part in zip(rows, parts):
            y[row, : part.size(1)] = part
        return y, out_lengths


def _renamed(name: str) -> str:
    head, _, last = name.rpartition(".")
    return f"{head}.{_RENAMED.get(last, last)}" if "pos_conv_embed" in head else name


def build(spec: StreamSpec, width: int, path: str) -> WavLM:
    """Builder for the registry."""
    return WavLM(path)
