"""PyAV behind one door: a container, its clock, its tracks, and their frames from any moment on."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Optional, Tuple

from mmer_fairseq.errors import InputError, optional
from mmer_fairseq.media import clock
from mmer_fairseq.media.files import PathLike, place
from mmer_fairseq.media.stopping import check

# Containers that write lengths into their headers. libav only estimates those of the others (from the bit
# rate).
_WITH_LENGTHS = ("mov", "matroska", "avi", "flv", "asf")

# Where to start decoding, in seconds before the wanted moment: the key frame there may turn out to lie after
# it (open groups of pictures, coarse indices), then further back. None: from the beginning.
_STEPS_BACK = (0.0, 2.0, 10.0, None)

#: Pixels of a picture, at most: a file of some kilobytes may hold one that fills the memory.
PIXELS = 8192 * 8192
#: For libav, which decodes the first pictures of some files already when it opens them.
LIMITS = {"max_pixels": str(PIXELS)}
# From here on PyAV frees no memory that is not its own where options meet a file whose tracks are found late (FLV).
_SAFE_OPTIONS = (17, 1)

_NAMES = {"video": "picture", "audio": "sound"}

# Lengths of files that were scanned: (path, time of change, bytes) → seconds. A corpus asks for each clip of a file.
_SCANNED: dict[tuple[str, int, int], float] = {}
_SCANNED_FILES = 4096


class Medium:
    """An open container (:func:`open_medium`). Times are seconds on its clock, which starts at 0.

    Attributes:
        at: what messages name.
        seconds: length of the medium: from its headers, or from its packets where the headers do not say.
    """

    def __init__(self, path: PathLike, at: str, av: Any) -> None:
        self._path, self._av, self.at = path, av, at
        self._fresh = True
        self._reached = 0.0
        self.now = 0.0
        self._open()
        self._announces = self.container.format.name.split(",")[0] in _WITH_LENGTHS
        if self._announces and self.container.duration:
            self.seconds = (self.container.duration + (self.container.start_time or 0)) / 1e6 - self._zero
        else:
            self._announces = False
            self.seconds = self._scanned_seconds()

    def _open(self) -> None:
        # "file:" keeps libav from reading a colon in a path as a protocol.
        name = f"file:{os.fspath(self._path)}"
        self.container = self._av.open(name, options=limits(self._av), metadata_errors="ignore")
        # Time 0 is where the earliest track starts (broadcast streams start anywhere). Not before 0: what
        # lies there is an encoder's run-in, which decoders drop.
        self._zero = max(0.0, (self.container.start_time or 0) / 1e6)

    def _scanned_seconds(self) -> float:
        file = os.stat(self._path)
        key = os.path.abspath(self._path), file.st_mtime_ns, file.st_size
        if key not in _SCANNED:
            for packet in self.container.demux():
                self._reach(packet)
            self._rewind()
            if len(_SCANNED) >= _SCANNED_FILES:
                del _SCANNED[next(iter(_SCANNED))]
            _SCANNED[key] = self._reached
        self._reached = max(self._reached, _SCANNED[key])
        return self._reached

    def _rewind(self) -> None:
        self.container.close()
        self._open()
        self._fresh = True

    def _reach(self, packet: Any) -> None:
        check()
        if packet.pts is not None and packet.time_base is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base) - self._zero
            self._reached = max(self._reached, end)

    def span(self, start: Optional[float], end: Optional[float]) -> Tuple[float, Optional[float]]:
        """:func:`clock.span` in this medium. May open the container anew: tracks must be asked for again."""
        try:
            return clock.span(start, end, self.seconds, self.at)
        except InputError:
            # Headers of variable-rate videos may announce less than there is: the packets decide.
            self._announces = False
            self.seconds = max(self.seconds, self._scanned_seconds())
            return clock.span(start, end, self.seconds, self.at)

    def find(self, kind: str) -> Optional[Any]:
        """The default or first track of a kind ("video", "audio") that can be decoded; no cover picture."""
        tracks = [
            track
            for track in self.container.streams
            if track.type == kind and track.codec_context is not None and not has_flag(track, "attached_pic")
        ]
        return next((track for track in tracks if has_flag(track, "default")), tracks[0] if tracks else None)

    def track(self, kind: str) -> Any:
        """As :meth:`find`; a medium without such a track is an InputError."""
        track = self.find(kind)
        if track is None:
            there = sorted({_NAMES.get(track.type, track.type) for track in self.container.streams})
            raise InputError.of(
                where=self.at,
                expected=f"a file with a {_NAMES[kind]} track",
                found=f"only {' and '.join(there)}" if there else "no track at all",
                remedy=f"name a file with a {_NAMES[kind]} track or leave this cell of the corpus empty",
            )
        return track

    def own_end(self, track: Any) -> Optional[float]:
        """Moment where a track ends according to its own header; None where it has none (Matroska, Flash)."""
        if not self._announces or not track.duration:
            return None
        return float(((track.start_time or 0) + track.duration) * track.time_base) - self._zero

    def announced_end(self, track: Any) -> float:
        """Moment where a track ends, as well as headers tell it: its own, a note, else the medium's end."""
        own = self.own_end(track)
        if own is not None:
            return own
        # Matroska writers note it as "00:01:02.500000000"; a tool that cuts may leave an old note.
        noted = re.fullmatch(r"(\d+):(\d\d):(\d\d\.\d+)", track.metadata.get("DURATION", ""))
        if noted is None:
            return self.seconds
        hours, minutes, seconds = noted.groups()
        return min(self.seconds, 3600 * int(hours) + 60 * int(minutes) + float(seconds))

    def decode(self, kind: str, begin: float, *, threads: int = 1) -> Iterator[Tuple[float, float, Any]]:
        """Decode one track, holding one packet at a time.

        Args:
            kind: "video" or "audio".
            begin: the first frame is at or before this moment, if the track has one there.
            threads: decoder threads (1 inside data-loader workers).

        Yields:
            (moment the frame begins, moment it ends, frame), to the end of the track.

        Raises:
            InputError: no such track, or damaged data.
        """
        slack = clock.time_rounding(float(self.track(kind).time_base))
        for back in _STEPS_BACK if begin > 0 else (None,):
            frames = self._frames(kind, None if back is None else begin - back, threads)
            first = next(frames, None)
            if first is not None and first[0] <= begin + slack:
                break
            if back is not None:
                frames.close()
        if first is not None:
            yield first
            yield from frames

    def _frames(
        self, kind: str, seek_to: Optional[float], threads: int
    ) -> Generator[Tuple[float, float, Any], None, None]:
        if not self._fresh:
            self._rewind()
        self._fresh = False
        track = self._opened(kind, threads)
        if seek_to is not None and seek_to > 0:
            try:
                self.container.seek(int((seek_to + self._zero) / track.time_base), stream=track)
            except self._av.FFmpegError:
                # No index to seek by: from the beginning.
                self._rewind()
                track = self._opened(kind, threads)
        clean, ends = False, 0.0
        for packet in self.container.demux():
            self._reach(packet)
            if packet.stream.index != track.index:
                continue
            try:
                frames = packet.decode()
            except self._av.FFmpegError:
                # Behind a seek the first packets may lack what they refer to.
                if seek_to is not None and not clean:
                    continue
                raise
            for frame in frames:
                if frame.is_corrupt and clean:
                    raise self.damaged("a frame that cannot be decoded whole")
                clean = clean or not frame.is_corrupt
                # A frame without a time of its own follows the one before it.
                begins = ends if frame.pts is None else float(frame.pts * frame.time_base) - self._zero
                self.now = ends = begins + _frame_seconds(track, frame)
                yield begins, ends, frame

    def _opened(self, kind: str, threads: int) -> Any:
        track = self.track(kind)
        track.codec_context.thread_count = threads
        if kind == "video":
            track.codec_context.options = dict(LIMITS)  # later pictures may be larger than the header says
        return track

    def check_reached(self, kind: str, got: float, end: Optional[float]) -> None:
        """After decoding has ended by itself: was everything there that the headers announce?

        Args:
            kind: the decoded track.
            got: moment where its last frame ends.
            end: end of the crop, if there is one.

        Raises:
            InputError: clearly less was there.
        """
        track = self.track(kind)
        announced = self.own_end(track)
        if announced is None:
            # A track that ends before the others is no fault, so without a length of its own all tracks
            # count.
            announced, got = self.seconds, max(got, self._reached)
        wanted = announced if end is None else min(announced, end)
        if wanted - got > clock.lost_seconds(announced):
            raise InputError.of(
                where=self.at,
                expected=f"{announced:.2f} s, as its header announces",
                found=f"data for {max(got, 0.0):.2f} s (truncated)",
                remedy="copy, download or record the file again",
            )

    def damaged(self, what: str) -> InputError:
        """The error for data that cannot be decoded."""
        why = "damaged"
        if "Invalid argument" in what:  # what libav says of pictures beyond LIMITS, too
            why += f", or a picture of more than {PIXELS // 1_000_000} million pixels"
        return InputError.of(
            where=self.at,
            expected="a file that decodes without a fault",
            found=f"{what} near {max(self.now, 0.0):.2f} s ({why})",
            remedy="copy or download the file again, or write it anew with a media tool",
        )


