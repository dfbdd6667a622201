"""Biosignals of a corpus: their channels, their rate, and what brings them to one scale."""

from __future__ import annotations

from dataclasses import replace

from mmer_fairseq.corpus import Clip, Corpus
from mmer_fairseq.corpus.streams import RawOptions, read_stream
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.statistics import moments_of
from mmer_fairseq.media.series import series_shape

#: Clips whose signals are read for mean and deviation: enough for two digits, and read in seconds.
_CLIPS = 500


def signal_options(
    options: RawOptions, corpus: Corpus, wanted: float, *, over_time: bool
) -> tuple[RawOptions, float, int]:
    """How the corpus' biosignals are read.

    Args:
        options: of the other media.
        corpus: says their rate and channels, or its first signal does.
        wanted: rate to resample to, in Hz (0: as recorded).
        over_time: they are cut by the clock of a trace.

    Returns:
        Options, rate of the stream in Hz (0: unknown), number of channels.

    Raises:
        InputError: a rate is needed and nothing states one.
    """
    clip = next(c for split in corpus.splits for c in corpus.clips(split) if _has_signal(c))
    recorded = corpus.description.physio_rate
    names = corpus.description.physio_channels
    _, channels, found = series_shape(clip.media["physio"], recorded or None, clip.where, names)
    rate = wanted or found or 0.0
    if not found and (wanted or over_time):
        raise InputError.of(
            where=clip.where,
            expected="biosignals whose rate in Hz is known",
            found=f"none stated for {clip.media['physio']}",
            remedy="write 'physio: {rate: HZ}' into corpus.yaml, or a column 'time' in seconds into the CSV files",
        )
    options = replace(
        options,
        physio_rate=recorded or None,
        physio_to_rate=rate or None,
        physio_channels=names,
    )
    return options, rate, channels


def signal_statistics(
    corpus: Corpus, train: str, options: RawOptions
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over the training split; empty where it has no signals."""
    if train not in corpus.splits:
        return (), ()
    clips = [clip for clip in corpus.clips(train) if _has_signal(clip)]
    if len(clips) > _CLIPS:
        clips = [clips[k * len(clips) // _CLIPS] for k in range(_CLIPS)]
    return moments_of(read_stream(clip, "physio", options) for clip in clips)


def _has_signal(clip: Clip) -> bool:
    return clip.has("physio") and not clip.stores("physio")
