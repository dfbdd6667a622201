"""One clip of the toy corpus as files: the picture with its sound track, the sound, the trace."""

from __future__ import annotations

import os
import wave
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from mmer_fairseq.corpus.importers._toy.face import draw_face
from mmer_fairseq.corpus.importers._toy.plan import FRAME_RATE, ClipPlan
from mmer_fairseq.corpus.importers._toy.speakers import Speaker
from mmer_fairseq.corpus.importers._toy.voice import SAMPLE_RATE, speak

INVALID = -5
"""Written into a trace where nobody gave a rating."""

_H264 = {"preset": "veryfast", "crf": "20", "x264-params": "mbtree=0:cpu-independent=1"}
"""x264's macroblock tree gives other bytes from run to run, even with one thread."""


def clip_files(plan: ClipPlan) -> dict[str, str]:
    """The files of a clip: "audio", "video" (unless missing) and "trace" → path below the corpus folder."""
    files = {
        "audio": f"media/{plan.id}.wav",
        "video": f"media/{plan.id}.mp4",
        "trace": f"traces/{plan.id}.csv",
    }
    return {kind: path for kind, path in files.items() if kind not in plan.missing}


def write_clip(directory: Path, plan: ClipPlan, speaker: Speaker, *, seed: int, size: int) -> dict[str, int]:
    """Write every file of one clip, each whole or not at all.

    Args:
        directory: the corpus folder; its `media` and `traces` exist.
        plan: the clip.
        speaker: who speaks.
        seed: of the corpus.
        size: width and height of the picture in pixels.

    Returns:
        Path below the corpus folder → size in bytes.
    """
    samples = speak(plan, speaker, np.random.default_rng([seed, 3, plan.index]))
    files = clip_files(plan)
    writers: dict[str, Callable[[Path], None]] = {
        "audio": lambda path: _write_wav(path, samples),
        "video": lambda path: _write_mp4(
            path,
            draw_face(plan, speaker, np.random.default_rng([seed, 4, plan.index]), size),
            samples if "audio" in files else None,
        ),
        "trace": lambda path: _write_trace(path, plan),
    }
    for kind, name in files.items():
        unfinished = directory / f"{name}.part"
        writers[kind](unfinished)
        os.replace(unfinished, directory / name)
    return {name: (directory / name).stat().st_size for name in files.values()}


def _write_wav(path: Path, samples: np.ndarray) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLE_RATE)
        sound.writeframes(np.round(samples * 32767).astype("<i2").tobytes())


def _write_mp4(path: Path, pictures: np.ndarray, samples: np.ndarray | None) -> None:
    """H.264 and, unless it is missing, AAC; the same pictures give the same bytes on one machine."""
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as film:
        picture = film.add_stream("libx264", rate=FRAME_RATE, options=_H264)
        picture.width, picture.height, picture.pix_fmt = pictures.shape[2], pictures.shape[1], "yuv420p"
        picture.codec_context.thread_count = 1
        if samples is not None:
            sound = film.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
            sound.bit_rate = 48000
        for pixels in pictures:
            film.mux(picture.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        film.mux(picture.encode(None))
        if samples is not None:
            for start in range(0, len(samples), 1024):
                block = np.ascontiguousarray(samples[None, start : start + 1024], dtype=np.float32)
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = SAMPLE_RATE, start
                film.mux(sound.encode(frame))
            film.mux(sound.encode(None))


def _write_trace(path: Path, plan: ClipPlan) -> None:
    lines = ["valence,arousal"]
    for step, values in enumerate(zip(*plan.feeling(plan.trace_times()))):
        rated = not plan.invalid[0] <= step < plan.invalid[1]
        lines.append(",".join(f"{value:.3f}" if rated else str(INVALID) for value in values))
    path.write_bytes(("\n".join(lines) + "\n").encode())
