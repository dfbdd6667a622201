"""Encoders with a learning rate of their own: ``--text-lr-factor``, ``--text-layer-decay``, ``--video-lr-factor``.

fairseq's schedules set one learning rate; these flags divide it while the optimiser takes its step, so that warm-up and
decay are fairseq's own.

Source: Dai et al., NAACL 2021 (MME2E): ALBERT and the text's output layer learn at a tenth of the learning rate. Zheng
et al., ACL 2023 (FacialMMT): the face model learns about seven times as fast as the rest. Howard and Ruder, ACL 2018:
each layer of a language model learns more slowly than the one above it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from mmer_fairseq.errors import InputError

#: Where parameters of a modality lie: its encoder, and its output layer in networks that have one for each modality.
ENCODER, HEAD = "encoders.encoder.{}.", "network.heads.{}."

#: fairseq's own attribute: it hands it on to the single-precision copies that --fp16 trains. Ours is a number, by which
#: the learning rate is multiplied.
_ATTRIBUTE = "param_group"

#: Layers of BERT and RoBERTa as Hugging Face and fairseq name them, and the small text encoder's only one.
_LAYER = re.compile(r"(?:model\.encoder\.layer|sentence_encoder\.layers)\.(\d+)\.|layer\.")
#: What stands below the first layer of each, and above the last one.
_BELOW = re.compile(
    r"model\.embeddings\.|sentence_encoder\.(embed_tokens|embed_positions|layernorm_embedding|emb_layer_norm)\.|"
    r"(embedding|norm)\.|position_scale$"
)
_ABOVE = re.compile(r"sentence_encoder\.layer_norm\.|(out_norm|project)\.")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncoderRates:
    """What the flags ask for; 1 changes nothing.

    Attributes:
        text: the text encoder learns at ``--lr`` divided by it.
        video: the picture encoder learns at ``--lr`` divided by it.
        layer_decay: each layer of the text encoder learns at the rate of the one above it, times this.

    Raises:
        InputError: naming the flag, if a number is not finite and above 0, or ``layer_decay`` is above 1.
    """

    text: float = 1.0
    video: float = 1.0
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        for flag, value, encoder in (
            ("--text-lr-factor", self.text, "text"),
            ("--video-lr-factor", self.video, "picture"),
        ):
            if not (math.isfinite(value) and value > 0):
                raise InputError.of(
                    where=flag,
                    expected=f"a number above 0: the {encoder} encoder learns at --lr divided by it",
                    found=value,
                    remedy="give 10, or leave the flag out",
                )
        if not 0 < self.layer_decay <= 1:
            raise InputError.of(
                where="--text-layer-decay",
                expected="a number above 0, at most 1: a layer's learning rate is that of the one above it, times this",
                found=self.layer_decay,
                remedy="give 0.9, or leave the flag out",
            )

    def __bool__(self) -> bool:
        return (self.text, self.video, self.layer_decay) != (1, 1, 1)

    def __str__(self) -> str:
        given = {
            "--text-lr-factor": self.text,
            "--text-layer-decay": self.layer_decay,
            "--video-lr-factor": self.video,
        }
        return " ".join(f"{flag} {value:g}" for flag, value in given.items() if value != 1)


def mark(model: nn.Module, rates: EncoderRates) -> None:
    """Mark the parameters of the encoders that learn at a rate of their own, and of their modality's own output layer.

    Args:
        model: its parameters are named ``encoders.encoder.text.…`` and ``network.heads.text.…``.
        rates: of the flags.

    Raises:
        InputError: no parameter of an encoder is trained, or the layers of the text encoder are not known.
    """
    if (rates.text, rates.layer_decay) != (1, 1):
        _mark(model, "text", EncoderRates(text=rates.text, layer_decay=rates.layer_decay), "text")
    if rates.video != 1:
        _mark(model, "video", EncoderRates(video=rates.video), "picture")


@contextlib.contextmanager
def at_their_rates(optimizer: Any, rates: EncoderRates) -> Iterator[None]:
    """While it is open, the optimiser's step moves marked parameters at their share of the learning rate.

    The optimiser's groups are the same before and after, so that fairseq's schedules set one learning rate and a
    checkpoint of any other factor can be resumed.

    Args:
        optimizer: a ``FairseqOptimizer``.
        rates: those that the model was marked with.

    Raises:
        InputError: the optimiser does not hold the marked parameters.
    """
    if not rates:
        yield
        return
    groups = getattr(optimizer.optimizer, "param_groups", [])
    whole = list(groups)
    parts = [_parts(group) for group in whole]
    if not any(isinstance(getattr(p, _ATTRIBUTE, None), float) for group in whole for p in group["params"]):
        raise InputError.of(
            where=rates,
            expected="an optimiser that holds the encoders' parameters one by one",
            found=f"{type(optimizer).__name__}, which joins all parameters into one",
            remedy="add --fp16-no-flatten-grads, or use --memory-efficient-fp16 or --amp in place of --fp16",
        )
    groups[:] = [part for several in parts for part in several]
    try:
        yield
    finally:
        for group, several in zip(whole, parts):  # some optimisers count their steps in the group
            group.update({key: x for key, x in several[0].items() if key not in ("params", "lr")})
        groups[:] = whole


def _mark(model: nn.Module, modality: str, rates: EncoderRates, name: str) -> None:
    prefix, head = ENCODER.format(modality), HEAD.format(modality)
    own = {n[len(prefix) :]: p for n, p in model.named_parameters() if n.startswith(prefix)}
    trained = {n: p for n, p in own.items() if p.requires_grad}
    heads = [p for n, p in model.named_parameters() if n.startswith(head) and p.requires_grad]
    if not trained:
        what = {
            "text": "the text is not used, is stored features",
            "video": "pictures are not used, are stored features",
        }
        raise InputError.of(
            where=rates,
            expected=f"a {name} encoder that is trained",
            found=f"none: {what[modality]}, or its encoder is frozen",
            remedy=f"leave the flag out, or train the encoder with --finetune {modality}",
        )
    share = 1.0 / (rates.text * rates.video)
    depth = _depths(list(own), rates) if rates.layer_decay != 1 else dict.fromkeys(own, 0)
    for parameter in heads:
        setattr(parameter, _ATTRIBUTE, share)
    for n, parameter in trained.items():
        setattr(parameter, _ATTRIBUTE, share * rates.layer_decay ** depth[n])
    number = sum(p.numel() for p in [*trained.values(), *heads])
    times = (
        f", its lowest layer at that times {rates.layer_decay ** max(depth.values()):.3g}"
        if any(depth.values())
        else ""
    )
    logger.info(
        "%d parameters of the %s encoder learn at --lr / %g%s", number, name, rates.text * rates.video, times
    )


def _depths(names: list[str], rates: EncoderRates) -> dict[str, int]:
    """How many layers are above that of each parameter; what stands below the first layer counts as a layer."""
    layers = {name: int(match[1] or 0) for name in names for match in [_LAYER.match(name)] if match}
    strange = [n for n in names if n not in layers and not (_BELOW.match(n) or _ABOVE.match(n))]
    if strange or not layers:
        shared = any("albert_layer_groups" in name for name in strange)
        raise InputError.of(
            where=rates,
            expected="a text encoder whose layers are known: bert, roberta or embedding",
            found="ALBERT, whose layers share their weights"
            if shared
            else f"one with the weights {(strange or names)[0]}",
            remedy="use --text-lr-factor alone",
        )
    top = max(layers.values())
    return {n: top - layers[n] if n in layers else (top + 1 if _BELOW.match(n) else 0) for n in names}


def _parts(group: dict[str, Any]) -> list[dict[str, Any]]:
    """A group's parameters by their share of the learning rate, each as a group; unmarked ones first."""
    shares: dict[float, list[Any]] = {}
    for parameter in group["params"]:
        share = getattr(parameter, _ATTRIBUTE, None)
        shares.setdefault(share if isinstance(share, float) else 1.0, []).append(parameter)
    ordered = sorted(shares, key=lambda share: share != 1.0)
    return [{**group, "params": shares[s], "lr": group["lr"] * s} for s in ordered] or [dict(group)]
