"""All encoders of a model together."""

from __future__ import annotations

import logging

import pytest
import torch

from mmer_fairseq.encoders import DEFAULTS, ENCODERS, StreamEncoders, StreamSpec, build_encoder, parse_spec
from mmer_fairseq.encoders.registry import encoder_name
from mmer_fairseq.errors import InputError

SPECS = {
    "text": StreamSpec("text", "tokens", vocab_size=20),
    "audio": StreamSpec("audio", "features", dim=12),
    "video": StreamSpec("video", "frames", frame_size=64),
}
WIDTHS = {"text": 16, "audio": 8, "video": 16}


def batch():
    streams = {
        "text": torch.randint(0, 20, (3, 5)),
        "audio": torch.randn(3, 6, 12),
        "video": torch.randint(0, 256, (3, 2, 3, 64, 64), dtype=torch.uint8),
    }
    lengths = {
        "text": torch.tensor([5, 2, 0]),
        "audio": torch.tensor([6, 0, 3]),
        "video": torch.tensor([2, 1, 1]),
    }
    return streams, lengths


def test_widths_and_masks():
    encoders = StreamEncoders(SPECS, WIDTHS)
    features, steps = encoders(*batch())
    assert {m: tuple(x.shape) for m, x in features.items()} == {
        "text": (3, 5, 16),
        "audio": (3, 6, 8),
        "video": (3, 2, 16),
    }
    for modality, x in features.items():
        for row, length in zip(x, steps[modality].tolist()):
            assert not row[length:].any()
            assert row[:length].any(-1).all()
    assert set(encoders.projection) == {"audio"}


def test_projection_is_announced(caplog):
    with caplog.at_level(logging.INFO):
        StreamEncoders(SPECS, WIDTHS)
    assert caplog.messages == [
        "audio: a linear layer takes the encoder's 12 features to the 8 of the network"
    ]


@pytest.mark.parametrize("missing", SPECS)
@pytest.mark.parametrize("leave_out", [True, False])
def test_a_modality_absent_in_every_clip(missing, leave_out):
    encoders = StreamEncoders(SPECS, WIDTHS)
    streams, lengths = batch()
    lengths[missing] = torch.zeros(3, dtype=torch.long)
    if leave_out:
        del streams[missing]
    features, steps = encoders(streams, lengths)
    assert features[missing].shape[0] == 3
    assert features[missing].shape[2] == WIDTHS[missing]
    assert not features[missing].any()
    assert steps[missing].tolist() == [0, 0, 0]
    sum(x.sum() for x in features.values()).backward()
    for name, parameter in encoders.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_a_stream_that_the_batch_does_not_know():
    encoders = StreamEncoders(SPECS, WIDTHS)
    streams, lengths = batch()
    del streams["audio"], lengths["audio"]
    with pytest.raises(
        InputError, match=r"batch: expected the stream 'audio'.*found streams \['text', 'video'\]"
    ):
        encoders(streams, lengths)


def test_half_precision_model():
    encoders = StreamEncoders(SPECS, WIDTHS).bfloat16()
    features, _ = encoders(*batch())
    assert {x.dtype for x in features.values()} == {torch.bfloat16}


def test_same_seed_same_weights():
    torch.manual_seed(1)
    first = StreamEncoders(SPECS, WIDTHS).state_dict()
    torch.manual_seed(1)
    second = StreamEncoders(SPECS, WIDTHS).state_dict()
    assert all(torch.equal(x, second[name]) for name, x in first.items())


def test_stored_features_of_another_width():
    encoder = build_encoder(SPECS["audio"], 8)
    with pytest.raises(
        InputError, match=r"expected stored features of width 12; found a stream of shape \(1, 2, 9\)"
    ):
        encoder(torch.zeros(1, 2, 9), torch.tensor([2]))
    with pytest.raises(
        InputError, match="expected stored features with a width of at least 1; found width 0"
    ):
        build_encoder(StreamSpec("audio", "features"), 8)


def test_frozen_small_encoder_has_no_gradients():
    encoder = build_encoder(StreamSpec("text", "tokens", frozen=True, vocab_size=9), 8).train()
    y, _ = encoder(torch.tensor([[0, 4, 2]]), torch.tensor([3]))
    assert y.grad_fn is None
    assert not encoder.training


def test_defaults_exist_for_their_forms():
    for modality, name in DEFAULTS.items():
        form = {"text": "tokens", "audio": "samples", "video": "frames", "physio": "series"}[modality]
        assert ENCODERS[name].form == form
        assert encoder_name(StreamSpec(modality, form)) == name


@pytest.mark.parametrize("name", ENCODERS)
def test_parse_spec(name):
    if ENCODERS[name].pretrained:
        assert parse_spec(f"{name}:C:/some dir/x.pt") == (name, "C:/some dir/x.pt")
        if ENCODERS[name].default:
            assert parse_spec(name) == parse_spec(f"{name}:") == (name, ENCODERS[name].default)
            return
        with pytest.raises(
            InputError, match=f"--audio-encoder: expected '{name}:PATH'; found '{name}'. Name the"
        ):
            parse_spec(name, "--audio-encoder")
    else:
        assert parse_spec(name) == (name, "")
        with pytest.raises(
            InputError, match=f"expected '{name}' alone; found '{name}:x'. Leave the path out"
        ):
            parse_spec(f"{name}:x")


def test_unknown_encoder():
    with pytest.raises(
        InputError,
        match=r"--x: expected one of identity, .*wav2vec:PATH, .*opensmile\[:SET\], .*; found 'wav2vek:a'",
    ):
        parse_spec("wav2vek:a", "--x")


def test_encoder_of_another_form():
    with pytest.raises(
        InputError,
        match=r"encoder of 'video': expected an encoder of frames \(frames, face_pixels, .*swin_face\)",
    ):
        build_encoder(StreamSpec("video", "frames", "logmel"), 8)
