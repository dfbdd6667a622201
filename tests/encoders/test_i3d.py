"""I3D with its temporal network: padding as TensorFlow does it, and the forms of its weights."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from mmer_fairseq.encoders import StreamSpec, build_encoder
from mmer_fairseq.encoders.i3d import I3D, same_padded
from mmer_fairseq.errors import InputError

TEMPORAL = "temporal.network.0.conv1.weight_v"


def spec(path: str, **changes) -> StreamSpec:
    return StreamSpec("video", "frames", f"i3d:{path}", **{"frame_size": 112, "chunk": 2, **changes})


def frames(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (*shape, 3, 112, 112), generator=generator, dtype=torch.uint8)


@pytest.fixture(scope="module")
def encoder() -> I3D:
    torch.manual_seed(0)
    return build_encoder(spec("random", frozen=True), 0)


@pytest.fixture(scope="module")
def own(constant) -> dict[str, torch.Tensor]:
    """Tensors under our names."""
    with torch.device("meta"):
        state = I3D("random").state_dict()
    return constant(state)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (8, 3, 2, (0, 1)),  # an odd sum: more behind
        (7, 3, 2, (1, 1)),
        (8, 7, 2, (2, 3)),
        (8, 2, 2, (0, 0)),
        (7, 2, 2, (0, 1)),
        (5, 3, 1, (1, 1)),
        (8, 1, 2, (0, 0)),
    ],
)
def test_same_padding(size, kernel, stride, expected):
    x = torch.ones(1, 1, 1, 1, size)
    y = same_padded(x, (1, 1, kernel), (1, 1, stride))
    assert torch.equal(y, F.pad(x, expected))
    assert (y.size(4) - kernel) // stride + 1 == -(-size // stride)  # as TensorFlow defines it


def test_same_padding_of_each_dimension():
    x = torch.ones(1, 1, 4, 5, 6)
    assert torch.equal(same_padded(x, (2, 3, 7), (1, 2, 2)), F.pad(x, (2, 3, 1, 1, 0, 1)))


def test_pieces_of_a_clip(encoder):
    x = frames(3, 3)
    lengths = torch.tensor([3, 0, 1])
    y, out = encoder(x, lengths)
    assert (y.shape, out.tolist()) == ((3, 2, 512), [2, 0, 1])
    assert (encoder.dim, encoder.stride) == (512, 2)
    assert not y[1].any()
    assert not y[2, 1].any()
    assert y[0].any(-1).all()
    alone, _ = encoder(x[2:, :1], lengths[2:])
    torch.testing.assert_close(y[2, :1], alone[0], atol=1e-5, rtol=1e-4)


def test_time_keeps_its_length(encoder):
    assert encoder.body(torch.zeros(1, 3, 3, 32, 32)).shape == (1, 1024, 3, 1, 1)
    assert encoder.clip_vectors(torch.zeros(1, 3, 1, 112, 112)).shape == (1, 512)


def test_vector_is_the_maximum_over_causal_steps(encoder):
    x = torch.randn(1, 1024, 7)
    y = encoder.temporal(x)
    assert y.shape == (1, 512, 7)
    torch.testing.assert_close(encoder.temporal(x[..., :4]), y[..., :4], atol=1e-5, rtol=1e-4)
    assert (
        encoder.temporal(torch.cat([x[..., :1] + 1, x[..., 1:]], 2))[..., -1] - y[..., -1]
    ).abs().max() > 1e-4


def test_weight_norm_is_torchs(encoder):
    ours = encoder.temporal.network[1].conv1
    theirs = torch.nn.Conv1d(512, 512, 5, dilation=2)
    with torch.no_grad():
        theirs.weight.copy_(ours.weight_v)
        theirs.bias.copy_(ours.bias)
    # g starts as the norm of v: the weight is v
    x = torch.randn(1, 512, 6)
    torch.testing.assert_close(ours(x), theirs(F.pad(x, (8, 0))), atol=1e-5, rtol=1e-4)
    normed = torch.nn.utils.parametrizations.weight_norm(theirs)
    with torch.no_grad():
        normed.parametrizations.weight.original0.mul_(3)
        ours.weight_g.mul_(3)
        expected = normed(F.pad(x, (8, 0)))
    torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        ours.weight_g.div_(3)


def test_every_weight_gets_a_gradient():
    encoder = build_encoder(spec("random"), 0).train()
    assert (encoder.frozen, encoder.at_once) == (False, 16)
    y, _ = encoder(frames(1, 2), torch.tensor([2]))
    y.square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_frozen_stays_as_it_is(encoder):
    encoder.train()
    assert not encoder.training
    y, _ = encoder(frames(1, 1), torch.tensor([1]))
    again, _ = encoder(frames(1, 1), torch.tensor([1]))
    assert y.grad_fn is None
    assert torch.equal(y, again)  # no dropout


def test_half_precision_follows_the_weights(encoder):
    x = frames(1, 1)
    exact, _ = encoder(x, torch.tensor([1]))
    half = build_encoder(spec("random", frozen=True), 0)
    half.load_state_dict(encoder.state_dict())
    y, _ = half.bfloat16()(x, torch.tensor([1]))
    assert y.dtype == torch.bfloat16
    assert (y.float() - exact).abs().mean() < 0.1 * exact.abs().mean()


def form_of(own: dict[str, torch.Tensor], form: str):
    """The content of a file of weights."""
    if form == "our own training":
        return {"model": {f"encoders.encoder.video.{name}": x for name, x in own.items()}}
    heads = {"i3d_WSDDA.logits.conv3d.weight": torch.zeros(2), "vregressor.0.weight": torch.zeros(3)}
    body = {name.replace("body.", "i3d_WSDDA."): x for name, x in own.items()}
    twice = {}
    for name, x in body.items():
        twice[
            name.replace("conv1.", "net.0.").replace("conv2.", "net.4.") if "temporal" in name else name
        ] = x
    original = {**heads, **body, **twice}
    if form == "vision_i3d":
        return original
    if form == "net, parallel":
        return {"net": {f"module.{name}": x for name, x in original.items()}, "epoch": 3}
    other = {"vision_r2d1.r2plus1d.stem.0.weight": torch.zeros(1)}
    return {**other, **{f"vision_i3d.{name}": x for name, x in original.items()}}


@pytest.mark.parametrize("form", ["vision_i3d", "all_backbones", "net, parallel", "our own training"])
def test_forms_of_weights(own, tmp_path, form):
    path = tmp_path / "weights.pt"
    torch.save(form_of(own, form), path)
    encoder = build_encoder(spec(path), 0)
    assert encoder.frozen
    state = encoder.state_dict()
    assert state.keys() == own.keys()
    for name, tensor in state.items():
        assert torch.equal(tensor, own[name]), name
    assert len(encoder.fingerprint) == 64 + len("/2")


def test_i3d_alone_leaves_the_temporal_network_untrained(own, tmp_path):
    path = tmp_path / "rgb_imagenet.pt"
    body = {name[len("body.") :]: x for name, x in own.items() if name.startswith("body.")}
    torch.save({**body, "logits.conv3d.bias": torch.zeros(400)}, path)
    for frozen in (None, True):
        with pytest.raises(
            InputError,
            match=r"rgb_imagenet\.pt: expected trained weights of the temporal network \(TCN\), which a frozen encoder "
            r"needs; found none\. Name the original's vision_i3d\.pt .*\(--finetune video\)\.",
        ):
            build_encoder(spec(path, frozen=frozen), 0)
    encoder = build_encoder(spec(path, frozen=False), 0)
    assert not encoder.frozen
    assert torch.equal(encoder.state_dict()["body.Mixed_5c.b0.bn.weight"], own["body.Mixed_5c.b0.bn.weight"])
    assert encoder.state_dict()[TEMPORAL].unique().numel() > 1


def test_foreign_files(own, tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(
        InputError,
        match=r"x\.pt: expected weights of I3D, among them 'Conv3d_1a_7x7\.conv3d\.weight'; found conv1",
    ):
        build_encoder(spec(path), 0)
    torch.save({name: x for name, x in own.items() if name != "temporal.network.3.conv2.bias"}, path)
    with pytest.raises(InputError, match=r"x\.pt: .*found no temporal\.network\.3\.conv2\.bias\."):
        build_encoder(spec(path), 0)
