"""BERT of any size and language from a folder of Hugging Face; all tokens are of the first segment.

Source: Devlin et al., "BERT: Pre-training of deep bidirectional transformers for language understanding", 2019.
"""

from __future__ import annotations

from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.transformers_text import Family, TransformersText

BERT = Family("BERT", "a", "bert", {"bert": "Bert"})


def build(spec: StreamSpec, width: int, path: str) -> TransformersText:
    """Builder for the registry."""
    return TransformersText(path, BERT, spec.vocab_size)
