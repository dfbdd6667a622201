"""The parity script on references of JMT made here by the plain networks."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

TESTS = Path(__file__).parent
PLAIN = runpy.run_path(str(TESTS / "benchmarks" / "plain_jmt.py"))


@pytest.fixture(scope="module")
def parity():
    """``main`` of the script; its imports are found beside it, as when it runs."""
    path = list(sys.path)
    yield runpy.run_path(str(TESTS / "parity.py"))["main"]
    sys.path[:] = path


def stored(outputs: list[Tensor]) -> list[dict]:
    """As the originals' references store them, to 12 decimals."""
    return [
        {
            "shape": list(y.shape),
            "data": [round(value, 12) for value in y.flatten()[:64].tolist()],
            "sum": float(y.sum()),
            "sumsq": float(y.square().sum()),
        }
        for y in outputs
    ]


@torch.no_grad()
def content() -> dict[str, list[dict]]:
    sys.path[:0] = [str(TESTS)]
    from references.fill import fill, inputs

    found = {}
    variants = (("TRANSFORMER", "SELF_ATTEN"), ("TRANSFORMER", "FC"), ("FC", "FC"), ("NONE", "FC"))
    sizes = ((2, 1, 3, 7, 16), (8, 3, 1, 4, 16), (1, 2, 4, 9, 12))
    for (joint, output), (heads, layers, batch, steps, dim) in ((v, s) for v in variants for s in sizes):
        shape = (batch, steps, dim)
        network = fill(PLAIN["PlainJMT"](joint, output, dim=dim, heads=heads, layers=layers).double())
        given = ",".join(map(str, shape))
        name = (
            f"fusion {joint}/{output} heads={heads} layers={layers} audio=x(({given}),5) video=x(({given}),2)"
        )
        found[name] = stored(network(inputs(shape, 5), inputs(shape, 2)))
    head = fill(PLAIN["PlainPretrainer"](20).double())
    found["SingleBackbonePretrainer x((2,5,20),3)"] = stored(head(inputs((2, 5, 20), 3)))
    for other in (16, 24):
        intra = fill(PLAIN["PlainIntra"](16, 2, 2, other=24).double())
        name = f"intra heads=2 layers=2 a=x((2,5,16),1) b=x((2,5,{other}),0)"
        found[name] = stored([intra(inputs((2, 5, 16), 1), inputs((2, 5, other), 0))])
    return found


@pytest.fixture(scope="module")
def reference() -> dict[str, list[dict]]:
    path = list(sys.path)
    try:
        return content()
    finally:
        sys.path[:] = path


def write(path: Path, found: dict) -> Path:
    path.write_text(json.dumps(found))
    return path


def test_other_sizes_hold(parity, reference, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert parity([str(write(tmp_path / "jmt.json", reference))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(reference) == 15
    assert all(line.startswith("ok   jmt ") and "tolerance 1e-09" in line for line in lines)


@pytest.mark.parametrize("what", ["data", "sum", "sumsq"])
@pytest.mark.parametrize("case", [0, 5, 12, 14])
def test_a_difference_fails(
    parity, reference, what: str, case: int, tmp_path: Path, capsys: pytest.CaptureFixture
):
    name = list(reference)[case]
    changed = json.loads(json.dumps({name: reference[name]}))
    last = changed[name][-1]
    if what == "data":
        last["data"][7] += 1e-8
    else:
        last[what] *= 1 + 1e-4
    assert parity([str(write(tmp_path / "jmt_off.json", changed))]) == 1
    assert capsys.readouterr().out.startswith("FAIL jmt_off ")


def test_another_shape_fails(parity, reference, tmp_path: Path):
    name = next(name for name in reference if "TRANSFORMER/FC" in name)
    changed = json.loads(json.dumps({name: reference[name]}))
    changed[name][0]["shape"].reverse()
    assert parity([str(write(tmp_path / "jmt_turned.json", changed))]) == 1


def test_files_of_another_form(parity, reference, tmp_path: Path, capsys: pytest.CaptureFixture):
    name, outputs = next(iter(reference.items()))
    short = [{key: value for key, value in y.items() if key != "sum"} for y in outputs]
    for file, found, message in (
        (
            "jmt_name.json",
            {"fusion SUM/FC audio=x((1,1,8),0)": []},
            'expected "fusion TRANSFORMER/FC heads=1',
        ),
        ("jmt_count.json", {name: outputs[:1]}, "expected 2 outputs of fusion TRANSFORMER/SELF_ATTEN"),
        (
            "jmt_keys.json",
            {name: short},
            "expected shape, data, sum and sumsq of each output; found shape, data, s",
        ),
    ):
        assert parity([str(write(tmp_path / file, found))]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert "Make the reference file again." in error
    (tmp_path / "jmt_cut.json").write_text('{"fusion')
    assert parity([str(tmp_path / "jmt_cut.json")]) == 2
    assert "expected JSON; found Unterminated string" in capsys.readouterr().err
