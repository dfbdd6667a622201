"""The task's flags that say how streams are read, and what can be wrong with them before a corpus is seen."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import Protocol

from mmer_fairseq.corpus import MODALITIES
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.augment import parse_augmentation

logger = logging.getLogger(__name__)

#: Lowest and highest value of each number, in the unit of its help text; None: no bound.
RANGES: dict[str, tuple[float, float | None]] = {
    "sample_rate": (1, None),
    "max_sample_size": (1, None),
    "min_sample_size": (0, None),
    "speed_perturbation": (0, 1),
    "frame_rate": (0, 1000),
    "frame_size": (0, 4096),
    "max_frames": (1, None),
    "max_text_tokens": (3, None),  # <s>, one of the text's own, </s>
    "physio_rate": (0, None),
}


class StreamFlags(Protocol):
    """See ``EmotionPredictionConfig``."""

    modalities: str | None
    features: str | None
    text_encoder: str | None
    audio_encoder: str | None
    video_encoder: str | None
    physio_encoder: str | None
    freeze: str | None
    finetune: str | None
    tokenizer_model: str | None
    gpt2_bpe: str | None
    sample_rate: int
    max_sample_size: int | None
    min_sample_size: int | None
    speed_perturbation: float
    picture_augmentation: str | None
    frame_rate: float
    frame_size: int
    max_frames: int
    max_text_tokens: int
    physio_rate: float
    seq_length: int
    subseq_length: int
    stride: int
    dilation: int
    allow_silent: bool


def comma_list(text: str | None) -> list[str]:
    """``"a, b"`` → ``["a", "b"]``."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def check_modalities(names: Iterable[str], flag: str) -> None:
    """Refuse names that are no modality.

    Raises:
        InputError: naming the flag.
    """
    for name in names:
        if name not in MODALITIES:
            raise InputError.of(
                where=flag,
                expected=f"modalities out of {', '.join(MODALITIES)}",
                found=repr(name),
                remedy="correct the name",
            )


def check_numbers(flags: StreamFlags) -> None:
    """Refuse numbers that no medium could be read with.

    Raises:
        InputError: naming the flag.
    """
    for name, (low, high) in RANGES.items():
        value = getattr(flags, name)
        if value is not None and not low <= value <= (float("inf") if high is None else high):
            raise InputError.of(
                where="--" + name.replace("_", "-"),
                expected=f"{low} or more" if high is None else f"a number from {low} to {high}",
                found=value,
                remedy="correct it or leave the flag out",
            )
    parse_augmentation(flags.picture_augmentation)
    shortest, longest = flags.min_sample_size, flags.max_sample_size
    if shortest is not None and longest is not None and shortest > longest:
        raise InputError.of(
            where="--min-sample-size",
            expected=f"at most --max-sample-size ({longest})",
            found=shortest,
            remedy="correct one of the two",
        )


def name_unused(flags: StreamFlags, used: Collection[str]) -> None:
    """Warn of flags for a modality that the run does not read.

    A warning only: a checkpoint brings the flags of its training along when it is evaluated without a modality.

    Args:
        flags: the task's flags.
        used: modalities of the run.
    """
    with_stores = [part.partition("=")[0] for part in comma_list(flags.features)]
    for modality in (m for m in MODALITIES if m not in used):
        given = {
            "--features": modality in with_stores,
            f"--{modality}-encoder": bool(getattr(flags, f"{modality}_encoder")),
            "--freeze": modality in comma_list(flags.freeze),
            "--finetune": modality in comma_list(flags.finetune),
        }
        for flag in (name for name, there in given.items() if there):
            logger.warning("%s has no effect on %s: this run reads %s", flag, modality, ", ".join(used))
