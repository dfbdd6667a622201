"""Small corpora and media for the tests of this room."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Union

import av
import numpy as np
import pytest
import soundfile

from mmer_fairseq.corpus.corpus import read_corpus

YAML = """\
name: tiny
labels:
  emotion: {kind: classes, column: emotion, classes: [happy, sad], ignore: [other]}
"""

Files = Mapping[str, Union[str, bytes]]


class Kit:
    """What the tests of this room use, handed over as one fixture."""

    YAML = YAML

    @staticmethod
    def wav(path: Path, *, seconds: float = 1.0, rate: int = 8000, level: float = 0.5) -> Path:
        times = np.arange(round(seconds * rate)) / rate
        soundfile.write(path, level * np.sin(2 * np.pi * 220 * times), rate)
        return path

    @staticmethod
    def mp4(path: Path, *, frames: int = 10, fps: int = 10, sound: bool = False) -> Path:
        with av.open(str(path), "w") as container:
            track = container.add_stream("libx264", rate=fps)
            track.width, track.height, track.pix_fmt = 32, 32, "yuv420p"
            voice = container.add_stream("aac", rate=16000, layout="mono") if sound else None
            for k in range(frames):
                picture = np.full((32, 32, 3), 20 * k % 256, dtype=np.uint8)
                container.mux(track.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(track.encode())
            if voice:
                tone = np.sin(np.arange(16000 * frames // fps) / 7).astype(np.float32)
                for first in range(0, len(tone), 1024):
                    block = av.AudioFrame.from_ndarray(tone[None, first : first + 1024], "fltp", "mono")
                    block.sample_rate, block.pts = 16000, first
                    container.mux(voice.encode(block))
                container.mux(voice.encode())
        return path

    @staticmethod
    def tsv(*rows: str) -> str:
        """Rows whose cells are separated by '|', as a table."""
        return "".join(row.replace("|", "\t") + "\n" for row in rows)


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    return Kit


@pytest.fixture
def folder(tmp_path: Path):
    """Writes files into one folder; ``corpus.yaml`` is there unless ``files`` names it."""

    def write(files: Files, *, description: str | None = YAML) -> Path:
        directory = tmp_path / "corpus"
        directory.mkdir(exist_ok=True)
        everything = dict(files) if description is None else {"corpus.yaml": description, **files}
        for name, content in everything.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return directory

    return write


@pytest.fixture
def faults():
    """Every fault of a corpus, with its folder cut off the front of paths."""

    def find(directory: Path, labels: str | None = None) -> list[str]:
        found: list[ValueError] = []
        read_corpus(directory, labels, None, found.append)
        return [str(error).replace(f"{directory}/", "") for error in found]

    return find