def _frame_seconds(track: Any, frame: Any) -> float:
    if track.type == "audio":
        return float(frame.samples / frame.sample_rate)
    if frame.duration:
        return float(frame.duration * frame.time_base)
    return float(1 / (track.average_rate or track.guessed_rate or 25))


def limits(av: Any) -> dict[str, str]:
    """:data:`LIMITS` as the ``options`` of ``av.open``; none where PyAV is too old: then decoding alone is limited."""
    version = tuple(int(number) for number in av.__version__.split(".")[:2])
    return dict(LIMITS) if version >= _SAFE_OPTIONS else {}


def has_flag(track: Any, name: str) -> bool:
    """Whether a track is marked so, as ``default`` or ``attached_pic`` (a cover)."""
    return bool(track.disposition & type(track.disposition)[name])


@contextmanager
def open_medium(path: PathLike, where: Optional[str] = None) -> Iterator[Medium]:
    """Open a container that :func:`wholeness.examine` has passed.

    Args:
        path: the medium.
        where: row that names it, for messages.

    Raises:
        InputError: PyAV is not installed; libav cannot read the file (also later, while the block runs).
    """
    at = place(path, where)
    what = "the package PyAV, which reads video files"
    av = optional("av", where=at, expected=what, remedy="install it: pip install av")
    medium = None
    try:
        medium = Medium(path, at, av)
        yield medium
    except av.FFmpegError as error:
        if medium is not None:
            raise medium.damaged(f"'{error.strerror}'") from error
        raise InputError.of(
            where=at,
            expected="a sound or video file that libav can read",
            found=f"bytes it cannot: '{error.strerror}'",
            remedy="the file is damaged, truncated or wrongly named: copy, download or write it again",
        ) from error
    finally:
        if medium is not None:
            medium.container.close()
