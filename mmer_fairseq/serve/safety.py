"""What a stranger's file may be: looked at before any decoder sees it, and never by its name alone.

Some formats make libav open other files or addresses (playlists, ``ffconcat``, session descriptions, manifests). They
have no signature that :mod:`mmer_fairseq.media.files` takes for a medium, so they end here; and what has one is opened
once with the list of allowed demuxers, which libav checks before a demuxer reads a byte. libav chooses by content and
name, which stay the same, so later openings choose the same demuxer.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from mmer_fairseq.errors import InputError
from mmer_fairseq.media import files
from mmer_fairseq.media.medium import PIXELS, has_flag, limits
from mmer_fairseq.media.stopping import check
from mmer_fairseq.predict.files import SUBTITLES, TEXT, Found, look

MEDIA = tuple(sorted({suffix for kind in files.KINDS for suffix in kind.suffixes} - {".dat", ".gif"}))
ACCEPTED = (*MEDIA, TEXT, *SUBTITLES)
#: libav's names of demuxers that read nothing but the file itself.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,live_flv,asf,asf_o,ogg,mpeg,mpegts,mpegvideo,m4v,mp3,aac,amr,amrnb,"
    "amrwb,wav,w64,flac,aiff,au,caf"
)
#: Bytes of a text or of subtitles.
WORDS = 5_000_000
#: Lines of a text or of subtitles.
LINES = 20_000
_HEAD = 1024
_WERE = re.compile(r" \(they were at [^)]*\)")
_PATH = re.compile(r"(?<![\w./])/(?:[\w.@+-]+/)+([\w.@+-]*)")


def shown_name(name: str) -> str:
    """A user's file name, fit to be shown and written: no folders, no control characters."""
    last = re.split(r"[/\\]", name)[-1]
    clean = "".join(char for char in last if char.isprintable()).strip(". ")
    return clean[-150:] or "upload"


def suffix_of(name: str, accepted: tuple[str, ...] = ACCEPTED) -> str:
    """The ending of a file's name, if it is an accepted one.

    Raises:
        InputError: it is not.
    """
    suffix = Path(name).suffix.lower()
    if suffix in accepted:
        return suffix
    wanted = "a video, a sound, a text (.txt) or subtitles (.vtt, .srt)"
    raise InputError.of(
        where=shown_name(name),
        expected=wanted if accepted is ACCEPTED else f"a file that ends in {' or '.join(accepted)}",
        found=f"a name that ends in {suffix[:20]}" if suffix else "a name without an ending",
        remedy="choose another file",
    )


def inspect(path: Path, name: str, max_minutes: float) -> Found:
    """Look into an upload; nothing is decoded.

    Args:
        path: where it lies.
        name: as the user calls it, for messages.
        max_minutes: of media, at most.

    Raises:
        InputError: it is of no allowed kind, too long, or cannot be read.
    """
    if path.suffix in (*SUBTITLES, TEXT):
        size = path.stat().st_size
        if size > WORDS:
            _refuse(name, f"at most {WORDS / 1e6:g} MB of words", f"{size / 1e6:.1f} MB")
        check_words(path, name)
        return look(path, 30.0)
    head = files.read_head(path, expected="a sound or a video")
    kind = files.sniff(head)
    if kind is None and not _is_m2ts(head):
        _refuse(name, "a sound or a video, by its first bytes", "bytes of no known kind")
    if files.identify(path).medium == "container":  # says, too, what a wrongly named file is
        _check_demuxer(path, name, 60 * max_minutes)
    found = look(path, 30.0)
    if not found.seconds:
        _refuse(name, "a recording of some length", "none that its packets or headers tell")
    _check_length(found.seconds, 60 * max_minutes, name)
    return found


def check_words(path: Path, name: str) -> None:
    """Refuse a text of very many lines: each is an utterance.

    Raises:
        InputError: it has more than ``LINES``.
    """
    lines = path.read_bytes().count(b"\n")
    if lines > LINES:
        _refuse(name, f"at most {LINES} lines", str(lines), "divide the file")


def _check_length(seconds: float, most: float, name: str) -> None:
    if seconds > most:
        _refuse(
            name,
            f"a recording of at most {most / 60:g} minutes",
            f"{seconds / 60:.1f} minutes",
            "cut it, or start the server with a higher --max-minutes",
        )


def _is_m2ts(head: bytes) -> bool:
    """A camera's transport stream has four bytes before each packet."""
    return head[4:5] == b"G" and head[196:197] == b"G" and head[388:389] == b"G"


def _check_demuxer(path: Path, name: str, most: float) -> None:
    """Refuse what libav would not read from the file alone, huge pictures, and packets later than ``most`` seconds.

    A header may say that a file is short, or nothing at all; the packets do not lie.
    """
    import av

    last = 0.0

    # Opening decodes the first pictures of some kinds (PNG in QuickTime), so their limit is given to libav as well; it
    # does not reach kinds whose tracks are found late (FLV). What is allowed goes another way: see media.medium.limits.
    allowed = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    try:
        with av.open(
            f"file:{path}", options=limits(av), container_options=allowed, metadata_errors="ignore"
        ) as container:
            shown = [s for s in container.streams.video if not has_flag(s, "attached_pic")]
            sizes = [(s.codec_context.width, s.codec_context.height) for s in shown]
            begin = (container.start_time or 0) / av.time_base
            for packet in container.demux(*container.streams.audio, *container.streams.video):
                check()
                if packet.pts is not None and packet.time_base is not None:
                    last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base) - begin)
    except (av.FFmpegError, AttributeError) as error:
        why = getattr(error, "strerror", "") or "no decoder for its pictures"
        raise InputError.of(
            where=name,
            expected="a sound or a video of a common kind",
            found=f"one that cannot be opened: '{why}'",
            remedy="the file is damaged, truncated or of a rare kind: copy it again, or write it anew as MP4",
        ) from error
    if last > most + 1.0:  # coders fill up their last packet
        _check_length(last, most, name)
    for width, height in sizes:
        if not 0 < width * height <= PIXELS:  # 0: libav has found too large, too, what it looked into
            found = (
                f"{width} × {height}" if width * height else "larger ones, or some whose size nothing tells"
            )
            _refuse(name, f"pictures of at most {PIXELS // 1_000_000} million pixels", found)


def _refuse(name: str, expected: str, found: str, remedy: str = "choose another file") -> None:
    raise InputError.of(where=name, expected=expected, found=found, remedy=remedy)


def scrub(text: str, names: dict[str, str]) -> str:
    """A message without this machine's folders.

    Args:
        text: that may hold paths.
        names: path → what it is called instead.
    """
    for path in sorted(names, key=len, reverse=True):
        text = text.replace(path, names[path])
    text = _WERE.sub("", text)
    for root in {tempfile.gettempdir(), str(Path.home()), str(Path.cwd())} - {"/"}:
        text = text.replace(root + "/", "/_/")  # the folders behind it go below
    return _PATH.sub(lambda match: match.group(1) or "…", text)
