"""The Swin face model: as the plain way computes it, for one face, for none, and in training."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import torch

from mmer_fairseq.checkpoints.swin_face import arguments_of, backbone_of, to_network
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.swin_face import SwinFace

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "plain_facialmmt.py"))["PlainSwinFace"]
SIZES = {"depths": (2, 3), "heads": (1, 2), "window": 4}
PLAIN_SIZES = {"size": 32, "patch": 2, "dim": 6, "face": 10, "hidden": 5, "outputs": 3, **SIZES}


def build(**flags: Any) -> SwinFace:
    torch.manual_seed(0)
    sizes = {"image_size": 32, "patch_size": 2, "embed_dim": 6, "face_dim": 10, "hidden_dim": 5, "outputs": 3}
    return SwinFace(**{**sizes, **SIZES, **flags})


def images(count: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=dtype) * 2 - 1


def plain_of() -> tuple[torch.nn.Module, SwinFace]:
    torch.manual_seed(2)
    plain = PLAIN(**PLAIN_SIZES).double()
    with torch.no_grad():
        for name, x in (*plain.named_parameters(), *plain.named_buffers()):
            if name.endswith("running_var"):
                x.uniform_(0.5, 1.5)
            elif x.dim() == 1 and x.is_floating_point():
                x.add_(torch.randn_like(x), alpha=0.3)
            elif name.endswith("bias_table"):
                x.normal_()
    state = backbone_of(plain.state_dict())
    network = SwinFace(**arguments_of(state, "plain"), stochastic_depth=0.0).double()
    network.load_state_dict(to_network(state, "plain"))
    return plain, network


@pytest.mark.parametrize("training", [False, True])
def test_as_the_plain_way(training: bool):
    plain, network = plain_of()
    given = images(3, torch.float64)
    logits = network.train(training)(given)
    features, expected = plain.train(training)(given)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-9)
    if not training:
        torch.testing.assert_close(network.features(given), features, rtol=0, atol=1e-9)
    logits.square().sum().backward()
    expected.square().sum().backward()
    gradients = to_network({n: p.grad for n, p in plain.named_parameters()}, "plain")
    assert gradients.keys() == dict(network.named_parameters()).keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(network.get_parameter(name).grad, gradient, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(network.face_norm.running_mean, plain.swin.output_layer[3].running_mean)


def test_the_published_sizes():
    with torch.device("meta"):
        network = SwinFace(outputs=7)
    count = sum(p.numel() for p in network.parameters())
    assert count == 46_821_761  # 46.82 M
    depth = [m.p for m in network.modules() if type(m).__name__ == "StochasticDepth"]
    assert max(depth) == pytest.approx(0.3)
    assert min(depth) == 0.0


def test_one_face_in_training_and_none():
    network = build().train()
    logits = network(images(1))
    logits.square().sum().backward()
    assert logits.shape == (1, 3)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    for training in (True, False):
        network.zero_grad()
        nothing = network.train(training)(images(0))
        assert nothing.shape == (0, 3)
        nothing.sum().backward()
        assert all(p.grad is not None and not p.grad.any() for p in network.parameters())


def test_every_parameter_is_trained():
    network = build(stochastic_depth=0.0).train()
    network(images(4))[:, 0].exp().sum().backward()
    silent = {n for n, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)}
    assert not silent - {"classifier.weight"}


def test_real_frames_alone_are_read():
    network = build().eval()
    frames = torch.cat([images(6), torch.full((2, 3, 32, 32), float("nan"))]).view(2, 4, 3, 32, 32)
    frames[0, 3] = float("nan")
    lengths = torch.tensor([3, 2])
    found = network.of_frames(frames, lengths)
    assert found.shape == (2, 4, 3)
    assert not found[0, 3:].any()
    assert not found[1, 2:].any()
    torch.testing.assert_close(found[0, :3], network(frames[0, :3]))
    torch.testing.assert_close(found[1, :2], network(frames[1, :2]))
    assert not network.of_frames(frames, torch.tensor([0, 0])).any()


def test_stochastic_depth_is_for_training():
    network = build(stochastic_depth=0.9)
    given = images(4)
    assert torch.equal(network.eval()(given), network.eval()(given))
    assert not torch.equal(network.train().stages(given), network.stages(given))


def test_half_and_mixed_precision():
    network, given = build(), images(3)
    expected = network.eval()(given).detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        network.train()(given).float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())
    found = build().to(torch.bfloat16).eval()(given.bfloat16()).detach()
    assert found.dtype == torch.bfloat16
    assert float((found.float() - expected).abs().max()) < 0.1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"image_size": 40},
            "image size of the face model: expected a multiple of 16: patch 2, window 4, 2 stages",
        ),
        ({"heads": (1,)}, r"stages of the face model: .*found depths \[2, 3\], heads \[1\]"),
        ({"depths": (1,), "heads": (1,)}, "expected blocks .* and two blocks in all; found"),
        ({"heads": (4, 2)}, "stage 1 of the face model: .*found width 6, 4 heads"),
        ({"stochastic_depth": 1.5}, "stochastic depth: expected a number from 0 to 1; found 1.5"),
        ({"window": 0}, "window: expected 1 or more; found 0"),
    ],
)
def test_errors(flags: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        build(**flags)


def test_faces_of_another_size():
    with pytest.raises(InputError, match=r"face images: expected 3 × 32 × 32; found 3 × 16 × 16"):
        build()(torch.zeros(1, 3, 16, 16))
