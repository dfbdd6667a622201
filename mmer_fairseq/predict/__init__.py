"""Predictions for any file: :func:`load` a checkpoint, then call it.

Nothing here imports fairseq before a checkpoint is loaded.
"""

from mmer_fairseq.predict.load import load
from mmer_fairseq.predict.predictor import Predictor
from mmer_fairseq.predict.segment import Segment

__all__ = ["Predictor", "Segment", "load"]
