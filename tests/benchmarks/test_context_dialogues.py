"""The benchmark of dialogue context runs, and its ways agree."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest


def test_ways_agree_and_tokens_are_counted(capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("transformers")
    main = runpy.run_path(str(Path(__file__).parent / "context_dialogues.py"))["main"]
    assert main(["--dialogues", "2", "--layers", "1", "--width", "16", "--repeats", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    plain, unpadded, once = ([float(x) for x in line.split()[1:]] for line in lines[-3:])
    assert once[1] == 1.0
    assert unpadded[1] == 10.0  # ten utterances a dialogue
    assert plain[1] > 20
