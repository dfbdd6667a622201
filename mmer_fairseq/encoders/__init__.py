"""One modality: its input → a sequence of vectors."""

from __future__ import annotations

from mmer_fairseq.encoders.base import FORMS, Encoder, StreamSpec
from mmer_fairseq.encoders.registry import DEFAULTS, ENCODERS, Entry, build_encoder, encoder_name, parse_spec
from mmer_fairseq.encoders.streams import StreamEncoders

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
