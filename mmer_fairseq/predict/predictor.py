"""A loaded checkpoint: one clip, or a whole file, → predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmer_fairseq.corpus import MODALITIES, Clip, LabelSpace
from mmer_fairseq.data.collate import collate
from mmer_fairseq.data.dialogues import Dialogues, plan_dialogues
from mmer_fairseq.data.plan import empty
from mmer_fairseq.data.windows import Windows
from mmer_fairseq.encoders import StreamSpec
from mmer_fairseq.errors import InputError
from mmer_fairseq.predict.clips import make_clip
from mmer_fairseq.predict.scores import Scorer
from mmer_fairseq.predict.segment import Segment
from mmer_fairseq.predict.sources import Source, read_item
from mmer_fairseq.predict.traces import clip_trace


class Predictor:
    """A trained model and all that it needs to read media. Made by :func:`mmer_fairseq.load`.

    Call it with a file for a list of :class:`Segment`; :meth:`stream` gives them as they come. :meth:`clip` predicts
    one clip as a corpus' row would have it, with exactly the numbers of ``fairseq-validate``.

    Attributes:
        model: in evaluation mode, on ``device``.
        labels: its label space (``kind``, ``names``, ``range``, ``rate``).
        modalities: that the model takes.
        sources: modality → what reads it; those that can be made here.
        unavailable: modality of the model → why it is missing throughout.
        windows: over traces; None: the model predicts whole clips.
        faces: how ``mmer faces`` found the faces that it was trained on (fields of ``faces.settings.Settings``); None:
            it was trained on whole pictures.
    """

    def __init__(
        self,
        model: Any,
        *,
        labels: LabelSpace,
        objective: str,
        thresholds: Sequence[float] | None,
        streams: Mapping[str, StreamSpec],
        sources: Mapping[str, Source],
        unavailable: Mapping[str, str],
        windows: Windows | None,
        context: int,
        faces: Mapping[str, Any] | None,
        device: str,
        path: str,
    ) -> None:
        self.model = model
        self.labels = labels
        self.scorer = Scorer(labels, objective, thresholds)
        self.streams = dict(streams)
        self.sources = dict(sources)
        self.unavailable = dict(unavailable)
        self.windows = windows
        self.context = context
        self.faces = faces
        self.device = device
        self.path = path
        self._empty = {m: empty(spec) for m, spec in self.streams.items()}

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self.streams)

    def __call__(self, file: str | Path, **options: Any) -> list[Segment]:
        """Predict a whole file: :meth:`stream` as a list."""
        return list(self.stream(file, **options))

    def stream(self, file: str | Path, **options: Any) -> Iterator[Segment]:
        """Predict a file, segment by segment; memory does not grow with its length.

        Args:
            file: video, sound, text or subtitles, or a folder of numbered pictures.
            options: of :class:`mmer_fairseq.predict.cutting.Options`: ``window``, ``hop``, ``whole``, ``subtitles``,
                ``faces``, ….

        Raises:
            InputError: the file cannot be read at all, or has nothing that the model takes.
        """
        yield from self.open(file, **options).segments()

    def open(self, file: str | Path, **options: Any) -> Any:
        """A file ready to be predicted, which knows its length and what is missing before anything is decoded.

        Returns:
            :class:`mmer_fairseq.predict.recording.Recording`.
        """
        from mmer_fairseq.predict.cutting import Options
        from mmer_fairseq.predict.recording import Recording

        return Recording(self, Path(file), Options(**options))

    def clip(
        self,
        *,
        text: str | Path | None = None,
        audio: str | Path | None = None,
        video: str | Path | None = None,
        physio: str | Path | None = None,
        start: float | None = None,
        end: float | None = None,
        rate: float | None = None,
        own_pictures: bool = False,
        steps: int | None = None,
        before: Sequence[str] = (),
        after: Sequence[str] = (),
        id: str = "clip",
    ) -> Segment:
        """Predict one clip, as a row of a corpus would have it.

        Args:
            text: its words; a ``Path``: file that holds them.
            audio: sound file, or video whose sound track is read.
            video: video, folder of numbered pictures, or a picture.
            physio: biosignal, ``.npy`` or ``.csv``.
            start: seconds into the media (None: their beginning).
            end: seconds into the media (None: their end).
            rate: of a folder of pictures, and of a trace, in Hz (None: as the corpus of the training).
            own_pictures: the folder of pictures holds this clip alone, as ``mmer faces`` writes them.
            steps: of the trace that is predicted (None: as long as the longest medium).
            before: texts of the dialogue before this one, for models that read them (``--context``).
            after: texts behind it.
            id: for messages.

        Raises:
            InputError: nothing that the model takes is given, or a medium cannot be read.
        """
        given = {"text": text, "audio": audio, "video": video, "physio": physio}
        media = {m: str(given[m]) for m in MODALITIES if given[m] is not None}
        row = make_clip(
            id,
            media,
            start,
            end,
            rate=rate,
            own_pictures=own_pictures,
            text_is_path=isinstance(text, Path),
            turn=len(before) if self.context else None,
        )
        usable = [m for m, source in self.sources.items() if source.present(row)]
        if not usable:
            raise InputError.of(
                where=id,
                expected=f"at least one of {', '.join(self.sources)}, which the model takes",
                found=", ".join(media) or "nothing",
                remedy="give one of them, or choose another checkpoint",
            )
        missing = tuple(m for m in self.streams if m not in usable)
        notes = tuple(f"{m} is missing: {self.unavailable.get(m, 'not given')}" for m in missing)
        if self.windows is not None:
            return clip_trace(self, row, steps, missing, notes)
        dialogues = self.dialogue(row, before, after)
        items = {m: read_item(self.sources[m], row) for m in usable}
        return self.segment(self.forward(items, row, dialogues)[0], row, missing, notes)

    def dialogue(self, row: Clip, before: Sequence[str] = (), after: Sequence[str] = ()) -> Dialogues | None:
        """A clip's text within those around it; None: the model reads texts by themselves."""
        source = self.sources.get("text")
        if not self.context or source is None or not row.has("text"):
            return None
        turns = [make_clip(f"{row.id}/{k}", {"text": words}, turn=k) for k, words in enumerate(before)]
        turns.append(row)
        turns += [
            make_clip(f"{row.id}/{k}", {"text": words}, turn=k)
            for k, words in enumerate(after, len(before) + 1)
        ]
        return self.dialogues(turns)

    def dialogues(self, clips: Sequence[Clip]) -> Dialogues | None:
        """The texts of a recording as one dialogue; None: the model reads texts by themselves."""
        return plan_dialogues(self.context, self.sources.get("text"), clips, "missing")

    def net_input(self, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What the model takes, on its device: see ``data.collate`` (``streams``, ``lengths``, maybe ``context``)."""
        dummy = [{"index": k, "target": torch.tensor(0), **item} for k, item in enumerate(items)]
        return _moved(collate(dummy, self._empty, 1)["net_input"], self.device)

    @torch.no_grad()
    def forward(
        self, streams: Mapping[str, Tensor], clip: Clip, dialogues: Dialogues | None = None
    ) -> Tensor:
        """Outputs of the model for one clip: [1, C].

        Args:
            streams: modality → [T, …], as ``data.sources`` reads it; absent ones left out.
            clip: whose.
            dialogues: see :meth:`dialogues`.
        """
        item: dict[str, Any] = {"streams": dict(streams)}
        if dialogues is not None and "text" in streams:
            part = dialogues.of_clip(clip)
            start, length = part.spans[clip.id]
            item["streams"]["text"] = part.tokens[start : start + length]
            item["context"] = (part.key, part.tokens, start, length)
        logits: Tensor = self.model(**self.net_input([item]))["logits"]
        return logits

    def segment(
        self, logits: Tensor, clip: Clip, missing: tuple[str, ...] = (), notes: tuple[str, ...] = ()
    ) -> Segment:
        """The prediction that outputs [C] stand for."""
        scores, label = self.scorer.read(logits)
        words = "" if clip.text_is_path else clip.media.get("text", "")
        return Segment(clip.start, clip.end, scores, label, missing, notes, words)


def _moved(value: Any, device: str) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    return {key: _moved(each, device) for key, each in value.items()}
