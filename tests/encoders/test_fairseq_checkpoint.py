"""Foreign, broken and hostile checkpoints: refused with a message, and nothing in them runs."""

from __future__ import annotations

import argparse
import collections
import os
import pickle
import sys

import numpy as np
import pytest
import torch

from mmer_fairseq.encoders import StreamSpec, build_encoder
from mmer_fairseq.encoders.fairseq_checkpoint import fairseq_module, read_fairseq
from mmer_fairseq.encoders.safe_pickle import load_pickle
from mmer_fairseq.errors import InputError


def build(path):
    return build_encoder(StreamSpec("audio", "samples", f"wav2vec:{path}"), 0)


def fault(path) -> str:
    with pytest.raises(InputError) as error:
        build(path)
    return str(error.value)


class Runs:
    """Unpickling it would make a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_missing_file_folder_and_empty_file(tmp_path):
    text = fault(tmp_path / "no.pt")
    assert "no.pt: expected a wav2vec 1.0 checkpoint of fairseq; found no such file. Name the file" in text
    assert "found a folder" in fault(tmp_path)
    (tmp_path / "empty.pt").touch()
    assert "found an empty file. Download it again." in fault(tmp_path / "empty.pt")


@pytest.mark.parametrize(
    "content", [b"hello", b"\x80\x02.", b"RIFF" + bytes(50), bytes(range(256)) * 16, b"PK\x03\x04"]
)
def test_foreign_bytes(tmp_path, content):
    (tmp_path / "x.pt").write_bytes(content)
    text = fault(tmp_path / "x.pt")
    assert "x.pt: expected a wav2vec 1.0 checkpoint of fairseq; found a" in text
    assert f"of {len(content)} bytes" in text or "saved" in text


@pytest.mark.parametrize("share", [0.3, 0.95, 0.999])
def test_truncated_file(tiny, tmp_path, share):
    with open(tiny("wav2vec"), "rb") as file:
        content = file.read()
    (tmp_path / "x.pt").write_bytes(content[: int(share * len(content))])
    assert "found a torch file that is cut off or damaged" in fault(tmp_path / "x.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_never_runs(tmp_path, zipped):
    trap = tmp_path / "ran"
    torch.save({"model": {}, "args": Runs(trap)}, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    text = fault(tmp_path / "x.pt")
    assert not trap.exists()
    assert f"found an object of the class '{os.name}.mkdir', which loading would have to run" in text
    with open(tmp_path / "raw.pt", "wb") as file:
        pickle.dump(Runs(trap), file)
    fault(tmp_path / "raw.pt")
    assert not trap.exists()


def test_code_in_the_layer_description_never_runs(tiny, tmp_path):
    content = torch.load(tiny("wav2vec"), weights_only=False)
    trap = tmp_path / "ran"
    content["args"].conv_feature_layers = f"[(16, 10, 5)] + [__import__('os').mkdir({str(trap)!r})]"
    torch.save(content, tmp_path / "x.pt")
    assert "conv_feature_layers: expected convolution layers as" in fault(tmp_path / "x.pt")
    assert not trap.exists()


def test_checkpoint_of_another_model(tiny):
    text = fault(tiny("roberta"))
    assert "expected a wav2vec 1.0 checkpoint of fairseq" in text
    assert "found a fairseq checkpoint of the model 'roberta_large'" in text
    assert "found a variant with a transformer (use wav2vec2:PATH)" in fault(tiny("wav2vec2"))
    with pytest.raises(InputError, match=r"expected a HuBERT checkpoint .* of the model 'wav2vec2'"):
        build_encoder(StreamSpec("audio", "samples", f"hubert:{tiny('wav2vec2')}"), 0)


@pytest.mark.parametrize("content", [{"weights": torch.zeros(3)}, {"model": {"a": 1}, "args": {"x": 1}}])
def test_torch_file_of_another_kind(tmp_path, content):
    torch.save(content, tmp_path / "x.pt")
    assert "with 'model' and 'args' or 'cfg'; found a dictionary with" in fault(tmp_path / "x.pt")


def test_a_tensor_alone(tmp_path):
    torch.save(torch.zeros(2), tmp_path / "x.pt")
    assert "found a saved Tensor" in fault(tmp_path / "x.pt")


def test_missing_and_misshapen_tensors(tiny, tmp_path):
    content = torch.load(tiny("wav2vec"), weights_only=False)
    removed = content["model"].pop("feature_aggregator.conv_layers.1.1.weight")
    torch.save(content, tmp_path / "x.pt")
    assert "found no feature_aggregator.conv_layers.1.1.weight." in fault(tmp_path / "x.pt")
    content["model"]["feature_aggregator.conv_layers.1.1.weight"] = removed[:5]
    torch.save(content, tmp_path / "x.pt")
    assert "(5, 16, 3) instead of (24, 16, 3)" in fault(tmp_path / "x.pt")


class AverageMeter:
    """What training runs of 2019 kept; fairseq has moved the class since."""

    def __init__(self):
        self.val = 3


def test_harmless_classes_of_old_checkpoints_load(tmp_path, monkeypatch):
    meters = type(sys)("fairseq.meters")
    monkeypatch.setitem(sys.modules, "fairseq.meters", meters)
    meters.AverageMeter = AverageMeter
    AverageMeter.__module__ = "fairseq.meters"
    content = {
        "args": argparse.Namespace(arch="wav2vec", lr=[0.1]),
        "model": {"a": torch.zeros(2)},
        "extra_state": {"train_meters": {"loss": AverageMeter()}, "best": np.float64(0.5), "n": np.int64(3)},
    }
    torch.save(content, tmp_path / "x.pt")
    checkpoint = read_fairseq(str(tmp_path / "x.pt"), "wav2vec 1.0", ("wav2vec",))
    assert checkpoint.model["lr"] == [0.1]
    loaded = load_pickle(tmp_path / "x.pt", "anything")
    assert loaded["extra_state"]["best"] == 0.5
    assert type(loaded["extra_state"]["train_meters"]["loss"]) is not AverageMeter
    assert AverageMeter not in torch.serialization.get_safe_globals()


def test_loading_forgets_no_class_that_was_allowed_before(tmp_path):
    with torch.serialization.safe_globals([collections.defaultdict]):
        torch.save({"a": 1}, tmp_path / "x.pt")
        load_pickle(tmp_path / "x.pt", "anything")
        assert collections.defaultdict in torch.serialization.get_safe_globals()


def test_without_fairseq_the_message_says_so():
    with pytest.raises(
        InputError,
        match=r"expected fairseq, to read its checkpoint; found none .* Install mmer_fairseq again",
    ):
        fairseq_module("fairseq.models.no_such_model")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    torch.save({}, tmp_path / "x.pt")

    def refuse(*args, **named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("torch.load", refuse)
    with pytest.raises(
        InputError, match=r"expected a thing; found Permission denied\. Make the file readable"
    ):
        load_pickle(tmp_path / "x.pt", "a thing")
