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
        "step_auxformer", Path(__file__).with_name("step_auxformer.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "STEPS", {"audio": 9, "video": 5})
    threads = torch.get_num_threads()
    yield module
    torch.set_num_threads(threads)


@pytest.mark.parametrize("which", ["v1", "v2"])
def test_it_measures_what_agrees(benchmark, which: str, capsys: pytest.CaptureFixture):
    words = ["--which", which, "--repeats", "1", "--batch", "2", "--threads", "1", "--shortest", "0.5"]
    assert benchmark.main(words) == 0
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert list(lines) == ["machine", "sizes", "agree", "clock", "processor"]
    assert f"torch {torch.__version__}" in lines["machine"]
    assert lines["agree"].startswith("True: ")
    assert lines["sizes"].startswith(f"{which}, 2 clips of up to")
    assert ", ratio " in lines["clock"]


def test_ways_that_disagree_fail(benchmark, monkeypatch: pytest.MonkeyPatch):
    true_networks = benchmark.networks

    def wrong(which: str, dropout: bool):
        plain, ours = true_networks(which, dropout)
        ours.main_head.out_proj.bias.data += 1.0
        return plain, ours

    monkeypatch.setattr(benchmark, "networks", wrong)
    assert benchmark.main(["--repeats", "1", "--batch", "2", "--threads", "1"]) == 1
