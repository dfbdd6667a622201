"""A trained model → a file that runs without this package, and what runs it.

:func:`export` writes ONNX and ``torch.export``; :class:`OnnxModel` runs the former with onnxruntime.
"""

from mmer_fairseq.export.runner import OnnxModel
from mmer_fairseq.export.write import export

__all__ = ["OnnxModel", "export"]
