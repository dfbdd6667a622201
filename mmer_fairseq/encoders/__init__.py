"""One modality: its input → a sequence of vectors."""

from __future__ import annotations

from .base import FORMS, Encoder, StreamSpec
from .registry import DEFAULTS, ENCODERS, Entry, build_encoder, encoder_name, parse_spec
from .streams import StreamEncoders

__all__ = [
    "DEFAULTS",
    "ENCODERS",
    "FORMS",
    "Encoder",
    "Entry",
    "StreamEncoders",
    "StreamSpec",
    "build_encoder",
    "encoder_name",
    "parse_spec",
]
