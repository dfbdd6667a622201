"""A recording → the stretches that are predicted one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from mmer_fairseq.errors import InputError
from mmer_fairseq.predict.files import Found
from mmer_fairseq.predict.hearing import Hole, sound_blocks
from mmer_fairseq.predict.speech import choose, speech
from mmer_fairseq.predict.subtitles import Cue

#: Seconds: recordings up to this length are one clip, and no segment is longer.
LONGEST = 30.0
#: Seconds of a window where nothing says otherwise.
WINDOW = 10.0
#: No segment is made shorter than this many seconds because a model reads little at once.
_LEAST = 3.0


@dataclass(frozen=True)
class Options:
    """How a file is read.

    Attributes:
        window: seconds of fixed windows; 0: speech segments.
        hop: seconds from a window to the next (0: its length).
        whole: the file is one clip, however long.
        subtitles: file with words and their times, which then are the segments, longer ones in pieces.
        text: what is said, where the file is one clip.
        longest: seconds; longer recordings are cut.
        speech: detector of speech, ``auto``, ``energy`` or ``webrtc``.
        faces: cut them out first: ``auto`` (if the model was trained so), ``none``, ``mtcnn``, ``haar``, ``centre``.
        without: modalities that the model does not get; the file is cut as if it did, so that both can be compared.
        beside: words are looked for in a file of the same name beside it.
        folder: for the faces of a segment while it is read (None: the system's for temporary files).
    """

    window: float = 0.0
    hop: float = 0.0
    whole: bool = False
    subtitles: str | None = None
    text: str | None = None
    longest: float = LONGEST
    speech: str = "auto"
    faces: str = "auto"
    without: tuple[str, ...] = ()
    beside: bool = True
    folder: str | None = None

    def __post_init__(self) -> None:
        for name in ("window", "hop", "longest"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)) or (name == "longest" and value < 1):
                raise InputError.of(
                    where=f"--{name}",
                    expected=f"{1 if name == 'longest' else 0} seconds or more",
                    found=f"{value:g}",
                    remedy="correct it",
                )
        given = [f"--{n}" for n in ("window", "whole", "subtitles") if getattr(self, n)]
        if len(given) > 1 or (self.hop and not self.window):
            raise InputError.of(
                where=" and ".join(given) or "--hop",
                expected="one way to cut the file" if given else "--window beside it",
                found=f"{len(given)}" if given else "none",
                remedy="leave the others out" if given else "add --window SECONDS",
            )
        choose(self.speech)


@dataclass(frozen=True)
class Cut:
    """A stretch, in seconds (None: the whole file, or no clock), and its words (None: none)."""

    start: float | None
    end: float | None
    text: str | None = None


@dataclass(frozen=True)
class Way:
    """How a file is cut, in words, and the stretches, found as they are asked for."""

    about: str
    cuts: Iterator[Cut]


def plan_cuts(found: Found, cues: list[Cue], options: Options, longest: float, hole: Hole) -> Way:
    """Decide how a file is cut.

    Args:
        found: the file.
        cues: words with times, or, of a text, without; [] if there are none.
        options: what the user wants.
        longest: seconds of a segment, at most.
        hole: told of sound that cannot be read while speech is looked for.
    """
    if found.kind == "text":
        return Way("one utterance a line" if len(cues) > 1 else "", (Cut(None, None, c.text) for c in cues))
    if found.kind == "subtitles":
        return Way("segments of the subtitles", (Cut(c.start, c.end, c.text) for c in cues))
    if options.whole or not found.seconds:
        return Way("as one clip", iter([_whole(found, cues, options)]))
    if options.window:
        hop = options.hop or options.window
        about = f"windows of {options.window:g} s, one every {hop:g} s"
        return Way(about, _spoken(_windows(found.seconds, options.window, hop), cues))
    if any(cue.start is not None for cue in cues):
        timed = [cut for cut in (_inside(cue, found) for cue in cues) if cut is not None]
        # not ``longest``: a model that reads less reads the beginning of each, as in its training
        long = any(end - start > options.longest for start, end, _ in timed)
        about = f", those of more than {options.longest:g} s in pieces" if long else ""
        cuts = (piece for each in timed for piece in _pieces(*each, options.longest))
        return Way(f"segments of the subtitles{about}", cuts)
    if found.seconds <= longest:
        return Way("as one clip", iter([_whole(found, cues, options)]))
    if found.sound:
        detector = choose(options.speech)
        return Way(
            f"speech segments of at most {longest:g} s ({detector})", _speech(found, longest, detector, hole)
        )
    window = min(WINDOW, longest)
    return Way(
        f"windows of {window:g} s, as there is no sound", _spoken(_windows(found.seconds, window, window), [])
    )


def fitting(longest: float, readable: list[float]) -> float:
    """Seconds of a segment such that a model reads all of it, where it reads so many seconds of each modality."""
    return max(_LEAST, min([longest, *readable]))


def _whole(found: Found, cues: list[Cue], options: Options) -> Cut:
    words = options.text if options.text is not None else " ".join(cue.text for cue in cues) or None
    return Cut(None, None, words)


def _windows(seconds: float, window: float, hop: float) -> Iterator[tuple[float, float]]:
    count = max(1, math.ceil((seconds - window) / hop - 1e-6) + 1)
    for number in range(count):
        start = number * hop
        if start < seconds - 0.05:
            yield start, min(start + window, seconds)


def _spoken(spans: Iterator[tuple[float, float]], cues: list[Cue]) -> Iterator[Cut]:
    """Spans with the words whose middle lies in them."""
    for start, end in spans:
        words = [
            c.text
            for c in cues
            if c.start is not None and c.end is not None and start <= (c.start + c.end) / 2 < end
        ]
        yield Cut(start, end, " ".join(words) or None)


def _inside(cue: Cue, found: Found) -> tuple[float, float, str] | None:
    """Start, end and words of the part of a cue that lies in the file; None: nothing does, or it has no times."""
    if cue.start is None or cue.start >= found.seconds:
        return None
    return cue.start, min(cue.end or found.seconds, found.seconds), cue.text


def _pieces(start: float, end: float, text: str, longest: float) -> Iterator[Cut]:
    """Equal pieces of a cue that is too long for one segment; its words are spread over them evenly."""
    count = max(1, math.ceil((end - start) / longest - 1e-6))
    words = text.split()
    for k in range(count):
        first, last = (len(words) * each // count for each in (k, k + 1))
        said = text if count == 1 else " ".join(words[first:last])
        step = (end - start) / count
        yield Cut(start + k * step, end if k + 1 == count else start + (k + 1) * step, said or None)


def _speech(found: Found, longest: float, detector: str, hole: Hole) -> Iterator[Cut]:
    """Speech, and the stretches that cannot be heard: something else of them may be readable."""
    holes: list[tuple[float, float]] = []

    def told(start: float, end: float, error: InputError) -> None:
        hole(start, end, error)
        if holes and holes[-1][1] >= start:
            holes[-1] = holes[-1][0], end
        else:
            holes.append((start, end))

    blocks = sound_blocks(str(found.path), found.seconds, told)
    any_yet = False
    for start, end in speech(blocks, longest, detector):
        any_yet = True
        end = min(end, found.seconds)
        while holes and holes[0][0] < end:  # silence stands for it, so it lies at a border
            first, last = holes.pop(0)
            if start < first:
                yield Cut(start, first)
            yield Cut(first, last)
            start = max(start, last)
        if start < end:
            yield Cut(start, end)
    yield from (Cut(*each) for each in holes)
    if not any_yet and not holes:
        window = min(WINDOW, longest)
        yield from _spoken(_windows(found.seconds, window, window), [])
