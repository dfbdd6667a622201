"""What a model that selects has selected: the sites of a clip's pictures that it computed, beside its prediction.

Letters for shapes: T pictures of a clip, H × W pixels of each, h × w sites of a stage, D values of a step.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from mmer_fairseq.corpus import Clip, Corpus
from mmer_fairseq.corpus.faults import some, stop
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError
from mmer_fairseq.evaluation.trained import Trained

#: Channels of what can be drawn: a spectrogram, a colour picture.
CHANNELS = (1, 3)
_CLOSE = 4  # ids that an error proposes
_FLOOR = 1e-6  # power


@runtime_checkable
class Selects(Protocol):
    """A model that says what it selects; any model that has these two can be explained."""

    encoders: Any  # (streams, lengths) → features [B, T, D] and lengths by modality; ``encoder`` holds each

    def selection(
        self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]
    ) -> Mapping[str, Sequence[Sequence[Tensor]]]:
        """Modality → clip → stage → BoolTensor [T, h, w], True where a site is kept."""


@dataclass(frozen=True)
class Seen:
    """The pictures of one modality of a clip, and what was kept of them.

    Attributes:
        modality: which.
        pictures: float32 in [0, 1], [T, H, W, 3], or a spectrogram in pieces, [T, H, W], low pitch first.
        kept: bool [T, h, w] of each stage.
        step: seconds from one picture to the next; 0.0: they have no clock.
        seconds: length of the stream; 0.0: unknown.
    """

    modality: str
    pictures: np.ndarray
    kept: tuple[np.ndarray, ...]
    step: float
    seconds: float

    @property
    def shares(self) -> tuple[float, ...]:
        """Of each stage: kept sites / all sites, over all pictures."""
        return tuple(float(stage.mean()) for stage in self.kept)

    def about(self) -> dict[str, Any]:
        """Numbers for a file: shares, also of each picture."""
        stages = [
            {
                "sites": [int(side) for side in stage.shape[1:]],
                "kept": round(float(stage.mean()), 6),
                "kept of each picture": [round(float(each), 6) for each in stage.mean(axis=(1, 2))],
            }
            for stage in self.kept
        ]
        starts = [round(k * self.step, 6) for k in range(len(self.pictures))] if self.step else None
        return {"pictures": len(self.pictures), "starts in seconds": starts, "stages": stages}


@dataclass(frozen=True)
class Explained:
    """One clip.

    Attributes:
        clip: which.
        text: its words; '' where it has none.
        label: in words.
        prediction: in words.
        scores: name of a class, label or value → probability, or the number itself.
        seen: what was selected, by modality.
        notes: modality → why it is not in ``seen``.
    """

    clip: Clip
    text: str
    label: str
    prediction: str
    scores: Mapping[str, float]
    seen: Mapping[str, Seen]
    notes: Mapping[str, str]


def recorded(path: str) -> dict[str, str | None]:
    """What a checkpoint says of its training: ``data`` (corpus folder) and ``labels`` (label space, None: the first).

    Raises:
        InputError: no checkpoint of this plugin.
    """
    from fairseq import checkpoint_utils

    flags = checkpoint_utils.load_checkpoint_to_cpu(path)["cfg"]["task"]
    found = {}
    for name in ("data", "labels"):
        value = flags.get(name) if hasattr(flags, "get") else getattr(flags, name, None)
        found[name] = str(value) if value else None
    return found


def corpus_of(path: str, data: str | None) -> str:
    """The folder of the corpus that a checkpoint was trained on.

    Args:
        path: of the checkpoint.
        data: as it records it.

    Raises:
        InputError: it records none, or there is no such folder now.
    """
    if data is None or not Path(data).is_dir():
        raise InputError.of(
            where=f"--path {path}",
            expected="the corpus of its training, which clips are read from unless another one is named",
            found="none recorded" if data is None else f"no folder '{data}'",
            remedy=f"name the corpus: mmer explain DATA --path {path}",
        )
    return data


def find_clips(corpus: Corpus, ids: Sequence[str], split: str | None) -> dict[str, str]:
    """Clip id → its split.

    Args:
        corpus: to look in.
        ids: wanted.
        split: look only there (None: everywhere).

    Raises:
        InputError: no such split or no such clip; close ids are named.
    """
    splits = (split,) if split else corpus.splits
    known = {clip.id: name for name in splits for clip in corpus.clips(name)}
    for wanted in ids:
        if wanted not in known:
            raise _unknown(wanted, corpus, splits, list(known))
    return {wanted: known[wanted] for wanted in ids}


def _unknown(wanted: str, corpus: Corpus, splits: Sequence[str], known: list[str]) -> InputError:
    elsewhere = next((s for s in corpus.splits if wanted in {clip.id for clip in corpus.clips(s)}), "")
    close = difflib.get_close_matches(wanted, known, n=_CLOSE, cutoff=0.5)
    remedy = f"write one of {', '.join(close)}" if close else f"write one of them: {some(known)}"
    found = f"'{wanted}'"
    if elsewhere:
        found, remedy = f"'{wanted}', which is in {elsewhere}", f"write --split {elsewhere}, or leave it out"
    elif wanted in corpus.ids:
        found = f"'{wanted}' ({corpus.ids[wanted]}), whose label is left out"
    return InputError.of(
        where="--clip",
        expected=f"the id of a clip of {corpus.directory}, {', '.join(splits)}",
        found=found,
        remedy=remedy,
    )


def check_selects(trained: Trained, path: str) -> None:
    """Refuse a model that has nothing to show.

    Raises:
        InputError: it selects nothing, or predicts traces.
    """
    if not isinstance(trained.model, Selects):
        raise InputError.of(
            where=f"--path {path}",
            expected=f"a model that selects what it computes (--arch {' or '.join(_selecting())})",
            found=f"{type(trained.model).__name__}, which computes everything",
            remedy="name a checkpoint of one of these",
        )
    if trained.task.over_time:
        raise InputError.of(
            where=f"--path {path}",
            expected="labels of whole clips",
            found=f"{trained.task.labels.name} (trace)",
            remedy="name another checkpoint",
        )


def _selecting() -> list[str]:
    """Our architectures whose model selects."""
    from fairseq.models import ARCH_MODEL_REGISTRY

    return [
        name
        for name, model in ARCH_MODEL_REGISTRY.items()
        if hasattr(model, "selection") and model.__module__.startswith("mmer_fairseq.")
    ]


@torch.no_grad()
def explain(trained: Trained, clip_id: str, split: str) -> Explained:
    """Run a model on one clip, by itself, and keep what it selected.

    Args:
        trained: a model that :func:`check_selects` lets pass.
        clip_id: of a clip of the split.
        split: is read if it was not yet.

    Raises:
        InputError: a medium cannot be read, or no modality of the model is read as pictures.
    """
    from fairseq import utils

    task, model = trained.task, trained.model
    if split not in task.datasets:
        task.load_dataset(split)
    dataset = task.dataset(split)
    index = next(i for i, clip in enumerate(dataset.clips) if clip.id == clip_id)
    clip = dataset.clips[index]
    batch = dataset.collater([dataset[index]])
    if trained.device == "cuda":
        batch = utils.move_to_cuda(batch)
    streams, lengths = batch["net_input"]["streams"], batch["net_input"]["lengths"]
    selected = model.selection(streams, lengths)
    if not selected:
        raise InputError.of(
            where=clip.where,
            expected="a model that gets pictures: --video-encoder face_pixels or --audio-encoder mel_pieces",
            found=", ".join(f"{m}: {spec.encoder or spec.form}" for m, spec in task.streams.items()),
            remedy="train with one of them; where stored features are read, nothing is selected",
        )
    features, _ = model.encoders(streams, lengths)
    seen, notes = {}, {}
    for modality in (m for m in task.streams if m != "text"):
        stages = tuple(stage.cpu().numpy() for stage in selected.get(modality, [()])[0])
        if modality not in selected:
            notes[modality] = "no pictures of it are computed, so nothing is selected"
        elif not int(lengths[modality][0]) or not len(stages[0]):
            notes[modality] = _why_nothing(dataset.sources.get(modality), modality, clip)
        else:
            pictures = pictures_of(streams[modality][0], features[modality][0], stages[0])
            step, seconds = _clock(trained, modality, clip, int(lengths[modality][0]))
            seen[modality] = Seen(modality, pictures, stages, step, seconds)
    logits = model(**batch["net_input"])["logits"]
    label, prediction, scores = _told(trained, logits, batch["target"])
    return Explained(clip, _words(trained, clip), label, prediction, scores, seen, notes)


def _why_nothing(source: Any, modality: str, clip: Clip) -> str:
    if source is None:
        return "not read here"
    return "cannot be read" if source.present(clip) else f"this clip has no {modality}"


def pictures_of(stream: Tensor, features: Tensor, stage: np.ndarray) -> np.ndarray:
    """What a model selected from, as pictures.

    Args:
        stream: of one clip: frames [T', 3, H, W] in [0, 1], or anything that the encoder makes pictures of.
        features: [T'', D] of the encoder.
        stage: [T, h, w], the first selection: a picture has C·s² values a site of it, C in :data:`CHANNELS`.

    Returns:
        As :attr:`Seen.pictures`.
    """
    count, height, width = stage.shape
    if stream.dim() == 4:
        return np.ascontiguousarray(stream[:count].permute(0, 2, 3, 1).float().cpu().numpy())
    values = features.shape[1] // (height * width)
    channels = next(
        c for c in CHANNELS if values % c == 0 and round((values // c) ** 0.5) ** 2 == values // c
    )
    side = round((values // channels) ** 0.5)
    images = features[:count].float().cpu().numpy()
    images = images.reshape(count, channels, height * side, width * side)
    if channels == 1 and images.min() >= 0:  # power spans many decades
        images = np.log10(images + _FLOOR)
    low, high = (float(x) for x in np.percentile(images, (2, 99.8)))
    images = np.clip((images - low) / max(high - low, 1e-9), 0, 1).astype(np.float32)
    return images[:, 0] if channels == 1 else np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def _clock(trained: Trained, modality: str, clip: Clip, length: int) -> tuple[float, float]:
    """Seconds of a step of the encoder, and of the stream; (0, 0): unknown."""
    spec = trained.task.streams[modality]
    rate = spec.rate or (clip.rate if spec.form == "frames" else None) or 0.0
    if not rate:
        return 0.0, 0.0
    return trained.model.encoders.encoder[modality].stride / rate, length / rate


def _told(trained: Trained, logits: Tensor, target: Tensor) -> tuple[str, str, dict[str, float]]:
    """Label and prediction in words, and the scores by name, as ``--save-predictions`` has them."""
    labels, objective = trained.task.labels, trained.task.objective
    decided = trained.criterion.metrics.predict(logits)[0]
    values = logits.double().cpu()
    if objective == "binary_softmax":
        values = values.reshape(1, -1, 2).softmax(-1)[..., 1]
    elif objective in ("softmax", "bce"):
        values = values.softmax(-1) if objective == "softmax" else values.sigmoid()
    scores = dict(zip(labels.names, values[0].tolist()))

    def words(value: Tensor) -> str:
        if labels.kind == "classes":
            return str(labels.names[int(value)])
        if labels.kind == "multilabel":
            return ", ".join(n for n, x in zip(labels.names, value.tolist()) if x > 0.5) or "none"
        return ", ".join(f"{n} {x:.3g}" for n, x in zip(labels.names, value.tolist()))

    prediction = words(decided)
    if labels.kind == "classes":
        prediction += f" ({scores[prediction]:.2f})"
    return words(target[0]), prediction, scores


def _words(trained: Trained, clip: Clip) -> str:
    if not clip.has("text") or clip.stores("text") or trained.task.corpus.text_form != "words":
        return ""
    text = read_utf8(clip.media["text"], "a transcript", stop, clip.where) if clip.text_is_path else None
    return " ".join((clip.media["text"] if text is None else text).split())
