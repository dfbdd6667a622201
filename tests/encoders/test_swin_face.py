"""The face model of FacialMMT as an encoder: its files, its sizes, and the logits behind the features."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from mmer_fairseq.encoders import build_encoder
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.swin_face import SwinFaceEncoder
from mmer_fairseq.errors import InputError

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "plain_facialmmt.py"))


def plain(outputs: int = 7) -> torch.nn.Module:
    torch.manual_seed(0)
    return PLAIN["PlainSwinFace"](
        size=16, patch=2, dim=6, depths=(1, 2), heads=(1, 2), window=4, face=10, hidden=5, outputs=outputs
    ).eval()


def saved(path: Path, outputs: int = 7) -> Path:
    torch.save(plain(outputs).state_dict(), path, pickle_protocol=4)
    return path


def faces() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.rand(2, 3, 3, 16, 16), torch.tensor([3, 1])


def test_features_and_logits_of_the_original(tmp_path: Path):
    encoder = SwinFaceEncoder(str(saved(tmp_path / "swin.pt"))).eval()
    x, lengths = faces()
    y, steps = encoder(x, lengths)
    assert encoder.dim == 17
    assert steps.tolist() == [3, 1]
    features, logits = plain()(x[0].flip(1) * 2 - 1)
    torch.testing.assert_close(y[0], torch.cat([features, logits], dim=1), rtol=0, atol=1e-5)
    assert not bool(y[1, 1:].any())
    alone, _ = encoder(x[1:, :1], lengths[1:])
    torch.testing.assert_close(y[1, :1], alone[0], rtol=0, atol=1e-5)


def test_smaller_crops_are_enlarged(tmp_path: Path):
    encoder = SwinFaceEncoder(str(saved(tmp_path / "swin.pt"))).eval()
    y, _ = encoder((torch.rand(1, 2, 3, 12, 12) * 255).byte(), torch.tensor([2]))
    assert y.shape == (1, 2, 17)
    assert bool(y.isfinite().all())


def test_given_weights_are_frozen_and_named(tmp_path: Path):
    path = saved(tmp_path / "swin.pt")
    encoder = build_encoder(StreamSpec("video", "frames", f"swin_face:{path}", frame_size=160), 8)
    assert encoder.frozen
    assert encoder.fingerprint.endswith("swin_face")
    trained = build_encoder(StreamSpec("video", "frames", f"swin_face:{path}", False, frame_size=160), 8)
    assert not trained.frozen
    trained.train()
    x, lengths = faces()
    trained(x, lengths)[0].sum().backward()
    assert all(p.grad is not None for p in trained.parameters())


def test_a_backbone_of_facex_zoo_learns_its_emotions(tmp_path: Path):
    state = plain().state_dict()
    backbone = {n.replace("swin.", "backbone.", 1): x for n, x in state.items() if n.startswith("swin.")}
    torch.save({"state_dict": backbone}, tmp_path / "zoo.pt")
    encoder = SwinFaceEncoder(str(tmp_path / "zoo.pt")).eval()
    assert encoder.untrained == "its emotion's layers"
    x, lengths = faces()
    features, _ = plain()(x[0].flip(1) * 2 - 1)
    torch.testing.assert_close(encoder(x, lengths)[0][0, :, :10], features, rtol=0, atol=1e-5)


def test_the_checkpoint_of_a_run(tmp_path: Path):
    """Of a Swin-T, whose sizes are the published ones."""
    encoder = SwinFaceEncoder("random").eval()
    state = {f"encoders.encoder.video.{name}": x for name, x in encoder.state_dict().items()}
    torch.save({"model": {**state, "network.classifier.weight": torch.zeros(1)}}, tmp_path / "run.pt")
    again = SwinFaceEncoder(str(tmp_path / "run.pt"))
    assert again.untrained == ""
    assert all(torch.equal(x, again.state_dict()[name]) for name, x in encoder.state_dict().items())


def test_features_of_facenet(tmp_path: Path):
    facenet = pytest.importorskip("facenet_pytorch")
    torch.manual_seed(0)
    theirs = facenet.InceptionResnetV1(pretrained=None, num_classes=10).eval()
    torch.save(theirs.state_dict(), tmp_path / "facenet.pt")
    encoder = SwinFaceEncoder(f"{saved(tmp_path / 'swin.pt')}+{tmp_path / 'facenet.pt'}").train()
    assert encoder.dim == 519
    assert not encoder.facenet.training
    assert not any(p.requires_grad for p in encoder.facenet.parameters())
    encoder.eval()
    x = torch.rand(1, 1, 3, 160, 160)
    with torch.no_grad():
        y, _ = encoder(x, torch.tensor([1]))
        expected = theirs((x[0] * 255 - 127.5) / 128)
    torch.testing.assert_close(y[0, :, :512], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("outputs", "message"), [(3, r"expected a face model of 7 emotions; found one of 3"), (0, "no such file")]
)
def test_other_files(tmp_path: Path, outputs: int, message: str):
    path = saved(tmp_path / "swin.pt", outputs) if outputs else tmp_path / "nothing.pt"
    with pytest.raises(InputError, match=message):
        SwinFaceEncoder(str(path))
