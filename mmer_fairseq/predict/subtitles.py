"""Words with times: WebVTT and SubRip subtitles; and plain text, an utterance a line."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path

from mmer_fairseq.corpus.faults import stop
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})[.,](\d{3})"
_CUE = re.compile(rf"^\s*{_TIME}\s+-->\s+{_TIME}(?:\s.*)?$")
# no tag holds another's beginning: else a line of beginnings takes time that grows with its square
_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
#: Characters of a line, at most.
LINE = 4000


@dataclass(frozen=True)
class Cue:
    """Words and when they are said, in seconds (None: not known)."""

    start: float | None
    end: float | None
    text: str


def read_subtitles(path: Path) -> list[Cue]:
    """Read a ``.vtt`` or ``.srt`` file; marks of style are dropped.

    Returns:
        Cues with words, in order of time.

    Raises:
        InputError: unreadable, a time that is none or runs backwards, or no cue.
    """
    text = read_utf8(path, "a subtitle file", stop) or ""
    cues: list[Cue] = []
    times: tuple[float, float] | None = None
    words: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if "-->" in line:
            times = _times(line, f"{path}:{number}")
            words = []
        elif times is not None and line.strip():
            if len(line) > LINE:
                raise InputError.of(
                    where=f"{path}:{number}",
                    expected=f"a line of at most {LINE} characters",
                    found=len(line),
                    remedy="divide the line, or check that these are subtitles",
                )
            words.append(html.unescape(_TAG.sub("", line)).strip())
        elif times is not None:
            said = " ".join(" ".join(words).split())
            if said:
                cues.append(Cue(*times, said))
            times = None
    if not cues:
        raise InputError.of(
            where=path,
            expected="subtitles: 00:00:01.000 --> 00:00:03.500, then the words",
            found="none",
            remedy="name a WebVTT or SubRip file",
        )
    return sorted(cues, key=lambda cue: cue.start or 0.0)


def _times(line: str, where: str) -> tuple[float, float]:
    match = _CUE.match(line)
    parts = [int(x or 0) for x in match.groups()] if match else []
    seconds = [3600 * h + 60 * m + s + ms / 1000 for h, m, s, ms in (parts[:4], parts[4:])] if match else []
    if not seconds or seconds[1] <= seconds[0]:
        raise InputError.of(
            where=where,
            expected="two rising times: 00:00:01.000 --> 00:00:03.500",
            found=repr(line.strip()[:60]),
            remedy="correct the line",
        )
    return seconds[0], seconds[1]


def read_text(path: Path, *, whole: bool) -> list[Cue]:
    """Read a plain text: an utterance each line, or all of it as one.

    Raises:
        InputError: unreadable or empty.
    """
    text = read_utf8(path, "a text", stop) or ""
    lines = [" ".join(line.split()) for line in text.split("\n")]
    lines = [line for line in lines if line]
    return [Cue(None, None, said) for said in ([" ".join(lines)] if whole else lines)]
