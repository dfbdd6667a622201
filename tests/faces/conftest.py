"""Films of bright squares that stand for faces, and a detector that finds them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq.corpus import write_corpus
from mmer_fairseq.faces import detectors
from mmer_fairseq.faces.detectors import Entry, Face
from mmer_fairseq.faces.settings import Settings

_SPEC = importlib.util.spec_from_file_location(
    "media_conftest", Path(__file__).resolve().parents[1] / "media" / "conftest.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
_media = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_media)

HEIGHT, WIDTH = 96, 128
COLOURS = {"red": (230, 20, 20), "green": (20, 200, 20)}

LABELS = {"e": {"kind": "classes", "column": "e", "classes": ["x", "y"]}}


class Squares:
    """Finds one red and one green square in each picture."""

    calls: list[int] = []

    def __call__(self, pictures):
        self.calls.append(len(pictures))
        return [
            [face for colour in COLOURS for face in self.find(picture.astype(int), colour)]
            for picture in pictures
        ]

    def find(self, picture, colour):
        first, second = (0, 1) if colour == "red" else (1, 0)
        rows, columns = np.nonzero(picture[:, :, first] - picture[:, :, second] > 100)
        if len(rows) < 9:
            return []
        box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        return [Face(tuple(float(x) for x in box), 0.9 if colour == "red" else 0.8)]


@pytest.fixture
def squares(monkeypatch) -> Squares:
    """The detector ``squares`` in the registry, for this test."""
    monkeypatch.setitem(detectors.DETECTORS, "squares", Entry(lambda min_face, device: Squares()))
    monkeypatch.setattr(Squares, "calls", [])
    return Squares()


def settings(**changes) -> Settings:
    return Settings(
        **{
            "detector": "squares",
            "version": "1",
            "rate": 4.0,
            "size": 16,
            "margin": 0,
            "hold": 0.5,
            **changes,
        }
    )


def write_film(
    path: Path, where, *, seconds: float = 3.0, fps: int = 20, sound: str | None = None, **more
) -> Path:
    """A film; ``where(second)`` gives colour → (x, y, side) of its squares."""

    def paint(image: np.ndarray, k: int) -> None:
        for colour, (x, y, side) in where(k / fps).items():
            image[y : y + side, x : x + side] = COLOURS[colour]

    # grey of the background tells the picture: 20 + 2 k
    return _media.write_video(
        path, frames=round(seconds * fps), fps=fps, size=(HEIGHT, WIDTH), paint=paint, sound=sound, **more
    )


def blinking(second: float) -> dict:
    """A red square that moves right, away from 1 s to 1.5 s and from 2 s on; a green one, smaller, all the time."""
    squares = {"green": (100, 60, 12)}
    if not 1.0 <= second < 1.5 and second < 2.0:
        squares["red"] = (10 + int(10 * second), 20, 24)
    return squares


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """:func:`blinking`, 3 s at 20 pictures a second, with sound."""
    return write_film(tmp_path_factory.mktemp("film") / "film.mp4", blinking, sound="aac")


@pytest.fixture(scope="session")
def empty_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1 s without a square."""
    return write_film(tmp_path_factory.mktemp("film") / "empty.mp4", lambda second: {}, seconds=1.0)


@pytest.fixture
def corpus(tmp_path: Path, film: Path, empty_film: Path) -> Path:
    """Two clips of one recording, one clip without a face, one without a video."""
    folder = tmp_path / "c"
    (folder / "media").mkdir(parents=True)
    for file in (film, empty_film):
        (folder / "media" / file.name).write_bytes(file.read_bytes())
    (folder / "media" / "words.txt").write_text("good morning")
    both = {"video": "media/film.mp4", "audio": "media/film.mp4"}
    rows = {
        "train": [
            {"id": "d/1", **both, "start": "0.1", "end": "1.6", "speaker": "A", "e": "x"},
            {"id": "d/2", **both, "start": "1.6", "end": "3", "text": "media/words.txt", "e": "y"},
        ],
        "valid": [
            {"id": "empty", "video": "media/empty.mp4", "text": "a few words", "e": "y"},
            {"id": "heard", "audio": "media/film.mp4", "e": "x"},
        ],
    }
    write_corpus(folder, description={"name": "c", "labels": LABELS}, rows=rows)
    return folder


class Kit:
    """What the tests of this room share."""

    settings = staticmethod(settings)
    write_film = staticmethod(write_film)
    blinking = staticmethod(blinking)
    spoil = staticmethod(_media.spoil)
    labels = LABELS


@pytest.fixture(scope="session")
def kit() -> Kit:
    return Kit()
