"""One file, predicted stretch by stretch; what is missing or cannot be read is said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from mmer_fairseq.corpus import Clip
from mmer_fairseq.data.dialogues import Dialogues
from mmer_fairseq.data.sources import RawSource
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.stopping import check
from mmer_fairseq.predict.clips import make_clip
from mmer_fairseq.predict.cropping import plan_crops
from mmer_fairseq.predict.cutting import Cut, Options, fitting, plan_cuts
from mmer_fairseq.predict.files import SUBTITLES, beside, look
from mmer_fairseq.predict.segment import Segment
from mmer_fairseq.predict.sources import RawTrace, read_item
from mmer_fairseq.predict.subtitles import Cue, read_subtitles, read_text
from mmer_fairseq.predict.traces import groups_of, seconds_of, trace_segment

if TYPE_CHECKING:
    from mmer_fairseq.predict.predictor import Predictor

_REASON = re.compile(r"; found (.*)\. [A-Z]", re.DOTALL)


class Recording:
    """A file that a predictor is about to read.

    Args:
        predictor: the model.
        path: a video, a sound, a text, subtitles, or a folder of numbered pictures.
        options: how it is cut and read.

    Attributes:
        seconds: length, from headers; 0: it has no clock.
        missing: modality of the model → why the file has nothing of it.
        about: how it is cut, in words.
        notes: what became known on the way of stretches that cannot be read.

    Raises:
        InputError: it cannot be read, or has nothing that the model takes.
    """

    def __init__(self, predictor: Predictor, path: Path, options: Options) -> None:
        self.predictor = predictor
        self.path = path
        self.options = options
        self.notes: list[str] = []
        self._unheard: tuple[float, float] | None = None
        self.missing: dict[str, str] = dict(predictor.unavailable)
        self.found = look(path, self.picture_rate)
        self.seconds = self.found.seconds
        self._cues, self._words = self._read_words()
        self.missing.update({m: self._why(m) for m in predictor.sources if not self._has(m)})
        self.missing.update({m: "left out" for m in options.without if m not in self.missing})
        if not set(predictor.sources) - set(self.missing):
            raise InputError.of(
                where=path,
                expected=f"something that the model takes ({', '.join(predictor.streams)})",
                found="; ".join(f"{m}: {why}" for m, why in self.missing.items()),
                remedy="name another file, or another checkpoint",
            )
        self._cropper = self._crops()
        if predictor.windows is not None:
            self.about = f"every step, {predictor.labels.rate:g} a second"
            self._refuse_cuts()
        else:
            longest = fitting(options.longest, self._readable())
            way = plan_cuts(self.found, self._cues, options, longest, self._hole)
            self.about, self._cuts = way.about, way.cuts
            if self.found.kind == "subtitles":
                self.seconds = max(cue.end or 0.0 for cue in self._cues)
        self._told_of_text()

    def segments(self) -> Iterator[Segment]:
        """The predictions in order of time, each as soon as it is known. To be called once."""
        yield from self._traces() if self.predictor.windows is not None else self._clips()

    @property
    def picture_rate(self) -> float:
        """Frames a second that the numbers of a folder of pictures count, in Hz."""
        for source in self.predictor.sources.values():
            if source.modality == "video":
                return (source.source if isinstance(source, RawTrace) else source).options.picture_rate
        return 30.0

    def _read_words(self) -> tuple[list[Cue], str]:
        """Cues, and the file that they are from."""
        path, options = self.path, self.options
        if self.found.kind == "subtitles":
            return read_subtitles(path), path.name
        if self.found.kind == "text":
            return read_text(path, whole=options.whole), path.name
        if options.text is not None or "text" not in self.predictor.sources:
            return [], ""
        other = Path(options.subtitles) if options.subtitles else beside(path) if options.beside else None
        if other is None:
            return [], ""
        if other.suffix.lower() in SUBTITLES or options.subtitles:
            return read_subtitles(other), other.name
        return read_text(other, whole=True), other.name

    def _has(self, modality: str) -> bool:
        if modality == "text":
            return bool(self._cues) or self.options.text is not None
        return modality in self.found.media

    def _why(self, modality: str) -> str:
        if modality == "text" and not self.options.beside:
            return "no words and no subtitles are given"
        if modality == "text":
            return f"no subtitles are given, and {self.path.stem}.vtt, .srt or .txt is not beside the file"
        if modality == "physio":
            return "a media file holds no biosignal"
        if self.found.kind != "media":
            return f"the file is {'text' if self.found.kind == 'text' else 'subtitles'}"
        return "the file has no sound" if modality == "audio" else "the file has no picture"

    def _told_of_text(self) -> None:
        """A text without times cannot be divided among segments."""
        timeless = [cue for cue in self._cues if cue.start is None]
        if (
            timeless
            and "text" not in self.missing
            and self.found.kind == "media"
            and self.about != "as one clip"
        ):
            self.missing["text"] = (
                f"{self._words} has no times; give subtitles, or take the file as one clip with --whole"
            )

    def _refuse_cuts(self) -> None:
        given = [n for n in ("window", "whole", "subtitles") if getattr(self.options, n)]
        if given or self.options.faces not in ("auto", "none") or self.found.kind != "media":
            found = ", ".join(f"--{n}" for n in given) or (
                f"--faces {self.options.faces}" if self.found.kind == "media" else f"{self.found.kind}"
            )
            raise InputError.of(
                where=self.path,
                expected="a sound or a video as it is: the model predicts every step of it",
                found=found,
                remedy="leave it out; mmer faces cuts faces out before",
            )

    def _crops(self) -> Any:
        source = self.predictor.sources.get("video")
        if (
            source is None
            or "video" in self.missing
            or isinstance(source, RawTrace)
            or not self.found.seconds
        ):
            return None
        options = source.options
        rate = options.frame_rate or 0.0
        device, folder = self.predictor.device, self.options.folder
        return plan_crops(self.options.faces, self.predictor.faces, rate, options.frame_size, device, folder)

    def _readable(self) -> list[float]:
        """Seconds of each modality that the model reads at most."""
        result = []
        for source in self.predictor.sources.values():
            if source.modality == "video" and not isinstance(source, RawTrace):
                result.append(source.options.max_frames / (source.options.frame_rate or 25.0))
            if isinstance(source, RawSource) and source.modality == "audio" and source.max_samples:
                result.append(source.max_samples / source.options.sample_rate)
        return result

    def _hole(self, start: float, end: float, error: InputError) -> None:
        """Stretches that touch are one."""
        if self._unheard is not None and self._unheard[1] >= start:
            start = self._unheard[0]
            self.notes.pop()
        self._unheard = start, end
        self.notes.append(f"no sound can be read{_span(start, end)}: {reason(error)}")

    def _clips(self) -> Iterator[Segment]:
        cuts: Any = self._cuts
        dialogues = None
        if self.predictor.context and self._cues and "text" not in self.missing:
            cuts = list(cuts)  # words are few, and a dialogue is read as one
            rows = [self._row(number, cut) for number, cut in enumerate(cuts) if cut.text]
            dialogues = self.predictor.dialogues(rows)
        for number, cut in enumerate(cuts):
            check()
            yield self._timed(self._predict(self._row(number, cut), dialogues))

    def _row(self, number: int, cut: Cut) -> Clip:
        media = {m: path for m, path in self.found.media.items() if m not in self.missing}
        if cut.text is not None and "text" not in self.missing:
            media["text"] = cut.text
        turn = number if self.predictor.context else None
        return make_clip(
            f"{self.path.name}#{number + 1}", media, cut.start, cut.end, turn=turn, where=str(self.path)
        )

    def _predict(self, row: Clip, dialogues: Dialogues | None) -> Segment:
        items: dict[str, Tensor] = {}
        notes: list[str] = []
        for modality, source in self.predictor.sources.items():
            if not source.present(row):
                if modality == "text" and "text" not in self.missing:
                    notes.append("text is missing: no words there")
                continue
            try:
                with ExitStack() as stack:
                    clip = row
                    if modality == "video" and self._cropper is not None:
                        clip = stack.enter_context(self._cropper.cropped(row, self.picture_rate))
                    items[modality] = read_item(source, clip)
            except InputError as error:
                notes.append(f"{modality} cannot be read{_span(row.start, row.end)}: {reason(error)}")
        missing = tuple(m for m in self.predictor.streams if m not in items)
        if not items:
            words = row.media.get("text", "")
            return Segment(row.start, row.end, {}, "", missing, (*notes, "nothing to predict from"), words)
        logits = self.predictor.forward(items, row, dialogues)
        return self.predictor.segment(logits[0], row, missing, tuple(notes))

    def _timed(self, segment: Segment) -> Segment:
        """A file that is one clip begins at 0."""
        if segment.start is None and self.seconds:
            return replace(segment, start=0.0, end=self.seconds)
        return segment

    def _traces(self) -> Iterator[Segment]:
        predictor = self.predictor
        row = self._row(0, Cut(None, None))
        rate = predictor.labels.rate_of(row)
        sources = {m: s for m, s in predictor.sources.items() if s.present(row)}
        lengths = {}
        for modality, source in dict(sources).items():
            try:
                lengths[modality] = seconds_of(source, row)
            except InputError as error:
                del sources[modality]
                self.missing[modality] = reason(error)
        steps = max(1, int(max(lengths.values(), default=0.0) * rate + 0.5))
        lost: dict[str, str] = {}

        def fault(modality: str, error: InputError) -> None:
            lost[modality] = reason(error)

        hushed: list[str] = []
        for first, last, trace in groups_of(
            predictor, row, sources, lengths, steps, fault, lambda: hushed.append("audio is silent")
        ):
            start, end = first / rate, last / rate
            notes = [f"{m} cannot be read{_span(start, end)}: {why}" for m, why in lost.items()]
            missing = tuple(m for m in predictor.streams if m not in sources or m in lost)
            notes += [f"{note}{_span(start, end)}" for note in hushed]
            if np.isnan(trace).all():
                notes.append("nothing to predict from")
            yield trace_segment(predictor, trace, start, end, rate, missing, tuple(notes))
            lost.clear()
            hushed.clear()


def reason(error: InputError) -> str:
    """What an error found, without where and remedy."""
    match = _REASON.search(str(error))
    return match.group(1) if match else str(error)


def _span(start: float | None, end: float | None) -> str:
    return "" if start is None or end is None else f" from {start:.1f} to {end:.1f} s"
