"""Whole pickled objects: what is in them comes out, and nothing of them runs."""

from __future__ import annotations

import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mmer_fairseq.checkpoints.pickled_modules import state_of
from mmer_fairseq.checkpoints.pickled_objects import Saved, load_object, unwrapped
from mmer_fairseq.errors import InputError


class _Wrapper(nn.Module):
    """As Lightning's: the network twice, once in DataParallel, and a plugin that is no module."""

    def __init__(self, network: nn.Module, plugin: Any) -> None:
        super().__init__()
        self._original_module = network
        self._forward_module = nn.DataParallel(network, device_ids=[])
        self._precision_plugin = plugin


class _Plugin:
    def __init__(self) -> None:
        self.states = defaultdict(_made, {"a": 1})
        self.device = torch.device("cuda", 0)
        self.listed = _List([1, 2])
        self.dtype = torch.float16


class _List(list):
    pass


def _made() -> dict[str, int]:
    raise AssertionError("was run")


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.tied = self.linear.weight
        self.norm = nn.BatchNorm1d(4)
        self.halved = nn.Parameter(torch.randn(2, 2).half())
        self.slice = nn.Parameter(torch.arange(12.0).view(3, 4)[1:, ::2])
        self.act = torch.nn.functional.gelu
        self.register_buffer("empty", torch.empty(0, 3))
        self.register_buffer("nothing", None)


@pytest.fixture
def gone() -> Iterator[Any]:
    """Saves objects whose module does not exist any more when they are read."""
    name = "module_that_is_gone"
    module = types.ModuleType(name)
    classes = (_Wrapper, _Plugin, _Net, _List, _made)
    homes = [kind.__module__ for kind in classes]
    for kind in classes:
        kind.__module__ = name
        setattr(module, kind.__qualname__, kind)

    def save(content: Any, path: Path, protocol: int) -> Path:
        sys.modules[name] = module
        try:
            torch.save(content, path, pickle_protocol=protocol)
        finally:
            del sys.modules[name]
        return path

    yield save
    for kind, home in zip(classes, homes):
        kind.__module__ = home


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_wrapped_model_gives_its_state_dict(gone: Any, tmp_path: Path, protocol: int):
    torch.manual_seed(0)
    network = _Net()
    path = gone(_Wrapper(network, _Plugin()), tmp_path / "model.pt", protocol)
    found = state_of(unwrapped(load_object(path, "a model")), path)
    expected = network.state_dict()
    assert found.keys() == expected.keys()
    for name, x in expected.items():
        assert found[name].dtype == x.dtype
        assert torch.equal(found[name], x)


def test_plain_contents_are_as_they_are(tmp_path: Path):
    path = tmp_path / "state.pt"
    content = {
        "state_dict": OrderedDict(w=torch.arange(3)),
        "epoch": 3,
        "names": ["a", ("b", 1.5)],
        "set": {1},
    }
    torch.save(content, path)
    found = load_object(path, "a file")
    assert torch.equal(found["state_dict"]["w"], torch.arange(3))
    assert {k: found[k] for k in ("epoch", "names", "set")} == {
        k: content[k] for k in ("epoch", "names", "set")
    }
    assert unwrapped(found) is found


class _Evil:
    def __init__(self, call: Any, *args: Any) -> None:
        self.call = call, args

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [2, 4])
def test_nothing_is_run(tmp_path: Path, protocol: int):
    mark = tmp_path / "was_run"
    words = f"open({str(mark)!r}, 'w').close()"
    content = [
        _Evil(os.system, f"touch {mark}"),
        _Evil(exec, words),
        _Evil(eval, words),
        _Evil(getattr, "text", "upper"),
        _Evil(__import__, "antigravity"),
        _Evil(os.mkdir, str(mark)),
    ]
    path = tmp_path / "evil.pt"
    torch.save({"x": content}, path, pickle_protocol=protocol)
    found = load_object(path, "a file")["x"]
    assert all(isinstance(x, Saved) for x in found)
    assert not mark.exists()
    assert "antigravity" not in sys.modules


def written(path: Path, index: bytes, **storages: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", index)
        for key, raw in storages.items():
            archive.writestr(f"archive/data/{key}", raw)
    return path


def forged(size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> bytes:
    """A tensor over the storage "k" of two numbers, of any size."""

    class Writer(pickle.Pickler):
        def persistent_id(self, x: Any) -> Any:
            return ("storage", torch.FloatStorage, "k", "cpu", 2) if x == "here" else None

    import io

    file = io.BytesIO()
    Writer(file, 2).dump(
        _Evil(torch._utils._rebuild_tensor_v2, "here", offset, size, stride, False, OrderedDict())
    )
    return file.getvalue()


def test_forged_tensors_are_refused(tmp_path: Path):
    path = tmp_path / "forged.pt"
    two = torch.tensor([1.0, 2.0]).numpy().tobytes()
    assert load_object(written(path, forged((2,), (1,), 0), k=two), "a file").tolist() == [1.0, 2.0]
    for size, stride, offset in (((3,), (1,), 0), ((2,), (1,), 1), ((2,), (-1,), 1), ((2, 1), (1,), 0)):
        with pytest.raises(
            InputError, match=r"a tensor (that is larger than what is stored|of another form)"
        ):
            load_object(written(path, forged(size, stride, offset), k=two), "a file")
    with pytest.raises(InputError, match=r"no whole file of torch.save"):
        load_object(written(path, forged((2,), (1,), 0)), "a file")


def test_other_files(tmp_path: Path):
    whole, path = tmp_path / "whole.pt", tmp_path / "x.pt"
    torch.save({"w": torch.randn(100)}, whole)
    for content in (b"", b"hello", whole.read_bytes()[:-300], whole.read_bytes()[:200]):
        path.write_bytes(content)
        with pytest.raises(
            InputError, match=r"x.pt: expected a model; found no whole file of torch.save, of \d+ bytes"
        ):
            load_object(path, "a model")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match=r"an archive without data.pkl"):
        load_object(path, "a model")
    with pytest.raises(InputError, match="found a folder"):
        load_object(tmp_path, "a model")
    with pytest.raises(InputError, match="found no such file"):
        load_object(tmp_path / "no.pt", "a model")
