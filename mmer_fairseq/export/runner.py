"""An exported model, run by onnxruntime: batches as our models take them → logits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmer_fairseq.errors import InputError, optional

#: What a folder holds.
MODEL = "model"


class OnnxModel:
    """A file of ``mmer export``.

    >>> model = OnnxModel("exported")                                    # doctest: +SKIP
    >>> model({"streams": {"text": tokens}, "lengths": {"text": counts}})   # doctest: +SKIP

    Attributes:
        facts: what ``model.json`` says: ``modalities``, ``inputs``, ``labels``, ``thresholds``, …
        modalities: that it takes.
    """

    def __init__(self, path: str | Path, threads: int = 0) -> None:
        """Load it.

        Args:
            path: the folder, or the ``.onnx`` file.
            threads: of the CPU (0: onnxruntime decides).

        Raises:
            InputError: there is no such file, or onnxruntime is not installed.
        """
        file = Path(path)
        file = file / f"{MODEL}.onnx" if file.is_dir() else file
        facts = file.with_suffix(".json")
        for needed in (file, facts):
            if not needed.is_file():
                raise InputError.of(
                    where=path,
                    expected="a folder or file of mmer export, and the .json beside it",
                    found=f"no {needed.name} there",
                    remedy="write it with mmer export --path CKPT --out FOLDER",
                )
        runtime = needs("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.facts: dict[str, Any] = json.loads(facts.read_text(encoding="utf-8"))
        self.modalities = tuple(self.facts["modalities"])
        self._session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def __call__(self, batch: Mapping[str, Any]) -> np.ndarray:
        """Predict.

        Args:
            batch: ``streams``: modality → [B, T, …], arrays of NumPy or torch (frames as bytes or in [0, 1]);
                ``lengths``: modality → [B] real steps, 0 where a clip has no such modality. A modality that is in
                neither is missing throughout.

        Returns:
            Logits [B, C], or [B, T, C] of a model over time, float32.

        Raises:
            InputError: an input has another shape than the model takes.
        """
        streams, lengths = batch["streams"], batch["lengths"]
        counted = [np.asarray(lengths[m]) for m in self.modalities if m in lengths]
        if not counted:
            raise InputError.of(
                where="batch",
                expected=f"one of {', '.join(self.modalities)}",
                found=", ".join(lengths) or "nothing",
                remedy="give the streams that the model was trained on",
            )
        feed = {}
        for m in self.modalities:
            own = np.asarray(lengths[m]) if m in lengths and m in streams else np.zeros_like(counted[0])
            feed[m] = self._input(m, streams.get(m), own)
            feed[f"{m}_lengths"] = own.astype(np.int64)
        return self._session.run(None, feed)[0]

    def _input(self, modality: str, x: Any, lengths: np.ndarray) -> np.ndarray:
        known = self.facts["inputs"][modality]
        rest, dtype, least = tuple(known["shape"][2:]), np.dtype(known["dtype"]), known["chunk"] or 1
        if x is None:
            return np.zeros((len(lengths), least, *rest), dtype)
        x = np.asarray(x)
        if x.ndim != 2 + len(rest) or x.shape[2:] != rest or len(x) != len(lengths):
            raise InputError.of(
                where=f"stream {modality!r}",
                expected="shape " + " × ".join(map(str, [len(lengths), "steps", *rest])),
                found=" × ".join(map(str, x.shape)),
                remedy=f"prepare it as the model's .json says ({known['form']})",
            )
        limit = known["max_steps"]
        longest = int(lengths.max(initial=0))
        if longest > x.shape[1] or (limit and longest > limit):
            raise InputError.of(
                where=f"stream {modality!r}",
                expected=f"clips of at most {min(limit or x.shape[1], x.shape[1])} steps",
                found=longest,
                remedy="cut the clips, or give the whole stream",
            )
        if x.dtype == np.uint8 and dtype == np.float32:
            x = x.astype(dtype) / np.float32(255)
        if x.shape[1] < least:
            x = np.pad(x, [(0, 0), (0, least - x.shape[1]), *[(0, 0)] * len(rest)])
        return np.ascontiguousarray(x, dtype=dtype)


def needs(package: str) -> Any:
    """Import a package of the extra ``export``.

    Raises:
        InputError: it is not installed.
    """
    return optional(
        package,
        where="ONNX",
        expected=f"the package {package}",
        remedy="install it: pip install 'mmer_fairseq[export]'",
    )
