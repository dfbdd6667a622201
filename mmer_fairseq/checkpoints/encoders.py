"""Frozen encoders out of an SSE-FT checkpoint, in the forms that they were published in.

The original keeps their weights but not their settings; what the shapes do not tell is what its authors used.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmer_fairseq.errors import InputError

#: Strides of wav2vec's feature extractor; the other numbers are in the shapes.
_STRIDES = (5, 4, 2, 2, 2, 1, 1)
_HEAD_WIDTH = 64  # of every published RoBERTa

#: Modality → name of its encoder here.
NAMES = {"text": "roberta", "audio": "wav2vec", "video": "fabnet"}


def published_form(modality: str, state: Mapping[str, Tensor], where: object) -> dict[str, Any]:
    """Make the content of an encoder's own checkpoint file.

    Args:
        modality: "text" (RoBERTa), "audio" (wav2vec 1.0) or "video" (FAb-Net).
        state: its tensors, names as after ``model_<…>2vec.``.
        where: the SSE-FT checkpoint, for messages.

    Returns:
        What the ``roberta:``, ``wav2vec:`` and ``fabnet:`` encoders read.

    Raises:
        InputError: the tensors are not those of that encoder.
    """
    return {"text": _roberta, "audio": _wav2vec, "video": _fabnet}[modality](state, where)


def _roberta(state: Mapping[str, Tensor], where: object) -> dict[str, Any]:
    inner = _below(state, "sentence_encoder.embed_tokens.weight", "decoder.", "RoBERTa", where)
    inner = {f"decoder.{name}": x for name, x in inner.items()}
    stack = "decoder.sentence_encoder."
    dim = inner[stack + "embed_tokens.weight"].shape[1]
    first = inner.get(stack + "layers.0.fc1.weight")
    if first is None:
        raise _foreign("RoBERTa", where, state)
    layers = {int(m[1]) for m in (re.match(re.escape(stack) + r"layers\.(\d+)\.", n) for n in inner) if m}
    args = argparse.Namespace(
        arch="roberta_large",
        encoder_layers=len(layers),
        encoder_embed_dim=dim,
        encoder_ffn_embed_dim=first.shape[0],
        encoder_attention_heads=max(dim // _HEAD_WIDTH, 1),
    )
    return {"args": args, "model": inner}


def _wav2vec(state: Mapping[str, Tensor], where: object) -> dict[str, Any]:
    inner = _below(state, "feature_extractor.conv_layers.0.0.weight", "", "wav2vec", where)
    extractor = _kernels(inner, r"feature_extractor\.conv_layers\.(\d+)\.0\.weight")
    context = _kernels(inner, r"feature_aggregator\.conv_layers\.(\d+)\.1\.weight")
    if len(extractor) != len(_STRIDES) or not context:
        raise _foreign("wav2vec", where, state)
    args = argparse.Namespace(
        arch="wav2vec",
        conv_feature_layers=str([(c, k, s) for (c, k), s in zip(extractor, _STRIDES)]),
        conv_aggregator_layers=str([(c, k, 1) for c, k in context]),
        skip_connections_agg=True,
        residual_scale=0.5,
        log_compression=True,
    )
    return {"args": args, "model": inner}


def _fabnet(state: Mapping[str, Tensor], where: object) -> dict[str, Any]:
    return {"state_dict_model": _below(state, "encoder.0.weight", "", "FAb-Net", where)}


def _below(
    state: Mapping[str, Tensor], known: str, outer: str, what: str, where: object
) -> dict[str, Tensor]:
    """The tensors beside ``known``, whatever wrapper prefixes they lie under; ``outer`` is removed too."""
    for name in state:
        if name.endswith(outer + known):
            prefix = name[: -len(known)]
            return {n[len(prefix) :]: x for n, x in state.items() if n.startswith(prefix)}
    raise _foreign(what, where, state)


def _kernels(state: Mapping[str, Tensor], pattern: str) -> list[tuple[int, int]]:
    """(channels, kernel) of the convolutions whose weight names match, in order."""
    found = {}
    for name, x in state.items():
        match = re.fullmatch(pattern, name)
        if match and x.dim() == 3:
            found[int(match[1])] = (x.shape[0], x.shape[2])
    return [found[index] for index in sorted(found)]


def _foreign(what: str, where: object, state: Mapping[str, Tensor]) -> InputError:
    return InputError.of(
        where=where,
        expected=f"the tensors of {what} as published",
        found=", ".join(list(state)[:3]) or "none",
        remedy="leave out --keep-encoders and name the published encoder checkpoints",
    )
