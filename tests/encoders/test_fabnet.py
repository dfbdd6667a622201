"""FAb-Net as its specification says, and no work on padding frames."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmer_fairseq.encoders import StreamSpec, build_encoder
from mmer_fairseq.encoders.fabnet import FAbNet
from mmer_fairseq.errors import InputError

WIDTHS = [3, 32, 64, 128, 256, 256, 256, 256, 256]


def plain() -> nn.Sequential:
    """Written out from the published description, for comparison."""
    layers = [nn.Conv2d(3, 32, 4, 2, 1), nn.LeakyReLU(0.2)]
    for n_in, n_out in zip(WIDTHS[1:-2], WIDTHS[2:-1]):
        layers += [nn.Conv2d(n_in, n_out, 4, 2, 1), nn.BatchNorm2d(n_out), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(256, 256, 4, 2, 1))


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """(path, plain network) of a checkpoint in the released form."""
    torch.manual_seed(4)
    net = plain()
    for module in net:
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    state = {f"encoder.{k}": v for k, v in net.state_dict().items() if not k.endswith("tracked")}
    state["decoder.0.weight"] = torch.zeros(2)
    path = tmp_path_factory.mktemp("fabnet") / "fabnet.pth"
    torch.save({"state_dict_model": state, "epoch": 3}, path)
    return str(path), net.eval()


def test_equals_the_description(released):
    path, net = released
    encoder = build_encoder(StreamSpec("video", "frames", f"fabnet:{path}", frame_size=256), 0)
    frames = torch.randint(0, 256, (3, 3, 3, 256, 256), dtype=torch.uint8)
    lengths = torch.tensor([2, 0, 3])
    y, out = encoder(frames, lengths)
    assert y.shape == (3, 3, 256)
    assert out.tolist() == [2, 0, 3]
    with torch.no_grad():
        expected = net(frames[2] / 255.0).flatten(1)
    torch.testing.assert_close(y[2], expected, atol=1e-5, rtol=0)
    assert not y[0, 2].any()
    assert not y[1].any()
    # floats in [0, 1] are the same pictures
    torch.testing.assert_close(encoder(frames / 255.0, lengths)[0], y, atol=1e-5, rtol=0)


def test_padding_frames_are_never_computed(released):
    encoder = FAbNet(released[0]).freeze()
    seen = []
    encoder.encoder.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    encoder(torch.zeros(4, 5, 3, 256, 256, dtype=torch.uint8), torch.tensor([1, 0, 5, 1]))
    assert sum(seen) == 7


def test_trained_batch_norm_sees_real_frames_only(released):
    encoder = FAbNet(released[0]).train()
    frames = torch.rand(2, 3, 3, 256, 256)
    y, _ = encoder(frames, torch.tensor([2, 1]))
    frames[0, 2] = frames[1, 1:] = 7.0
    again, _ = encoder(frames, torch.tensor([2, 1]))
    torch.testing.assert_close(y, again)
    y.sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_other_frame_sizes(released):
    with pytest.raises(InputError, match=r"frame size in pixels .* of 256, .*; found 64. Set it to 256"):
        build_encoder(StreamSpec("video", "frames", f"fabnet:{released[0]}", frame_size=64), 0)
    with pytest.raises(InputError, match=r"expected frames of 3×256×256 for FAb-Net; found 3×64×64\."):
        FAbNet(released[0])(torch.zeros(1, 1, 3, 64, 64), torch.tensor([1]))


def test_foreign_dictionary(tmp_path):
    torch.save({"weights": {}}, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"x\.pth: expected a FAb-Net checkpoint.*found a dictionary with"):
        FAbNet(str(tmp_path / "x.pth"))


def test_weights_that_do_not_fit(released, tmp_path):
    content = torch.load(released[0], weights_only=True)
    state = content["state_dict_model"]
    del state["encoder.3.weight"]
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"found no encoder\.3\.weight\."):
        FAbNet(str(tmp_path / "x.pth"))
    state["encoder.3.weight"] = torch.zeros(5)
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"found encoder\.3\.weight \(5,\) instead of \(64,\)"):
        FAbNet(str(tmp_path / "x.pth"))
