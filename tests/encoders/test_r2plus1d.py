"""R(2+1)D-18: clips cut into pieces, three reductions, weights in every form that is about."""

from __future__ import annotations

import argparse
import logging
from urllib.error import URLError

import pytest
import torch

from mmer_fairseq.encoders import StreamEncoders, StreamSpec, build_encoder
from mmer_fairseq.encoders.clips import DEVIATION, MEAN
from mmer_fairseq.encoders.r2plus1d import R2Plus1D
from mmer_fairseq.errors import InputError


def spec(path: str, **changes) -> StreamSpec:
    return StreamSpec("video", "frames", f"r2plus1d:{path}", **{"frame_size": 112, "chunk": 2, **changes})


def frames(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (*shape, 3, 112, 112), generator=generator, dtype=torch.uint8)


def normalised(clips: torch.Tensor) -> torch.Tensor:
    """[N, T, 3, H, W] in 0 … 255 → [N, 3, T, H, W]."""
    mean, deviation = torch.tensor(MEAN)[:, None, None], torch.tensor(DEVIATION)[:, None, None]
    return ((clips / 255.0 - mean) / deviation).transpose(1, 2)


@pytest.fixture(scope="module")
def encoder() -> R2Plus1D:
    torch.manual_seed(0)
    return build_encoder(spec("random", frozen=True), 0)


@pytest.fixture(scope="module")
def published(constant) -> dict[str, torch.Tensor]:
    """Tensors as torchvision publishes them."""
    from torchvision.models.video import r2plus1d_18

    with torch.device("meta"):
        state = r2plus1d_18(weights=None).state_dict()
    return constant(state)


def test_pieces_of_a_clip(encoder):
    x = frames(3, 4)
    y, lengths = encoder(x, torch.tensor([3, 0, 1]))
    assert (y.shape, lengths.tolist()) == ((3, 2, 512), [2, 0, 1])
    assert (encoder.dim, encoder.stride) == (512, 2)
    assert encoder.output_lengths(torch.tensor([3, 0, 1])).tolist() == [2, 0, 1]
    # the last piece repeats the last frame; padded frames are not looked at
    pieces = torch.stack([x[0, :2], x[0, [2, 2]], x[2, [0, 0]]])
    torch.testing.assert_close(y[[0, 0, 2], [0, 1, 0]], encoder.clip_vectors(normalised(pieces)))
    assert not y[1].any()
    assert not y[2, 1].any()
    # floats in [0, 1] are the same pictures
    torch.testing.assert_close(encoder(x / 255.0, torch.tensor([3, 0, 1]))[0], y, atol=1e-4, rtol=0)


def test_clip_does_not_depend_on_padding_or_mates(encoder):
    x = frames(2, 3)
    together, _ = encoder(x, torch.tensor([3, 1]))
    alone, _ = encoder(x[1:, :1], torch.tensor([1]))
    torch.testing.assert_close(together[1, :1], alone[0], atol=1e-5, rtol=1e-5)


def test_few_pieces_run_at_once(encoder, monkeypatch):
    x, lengths = frames(2, 4), torch.tensor([4, 2])
    expected, _ = encoder(x, lengths)
    seen = []
    monkeypatch.setattr(encoder, "at_once", 2)
    handle = encoder.body.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    y, _ = encoder(x, lengths)
    handle.remove()
    assert seen == [2, 1]
    torch.testing.assert_close(y, expected, atol=1e-5, rtol=1e-5)


