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
    spec = importlib.util.spec_from_file_location("step_jmt", Path(__file__).with_name("step_jmt.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "STEPS", 9)
    monkeypatch.setattr(module, "DIM", 8)
    threads = torch.get_num_threads()
    yield module
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("joint", "output"), [("TRANSFORMER", "SELF_ATTEN"), ("TRANSFORMER", "FC"), ("NONE", "FC"), ("FC", "FC")]
)
def test_it_measures_what_agrees(benchmark, joint: str, output: str, capsys: pytest.CaptureFixture):
    words = ["--joint", joint, "--output", output, "--heads", "2", "--layers", "2", "--batch", "4"]
    assert benchmark.main([*words, "--repeats", "1", "--threads", "1", "1"]) == 0
    lines = [line.split(None, 1) for line in capsys.readouterr().out.splitlines()]
    times = ["threads", "clock", "processor"]
    assert [name for name, _ in lines] == ["machine", "sizes", "agree", *times, *times]
    said = dict(lines)
    assert f"torch {torch.__version__}" in said["machine"]
    assert said["sizes"] == f"{joint}/{output}, 2 heads, 2 layers, 4 sequences of 9 steps, width 8"
    assert said["agree"].startswith("True: ")
    assert ", ratio " in said["clock"]


def test_ways_that_disagree_fail(benchmark, monkeypatch: pytest.MonkeyPatch):
    true_networks = benchmark.networks

    def wrong(*variant):
        plain, ours = true_networks(*variant)
        ours.head.bias.data += 1.0
        return plain, ours

    monkeypatch.setattr(benchmark, "networks", wrong)
    assert benchmark.main(["--repeats", "1", "--batch", "2", "--threads", "1"]) == 1


def test_gradients_are_compared_too(benchmark, monkeypatch: pytest.MonkeyPatch):
    true_networks = benchmark.networks

    def wrong(*variant):
        plain, ours = true_networks(*variant)
        ours.join.weight.register_hook(lambda gradient: 2 * gradient)
        return plain, ours

    monkeypatch.setattr(benchmark, "networks", wrong)
    assert benchmark.main(["--repeats", "1", "--batch", "2", "--threads", "1"]) == 1
