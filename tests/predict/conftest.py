"""Checkpoints of every system with fresh weights, and files to predict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

Made = Callable[..., Path]

PICTURES = ("--frame-rate", "5", "--frame-size", "16")
WHOLE = (
    "--video-encoder",
    "face_pixels",
    "--audio-encoder",
    "mel_pieces",
    "--trans-dim",
    "8",
    "--trans-nheads",
    "2",
)
SYSTEMS = {
    "sse_ft": ("robertaEMO_small", *PICTURES),
    "auxformer": ("auxformer_small", *PICTURES),
    "mme2e": ("mme2e", *WHOLE, "--labels", "emotions"),
    "mme2e_sparse": ("mme2e_sparse", *WHOLE, "--labels", "emotions"),
    "lf_rnn": ("lf_rnn", *PICTURES, "--labels", "sentiment"),
    "lf_transformer": ("lf_transformer", *PICTURES, "--objective", "binary_softmax"),
    "facialmmt": ("facialmmt_small", *PICTURES, "--context", "64"),
    "jmt": ("jmt_small", *PICTURES),
    "jmt_traces": (
        "jmt_small", "--frame-size", "16", "--labels", "affect", "--seq-length", "12", "--subseq-length", "3",
        "--dilation", "1",
    ),
}  # fmt: skip


@pytest.fixture(scope="session")
def made(twelve: Path, fresh_checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """``made(name, arch, flags…)``: a checkpoint whose corpus is nowhere (``data``: where it says that it is)."""
    folder = tmp_path_factory.mktemp("checkpoints")

    def make(
        name: str, arch: str, *flags: str, corpus: Path = twelve, forget: bool = False, **more: str
    ) -> Path:
        file = folder / f"{name}.pt"

        def change(model, state) -> None:
            if forget:
                del state["reading"]

        return file if file.exists() else fresh_checkpoint(file, corpus, arch, *flags, change=change, **more)

    return make


@pytest.fixture(scope="session")
def small(made) -> Path:
    """A small model of text, sound and picture."""
    return made("lf", "lf_rnn", "--feature-dim", "8", "--frame-rate", "5", "--frame-size", "16")


def _bursts(seconds: float, spoken: list[tuple[float, float]], rate: int = 16000) -> np.ndarray:
    """Quiet noise, and a warbling tone where somebody speaks: float32 [samples]."""
    time = np.arange(round(seconds * rate)) / rate
    sound = np.random.default_rng(0).normal(size=len(time)) * 0.002
    for start, end in spoken:
        inside = (time >= start) & (time < end)
        sound[inside] += (
            0.3 * np.sin(2 * np.pi * 440 * time[inside]) * (1 + np.sin(2 * np.pi * 4 * time[inside])) / 2
        )
    return sound.astype("f4")


@pytest.fixture(scope="session")
def talk(tmp_path_factory) -> Path:
    """A sound of 40 seconds in which somebody speaks twice."""
    file = tmp_path_factory.mktemp("talk") / "talk.wav"
    soundfile.write(file, _bursts(40.0, [(4.0, 8.0), (20.0, 26.0)]), 16000)
    return file


@pytest.fixture(scope="session")
def bursts():
    """``bursts(seconds, spoken, rate)``: a sound with speech at known times."""
    return _bursts


@pytest.fixture(params=SYSTEMS)
def system(request, made) -> tuple[str, Path]:
    """Each system: its name, and a checkpoint with fresh weights."""
    return request.param, made(request.param, *SYSTEMS[request.param])


def _film(path, seconds, sound=None, rate=5):
    """A video of changing pictures, 32 × 32, maybe with sound at 16 kHz."""
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        track = container.add_stream("h264", rate=rate, options={"preset": "ultrafast", "g": "10"})
        track.width = track.height = 32
        track.pix_fmt = "yuv420p"
        heard = container.add_stream("aac", rate=16000, layout="mono") if sound is not None else None
        for second in range(int(seconds)):
            for _ in range(rate):
                picture = random.integers(0, 255, (32, 32, 3), dtype=np.uint8)
                container.mux(track.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            if heard is not None:
                samples = (sound[second * 16000 : (second + 1) * 16000] * 32767).astype("<i2")[None]
                frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
                frame.sample_rate, frame.pts = 16000, second * 16000
                container.mux(heard.encode(frame))
        container.mux(track.encode())
        if heard is not None:
            container.mux(heard.encode())
    return path


@pytest.fixture(scope="session")
def film():
    """``film(path, seconds, sound, rate)``: a video of changing pictures."""
    return _film
