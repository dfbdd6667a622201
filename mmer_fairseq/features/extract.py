"""Run a frozen encoder once over a corpus and keep its output as a feature store."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mmer_fairseq.corpus import Clip, Corpus, register_features
from mmer_fairseq.corpus.description import STORE_NAME
from mmer_fairseq.corpus.streams import RawOptions
from mmer_fairseq.corpus.subsequences import Subsequences
from mmer_fairseq.encoders import ENCODERS, Encoder, StreamSpec, build_encoder, parse_spec
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.index import INDEX, Made, read_header, shard_name, write_index
from mmer_fairseq.features.local_engine import LocalEngine
from mmer_fairseq.features.plan import Plan, alone
from mmer_fairseq.features.store import FeatureStore
from mmer_fairseq.features.weights import renew, to_remember
from mmer_fairseq.features.work import Engine, Job
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
    subsequences: Subsequences | None = None,
    engine: Engine | None = None,
) -> Path:
    """Encode every clip that has the modality as a medium, and register the store with the corpus.

    A killed run goes on where it stopped when it is started again: finished shards are never computed twice.
    The content does not depend on the number of workers, nor on the engine. A finished store is left as it is, but
    learns where its encoder lies now if that is not where it was.

    Args:
        corpus: the data set.
        modality: ``text``, ``audio`` or ``video``.
        encoder: ``NAME:PATH`` of an encoder with trained weights.
        name: of the store; it is written to ``features/NAME`` in the corpus folder.
        options: how media are read; sampling rate and frame size follow from the encoder.
        splits: which ones (default: all).
        dtype: ``float32`` or ``float16``.
        workers: processes, each with one thread.
        batch_size: clips (sub-sequences) encoded together.
        device: where the encoder runs, as torch names it.
        skip_bad: clips that may be left out because their medium is broken; they are named in the store.
        progress: show a bar.
        subsequences: store one vector for each step of a clip's trace, of the sub-sequence that ends there; the label
            space of ``corpus`` is one of traces. None: clips are encoded whole.
        engine: who makes the shards (default: ``workers`` processes of this machine).

    Returns:
        Folder of the store.

    Raises:
        InputError: something asked for does not exist or fit; a medium is broken (naming file and line); more
            than ``skip_bad`` are; the folder holds a store made otherwise.
    """
    check_dtype(dtype)
    engine = LocalEngine(workers) if engine is None else engine
    engine.check_device(device)
    _check_name(name)
    job, built = _prepare(
        corpus, modality, encoder, name, options, splits, dtype, batch_size, device, subsequences
    )
    plan = job.plan
    with alone(plan.folder):
        plan.settle()
        plan.clear_partial()
        weights = to_remember(job.spec.encoder, plan.root, plan.folder)
        if (plan.folder / INDEX).exists():
            renew(plan.folder, plan.made, len(plan.shards), weights)
        else:
            _make(job, built, engine, skip_bad, progress)
            write_index(plan.folder, plan.made, len(plan.shards), weights)
    FeatureStore.open(plan.folder)  # an old store that was damaged since is not registered
    register_features(corpus.directory, name=name, path=plan.folder, modality=modality)
    return plan.folder


def _make(job: Job, encoder: Encoder, engine: Engine, skip_bad: int, progress: bool) -> None:
    """Make the shards that are not there yet."""
    plan = job.plan
    todo, there, skipped = [], 0, {}
    done = 0
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
            done += sum(plan.steps[clip.id] for clip in clips) if plan.steps is not None else len(clips)
            skipped.update(left_out)
    if there:
        logger.info("%d of %d clips are there already", there, len(plan.clips))
    bar = tqdm(
        total=len(plan.clips) if plan.steps is None else sum(plan.steps[clip.id] for clip in plan.clips),
        initial=done,
        unit="clip" if plan.steps is None else "step",
        desc=plan.folder.name,
        disable=None if progress else True,
    )

    def report(kind: str, about: Any) -> None:
        if kind == "skip":
            clip_id, why = about
            skipped[clip_id] = why
            logger.warning("left out: %s", why)
            _check_skipped(skipped, skip_bad, plan)
        if kind == "steps":
            bar.update(about)
        elif kind != "shard":
            bar.update(1 if plan.steps is None else 0)

    with bar:
        _check_skipped(skipped, skip_bad, plan)
        if todo:
            engine.make(job, todo, encoder, report)
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
    subsequences: Subsequences | None,
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
    if subsequences is not None:
        _check_traces(corpus, modality)
    clips = _clips(corpus, modality, splits, traces=subsequences is not None)
    asked = options or RawOptions()
    options = replace(
        asked,
        sample_rate=entry.sample_rate or asked.sample_rate,
        frame_size=entry.frame_size or asked.frame_size,
        tokenizer=asked.tokenizer if corpus.text_form == "words" else None,
        picture_rate=corpus.label_space.rate or asked.picture_rate,
        hold_gaps=subsequences is not None or _moments_count(corpus),
    )
    form = FORMS[modality]
    rate = {"samples": float(options.sample_rate), "frames": float(options.frame_rate or 0.0)}.get(form, 0.0)
    tokens = options.tokenizer.vocab_size if options.tokenizer is not None else 0
    spec = StreamSpec(
        modality,
        form,
        f"{encoder_name}:{_absolute(path)}",
        frozen=True,
        rate=rate,
        vocab_size=tokens if form == "tokens" else 0,
        frame_size=options.frame_size if form == "frames" else 0,
        chunk=subsequences.chunk(form, corpus.label_space.rate, rate) if subsequences is not None else 0,
    )
    built = build_encoder(spec, 0)
    untrained = getattr(built, "untrained", "")
    if untrained:
        raise InputError.of(
            where="--encoder",
            expected="an encoder with trained weights",
            found=f"'{encoder}', in which {untrained} would be random",
            remedy="name a file with weights, or train it with the model",
        )
    if form == "tokens" and options.tokenizer is None:  # a corpus of ids: those of the encoder
        options = replace(options, vocab_size=getattr(built, "vocab_size", options.vocab_size))
    made = Made(
        modality=modality,
        dim=built.dim,
        rate=rate / built.stride if subsequences is None else corpus.label_space.rate,
        encoder=encoder_name,
        fingerprint=built.fingerprint,
        dtype=dtype,
        options=_remembered(options, form, subsequences),
    )
    folder = corpus.directory / "features" / name
    if subsequences is None:
        plan = Plan(folder, made, clips, batch_size, corpus.directory)
        return Job(plan, spec, options, device), built
    steps = {clip.id: len(corpus.label_space.target(clip)) for clip in clips}
    # a clip may be hours long: each is a shard
    plan = Plan(folder, made, clips, batch_size, corpus.directory, shard_clips=1, steps=steps)
    return Job(plan, spec, options, device, subsequences, corpus.label_space.rate), built


def _moments_count(corpus: Corpus) -> bool:
    """Whether each picture must stand at its time: frames of a recording, or labels over time in some label space."""
    spaces = corpus.description.labels.values()
    return corpus.description.picture_clock != "clip" or any(space.kind == "trace" for space in spaces)


def _absolute(path: str) -> str:
    """A path as it is from any folder; names of sets and of published weights stay as they are."""
    file = path.rpartition("@")[0] or path
    return str(Path(path).absolute()) if Path(file).exists() or Path(path).exists() else path


def _check_traces(corpus: Corpus, modality: str) -> None:
    """Sub-sequences need a trace, whose steps they end with, and a modality with a clock."""
    if corpus.label_space.kind != "trace":
        raise InputError.of(
            where="--subseq-length",
            expected="labels that are traces",
            found=f"{corpus.label_space.name} ({corpus.label_space.kind})",
            remedy="name a label space of traces with --labels, or leave --subseq-length out",
        )
    if modality == "text":
        raise InputError.of(
            where="--subseq-length",
            expected="sound or picture",
            found="text, whose words have no place in time",
            remedy="leave it out",
        )


def _remembered(options: RawOptions, form: str, subsequences: Subsequences | None) -> dict[str, Any]:
    """The options that change the vectors, as JSON gives them back."""
    if form == "samples":
        kept: dict[str, Any] = {"sample_rate": options.sample_rate}
    elif form == "frames":
        kept = {key: getattr(options, key) for key in ("frame_rate", "frame_size", "max_frames")}
        kept |= {} if options.hold_gaps else {"hold_gaps": False}
    else:
        tokenizer = options.tokenizer.fingerprint if options.tokenizer is not None else "ids"
        kept = {"max_tokens": options.max_tokens, "tokenizer": tokenizer}
    if subsequences is not None:
        kept = {key: value for key, value in kept.items() if key not in ("frame_rate", "max_frames")}
        kept |= {"subseq_length": subsequences.length, "dilation": subsequences.dilation}
    return dict(json.loads(json.dumps(kept)))


def _clips(
    corpus: Corpus, modality: str, splits: Sequence[str] | None, *, traces: bool = False
) -> list[Clip]:
    """Every clip with this medium, also those that only another label space of the corpus uses (traces: not)."""
    spaces = [] if traces else list(corpus.description.labels)
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


def _check_name(name: str) -> None:
    if not STORE_NAME.fullmatch(name):
        raise InputError.of(
            where="--name",
            expected="a name of letters, digits, '_', '-', '.' and '+'",
            found=repr(name),
            remedy="rename the store",
        )
