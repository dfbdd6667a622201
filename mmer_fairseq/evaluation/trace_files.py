"""Predicted traces as files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.evaluation.traces import ClipTrace

#: All frames of all videos, in the form that the Aff-Wild2 challenge takes.
SUBMISSION = "predictions.txt"


class TraceWriter:
    """One CSV file a clip, or one file of the challenge's form for all; complete files only.

    Args:
        form: ``csv``: step, seconds, a column a dimension, and its label (empty: none); ``aff-wild2``: one file with
            ``image_location,valence,arousal`` for all frames, from 00001 on, cut to the range of the labels.
        folder: to write to.
        labels: the label space.

    Raises:
        InputError: the form does not fit the labels.
    """

    def __init__(self, form: str, folder: Path, labels: Any) -> None:
        self.form, self.folder, self.labels = form, folder, labels
        self.names: set[str] = set()
        self._part = folder / f".{SUBMISSION}.{os.getpid()}"
        self._all: Any = None
        self.result = folder / SUBMISSION if form == "aff-wild2" else folder

    def __enter__(self) -> TraceWriter:
        if self.form == "aff-wild2":
            if tuple(self.labels.names) != ("valence", "arousal"):
                raise InputError.of(
                    where="--form aff-wild2",
                    expected="traces of valence and arousal",
                    found=", ".join(self.labels.names),
                    remedy="write --form csv",
                )
            self._all = open(self._part, "w", encoding="utf-8")
            self._all.write("image_location,valence,arousal\n")
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if self._all is not None:
            self._all.close()
            if kind is None:
                os.replace(self._part, self.folder / SUBMISSION)
            else:
                self._part.unlink(missing_ok=True)

    def add(self, trace: ClipTrace, values: Tensor) -> None:
        """Write one clip: its values [T, N], which may be smoothed."""
        clip_id = trace.clip.id
        if self._all is not None:
            low, high = self.labels.range or (-1.0, 1.0)
            for step, (valence, arousal) in enumerate(values.clamp(low, high).tolist()):
                self._all.write(f"{clip_id}/{step + 1:05d}.jpg,{valence:.5f},{arousal:.5f}\n")
            return
        name = clip_id.replace("/", "_").replace(os.sep, "_") + ".csv"
        if name in self.names:
            raise InputError.of(
                where=trace.clip.where,
                expected="ids that give each clip a file name of its own",
                found=f"{name} twice",
                remedy="rename the clip",
            )
        self.names.add(name)
        names = self.labels.names
        header = ["step", "seconds", *names, *(f"{name}_label" for name in names)]
        lines: Iterable[str] = (
            f"{step},{step / trace.rate:.4f},"
            + ",".join([*(f"{v:.9g}" for v in row), *("" if v != v else f"{v:.9g}" for v in known)])
            for step, (row, known) in enumerate(zip(values.tolist(), trace.target.tolist()))
        )
        part = self.folder / f".{name}.{os.getpid()}"
        part.write_text("\n".join([",".join(header), *lines]) + "\n", encoding="utf-8")
        os.replace(part, self.folder / name)
