"""Run a frozen encoder once over a corpus and keep its output as a feature store."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from mmer_fairseq.corpus import Clip, Corpus, register_features
from mmer_fairseq.corpus.description import STORE_NAME
from mmer_fairseq.corpus.streams import RawOptions
from mmer_fairseq.encoders import ENCODERS, Encoder, StreamSpec, build_encoder, parse_spec
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.index import INDEX, Made, read_header, shard_name, write_index
from mmer_fairseq.features.plan import Plan, alone
from mmer_fairseq.features.store import FeatureStore
from mmer_fairseq.features.work import Job, work_here, work_in_processes
from mmer_fairseq.features.write import check_dtype, check_id

logger = logging.getLogger(__name__)

#: What each modality's media become.
FORMS = {"text": "tokens", "audio": "samples", "video": "frames"}


def extract(
    corpus: Corpus,
    *,
    modality: str,
    encoder: str,
    name: str,
    options: RawOptions | None = None,
    splits: Sequence[str] | None = None,
    dtype: str = "float32",
    workers: int = 1,
    batch_size: int = 8,
    device: str = "cpu",
    skip_bad: int = 0,
    progress: bool = True,
) -> Path:
    """Encode every clip that has the modality as a medium, and register the store with the corpus.

    A killed run goes on where it stopped when it is started again: finished shards are never computed twice.
    The content does not depend on the number of workers. A finished store is left as it is.

    Args:
        corpus: the data set.
        modality: ``text``, ``audio`` or ``video``.
        encoder: ``NAME:PATH`` of an encoder with trained weights.
        name: of the store; it is written to ``features/NAME`` in the corpus folder.
        options: how media are read; sampling rate and frame size follow from the encoder.
        splits: which ones (default: all).
        dtype: ``float32`` or ``float16``.
        workers: processes, each with one thread.
        batch_size: clips encoded together.
        device: where the encoder runs, as torch names it.
        skip_bad: clips that may be left out because their medium is broken; they are named in the store.
        progress: show a bar.

    Returns:
        Folder of the store.

    Raises:
        InputError: something asked for does not exist or fit; a medium is broken (naming file and line); more
            than ``skip_bad`` are; the folder holds a store made otherwise.
    """
    check_dtype(dtype)
    _check_device(device)
    _check_name(name)
    job, built = _prepare(corpus, modality, encoder, name, options, splits, dtype, batch_size, device)
    plan = job.plan
    with alone(plan.folder):
        plan.settle()
        plan.clear_partial()
        if not (plan.folder / INDEX).exists():
            _make(job, built, workers, skip_bad, progress)
            write_index(plan.folder, plan.made, len(plan.shards))
    FeatureStore.open(plan.folder)  # an old store that was damaged since is not registered
    register_features(corpus.directory, name=name, path=plan.folder, modality=modality)
    return plan.folder


def _make(job: Job, encoder: Encoder, workers: int, skip_bad: int, progress: bool) -> None:
    """Make the shards that are not there yet."""
    plan = job.plan
    todo, there, skipped = [], 0, {}
    for number, clips in enumerate(plan.shards):
        path = plan.folder / shard_name(number)
        try:
            _, left_out = read_header(path, plan.made)
        except InputError as error:
            if path.exists():
                logger.warning("made again: %s", error)
            todo.append(number)
        else:
            there += len(clips)
            skipped.update(left_out)
    if there:
        logger.info("%d of %d clips are there already", there, len(plan.clips))
    bar = tqdm(
        total=len(plan.clips),
        initial=there,
        unit="clip",
        desc=plan.folder.name,
        disable=None if progress else True,
    )

    def report(kind: str, about: Any) -> None:
        if kind == "skip":
            clip_id, why = about
            skipped[clip_id] = why
            logger.warning("left out: %s", why)
            _check_skipped(skipped, skip_bad, plan)
        if kind != "shard":
            bar.update()

    with bar:
        _check_skipped(skipped, skip_bad, plan)
        if min(workers, len(todo)) > 1:
            work_in_processes(job, todo, min(workers, len(todo)), encoder, report)
        else:
            work_here(job, todo, encoder.to(job.device), report)
    if len(skipped) == len(plan.clips):
        raise InputError.of(
            where=plan.folder,
            expected="one clip at least that can be read",
            found="none",
            remedy="mmer check the corpus, then remove the folder",
        )


def _check_skipped(skipped: dict[str, str], skip_bad: int, plan: Plan) -> None:
    if len(skipped) <= skip_bad:
        return
    if skip_bad == 0:
        raise InputError(next(iter(skipped.values())))
    listed = "\n  ".join(skipped.values())
    raise InputError.of(
        where=plan.folder,
        expected=f"at most {skip_bad} clips that cannot be read (--skip-bad)",
        found=f"{len(skipped)}:\n  {listed}\n",
        remedy="repair them, or allow more",
    )


def _prepare(
    corpus: Corpus,
    modality: str,
    encoder: str,
    name: str,
    options: RawOptions | None,
    splits: Sequence[str] | None,
    dtype: str,
    batch_size: int,
    device: str,
) -> tuple[Job, Encoder]:
    if modality not in FORMS:
        raise InputError.of(
            where="--modality",
            expected=f"one of {', '.join(FORMS)}, which encoders exist for",
            found=repr(modality),
            remedy="write one of them",
        )
    encoder_name, path = parse_spec(encoder, "--encoder")
    entry = ENCODERS[encoder_name]
    if not entry.pretrained:
        trained = ", ".join(
            e.form_of(n) for n, e in ENCODERS.items() if e.pretrained and e.form == FORMS[modality]
        )
        raise InputError.of(
            where="--encoder",
            expected=f"an encoder with trained weights ({trained})",
            found=f"'{encoder}', which is trained together with the model",
            remedy="name one of them; the small encoders need no extraction",
        )
    clips = _clips(corpus, modality, splits)
    asked = options or RawOptions()
    options = replace(
        asked,
        sample_rate=entry.sample_rate or asked.sample_rate,
        frame_size=entry.frame_size or asked.frame_size,
        tokenizer=asked.tokenizer if corpus.text_form == "words" else None,
    )
    form = FORMS[modality]
    rate = {"samples": float(options.sample_rate), "frames": float(options.frame_rate or 0.0)}.get(form, 0.0)
    tokens = options.tokenizer.vocab_size if options.tokenizer is not None else 0
    spec = StreamSpec(
        modality,
        form,
        f"{encoder_name}:{path if entry.default else Path(path).absolute()}",  # a set is no path
        frozen=True,
        rate=rate,
        vocab_size=tokens if form == "tokens" else 0,
        frame_size=options.frame_size if form == "frames" else 0,
    )
    built = build_encoder(spec, 0)
    if form == "tokens" and options.tokenizer is None:  # a corpus of ids: those of the encoder
        options = replace(options, vocab_size=getattr(built, "vocab_size", options.vocab_size))
    made = Made(
        modality=modality,
        dim=built.dim,
        rate=rate / built.stride,
        encoder=encoder_name,
        fingerprint=built.fingerprint,
        dtype=dtype,
        options=_remembered(options, form),
    )
    plan = Plan(corpus.directory / "features" / name, made, clips, batch_size, corpus.directory)
    return Job(plan, spec, options, device), built


def _remembered(options: RawOptions, form: str) -> dict[str, Any]:
    """The options that change the vectors, as JSON gives them back."""
    if form == "samples":
        kept: dict[str, Any] = {"sample_rate": options.sample_rate}
    elif form == "frames":
        kept = {key: getattr(options, key) for key in ("frame_rate", "frame_size", "max_frames")}
    else:
        tokenizer = options.tokenizer.fingerprint if options.tokenizer is not None else "ids"
        kept = {"max_tokens": options.max_tokens, "tokenizer": tokenizer}
    return dict(json.loads(json.dumps(kept)))


def _clips(corpus: Corpus, modality: str, splits: Sequence[str] | None) -> list[Clip]:
    """Every clip with this medium, also those that only another label space of the corpus uses."""
    spaces = list(corpus.description.labels)
    corpora = (
        [Corpus.load(corpus.directory, labels=space) for space in spaces] if len(spaces) > 1 else [corpus]
    )
    found: dict[str, Clip] = {}
    for split in splits or corpus.splits:
        corpus.clips(split)  # an unknown split is an error
        for each in corpora:
            for clip in each.clips(split):
                if clip.has(modality) and not clip.stores(modality):
                    found.setdefault(clip.id, clip)
    seen: set[str] = set()
    for clip in found.values():
        check_id(clip.id, seen, clip.where)
    if not found:
        raise InputError.of(
            where=corpus.directory,
            expected=f"clips with {modality} as a medium",
            found="none",
            remedy="choose a modality that the corpus has",
        )
    return list(found.values())


def _check_device(device: str) -> None:
    try:
        usable = torch.device(device).type != "cuda" or torch.cuda.is_available()
    except RuntimeError:
        usable = False
    if not usable:
        raise InputError.of(
            where="--device",
            expected="a device of this machine ('cpu'" + (", 'cuda')" if torch.cuda.is_available() else ")"),
            found=repr(device),
            remedy="write one of them",
        )


def _check_name(name: str) -> None:
    if not STORE_NAME.fullmatch(name):
        raise InputError.of(
            where="--name",
            expected="a name of letters, digits, '_', '-', '.' and '+'",
            found=repr(name),
            remedy="rename the store",
        )
