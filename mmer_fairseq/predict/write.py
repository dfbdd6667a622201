"""Predictions of a file as TSV, JSON and WebVTT, written as they come."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mmer_fairseq.corpus.write import writing
from mmer_fairseq.predict.segment import Segment

if TYPE_CHECKING:
    from mmer_fairseq.predict.recording import Recording

NAME = "predictions"


class Writer:
    """``predictions.tsv``, ``.json`` and ``.vtt`` of one file.

    The table and the subtitles grow segment by segment and are correct at any moment; the JSON file appears when it
    is whole. Models of traces: the table has a line a step.

    Args:
        folder: to write to; it is made.
        recording: that is predicted.
        file: its name in the files (default: its path).
        checkpoint: likewise, of the model.

    Raises:
        InputError: nothing can be written there.
    """

    def __init__(self, folder: Path, recording: Recording, file: str = "", checkpoint: str = "") -> None:
        self.folder = folder
        self.recording = recording
        self.file = file or str(recording.path)
        self.checkpoint = checkpoint or recording.predictor.path
        self.kind = recording.predictor.labels.kind
        self.names = list(recording.predictor.labels.names)
        self._json = folder / f".{NAME}.json.{os.getpid()}"
        self._files: dict[str, IO[str]] = {}
        self._count = self._steps = 0

    def __enter__(self) -> Writer:
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for name, path in (
                ("tsv", self.folder / f"{NAME}.tsv"),
                ("vtt", self.folder / f"{NAME}.vtt"),
                ("json", self._json),
            ):
                self._files[name] = open(path, "w", encoding="utf-8")
        about = self._about()
        self._put("vtt", "WEBVTT\n\nNOTE " + "\nNOTE ".join(self._notes(about)) + "\n")
        self._put("json", json.dumps(about, ensure_ascii=False, indent=1)[:-2] + ',\n "segments": [')
        columns = ["step", "seconds"] if self.kind == "trace" else ["start", "end", "label"]
        columns += [f"score_{name}" for name in self.names]
        columns += ["missing"] if self.kind == "trace" else ["missing", "notes", "text"]
        self._put("tsv", "\t".join(columns) + "\n")
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            notes = json.dumps(self.recording.notes, ensure_ascii=False)
            self._put("json", f'\n ],\n "notes": {notes}\n}}\n')
        for file in self._files.values():
            file.close()
        if kind is None:
            os.replace(self._json, self.folder / f"{NAME}.json")
        else:
            self._json.unlink(missing_ok=True)

    def add(self, segment: Segment) -> None:
        """Write one segment."""
        self._count += 1
        comma = "," if self._count > 1 else ""
        self._put("json", f"{comma}\n  " + json.dumps(_finite(segment.about()), ensure_ascii=False))
        lines = self._steps_of(segment) if self.kind == "trace" else [self._line(segment)]
        self._put("tsv", "".join(line + "\n" for line in lines))
        if segment.start is not None and segment.end is not None:
            said = _escaped(told(segment, self.kind))
            self._put("vtt", f"\n{stamp(segment.start)} --> {stamp(segment.end)}\n{said}\n")

    def _about(self) -> dict[str, Any]:
        recording = self.recording
        return {
            "file": self.file,
            "seconds": recording.seconds,
            "checkpoint": self.checkpoint,
            "kind": self.kind,
            "names": self.names,
            "cut": recording.about,
            "missing": dict(recording.missing),
        }

    @staticmethod
    def _notes(about: dict[str, Any]) -> list[str]:
        lines = [f"predictions of {about['checkpoint']} for {about['file']}"]
        lines += [f"{modality} is missing: {why}" for modality, why in about["missing"].items()]
        return [" ".join(line.replace("-->", "->").split()) for line in lines]

    def _line(self, segment: Segment) -> str:
        cells = ["" if x is None else f"{x:.3f}" for x in (segment.start, segment.end)]
        cells.append(segment.label)
        cells += [f"{segment.scores[n]:.9g}" if n in segment.scores else "" for n in self.names]
        cells += [",".join(segment.missing), "; ".join(segment.notes), segment.text]
        return "\t".join(" ".join(cell.split()) for cell in cells)

    def _steps_of(self, segment: Segment) -> list[str]:
        assert segment.trace is not None
        lines = []
        for row in segment.trace.tolist():
            values = ["" if x != x else f"{x:.9g}" for x in row]
            cells = [
                str(self._steps),
                f"{self._steps / segment.rate:.4f}",
                *values,
                ",".join(segment.missing),
            ]
            lines.append("\t".join(cells))
            self._steps += 1
        return lines

    def _put(self, name: str, text: str) -> None:
        with writing(self.folder):
            self._files[name].write(text)
            self._files[name].flush()


def told(segment: Segment, kind: str) -> str:
    """A prediction in a few words."""
    if not segment.scores:
        return "(not read)"
    if kind == "classes":
        return f"{segment.label} {segment.scores[segment.label]:.2f}"
    if kind == "multilabel":
        held = [name for name in segment.label.split("|") if name]
        return ", ".join(f"{name} {segment.scores[name]:.2f}" for name in held) or "(none)"
    return ", ".join(f"{name} {value:.2f}" for name, value in segment.scores.items())


def stamp(seconds: float) -> str:
    """``01:02:03.456``."""
    whole = round(seconds * 1000)
    return f"{whole // 3600000:02d}:{whole // 60000 % 60:02d}:{whole // 1000 % 60:02d}.{whole % 1000:03d}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _finite(value: Any) -> Any:
    """JSON knows no NaN."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and value != value else value
