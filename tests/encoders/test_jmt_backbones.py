"""The backbones on weights of the original's names give the original's numbers."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import torch

from mmer_fairseq.errors import InputError

#: The first numbers that the original's networks give, in double precision.
ORIGINAL = {
    "R2D1 FLATTEN clip=x((1,3,8,112,112),0)": [
        -3.304724069923,
        0.530821578744,
        -2.386243913203,
        -2.617007511141,
    ],
    "ResNet18 spec=x((1,1,64,104),0)": [14.70397796517, 4.316647936133, 2.388710616833, 17.599913823919],
    "I3D clip=x((1,3,8,112,112),0)": [0.24389463156, 1.380373544567, 0.368298968175, 0.488269976421],
}


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(Path(__file__).resolve().parents[1]), *sys.path])
    return importlib.import_module("references.jmt_backbones").run


@pytest.mark.parametrize("name", ORIGINAL)
def test_original_numbers(run, name):
    y = run(name, "here")
    assert y.shape == (1, 512)
    expected = torch.tensor(ORIGINAL[name], dtype=torch.float64)
    torch.testing.assert_close(y[0, :4], expected, atol=1e-9, rtol=0)


def test_other_names(run):
    assert run("fusion FC/FC heads=1 layers=1 audio=x((3,16,512),0) video=x((3,16,512),1)", "here") is None
    assert run("ResNet18 spec=x((3,1,64,40),5)", "here").shape == (3, 512)
    with pytest.raises(InputError, match=r"here: expected \"I3D clip=.*; found 'R2D1 MEAN x'\. Make"):
        run("R2D1 MEAN x", "here")
