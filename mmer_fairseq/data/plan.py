"""Flags → streams: which modalities a run reads, from where, and what its encoders get."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from mmer_fairseq.corpus import MODALITIES, Corpus
from mmer_fairseq.corpus.streams import RawOptions
from mmer_fairseq.corpus.subsequences import SubsequenceReader
from mmer_fairseq.data.biosignals import signal_options, signal_statistics
from mmer_fairseq.data.dataset import Source, nothing
from mmer_fairseq.data.flags import StreamFlags, check_modalities, check_numbers, comma_list, name_unused
from mmer_fairseq.data.sources import JoinedSource, RawSource, StoredSource
from mmer_fairseq.data.trace_sources import RawTrace, StoredTrace, TraceSource
from mmer_fairseq.data.windows import Windows
from mmer_fairseq.encoders import DEFAULTS, ENCODERS, parse_spec
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.statistics import mean_and_deviation
from mmer_fairseq.features.store import FeatureStore
from mmer_fairseq.media.augment import parse_augmentation
from mmer_fairseq.media.folder_text import own_tokenizer
from mmer_fairseq.media.text import GPT2BPETokenizer, SentencePieceTokenizer, Tokenizer

logger = logging.getLogger(__name__)

#: Entries of RoBERTa's dictionary, which the older SSE-FT layout counts in.
ROBERTA_VOCABULARY = 50265
#: What a modality's media become.
FORMS = {"text": "tokens", "audio": "samples", "video": "frames", "physio": "series"}


@dataclass(frozen=True)
class Stream:
    """One modality of a run: what its encoder gets, where that comes from, and what stands for its absence."""

    spec: StreamSpec
    source: Source | TraceSource
    fingerprint: str = ""

    @property
    def empty(self) -> Tensor:
        """A tensor with no steps, of this stream's shape and type."""
        return empty(self.spec)


def empty(spec: StreamSpec) -> Tensor:
    """A tensor with no steps, of the shape and type that the encoder of ``spec`` takes."""
    return nothing(spec.form, dim=spec.dim, size=spec.frame_size)


def plan_streams(flags: StreamFlags, corpus: Corpus, train: str = "train") -> dict[str, Stream]:
    """Decide what a run reads.

    Args:
        flags: the task's flags; an empty ``modalities`` means all that the corpus has and an encoder exists for.
        corpus: the data set; where its labels are traces, streams are sequences of sub-sequences.
        train: the split whose statistics bring stored features and biosignals to one scale.

    Returns:
        modality → stream, in the order of ``MODALITIES``.

    Raises:
        InputError: a flag names something that does not exist or does not fit.
    """
    check_numbers(flags)
    stores = _named_stores(flags, corpus)
    here = {m: _stores_of(corpus, m) for m in MODALITIES}
    chosen = _chosen(flags.modalities, {m for m, stored in here.items() if stored is not None})
    windows = plan_windows(flags, corpus)
    streams = {}
    for modality in MODALITIES:
        if modality not in chosen:
            continue
        if modality not in stores and here[modality]:
            stores[modality] = (_only_store(modality, here[modality] or set(), corpus),)
        if modality in stores:
            streams[modality] = _stored(flags, modality, stores[modality], corpus, train, windows)
        elif modality == "text" and windows is not None:
            logger.info("text is left out: words have no place in time; store features of them with a rate")
        elif getattr(flags, f"{modality}_encoder") or modality in DEFAULTS:
            streams[modality] = _raw(flags, modality, corpus, train, windows)
        elif flags.modalities:
            raise InputError.of(
                where="--modalities",
                expected=f"an encoder for raw {modality}",
                found="none: it has no default",
                remedy=f"store its features and read them with --features {modality}=NAME",
            )
        else:
            logger.info("%s is left out: raw %s has no default encoder", modality, modality)
    if not streams:
        raise InputError.of(
            where=corpus.directory,
            expected=f"clips with at least one of {', '.join(MODALITIES)}",
            found="none that can be read",
            remedy="fill these columns, or name stored features with --features",
        )
    name_unused(flags, streams)
    for flag, modality in (("picture_augmentation", "video"), ("speed_perturbation", "audio")):
        if getattr(flags, flag) and getattr(streams.get(modality), "source", None).__class__ is not RawSource:
            logger.warning("--%s has no effect: no %s is read as a medium", flag.replace("_", "-"), modality)
    return streams


def plan_windows(flags: StreamFlags, corpus: Corpus) -> Windows | None:
    """The windows over the corpus' traces; None: its labels are no traces.

    Raises:
        InputError: a length does not fit, or a flag has no meaning for windows.
    """
    if corpus.label_space.kind != "trace":
        return None
    for name in ("max_sample_size", "min_sample_size", "speed_perturbation", "picture_augmentation"):
        if getattr(flags, name):
            raise InputError.of(
                where="--" + name.replace("_", "-"),
                expected="labels of whole clips",
                found=f"traces ({corpus.label_space.name}), whose windows have a length of their own",
                remedy="leave it out; --seq-length and --subseq-length set the lengths",
            )
    return Windows(flags.seq_length, flags.subseq_length, flags.stride, flags.dilation)


