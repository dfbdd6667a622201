"""Names and sizes of the original's checkpoints."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from mmer_fairseq.checkpoints import jmt
from mmer_fairseq.errors import InputError
from mmer_fairseq.networks.jmt import JMT

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "plain_jmt.py"))
VARIANTS = (("TRANSFORMER", "SELF_ATTEN"), ("TRANSFORMER", "FC"), ("FC", "FC"), ("NONE", "FC"))


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(("joint", "output"), VARIANTS)
def test_every_tensor_of_ours_comes_from_theirs(joint: str, output: str, layers: int):
    state = PLAIN["PlainJMT"](joint, output, dim=16, heads=2, layers=layers).state_dict()
    sizes = jmt.sizes_of(state, "file")
    assert sizes == jmt.Sizes(joint, output, 16, 128, layers if joint != "FC" else 1)
    ours = JMT(
        streams=("video", "audio"), outputs=2, dim=16, heads=2, layers=sizes.layers, joint_modalities=joint,
        output_format=output,
    ).state_dict()  # fmt: skip
    renamed = jmt.fusion_to_network(state, "file")
    assert {name: x.shape for name, x in renamed.items()} == {name: x.shape for name, x in ours.items()}
    left_out = sum(jmt.left_out(state).values())
    key_biases = sum(
        x.numel() // 3 for n, x in state.items() if n.endswith("in_proj_bias") and "final_encoder" not in n
    )
    total = sum(x.numel() for x in state.values())
    assert sum(x.numel() for x in renamed.values()) == total - left_out - key_biases


def test_valence_comes_before_arousal():
    state = PLAIN["PlainJMT"]("FC", "FC", dim=16).state_dict()
    renamed = jmt.fusion_to_network(state, "file")
    assert torch.equal(renamed["head.hidden_weight"][0], state["vregressor.0.weight"])
    assert torch.equal(renamed["head.weight"][1], state["aregressor.3.weight"][0])
    assert torch.equal(renamed["head.bias"], torch.cat([state[f"{h}regressor.3.bias"] for h in "va"]))


def test_wrappers_go_wherever_they_stand():
    state = {"module.a.weight": torch.zeros(1), "b.module.bias": torch.zeros(1)}
    assert list(jmt.without_wrappers(state)) == ["a.weight", "b.bias"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "mm_transformer.visual_encoder.layers.0.attention.bias_k",
            "found 1 unknown (mm_transformer.visual_encoder",
        ),
        (
            "mm_transformer.visual_encoder.norm.weight",
            "found 1 unknown (mm_transformer.visual_encoder.norm.weight)",
        ),
        (
            "mm_transformer.visual_encoder.layers.0.gate.weight",
            "found 1 unknown (mm_transformer.visual_encoder.layers",
        ),
        ("vregressor.5.weight", "found 1 unknown (vregressor.5.weight)"),
        ("linear.weight", "found 1 unknown (linear.weight)"),
    ],
)
def test_unknown_names_are_told(name: str, message: str):
    state = {**PLAIN["PlainJMT"]("NONE", "FC", dim=16).state_dict(), name: torch.zeros(1)}
    with pytest.raises(InputError) as caught:
        jmt.fusion_to_network(state, "file")
    assert message in str(caught.value)
    assert str(caught.value).startswith("file: expected the tensors of ")


def test_unknown_names_of_what_joins_two_backbones():
    state = {**PLAIN["PlainIntra"](16).state_dict(), "gate.weight": torch.zeros(1)}
    with pytest.raises(InputError, match=r"found 1 unknown \(gate.weight\)"):
        jmt.intra_to_network(state, "audio", "file")
    with pytest.raises(InputError, match=r"with a matrix fc.weight; found 0 tensors without it"):
        jmt.parts_of({}, "audio", "file")
