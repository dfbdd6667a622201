"""Whole objects that ``torch.save`` wrote in any pickle protocol: their attributes, without running anything in them.

torch's own safe reader knows protocol 2 alone and wants the name of every class beforehand. Here no class is looked up
at all: whatever the file names is replaced by an empty class that only takes attributes.
"""

from __future__ import annotations

import collections
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError

_TYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
#: What an unpickler raises for bytes that mean nothing to it.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)


class Saved:
    """In the place of an object of any class: takes its attributes, and whatever else the file does to it."""

    def __new__(cls, *_: Any, **__: Any) -> Saved:
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self.__dict__.update({str(name): value for name, value in part.items()})

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass


def _rebuilt(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    if not isinstance(storage, Tensor) or len(size) != len(stride) or min((offset, *size, *stride)) < 0:
        raise pickle.UnpicklingError("a tensor of another form")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    if 0 not in size and last >= len(storage):
        raise pickle.UnpicklingError("a tensor that is larger than what is stored of it")
    return torch.as_strided(storage, size, stride, offset).clone()


def _parameter(data: Any, *_: Any) -> Any:
    return data


_KNOWN = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _rebuilt,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuilt,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    **{(module, kind.__name__): kind for module in ("builtins", "__builtin__") for kind in (set, dict, list)},
}


class _Reader(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, index: str) -> None:
        super().__init__(archive.open(index), encoding="utf-8")
        self._archive = archive
        self._folder = index[: -len("data.pkl")]
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        known = _KNOWN.get((module, name))
        return known if known is not None else type(f"{module}.{name}", (Saved,), {})

    def persistent_load(self, pid: Any) -> Tensor:
        kind, storage, key, *_ = pid
        dtype = _TYPES.get(storage.__name__.rpartition(".")[2])
        if kind != "storage" or dtype is None:
            raise pickle.UnpicklingError(f"a storage of the type {storage.__name__}")
        if key not in self._storages:
            info = self._archive.getinfo(f"{self._folder}data/{key}")
            if info.compress_type != zipfile.ZIP_STORED:
                raise pickle.UnpicklingError("compressed tensors")
            raw = bytearray(self._archive.read(info))
            self._storages[key] = torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
        return self._storages[key]


def load_object(path: Path, what: str) -> Any:
    """Read a file that ``torch.save`` of 1.6 or later wrote, whatever it holds.

    Args:
        path: the file.
        what: what it should be, for messages ("a checkpoint of …").

    Returns:
        What was saved: containers, numbers and texts as they are, tensors on the CPU, parameters as tensors, and
        :class:`Saved` in the place of all other objects.

    Raises:
        InputError: no such file, or not a whole file of this form.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise InputError.of(
            where=path, expected=what, found=found, remedy="name the file that you downloaded"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            index = next(name for name in names if name.endswith("data.pkl") and name.count("/") == 1)
            order = index[: -len("data.pkl")] + "byteorder"
            if order in names and archive.read(order).decode() != sys.byteorder:
                raise pickle.UnpicklingError("numbers in the byte order of another machine")
            return _Reader(archive, index).load()
    except StopIteration:
        reason = "an archive without data.pkl"
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
    raise InputError.of(
        where=path,
        expected=what,
        found=f"no whole file of torch.save, of {path.stat().st_size} bytes ({reason})",
        remedy="check that it is the right file; download it again",
    )


def modules_of(content: Any) -> dict[str, Any]:
    """The modules right inside a module that :func:`load_object` gave, by name."""
    inside = getattr(content, "_modules", None)
    return {str(name): child for name, child in inside.items()} if isinstance(inside, dict) else {}


def unwrapped(content: Any) -> Any:
    """The network inside the wrappers of Lightning (``_original_module``) and of DataParallel (``module``)."""
    for _ in range(4):
        inside = modules_of(content)
        if "_original_module" in inside:
            content = inside["_original_module"]
        elif list(inside) == ["module"]:
            content = inside["module"]
    return content