def _chosen(flag: str | None, present: set[str]) -> set[str]:
    names = comma_list(flag)
    if flag and not names:
        raise InputError.of(
            where="--modalities", expected="names separated by commas", found=repr(flag), remedy="name some"
        )
    check_modalities(names, "--modalities")
    for name in names:
        if name not in present:
            raise InputError.of(
                where="--modalities",
                expected=f"modalities that the corpus has ({', '.join(sorted(present)) or 'none'})",
                found=repr(name),
                remedy="leave it out, or add the column to the corpus",
            )
    return set(names) or present


def _stores_of(corpus: Corpus, modality: str) -> set[str] | None:
    """Stores that some clip's modality only lives in; empty: it has media; None: no clip has it."""
    names: set[str] = set()
    found = any(entry.modality == modality for entry in corpus.features.values())
    raw = False
    for split in corpus.splits:
        for clip in corpus.clips(split):
            if clip.has(modality):
                found = True
                stores = clip.stores(modality)
                names.update(stores)
                raw = raw or not stores
    if not found:
        return None
    return set() if raw else names


def _only_store(modality: str, names: set[str], corpus: Corpus) -> FeatureStore:
    if len(names) > 1:
        raise InputError.of(
            where=corpus.directory,
            expected=f"one feature store for {modality}",
            found=f"{len(names)}: {', '.join(sorted(names))}",
            remedy=f"choose one with --features {modality}=NAME",
        )
    return _open(next(iter(names)), modality, corpus)


def _named_stores(flags: StreamFlags, corpus: Corpus) -> dict[str, tuple[FeatureStore, ...]]:
    """Modality → its stores; a modality that is named again gets their vectors side by side."""
    stores: dict[str, tuple[FeatureStore, ...]] = {}
    for part in comma_list(flags.features):
        modality, _, name = part.partition("=")
        if not name:
            raise InputError.of(
                where="--features",
                expected="MODALITY=STORE, e.g. audio=wav2vec",
                found=repr(part),
                remedy="name the modality and the store",
            )
        check_modalities([modality], "--features")
        if name in [store.name for store in stores.get(modality, ())]:
            raise InputError.of(
                where="--features",
                expected=f"different stores for {modality}",
                found=f"{name} twice",
                remedy="leave one out",
            )
        stores[modality] = (*stores.get(modality, ()), _open(name, modality, corpus))
    return stores


def _open(name: str, modality: str, corpus: Corpus) -> FeatureStore:
    entry = corpus.features.get(name)
    if entry is None:
        known = ", ".join(sorted(corpus.features)) or "none"
        raise InputError.of(
            where="--features",
            expected=f"a feature store of {corpus.directory} ({known})",
            found=repr(name),
            remedy=f"run `mmer extract {corpus.directory} --modality {modality} --name {name} --encoder …`, "
            "or correct the name",
        )
    if entry.modality != modality:
        raise InputError.of(
            where="--features",
            expected=f"a store of {modality} features",
            found=f"{name}, which holds {entry.modality}",
            remedy=f"write --features {entry.modality}={name}",
        )
    store = FeatureStore.open(entry.path)
    if store.modality != modality:
        raise InputError.of(
            where=entry.path,
            expected=f"a store of {modality} features, as {corpus.directory} says",
            found=f"one made from {store.modality}",
            remedy=f"correct 'modality' of {name} in corpus.yaml",
        )
    return store


def _frozen(flags: StreamFlags, modality: str) -> bool | None:
    freeze, finetune = comma_list(flags.freeze), comma_list(flags.finetune)
    check_modalities(freeze, "--freeze")
    check_modalities(finetune, "--finetune")
    if modality in freeze and modality in finetune:
        raise InputError.of(
            where="--freeze and --finetune",
            expected="each modality in one of them at most",
            found=f"{modality} in both",
            remedy="take it out of one",
        )
    return True if modality in freeze else False if modality in finetune else None


def _stored(
    flags: StreamFlags,
    modality: str,
    stores: tuple[FeatureStore, ...],
    corpus: Corpus,
    train: str,
    windows: Windows | None,
) -> Stream:
    asked = getattr(flags, f"{modality}_encoder")
    names = ", ".join(store.name for store in stores)
    fitting = [name for name, entry in ENCODERS.items() if entry.form == "features"]
    if asked and asked not in fitting:
        raise InputError.of(
            where=f"--{modality}-encoder {asked}",
            expected=f"{' or '.join(fitting)} for stored features ({names})",
            found="both an encoder and a store",
            remedy=f"leave out --{modality}-encoder, or --features {modality}={stores[0].name}",
        )
    fingerprints = [str(store.meta.get("fingerprint", "")) for store in stores]
    # what a checkpoint's encoder gave stays as it is, so that training sees what it would behind the encoder; the
    # scale of vectors from elsewhere is unknown
    encoder = asked or ("identity" if all(fingerprints) else "standardise")
    spec = StreamSpec(
        modality=modality,
        form="features",
        encoder=encoder,
        dim=sum(store.dim for store in stores),
        parts=tuple(store.dim for store in stores) if len(stores) > 1 else (),
        rate=corpus.label_space.rate if windows is not None else stores[0].rate,
    )
    if encoder == "standardise" and train in corpus.splits:
        ids = [clip.id for clip in corpus.clips(train)]
        of_stores = [mean_and_deviation(store, ids) for store in stores]
        if all(mean for mean, _ in of_stores):
            mean, deviation = (tuple(x for part in parts for x in part) for parts in zip(*of_stores))
            spec = replace(spec, mean=mean, deviation=deviation)
        logger.info(
            "%s: features of %s are brought to zero mean and unit variance (--%s-encoder identity: as stored)",
            modality,
            names,
            modality,
        )
    source: Source | TraceSource
    if windows is not None:
        source = StoredTrace(modality, stores, windows.subsequences)
    elif len(stores) > 1:
        source = JoinedSource(modality, tuple(StoredSource(modality, store) for store in stores))
    else:
        source = StoredSource(modality, stores[0])
    return Stream(spec, source, fingerprint="+".join(fingerprints) if any(fingerprints) else "")


