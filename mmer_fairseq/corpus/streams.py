"""One modality of one clip, raw: its file or words → the tensor an encoder takes."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Optional, Tuple

import torch
from torch import Tensor

from mmer_fairseq.corpus.clip import Clip
from mmer_fairseq.corpus.faults import stop
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.picture_folder import is_picture, is_picture_folder, load_shown, pictures_seconds
from mmer_fairseq.media.series import load_series, series_shape
from mmer_fairseq.media.sound import load_sound, sound_seconds
from mmer_fairseq.media.text import Tokenizer, ids_from_text
from mmer_fairseq.media.video import load_frames, video_info

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RawOptions:
    """How media become tensors.

    Attributes:
        sample_rate: of sound, in Hz.
        frame_rate: pictures per second, in Hz (None: every picture of the file; every frame of a picture folder).
        frame_size: pixels, pictures are made square.
        max_frames: pictures kept of a clip, from its beginning.
        tokenizer: for texts that are words; None: texts are ids already.
        vocab_size: ids made elsewhere must be below it (RoBERTa: 50265).
        allow_silent: take sound whose samples are all equal.
        max_tokens: ids kept of a text, ``<s>`` and ``</s>`` included (RoBERTa: 512).
        physio_rate: steps per second of biosignals as recorded, in Hz (``Description.physio_rate``); needed where
            clips with a start or end have one without times, or ``physio_to_rate`` is another rate.
        physio_to_rate: steps per second wanted of them, in Hz (None: as recorded).
        physio_channels: what their channels are (``Description.physio_channels``; empty: any).
        picture_rate: frames per second, in Hz, that the numbers of a folder of pictures count; only for clips that
            have no ``rate`` of their own. Give the rate of the traces where the corpus has some.
        hold_gaps: a folder of pictures that holds one clip alone, as ``mmer faces`` writes it, shows the picture before
            where one is missing, so that each stands at its time. False: what is missing is left out.
    """

    sample_rate: int = 16000
    frame_rate: Optional[float] = None
    frame_size: int = 64
    max_frames: int = 300
    tokenizer: Optional[Tokenizer] = None
    vocab_size: int = 50265
    allow_silent: bool = False
    max_tokens: int = 512
    physio_rate: Optional[float] = None
    physio_to_rate: Optional[float] = None
    physio_channels: Tuple[str, ...] = ()
    picture_rate: float = 30.0
    hold_gaps: bool = True

    def holds_gaps(self, clip: Clip) -> bool:
        """Whether missing pictures of this clip show the one before; frames of a whole recording always do."""
        return self.hold_gaps or not clip.own_pictures


def read_stream(clip: Clip, modality: str, options: RawOptions) -> Tensor:
    """Read one modality of a clip.

    Args:
        clip: its times crop sound, video and biosignal; a text is always whole.
        modality: one the clip has.
        options: how.

    Returns:
        text LongTensor [T], from ``<s>`` to ``</s>``; audio FloatTensor [samples]; video ByteTensor [T, 3, H,
        W]; physio FloatTensor [T, channels].

    Raises:
        InputError: the clip has no such modality or only stored features of it, or its medium is at fault
            (see ``media``); messages name the row of the corpus.
    """
    source = _source(clip, modality)
    start, end, where = clip.start, clip.end, clip.where
    if modality == "text":
        return _read_text(clip, source, options)
    if modality == "audio":
        rate, silent = options.sample_rate, options.allow_silent
        return load_sound(source, start=start, end=end, rate=rate, allow_silent=silent, where=where)
    if modality == "video" and is_picture_folder(source):
        begin, stop = clip.picture_span
        return load_shown(
            source,
            start=begin,
            end=stop,
            rate=_picture_rate(clip, options),
            frame_rate=options.frame_rate,
            size=options.frame_size,
            max_frames=options.max_frames,
            hold_gaps=options.holds_gaps(clip),
            where=where,
        )
    if modality == "video":
        frames, _ = load_frames(
            source,
            start=start,
            end=end,
            rate=options.frame_rate,
            size=options.frame_size,
            max_frames=options.max_frames,
            where=where,
        )
        return frames
    return load_series(
        source,
        start=start,
        end=end,
        rate=options.physio_rate or None,
        to_rate=options.physio_to_rate or None,
        channels=options.physio_channels,
        where=where,
    )


def stream_seconds(clip: Clip, modality: str, options: RawOptions = RawOptions()) -> float:
    """Length of one modality of a clip in seconds, from its times or from headers; nothing is decoded.

    Args:
        clip: whose.
        modality: one the clip has.
        options: their ``picture_rate`` and ``physio_rate`` are read.

    0.0 where it has no clock of its own (text, stored features, biosignals without ``physio_rate`` or in tables).

    Raises:
        InputError: as :func:`read_stream`, as far as headers show it.
    """
    if modality == "text" or clip.stores(modality):
        return 0.0
    source, start = _source(clip, modality), clip.start or 0.0
    rate = options.physio_rate or 0.0
    if modality == "physio" and (not rate or not source.lower().endswith(".npy")):
        return 0.0
    if modality == "video" and is_picture(source):  # times do not crop it
        return 1.0 / _picture_rate(clip, options)
    if clip.end is not None:
        return clip.end - start
    if modality == "audio":
        return max(0.0, sound_seconds(source, where=clip.where) - start)
    if modality == "physio":
        return max(0.0, series_shape(source, rate, clip.where)[0] / rate - start)
    if is_picture_folder(source):
        seconds = pictures_seconds(source, _picture_rate(clip, options), clip.where)
        return max(0.0, seconds - (clip.picture_span[0] or 0.0))
    return max(0.0, video_info(source, where=clip.where).seconds - start)


def _picture_rate(clip: Clip, options: RawOptions) -> float:
    return options.picture_rate if clip.rate is None else clip.rate


def _source(clip: Clip, modality: str) -> str:
    stores = clip.stores(modality)
    if modality in clip.media and not stores:
        return clip.media[modality]
    found, remedy = "none", "leave the modality out for this clip or fill the cell"
    if stores:
        found = f"only stored features ({', '.join(stores)})"
        remedy = f"train from the store: --features {modality}={stores[0]}"
    raise InputError.of(
        where=clip.where,
        expected=f"{modality} as words or a file for '{clip.id}'",
        found=found,
        remedy=remedy,
    )


def _read_text(clip: Clip, source: str, options: RawOptions) -> Tensor:
    if clip.text_is_path:
        content = read_utf8(source, "a transcript", stop, clip.where)
        assert content is not None
        words, at = " ".join(content.split()), f"{clip.where}: {source}"
    else:
        words, at = source, clip.where
    tokenizer = options.tokenizer
    ids = ids_from_text(words, options.vocab_size, at) if tokenizer is None else tokenizer.encode(words)
    if len(ids) > options.max_tokens:
        logger.warning("%s: %d tokens, the first %d are used", at, len(ids), options.max_tokens)
        # The text still ends with </s>.
        ids = torch.cat([ids[: options.max_tokens - 1], ids[-1:]])
    return ids
