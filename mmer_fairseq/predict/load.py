"""A checkpoint → what predicts with it, without the corpus that it was trained on."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from mmer_fairseq import compat_faults
from mmer_fairseq.corpus import MODALITIES, LabelSpace
from mmer_fairseq.data.reading import label_space
from mmer_fairseq.data.windows import Windows
from mmer_fairseq.encoders import StreamSpec, parse_spec
from mmer_fairseq.errors import InputError
from mmer_fairseq.predict.predictor import Predictor
from mmer_fairseq.predict.sources import CannotMakeError, Source, build_source

logger = logging.getLogger(__name__)


@dataclass
class _StandIn:
    """What a model asks of its task when it is built."""

    streams: dict[str, StreamSpec]
    labels: LabelSpace
    num_outputs: int
    over_time: bool


def load(
    path: str | Path,
    device: str = "cpu",
    *,
    data: str | Path | None = None,
    encoders: Mapping[str, str] | None = None,
    modalities: tuple[str, ...] | list[str] | None = None,
) -> Predictor:
    """Load a checkpoint of ``fairseq-train`` to predict with.

    >>> predictor = load("runs/mine/checkpoint_best.pt")            # doctest: +SKIP
    >>> for segment in predictor("talk.mp4"):                        # doctest: +SKIP
    ...     print(segment.start, segment.end, segment.label, segment.scores)
    >>> predictor.clip(text="good to see you", audio="c001.wav")     # doctest: +SKIP

    Args:
        path: of the checkpoint.
        device: where the model runs, as torch names it (``cpu``, ``cuda``).
        data: corpus folder, only needed for checkpoints that do not remember how their clips are read: those of
            earlier versions and of ``mmer convert``, where the corpus is no longer where it was.
        encoders: modality → ``NAME:PATH``, where the weights of a published encoder lie now; for features of several
            stores, one after the other with ``+`` between.
        modalities: use these alone; the others are missing.

    Raises:
        InputError: no checkpoint of this plugin; it lacks what is needed; an encoder or a device that is not there.
    """
    import mmer_fairseq

    _check_device(device)
    named = _checked_encoders(encoders or {})
    compat_faults.check_file(str(path), "--path")
    mmer_fairseq.register()
    from fairseq import checkpoint_utils, models

    state = checkpoint_utils.load_checkpoint_to_cpu(str(path))
    known = state.get("task_state") or {}
    reading = known.get("reading")
    if reading is None or data is not None:
        model, reading, streams, known = _with_corpus(str(path), state, data, named)
    else:
        streams = {
            m: StreamSpec(**{k: v for k, v in spec.items() if k != "fingerprint"})
            for m, spec in known["streams"].items()
        }
        for modality, encoder in named.items():
            if modality in streams and streams[modality].form != "features":
                streams[modality] = replace(streams[modality], encoder=encoder)
        labels = label_space(reading)
        _check_weights(streams, str(path))
        model = models.build_model(
            state["cfg"].model, _StandIn(streams, labels, int(reading["outputs"]), bool(reading["windows"]))
        )
        try:
            model.load_state_dict(state["model"], strict=True, model_cfg=state["cfg"].model)
        except InputError as error:
            if str(error).startswith("checkpoint: "):
                raise InputError(f"{path}{str(error)[len('checkpoint') :]}") from error
            raise
    streams = {m: streams[m] for m in getattr(model, "modalities", tuple(streams)) if m in streams}
    return _predictor(model, reading, streams, known, named, modalities, device, str(path))


def _predictor(
    model: Any,
    reading: Mapping[str, Any],
    streams: dict[str, StreamSpec],
    known: Mapping[str, Any],
    encoders: Mapping[str, str],
    modalities: Any,
    device: str,
    path: str,
) -> Predictor:
    labels = label_space(reading)
    windows = Windows(**reading["windows"]) if reading["windows"] else None
    wanted = _checked_modalities(modalities, streams)
    sources: dict[str, Source] = {}
    unavailable: dict[str, str] = {}
    for modality, spec in streams.items():
        if modality not in wanted:
            unavailable[modality] = "left out by --modalities"
            continue
        state = reading["streams"].get(modality)
        if state is None:
            unavailable[modality] = "the corpus that was given has none"
            continue
        try:
            sources[modality] = build_source(
                spec, state, windows, labels.rate, encoders.get(modality, ""), device
            )
        except CannotMakeError as reason:
            unavailable[modality] = str(reason)
    if not sources:
        raise InputError.of(
            where=path,
            expected="a modality that can be made from media",
            found="; ".join(f"{m}: {why}" for m, why in unavailable.items()),
            remedy="give what is named, or train on media or on features of mmer extract",
        )
    for modality, why in unavailable.items():
        logger.warning("%s is missing throughout: %s", modality, why)
    thresholds = (known.get("thresholds") or {}).get("values") if reading["tuned"] else None
    return Predictor(
        model.eval().to(device),
        labels=labels,
        objective=str(reading["objective"]),
        thresholds=thresholds,
        streams=streams,
        sources=sources,
        unavailable=unavailable,
        windows=windows,
        context=int(reading["context"]),
        faces=reading["faces"],
        device=device,
        path=path,
    )


def _with_corpus(path: str, state: Mapping[str, Any], data: Any, encoders: Mapping[str, str]) -> Any:
    """Model, reading, streams and task state with the help of a corpus, as ``fairseq-validate`` has them."""
    from fairseq import checkpoint_utils

    recorded = str(state["cfg"].task.data)
    folder = Path(data) if data is not None else Path(recorded)
    if not folder.is_dir():
        raise InputError.of(
            where=path,
            expected="a checkpoint that says how its clips are read, or the corpus of its training",
            found=f"one of an earlier version or of mmer convert, and no folder {folder}",
            remedy="name a corpus of the same form with --data DIR",
        )
    overrides = {"data": str(folder), **{f"{m}_encoder": encoder for m, encoder in encoders.items()}}
    models, _, task = checkpoint_utils.load_model_ensemble_and_task([path], arg_overrides=overrides)
    return models[0], task.reading, dict(task.streams), {"thresholds": task.thresholds}


def _check_device(device: str) -> None:
    try:
        usable = torch.device(device).type != "cuda" or torch.cuda.is_available()
    except RuntimeError:
        usable = False
    if not usable:
        there = "'cpu', 'cuda'" if torch.cuda.is_available() else "'cpu'"
        raise InputError.of(
            where="--device",
            expected=f"a device of this machine ({there})",
            found=repr(device),
            remedy="write one of them",
        )


def _check_weights(streams: Mapping[str, StreamSpec], where: str) -> None:
    """Published encoders are read from where they were in the training."""
    for modality, spec in streams.items():
        name, _, paths = spec.encoder.partition(":")
        for path in paths.split("+") if spec.form != "features" else ():
            kept = path.rpartition("@")[0] or path
            if os.sep in path and not (os.path.exists(path) or os.path.exists(kept)):
                raise InputError.of(
                    where=where,
                    expected=f"the weights of its {modality} encoder {name} where they were in the training",
                    found=f"no {kept}",
                    remedy=f"say where they are with --encoder {modality}={name}:PATH",
                )


def _checked_encoders(encoders: Mapping[str, str]) -> dict[str, str]:
    for modality, encoder in encoders.items():
        if modality not in MODALITIES:
            raise InputError.of(
                where="--encoder",
                expected=f"MODALITY=NAME:PATH, the modality one of {', '.join(MODALITIES)}",
                found=f"{modality}={encoder}",
                remedy="correct it",
            )
        for each in encoder.split("+"):
            parse_spec(each, f"--encoder {modality}")
    return dict(encoders)


def _checked_modalities(wanted: Any, streams: Mapping[str, Any]) -> tuple[str, ...]:
    if not wanted:
        return tuple(streams)
    unknown = [m for m in wanted if m not in streams]
    if unknown:
        raise InputError.of(
            where="--modalities",
            expected=f"modalities that the model takes ({', '.join(streams)})",
            found=", ".join(unknown),
            remedy="leave it out",
        )
    return tuple(wanted)
