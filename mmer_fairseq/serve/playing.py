"""What a browser needs to play an upload."""

from __future__ import annotations

import contextlib
from pathlib import Path

_TYPES = {
    ".wav": "audio/wav", ".wave": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg", ".mp2": "audio/mpeg",
    ".mpga": "audio/mpeg", ".ogg": "audio/ogg", ".oga": "audio/ogg", ".opus": "audio/ogg", ".spx": "audio/ogg",
    ".aac": "audio/aac", ".adts": "audio/aac", ".m4a": "audio/mp4", ".m4b": "audio/mp4", ".mka": "audio/webm",
    ".weba": "audio/webm", ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".qt": "video/mp4",
    ".3gp": "video/mp4", ".3g2": "video/mp4", ".f4v": "video/mp4", ".webm": "video/webm", ".mkv": "video/webm",
    ".ogv": "video/ogg", ".ogx": "video/ogg",
}  # fmt: skip


def media_type(suffix: str) -> str:
    """What a player is told that a file is."""
    return _TYPES.get(suffix, "application/octet-stream")


def repack(path: Path) -> bool:
    """Give a browser's recording the length and index that a live recorder leaves out, without encoding it anew.

    Args:
        path: of a file that was found safe; replaced if it is a WebM file without a length.

    Returns:
        Whether it was replaced.
    """
    import av

    from mmer_fairseq.media.medium import limits
    from mmer_fairseq.media.stopping import check

    if path.suffix not in (".webm", ".weba", ".mkv", ".mka"):
        return False
    part = path.with_name(f"part{path.suffix}")
    try:
        with av.open(f"file:{path}", options=limits(av), metadata_errors="ignore") as source:
            if source.duration or "matroska" not in source.format.name:
                return False
            with av.open(str(part), "w", format="matroska" if path.suffix[:3] == ".mk" else "webm") as target:
                streams = {
                    track.index: target.add_stream_from_template(track)
                    for track in source.streams
                    if track.type in ("audio", "video")
                }
                size, most = 0, path.stat().st_size * 1.5 + (1 << 20)
                for packet in source.demux():
                    check()
                    size += packet.size
                    if size > most:  # packets that were compressed again: they would fill the disk
                        return False
                    if packet.dts is not None and packet.stream.index in streams:
                        packet.stream = streams[packet.stream.index]
                        target.mux(packet)
        part.replace(path)
        return True
    except (av.FFmpegError, OSError, ValueError, AttributeError):
        return False  # it plays worse, and is predicted all the same
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
