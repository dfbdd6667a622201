"""The parity script on references of FacialMMT made here by the plain networks."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

TESTS = Path(__file__).parent
PLAIN = runpy.run_path(str(TESTS / "benchmarks" / "plain_facialmmt.py"))
SIZES = "dim=24 heads=3 ffn=20 classes=4"


@pytest.fixture(scope="module")
def parity():
    """``main`` of the script; its imports are found beside it, as when it runs."""
    path = list(sys.path)
    yield runpy.run_path(str(TESTS / "parity.py"))["main"]
    sys.path[:] = path


def stored(y: Tensor) -> dict:
    return {
        "shape": list(y.shape),
        "data": y.flatten()[:128].tolist(),
        "sum": float(y.double().sum()),
        "sumsq": float(y.double().square().sum()),
    }


@torch.no_grad()
def content() -> dict[str, dict]:
    path = list(sys.path)
    sys.path[:0] = [str(TESTS)]
    from references.fill import fill, inputs

    sys.path[:] = path
    sizes = {"dim": 24, "heads": 3, "inside": 20, "outputs": 4}
    found = {}
    hidden, audio, vision = (
        inputs(shape, k).float() for shape, k in (((2, 60, 10), 1), ((2, 7, 6), 2), ((2, 5, 9), 3))
    )
    # the second utterance of each dialogue; one has 40 tokens, of which 38 are read
    for plm, spans in (("roberta-large", ((5, 9), (8, 50))), ("bert-large", ((4, 9), (7, 50)))):
        network = PLAIN["PlainFacialMMT"](
            widths=(10, 6, 9), audio_layers=3, vision_layers=1, crossing_layers=1, steps=(38, 7, 5), **sizes
        )
        text = torch.zeros(2, 38, 10)
        counts = [min(end - start, 38) for start, end in spans]
        for row, (start, _), count in zip((0, 1), spans, counts):
            text[row, :count] = hidden[row, start : start + count]
        lengths = [torch.tensor(n) for n in (counts, [7, 3], [2, 5])]
        name = (
            f"multimodal plm={plm} audio_layers=3 vision_layers=1 crossmodal_layers=1 La=7 Lv=5 {SIZES} "
            "hidden=x((2,60,10),1) sep_positions=[[3, 9], [6, 50]] target_utterance=[1, 1] "
            "audio=x((2,7,6),2) audio_lens=[7, 3] vision=x((2,5,9),3) vision_lens=[2, 5]"
        )
        found[name] = {"logits": stored(fill(network).eval()((text, audio, vision), lengths))}
    alone = fill(PLAIN["PlainUnimodal"](width=9, layers=1, steps=5, **sizes)).eval()
    name = f"unimodal_v vision_layers=1 Lv=5 {SIZES} vision=x((2,5,9),5) vision_lens=[2, 5]"
    found[name] = {"logits": stored(alone(inputs((2, 5, 9), 5).float(), torch.tensor([2, 5])))}
    face = PLAIN["PlainSwinFace"](size=32, dim=12, depths=(1, 2, 1, 1), window=1, outputs=4)
    features, logits = fill(face).eval()(inputs((2, 3, 32, 32), 6).float())
    found["swin dim=12 window=1 classes=4 depths=[1, 2, 1, 1] images=x((2,3,32,32),6)"] = {
        "features": stored(features),
        "logits": stored(logits),
    }
    return found


def test_other_sizes_hold_and_a_difference_fails(parity, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    reference = content()
    path = tmp_path / "facialmmt.json"
    path.write_text(json.dumps(reference))
    assert parity([str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == ["multimodal", "multimodal", "unimodal_v", "swin"]
    assert all(line.startswith("ok ") and "tolerance 1e-05" in line for line in lines)
    name = next(iter(reference))
    reference[name]["logits"]["data"][3] += 1e-3
    path.write_text(json.dumps(reference))
    assert parity([str(path)]) == 1
    assert [line[:4] for line in capsys.readouterr().out.splitlines()] == ["FAIL", "ok  ", "ok  ", "ok  "]


def test_files_of_another_form(parity, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    files = {
        "cut": '{"swin images',
        "system": '{"audio audio=x((1,2,3),1)": {}}',
        "output": '{"unimodal_v vision_layers=1 Lv=5 dim=8 heads=2 vision=x((1,5,9),5) vision_lens=[2]": '
        '{"scores": {}}}',
    }
    paths = [tmp_path / f"facialmmt_{name}.json" for name in files]
    for path, text in zip(paths, files.values()):
        path.write_text(text)
    assert parity(list(map(str, paths))) == 2
    error = capsys.readouterr().err
    assert "facialmmt_cut.json: expected JSON; found Unterminated string" in error
    assert (
        "facialmmt_system.json: expected multimodal, unimodal_v or swin, and its inputs; found 'audio"
        in error
    )
    assert "facialmmt_output.json: expected logits: " in error
