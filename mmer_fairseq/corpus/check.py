"""``mmer check``: every fault of a corpus, and what is in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Callable, Protocol

from mmer_fairseq.corpus.clip import Clip
from mmer_fairseq.corpus.clip_faults import Finding, inspect_clip
from mmer_fairseq.corpus.corpus import Corpus, read_corpus
from mmer_fairseq.corpus.faults import some
from mmer_fairseq.corpus.labels import LabelSpace
from mmer_fairseq.corpus.summary import Report, summarise
from mmer_fairseq.errors import InputError

CHUNK = 8


class Store(Protocol):
    """What checking needs of a feature store."""

    modality: str
    rate: float

    @property
    def meta(self) -> Mapping[str, Any]: ...

    def ids(self) -> Iterable[str]: ...

    def length(self, clip_id: str) -> int: ...

    def get(self, clip_id: str) -> object: ...

    def __contains__(self, clip_id: object) -> bool: ...


OpenStore = Callable[[Path], Store]
Progress = Callable[[Iterable[Finding], int], Iterable[Finding]]


def check(
    directory: str | Path,
    *,
    decode: bool = False,
    jobs: int = 1,
    labels: str | None = None,
    allow_silent: bool = False,
    open_store: OpenStore | None = None,
    progress: Progress | None = None,
) -> Report:
    """Look at everything a corpus names, and never stop at the first fault.

    Args:
        directory: of the corpus, in either layout.
        decode: decode every medium and read every stored feature to its end (default: headers).
        jobs: processes.
        labels: check this label space only (default: all).
        allow_silent: sound whose samples are all equal is no fault.
        open_store: opens a feature store (default: stores are not looked at).
        progress: wraps the findings, given their number, to show how far it is.

    Raises:
        InputError: a worker process died.
    """
    report = Report()
    corpora = _read(directory, labels, report)
    if not corpora:
        return report
    corpus, complete = corpora[0], not report.faults
    look = partial(
        inspect_clip,
        decode=decode,
        text_form=corpus.text_form,
        allow_silent=allow_silent,
        physio_rate=corpus.description.physio_rate,
        physio_channels=corpus.description.physio_channels,
    )
    seconds = _media(corpora, look, jobs, progress, report)
    for entry in corpus.features.values():
        if open_store is not None:
            _store(entry.name, open_store, corpus, decode, complete, seconds, report)
    summarise(report, corpora, seconds)
    report.faults = _in_order(report.faults)
    return report


def _in_order(faults: list[str]) -> list[str]:
    """By file, in the order the files first appear, then by line."""
    places = [re.match(r"(.*?)(?::(\d+))?: ", fault, re.DOTALL) for fault in faults]
    files = [place.group(1) if place else "" for place in places]
    lines = [int(place.group(2) or 0) if place else 0 for place in places]
    rank = {file: i for i, file in reversed(list(enumerate(files)))}
    order = sorted(range(len(faults)), key=lambda i: (rank[files[i]], lines[i]))
    return [faults[i] for i in order]


def _read(directory: str | Path, labels: str | None, report: Report) -> list[Corpus]:
    """The corpus once for each label space. Faults that all of them meet are told once."""
    faults: list[InputError] = []
    corpora = [read_corpus(directory, labels, None, faults.append)]
    if corpora[0] is not None and labels is None:
        others = list(corpora[0].description.labels)[1:]
        corpora += [read_corpus(directory, name, None, faults.append) for name in others]
    report.faults += dict.fromkeys(str(error) for error in faults)
    return [corpus for corpus in corpora if corpus is not None]


def _media(
    corpora: list[Corpus],
    look: Callable[..., Finding],
    jobs: int,
    progress: Progress | None,
    report: Report,
) -> dict[str, float]:
    """Look into the files of every clip; the seconds of each by its id."""
    corpus = corpora[0]
    clips = [*(clip for split in corpus.splits for clip in corpus.clips(split)), *corpus.others]
    root = corpus.description.media_root
    if not root.is_dir():
        error = InputError.of(
            where=corpus.description.root_where,
            expected="media_root to be a folder",
            found=str(root),
            remedy="correct media_root, or put the media there",
        )
        report.faults.append(str(error))
        return {}
    traces: dict[str, list[tuple[LabelSpace, Clip]]] = {}
    for other in corpora:
        if other.label_space.kind == "trace":
            for clip in (clip for split in other.splits for clip in other.clips(split)):
                traces.setdefault(clip.id, []).append((other.label_space, clip))
    tasks = [(clip, traces.get(clip.id, [])) for clip in clips]
    findings = _parallel(look, tasks, jobs)
    seconds = {}
    for finding in progress(findings, len(tasks)) if progress else findings:
        report.faults += finding.faults
        seconds[finding.id] = finding.seconds
    return seconds


def _parallel(look: Callable[..., Finding], tasks: list, jobs: int) -> Iterator[Finding]:
    if jobs <= 1:
        yield from map(look, tasks)
        return
    # spawned, not forked: torch and libav have threads of their own
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(look, tasks, chunksize=CHUNK)
        except BrokenProcessPool as error:
            raise InputError.of(
                where="mmer check",
                expected=f"{jobs} worker processes",
                found="one that was killed, or that a decoder crashed",
                remedy="run with --jobs 1 to see at which clip, or with fewer jobs if memory ran out",
            ) from error


def _store(
    name: str,
    open_store: OpenStore,
    corpus: Corpus,
    decode: bool,
    complete: bool,
    seconds: dict[str, float],
    report: Report,
) -> None:
    """Whether a store opens, and whether its clips are those of the corpus, if all rows of that could be read."""
    entry = corpus.features[name]
    try:
        store = open_store(entry.path)
    except InputError as error:
        report.faults.append(str(error))
        return
    faults: list[tuple[str, str, str]] = []
    if store.modality != entry.modality:
        faults.append(
            (f"a store made from {entry.modality}", store.modality, "correct 'modality' in corpus.yaml")
        )
    foreign = [clip_id for clip_id in store.ids() if clip_id not in corpus.ids]
    if foreign and complete:
        faults.append(("ids of the corpus", f"others: {some(foreign)}", "extract the features again"))
    skipped = store.meta["skipped"]
    if skipped:
        report.remarks.append(f"the store '{name}' left out clips when it was made: {some(skipped)}")
    for split in corpus.splits:
        clips = [clip for clip in corpus.clips(split) if clip.has(entry.modality)]
        only = [clip for clip in clips if name in clip.stores(entry.modality)]
        wanted = [clip for clip in clips if clip in only or not clip.stores(entry.modality)]
        lost = [clip for clip in wanted if clip.id not in store and clip.id not in skipped]
        if len(lost) == len(clips) and clips and not only:
            report.remarks.append(f"the store '{name}' holds no clip of {split}")
        elif lost:
            found = f"none for {len(lost)}: {some(clip.id for clip in lost)}"
            expected = f"features of the {len(clips)} clips of {split} that have {entry.modality}"
            faults.append((expected, found, "extract the features again, or empty those cells"))
        for clip in only:
            if clip.id in store and not seconds.get(clip.id) and store.rate:
                seconds[clip.id] = store.length(clip.id) / store.rate
    for expected, found, remedy in faults:
        report.faults.append(
            str(InputError.of(where=entry.path, expected=expected, found=found, remedy=remedy))
        )
    if decode:
        for clip_id in store.ids():
            try:
                store.get(clip_id)
            except InputError as error:
                report.faults.append(str(error))
