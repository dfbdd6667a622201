"""The benchmarks of MME2E run, and their two ways agree."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_both_ways_agree():
    pytest.importorskip("transformers")
    compare = runpy.run_path(str(HERE / "step_mme2e.py"))["compare"]
    spectrograms, logits, gradients = compare(small=True)
    assert spectrograms <= 1e-5
    assert logits <= 1e-9
    assert gradients <= 1e-5


def test_multiply_adds():
    """The dense ones are those of the specification; keeping less costs less."""
    names = runpy.run_path(str(HERE / "sparse_mme2e.py"))
    faces, pieces = (names["dense_products"](image) for image in names["IMAGES"].values())
    assert round(faces / 1e6) == 478
    assert round(pieces / 1e6) == 837
    streams, lengths = names["batch"](0.1)
    ways = names["networks"]((0.9, 0.5))
    for network in ways.values():
        network.eval()
    most, least = (names["sparse_products"](ways[way], streams, lengths) for way in ("0.9", "0.5"))
    assert least["video"] < 0.45 * faces < most["video"] < faces
    assert least["audio"] < 0.45 * pieces < most["audio"] < pieces


def test_plot(tmp_path: Path):
    draw = runpy.run_path(str(HERE / "sparse_mme2e.py"))["draw"]
    draw(tmp_path / "sparse.png", {"dense": 1.0, "0.5": 0.35}, {"dense": [2.0, 2.0], "0.5": [1.0, 1.0]})
    assert (tmp_path / "sparse.png").stat().st_size > 1000


def test_faces_once_or_in_each_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Both ways give the same faces, up to JPEG, and the benchmark runs."""
    names = runpy.run_path(str(HERE / "faces_mme2e.py"))
    corpus = names["write_toy_corpus"](tmp_path / "toy", clips=10, size=64)
    videos = sorted((corpus / "media").glob("*.mp4"))[:2]
    ways = names["Ways"](videos, [2, 3], "centre", tmp_path / "faces")
    for found, stored in zip(ways.found(), ways.stored()):
        assert abs(stored.permute(0, 2, 3, 1).float().numpy() - found).mean() < 8
    flags = ["--detector", "centre", "--share", "0.1", "--repeats", "1", "--height", "96", "--autocast"]
    assert names["main"]([*map(str, videos), *flags]) == 0
    assert capsys.readouterr().out.count("ratio") == 4