def test_each_chunk_is_one_clip(encoder):
    streams = StreamEncoders({"video": spec("random", frozen=True)}, {"video": 512})
    streams.encoder["video"].load_state_dict(encoder.state_dict())
    x = frames(1, 4)
    y, lengths = streams({"video": x}, {"video": torch.tensor([4])})
    assert lengths["video"].tolist() == [2]
    expected = encoder.clip_vectors(normalised(x.view(2, 2, 3, 112, 112)))
    torch.testing.assert_close(y["video"][0], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("reduction", ["max", "avg", "flatten"])
def test_reductions(reduction):
    encoder = build_encoder(spec(f"random@{reduction}", frozen=True), 0)
    encoder.body = torch.nn.Identity()  # the last map is given
    last = torch.randn(2, 512, 3, 7, 7)
    expected = {
        "max": last.flatten(2).max(2)[0],
        "avg": last.flatten(2).mean(2),
        "flatten": encoder.flatten(last.mean(2).flatten(1)) if encoder.flatten else None,
    }
    torch.testing.assert_close(encoder.clip_vectors(last), expected[reduction])


def test_last_map_has_49_positions(encoder):
    assert encoder.body(normalised(frames(1, 2))).shape == (1, 512, 1, 7, 7)


def test_every_weight_gets_a_gradient(caplog):
    with caplog.at_level(logging.INFO):
        encoder = build_encoder(spec("random@flatten"), 0).train()
    assert not encoder.frozen
    assert caplog.messages == [
        "encoder of 'video': the network has initial weights, so the encoder is trained with the model"
    ]
    y, _ = encoder(frames(2, 2), torch.tensor([2, 2]))
    y.square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_frozen_stays_as_it_is(encoder):
    encoder.train()
    assert not encoder.training
    before = encoder.body.stem[1].running_mean.clone()
    y, _ = encoder(frames(1, 2), torch.tensor([2]))
    assert y.grad_fn is None
    assert torch.equal(encoder.body.stem[1].running_mean, before)


def test_half_precision_follows_the_weights(encoder):
    x = frames(1, 2)
    exact, _ = encoder(x, torch.tensor([2]))
    half = build_encoder(spec("random", frozen=True), 0)
    half.load_state_dict(encoder.state_dict())
    y, _ = half.bfloat16()(x, torch.tensor([2]))
    assert y.dtype == torch.bfloat16
    assert (y.float() - exact).abs().mean() < 0.05 * exact.abs().mean()


def form_of(published, form: str):
    """The content of a file of weights."""
    body = {name: x for name, x in published.items() if not name.startswith("fc.")}
    if form == "torchvision":
        return published
    if form == "vision_r2d1":
        return {f"r2plus1d.{name}": x for name, x in body.items()}
    if form == "all_backbones, parallel":
        other = {"module.audio_resnet18.resnet.conv1.weight": torch.zeros(1)}
        return {**other, **{f"module.vision_r2d1.r2plus1d.{name}": x for name, x in body.items()}}
    if form == "four channels":
        stem = torch.cat([body["stem.0.weight"], torch.full((45, 1, 1, 7, 7), 9.0)], dim=1)
        return {**body, "stem.0.weight": stem}
    other = {f"encoders.encoder.face.body.{name}": x + 1 for name, x in body.items()}
    own = {f"encoders.encoder.video.body.{name}": x for name, x in body.items()}
    return {"args": argparse.Namespace(arch="jmt"), "model": {**other, **own, "head.weight": torch.zeros(2)}}


@pytest.mark.parametrize(
    "form", ["torchvision", "vision_r2d1", "all_backbones, parallel", "four channels", "our own training"]
)
def test_forms_of_weights(published, tmp_path, form):
    path = tmp_path / "weights.pt"
    torch.save(form_of(published, form), path)
    encoder = build_encoder(spec(f"{path}@avg"), 0)
    assert encoder.frozen
    state = encoder.state_dict()
    assert len(state) == len(published) - 2
    for name, tensor in state.items():
        assert torch.equal(tensor, published[name[len("body.") :]]), name
    # the file, the reduction and the length of a piece decide the output
    assert len(encoder.fingerprint) == 64 + len("@avg/2")
    assert encoder.fingerprint.endswith("@avg/2")


def test_fingerprint_of_initial_weights(encoder):
    same = build_encoder(spec("random"), 0)
    same.load_state_dict(encoder.state_dict())
    assert same.fingerprint == encoder.fingerprint
    with torch.no_grad():
        same.body.stem[0].weight[0, 0, 0, 0, 0] += 1
    assert same.fingerprint != encoder.fingerprint


def test_published_weights_are_downloaded_when_asked_for(published, monkeypatch):
    asked = []

    def load(url, **others):
        asked.append(url)
        return published

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", load)
    encoder = build_encoder(spec("kinetics400"), 0)
    assert encoder.frozen
    assert encoder.fingerprint == "kinetics400:@max/2"
    assert len(asked) == 1
    assert "r2plus1d_18" in asked[0]
    assert torch.equal(encoder.body.stem[0].weight, published["stem.0.weight"])


def test_published_weights_without_network(monkeypatch):
    def load(url, **others):
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", load)
    with pytest.raises(
        InputError,
        match=r"kinetics400: expected torchvision's weights of R\(2\+1\)D-18, in its cache or from the network; "
        r"found URLError: .*no route to host.*\. Check the connection, or name a file of weights\.",
    ):
        build_encoder(spec("kinetics400"), 0)


@pytest.mark.parametrize("place", ["all_backbones", "beside", "our own training"])
def test_layer_over_the_flattened_map(published, constant, tmp_path, place):
    shapes = {"weight": torch.empty(512, 25088, device="meta"), "bias": torch.empty(512, device="meta")}
    layer = constant(shapes)
    path = tmp_path / "weights.pt"
    if place == "our own training":
        content = form_of(published, place)
        content["model"].update({f"encoders.encoder.video.flatten.{name}": x for name, x in layer.items()})
    else:
        content = form_of(published, "all_backbones, parallel")
        if place == "all_backbones":
            content.update({f"vision_r2d1_fc.{name}": x for name, x in layer.items()})
        else:
            torch.save(layer, tmp_path / "vision_r2d1_fc.pt")
    torch.save(content, path)
    encoder = build_encoder(spec(f"{path}@flatten"), 0)
    assert encoder.frozen
    assert torch.equal(encoder.flatten.weight, layer["weight"])
    assert torch.equal(encoder.flatten.bias, layer["bias"])
    assert ("@flatten/2+" in encoder.fingerprint) == (place == "beside")


def test_layer_over_the_flattened_map_without_weights(published, tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(published, path)
    for frozen in (None, True):
        with pytest.raises(
            InputError,
            match=r"weights\.pt: expected trained weights of the layer over the flattened map, which a frozen encoder "
            r"needs; found none\. Name all_backbones\.pt, put vision_r2d1_fc\.pt beside the file, or train it with "
            r"the model \(--finetune video\)\.",
        ):
            build_encoder(spec(f"{path}@flatten", frozen=frozen), 0)
    assert not build_encoder(spec(f"{path}@flatten", frozen=False), 0).frozen


def test_unknown_reduction(tmp_path):
    with pytest.raises(
        InputError,
        match=r"encoder r2plus1d:x\.pt@mean: expected a reduction behind the '@', one of max, avg, flatten; "
        r"found 'mean'\.",
    ):
        build_encoder(spec("x.pt@mean"), 0)
    # part of a name, not a reduction
    path = tmp_path / "run@max"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"run@max: expected weights of R\(2\+1\)D-18"):
        build_encoder(spec(str(path)), 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"fc.weight": torch.zeros(1)},
            r"expected weights of R\(2\+1\)D-18, among them 'stem\.0\.weight'; found fc\.weight\. Name the right",
        ),
        (
            {"epoch": 3},
            r"expected weights of R\(2\+1\)D-18, tensors by name; found a dictionary with \['epoch'\]",
        ),
        (
            {"a.stem.0.weight": torch.zeros(1), "b.stem.0.weight": torch.zeros(1)},
            r"expected one R\(2\+1\)D-18, or one of the modality video; found 2, at a\., b\.\. Save the",
        ),
        ({"stem.0.weight": torch.zeros(1)}, r"found no r?.*layer1\.0\.conv1\.0\.0\.weight"),
    ],
)
def test_foreign_files(tmp_path, content, message):
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(InputError, match=r"x\.pt: .*" + message):
        build_encoder(spec(str(tmp_path / "x.pt")), 0)


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match=r"x\.pt: expected weights of R\(2\+1\)D-18; found no such file"):
        build_encoder(spec(str(tmp_path / "x.pt")), 0)


def test_other_frame_sizes(encoder):
    with pytest.raises(InputError, match=r"frame size in pixels .* of 112, .*; found 64\. Set it to 112"):
        build_encoder(spec("random", frame_size=64), 0)
    with pytest.raises(InputError, match=r"expected frames of 3×112×112 for R2Plus1D; found 3×64×64\."):
        encoder(torch.zeros(1, 2, 3, 64, 64), torch.tensor([2]))
