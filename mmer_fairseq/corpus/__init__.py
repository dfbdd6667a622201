"""A data set on disk: reading it, checking it, writing it, and what its labels mean."""

from mmer_fairseq.corpus.clip import MODALITIES, Clip
from mmer_fairseq.corpus.corpus import Corpus
from mmer_fairseq.corpus.description import Description, FeatureEntry
from mmer_fairseq.corpus.labels import LabelSpace
from mmer_fairseq.corpus.write import register_features, write_corpus

__all__ = [
    "MODALITIES",
    "Clip",
    "Corpus",
    "Description",
    "FeatureEntry",
    "LabelSpace",
    "register_features",
    "write_corpus",
]
