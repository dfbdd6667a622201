"""The benchmark runs, compares the two ways, and says under which conditions."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch):
    """The script as a module, at a size that takes no time."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location(
        "fusion_sse_ft", Path(__file__).with_name("fusion_sse_ft.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in {
        "DIMS": {"t": 16, "a": 8, "v": 8},
        "SIZES": {**module.SIZES, "ffn_dim": 8},
        "PADDED": {"t": 12, "a": 20, "v": 9},
        "CLIPS": {"t": 3, "a": 7, "v": 5},
    }.items():
        monkeypatch.setattr(module, name, value)
    threads = torch.get_num_threads()
    yield module
    torch.set_num_threads(threads)


def test_it_measures_what_agrees(benchmark, capsys: pytest.CaptureFixture):
    assert benchmark.main(["--repeats", "1", "--batch", "2", "--dropout", "0.1", "--threads", "1"]) == 0
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert list(lines) == ["machine", "versions", "sizes", "run", "agree", "clock", "processor"]
    assert f"torch {torch.__version__}" in lines["versions"]
    assert lines["agree"].startswith("True: ")
    assert "2 clips of" in lines["sizes"]
    assert ", ratio " in lines["clock"]


def test_ways_that_disagree_fail(benchmark, monkeypatch: pytest.MonkeyPatch):
    true_networks = benchmark.networks

    def wrong(dropout: float):
        plain, ours = true_networks(dropout)
        ours.head.out_proj.bias.data += 1.0
        return plain, ours

    monkeypatch.setattr(benchmark, "networks", wrong)
    assert benchmark.main(["--repeats", "1", "--batch", "2", "--threads", "1"]) == 1
