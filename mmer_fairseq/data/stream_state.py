"""What a checkpoint remembers of the streams that its model was trained on, and whether a corpus fits it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmer_fairseq.data.plan import Stream
from mmer_fairseq.data.sources import RawSource
from mmer_fairseq.errors import InputError

#: Parts of a stream's description that a model keeps with its weights.
IN_WEIGHTS = ("mean", "deviation")


def stream_state(streams: Mapping[str, Stream]) -> dict[str, dict[str, Any]]:
    """What a checkpoint remembers of the streams its model was trained on: plain numbers and texts."""
    return {
        modality: {
            **{key: value for key, value in vars(stream.spec).items() if key not in IN_WEIGHTS},
            "fingerprint": stream.fingerprint,
        }
        for modality, stream in streams.items()
    }


def check_stream(modality: str, trained: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Compare a stream with the one that a checkpoint was trained on.

    Args:
        modality: of both.
        trained: its :func:`stream_state` in the checkpoint.
        here: its state now.

    Raises:
        InputError: what the model gets is something else.
    """
    reasons = {
        "form": "input",
        "dim": "width of the stored features",
        "rate": "rate in Hz",
        "frame_size": "frame size in pixels",
        "parts": "widths of the joined stores",
        "chunk": "steps of a sub-sequence",
        "vocab_size": "vocabulary",
        "encoder": "encoder",
        "fingerprint": "tokenizer" if modality == "text" else "features' encoder",
    }
    for key, name in reasons.items():
        if key not in trained:  # a checkpoint of an earlier version
            continue
        if key == "encoder" and trained[key].partition(":")[0] == here[key].partition(":")[0]:
            continue  # the same encoder at another path
        if trained.get(key) != here.get(key):
            raise InputError.of(
                where=f"{modality} stream",
                expected=f"the checkpoint's {name} ({trained.get(key)})",
                found=str(here.get(key)),
                remedy="give the flags, tokenizer and feature stores of the training run",
            )


def told_rate(rate: float) -> str:
    """A stream's rate of pictures in words; 0 Hz stands for all there are."""
    return f"{rate:g} pictures a second" if rate else "every picture"


def filled_gaps(reading: Mapping[str, Any], streams: Mapping[str, Stream]) -> list[str]:
    """The modalities where pictures are missing that a checkpoint's run showed copies for, and this one does not.

    Args:
        reading: what the checkpoint remembers (``data.reading``); of an earlier version: without a word on it.
        streams: of this run.
    """
    before = {m: state.get("options") for m, state in reading.get("streams", {}).items()}
    return [
        m
        for m, stream in streams.items()
        if isinstance(stream.source, RawSource)
        and stream.spec.form == "frames"
        and not stream.source.options.hold_gaps
        and (before.get(m) or {"hold_gaps": False}).get("hold_gaps", True)
    ]
