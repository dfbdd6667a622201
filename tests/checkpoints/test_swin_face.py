"""Face models: FaceX-Zoo's files beside FacialMMT's, sizes, and what is none."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mmer_fairseq.checkpoints.swin_face import arguments_of, backbone_of, to_network
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.swin_face import SwinFace

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "plain_facialmmt.py"))["PlainSwinFace"]


def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return PLAIN(
        size=32, patch=2, dim=6, depths=(2, 3), heads=(1, 2), window=4, face=10, hidden=5, outputs=3
    ).state_dict()


TOLD = {
    "image_size": 32, "patch_size": 2, "embed_dim": 6, "depths": (2, 3), "heads": (1, 2), "window": 4,
    "mlp_ratio": 4.0, "face_dim": 10,
}  # fmt: skip


def test_the_sizes():
    assert arguments_of(backbone_of(state()), "x") == {**TOLD, "outputs": 3, "hidden_dim": 5}


@pytest.mark.parametrize("both", [False, True])
def test_a_backbone_of_facex_zoo(both: bool):
    own = state()
    swin = {name: x for name, x in own.items() if name.startswith("swin.")}
    file = {name.replace("swin.", "backbone.", 1): x for name, x in swin.items()}
    file["head.weight"] = torch.zeros(3, 10)
    if both:
        file.update({name: torch.zeros_like(x) for name, x in swin.items()})
    found = backbone_of(file)
    assert found.keys() == swin.keys()
    assert all(torch.equal(found[name], x) for name, x in swin.items())
    assert arguments_of(found, "x") == TOLD
    network = SwinFace(outputs=4, **TOLD)
    weights = to_network(found, "x")
    fresh = network.state_dict().keys() - weights.keys()
    assert fresh == {"hidden.weight", "hidden.bias", "classifier.weight", "classifier.bias"}
    network.load_state_dict(weights, strict=False)
    assert torch.equal(network.face.weight, own["swin.output_layer.2.weight"])


def test_what_is_no_face_model():
    with pytest.raises(
        InputError, match=r"x: expected a face model of FacialMMT, or a Swin .*with a matrix swin.patch"
    ):
        arguments_of({"a": torch.zeros(1)}, "x")
    with pytest.raises(InputError, match=r"x: expected a face model .*found no tensors"):
        to_network({}, "x")
    for name in (
        "roberta.x",
        "swin.norm.weight",
        "swin.output_layer.5.weight",
        "swin.layers.0.upsample.weight",
    ):
        with pytest.raises(InputError, match=f"found 1 unknown \\({name}\\)"):
            to_network({**state(), name: torch.zeros(1)}, "x")