def _raw(flags: StreamFlags, modality: str, corpus: Corpus, train: str, windows: Windows | None) -> Stream:
    encoder = getattr(flags, f"{modality}_encoder") or DEFAULTS[modality]
    entry = ENCODERS[parse_spec(encoder, f"--{modality}-encoder")[0]]
    form = FORMS[modality]
    if entry.form != form:
        fitting = "choose one of " + ", ".join(n for n, e in sorted(ENCODERS.items()) if e.form == form)
        stored = f"name stored features with --features {modality}=NAME, or "
        raise InputError.of(
            where=f"--{modality}-encoder {encoder}",
            expected=f"an encoder for {form}",
            found=f"one for {entry.form}",
            remedy=(stored if entry.form == "features" else "") + fitting,
        )
    words = modality == "text" and corpus.text_form == "words"
    tokenizer = _tokenizer(flags, corpus, encoder) if words else None
    vocabulary = tokenizer.vocab_size if tokenizer is not None else ROBERTA_VOCABULARY
    frame_size = flags.frame_size or entry.frame_size or 64
    # values over time belong to moments, and so must their pictures
    over_time = windows is not None or corpus.label_space.kind == "trace"
    frame_rate = flags.frame_rate or entry.frame_rate or 0.0
    if windows is not None:
        frame_rate = corpus.label_space.rate / windows.dilation
    rate = {"samples": float(flags.sample_rate), "frames": float(frame_rate)}.get(form, 0.0)
    options = RawOptions(
        sample_rate=flags.sample_rate,
        frame_rate=frame_rate or None,
        frame_size=frame_size,
        max_frames=flags.max_frames,
        tokenizer=tokenizer,
        vocab_size=vocabulary,
        allow_silent=flags.allow_silent,
        max_tokens=flags.max_text_tokens,
        picture_rate=corpus.label_space.rate or RawOptions.picture_rate,
        hold_gaps=over_time,
    )
    spec = StreamSpec(
        modality=modality,
        form=form,
        encoder=encoder,
        frozen=_frozen(flags, modality),
        rate=rate,
        # ids made elsewhere are of the vocabulary that given weights were trained with: the encoder knows it
        vocab_size=vocabulary if form == "tokens" and (tokenizer is not None or not entry.pretrained) else 0,
        frame_size=frame_size if form == "frames" else 0,
    )
    if form == "series":
        options, rate, channels = signal_options(
            options, corpus, flags.physio_rate, over_time=windows is not None
        )
        mean, deviation = signal_statistics(corpus, train, options)
        spec = replace(spec, dim=channels, rate=rate, mean=mean, deviation=deviation)
    raw = RawSource(
        modality,
        options,
        flags.max_sample_size,
        flags.min_sample_size,
        flags.speed_perturbation,
        parse_augmentation(flags.picture_augmentation) if form == "frames" else None,
    )
    source: Source | TraceSource = raw
    if windows is not None:
        subsequences = windows.subsequences
        spec = replace(spec, chunk=subsequences.chunk(form, corpus.label_space.rate, rate))
        source = RawTrace(raw, SubsequenceReader(modality, options, subsequences, spec.chunk))
    return Stream(spec, source, fingerprint=tokenizer.fingerprint if tokenizer is not None else "")


def _tokenizer(flags: StreamFlags, corpus: Corpus, encoder: str) -> Tokenizer:
    if flags.gpt2_bpe:
        return GPT2BPETokenizer.of_folder(flags.gpt2_bpe)
    own = None if flags.tokenizer_model else own_tokenizer(encoder)
    if own is not None:
        return own
    path = (
        Path(flags.tokenizer_model) if flags.tokenizer_model else Path(corpus.directory) / "tokenizer.model"
    )
    if not path.exists():
        raise InputError.of(
            where=path,
            expected="a sentencepiece model for the transcripts",
            found="no such file",
            remedy=f"run `mmer tokenizer {corpus.directory}`, name one with --tokenizer-model or --gpt2-bpe, or "
            "leave text out with --modalities",
        )
    return SentencePieceTokenizer(path)
