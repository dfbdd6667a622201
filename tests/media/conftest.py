"""Real media for the tests of this room, written by PyAV in a few milliseconds each."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

TONE = 440.0


def level(frame: int) -> int:
    """Grey of a picture; :func:`pictures_in` reads its number back through lossy coding."""
    return min(20 + 4 * frame, 255)


def tone(seconds: float, rate: int) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * TONE * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def write_video(
    path: Path,
    *,
    frames: int = 50,
    fps: int = 25,
    size: tuple[int, int] = (64, 64),
    codec: str = "libx264",
    milliseconds: list[int] | None = None,
    paint=None,
    sound: str | None = "aac",
    sound_rate: int = 16000,
    layout: str = "mono",
    sound_offset: float = 0.0,
    sound_seconds: float | None = None,
    gop: int = 12,
    options: dict[str, str] | None = None,
) -> Path:
    """A video of pictures grey of ``level(k)``, with a tone; ``milliseconds``: when each picture appears."""
    with av.open(str(path), "w", options=options or {}) as container:
        track = None
        if frames:
            track = container.add_stream(codec, rate=fps)
            track.width, track.height, track.pix_fmt = size[1], size[0], "yuv420p"
            track.codec_context.gop_size = gop
            track.codec_context.time_base = Fraction(1, 1000) if milliseconds else Fraction(1, fps)
            quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
            track.options = {"crf": "4", "preset": "veryfast", **quiet} if "26" in codec else {}
        voice = container.add_stream(sound, rate=sound_rate, layout=layout) if sound else None
        for k in range(frames):
            image = np.full((*size, 3), level(k), dtype=np.uint8)
            if paint:
                paint(image, k)
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts = milliseconds[k] if milliseconds else k
            frame.time_base = Fraction(1, 1000) if milliseconds else Fraction(1, fps)
            container.mux(track.encode(frame))
        if track:
            container.mux(track.encode())
        if voice:
            channels = len(voice.codec_context.layout.channels)
            samples = np.stack([tone(sound_seconds or frames / fps, sound_rate)] * channels)
            for first in range(0, samples.shape[1], 1024):
                block = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(samples[:, first : first + 1024]), "fltp", layout
                )
                block.sample_rate, block.time_base = sound_rate, Fraction(1, sound_rate)
                block.pts = first + round(sound_offset * sound_rate)
                container.mux(voice.encode(block))
            container.mux(voice.encode())
    return path


def cut(path: Path, share: float) -> Path:
    """The same file with only the first part of its bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


def spoil(path: Path, begin: float, end: float) -> Path:
    """The same file with noise from one share of its bytes to another."""
    content = bytearray(path.read_bytes())
    first, last = int(begin * len(content)), int(end * len(content))
    content[first:last] = np.random.default_rng(0).bytes(last - first)
    path.write_bytes(content)
    return path


def pictures_in(frames) -> list[int]:
    """Which pictures of :func:`write_video` these are."""
    return [round((float(grey) - 19.5) / 4) for grey in frames.float().mean(dim=(1, 2, 3))]


class Kit:
    """What the tests of this room use, handed over as one fixture."""

    write_video = staticmethod(write_video)
    tone = staticmethod(tone)
    cut = staticmethod(cut)
    spoil = staticmethod(spoil)
    pictures_in = staticmethod(pictures_in)


@pytest.fixture(scope="session")
def kit() -> Kit:
    return Kit()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """2 s, 25 pictures a second, 64 × 64, tone at 16 kHz; its index stands before its data."""
    return write_video(tmp_path / "clip.mp4", options={"movflags": "faststart"})
