"""Detectors on a drawing of a face, and what is said where they are not installed."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from mmer_fairseq.errors import InputError
from mmer_fairseq.faces import detectors
from mmer_fairseq.faces.crop import cut, region
from mmer_fairseq.faces.detectors import DETECTORS, Choice, Entry, choose

MTCNN = "pip install requests && pip install --no-deps facenet-pytorch==2.6.0"


def drawing(side: int = 160, x: int = 40, y: int = 20) -> np.ndarray:
    """A face as a child draws it, 200 × 240 pixels."""
    picture = Image.new("RGB", (480, 400), (120, 130, 140))
    draw = ImageDraw.Draw(picture)
    left, top, unit = 2 * x, 2 * y, 2 * side

    def oval(cx, cy, rx, ry, colour):
        box = [
            left + unit * (cx - rx),
            top + unit * (cy - ry),
            left + unit * (cx + rx),
            top + unit * (cy + ry),
        ]
        draw.ellipse(box, fill=colour)

    oval(0.5, 0.48, 0.38, 0.48, (70, 50, 40))
    oval(0.5, 0.55, 0.32, 0.42, (224, 180, 150))
    for eye in (0.37, 0.63):
        brow = [left + unit * (eye - 0.09), top + unit * 0.38, left + unit * (eye + 0.09), top + unit * 0.41]
        draw.rectangle(brow, fill=(70, 45, 35))
        oval(eye, 0.47, 0.09, 0.055, (190, 140, 115))
        oval(eye, 0.47, 0.065, 0.032, (245, 240, 235))
        oval(eye, 0.47, 0.03, 0.03, (40, 30, 25))
    nose = [(left + unit * nx, top + unit * ny) for nx, ny in ((0.5, 0.48), (0.45, 0.64), (0.55, 0.64))]
    draw.polygon(nose, fill=(205, 155, 125))
    oval(0.46, 0.64, 0.02, 0.012, (120, 70, 60))
    oval(0.54, 0.64, 0.02, 0.012, (120, 70, 60))
    oval(0.5, 0.76, 0.12, 0.035, (170, 70, 70))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(2.5)).resize((240, 200)))


@pytest.mark.parametrize("name", ["mtcnn", "haar"])
def test_a_drawn_face_is_found_where_it_is(name):
    for module in DETECTORS[name].modules:
        pytest.importorskip(module)
    detect = DETECTORS[name].build(20, "cpu")
    pictures = [drawing(), np.full((200, 240, 3), 90, dtype=np.uint8), drawing(side=120, x=100, y=60)]
    faces = detect(pictures)
    assert [len(found) for found in faces] == [1, 0, 1]
    for (found,), (left, top, side) in zip([faces[0], faces[2]], [(40, 20, 160), (100, 60, 120)]):
        x0, y0, x1, y1 = found.box
        assert abs((x0 + x1) / 2 - (left + side / 2)) < 0.1 * side
        assert abs((y0 + y1) / 2 - (top + 0.55 * side)) < 0.15 * side
        assert 0.5 * side < x1 - x0 < side
        assert found.score > 0.9
    # pictures are looked at by themselves
    assert detect(pictures[:1])[0][0].box == pytest.approx(faces[0][0].box, abs=0.01)
    assert DETECTORS[name].version[0].isdigit()


@pytest.mark.parametrize("name", ["mtcnn", "haar"])
def test_pictures_smaller_than_a_face_have_none(name):
    for module in DETECTORS[name].modules:
        pytest.importorskip(module)
    assert DETECTORS[name].build(20, "cpu")([np.zeros((10, 90, 3), dtype=np.uint8)] * 2) == [[], []]


def test_crops_are_those_of_mtcnn():
    facenet = pytest.importorskip("facenet_pytorch")
    pytest.importorskip("cv2")
    picture = drawing()
    theirs = facenet.MTCNN(image_size=48, margin=2, post_process=False)(picture).permute(1, 2, 0).numpy()
    box = DETECTORS["mtcnn"].build(20, "cpu")([picture])[0][0].box
    ours = cut(picture, region(box, 2, 48, 240, 200), 48)
    assert np.abs(ours - theirs).max() <= 1


def test_mtcnn_refuses_a_device_that_is_not_there():
    pytest.importorskip("facenet_pytorch")
    with pytest.raises(InputError, match="--device: expected a device of this machine; found 'cuda:99' "):
        DETECTORS["mtcnn"].build(20, "cuda:99")


class _Stops:
    """As facenet-pytorch on some pictures."""

    def detect(self, pictures, landmarks):
        if pictures.max() > 200:
            raise RuntimeError("expected a non-empty list of Tensors")
        count = len(pictures)
        boxes, five = np.array([[1.0, 2.0, 30.0, 40.0]]), np.full((1, 5, 2), 9.0)
        return [boxes] * count, [np.array([0.9])] * count, [five] * count


def test_one_picture_that_stops_mtcnn_does_not_cost_the_others(caplog):
    from mmer_fairseq.faces.mtcnn import MTCNNDetector

    detector = object.__new__(MTCNNDetector)
    detector._find, detector._min_face = _Stops(), 20
    pictures = [np.full((50, 50, 3), grey, dtype=np.uint8) for grey in (0, 250, 90)]
    assert [len(faces) for faces in detector(pictures)] == [1, 0, 1]
    assert "mtcnn gave up a picture: expected a non-empty list of Tensors" in caplog.text


def test_opencv_without_cascades_is_named(monkeypatch, tmp_path):
    import sys

    fake = SimpleNamespace(
        __version__="5.0.0", setNumThreads=lambda n: None, data=SimpleNamespace(haarcascades=str(tmp_path))
    )
    monkeypatch.setitem(sys.modules, "cv2", fake)
    monkeypatch.setitem(sys.modules, "cv2.data", fake.data)
    with pytest.raises(InputError) as error:
        DETECTORS["haar"].build(20, "cpu")
    assert str(error.value) == (
        "--detector haar: expected OpenCV 4, which ships haarcascade_frontalface_default.xml; found OpenCV 5.0.0 "
        "without it. Install it: pip install 'opencv-python-headless<5'."
    )


def entries(*installed: str) -> dict[str, Entry]:
    def one(name: str, install: str) -> Entry:
        return Entry(
            DETECTORS[name].build, ("json" if name in installed else f"no_{name}",), "", install, "A"
        )

    return {
        "mtcnn": one("mtcnn", MTCNN),
        "haar": one("haar", "pip install cv"),
        "centre": DETECTORS["centre"],
    }


def test_the_default_is_the_first_that_is_installed(caplog):
    caplog.set_level(logging.WARNING)
    assert choose(None, entries("mtcnn", "haar")) == Choice("mtcnn", "")
    assert choose("haar", entries("mtcnn", "haar")) == Choice("haar", "")
    assert choose("centre", entries()) == Choice("centre", "")
    assert caplog.text == ""
    assert choose(None, entries("haar")) == Choice("haar", "", "mtcnn")
    assert (
        "faces are found by 'haar', because 'mtcnn' is not installed (No module named 'no_mtcnn'). "
        f"To install it: {MTCNN}" in caplog.text
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            None,
            "--detector: expected an installed face detector; found No module named 'no_mtcnn'; No module named "
            f"'no_haar'. Install it: {MTCNN} (or pip install cv), or cut the middle of each picture with "
            "--detector centre.",
        ),
        (
            "mtcnn",
            "--detector mtcnn: expected A, installed; found No module named 'no_mtcnn'. "
            f"Install it: {MTCNN}, or cut the middle of each picture with --detector centre.",
        ),
        ("dlib", "--detector: expected one of mtcnn, haar, centre; found 'dlib'. Write one of them."),
    ],
)
def test_a_detector_that_is_not_there(name, message):
    with pytest.raises(InputError) as error:
        choose(name, entries())
    assert str(error.value) == message


def test_what_is_said_names_how_the_real_ones_are_installed(monkeypatch):
    def refuse(module):
        raise ImportError(f"No module named '{module}'")

    monkeypatch.setattr(detectors, "import_module", refuse)
    with pytest.raises(InputError) as error:
        choose("haar")
    assert "Install it: pip install 'mmer_fairseq[faces]'" in str(error.value)
    with pytest.raises(InputError) as error:
        choose("mtcnn")
    assert f"found No module named 'facenet_pytorch'. Install it: {MTCNN}" in str(error.value)
