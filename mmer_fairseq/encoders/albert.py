"""ALBERT from a folder of Hugging Face.

Source: Lan et al., "ALBERT: A Lite BERT for self-supervised learning of language representations", 2020.
"""

from __future__ import annotations

from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.transformers_text import Family, TransformersText

ALBERT = Family("ALBERT", "an", "albert", {"albert": "Albert"})


def build(spec: StreamSpec, width: int, path: str) -> TransformersText:
    """Builder for the registry."""
    return TransformersText(path, ALBERT, spec.vocab_size)
