"""Reading a stranger's torch checkpoint without ever running code that it carries."""

from __future__ import annotations

import argparse
import collections
import pickle
import typing
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from mmer_fairseq.errors import InputError


class Inert:
    """Takes the place of a class whose objects we never look at (meters of old training runs)."""


#: Classes that published fairseq checkpoints hold besides tensors and Python's own containers.
_INERT = [
    "fairseq.data.dictionary.Dictionary",
    *(
        f"fairseq.{m}.{n}"
        for m in ("meters", "logging.meters")
        for n in ("AverageMeter", "TimeMeter", "StopwatchMeter")
    ),
]


def _harmless() -> list[Any]:
    """Classes that only hold values: none of them runs anything that the file says."""
    import numpy as np

    scalar = np.float64(0).__reduce__()[0]
    allowed: list[Any] = [argparse.Namespace, collections.defaultdict, np.dtype, (typing.Any, "typing.Any")]
    allowed += [
        (dict, "builtins.dict"),
        (list, "builtins.list"),
        (int, "builtins.int"),
        (str, "builtins.str"),
    ]
    allowed += [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    allowed += [type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8")]
    allowed += [(type(name, (Inert,), {}), name) for name in _INERT]
    try:
        from omegaconf import DictConfig, ListConfig, base, nodes
    except ImportError:
        return allowed
    allowed += [DictConfig, ListConfig, base.ContainerMetadata, base.Metadata]
    allowed += [
        kind for kind in vars(nodes).values() if isinstance(kind, type) and issubclass(kind, nodes.ValueNode)
    ]
    return allowed


def load_pickle(
    path: Path, what: str, again: str = "download it again", objects: Collection[str] = ()
) -> Any:
    """Read a file that ``torch.save`` wrote, refusing every class that could run code.

    Args:
        path: the file.
        what: what it should be, for messages ("a wav2vec checkpoint of fairseq").
        again: remedy for a damaged file.
        objects: classes whose objects the file may hold, "package.module.Class". Nothing of them is imported or run:
            their objects come back as :class:`Inert` with the attributes that were saved.

    Returns:
        The dictionary it holds, tensors on the CPU; with ``objects`` it may also be an :class:`Inert`.

    Raises:
        InputError: no such file, not a torch checkpoint, truncated, a forbidden class, or something else inside.
    """
    _check_there(path, what, again)
    allowed = torch.serialization.get_safe_globals()
    # leaving the context forgets all its classes, also those that somebody had allowed before
    classes = [each for each in _harmless() if each not in allowed]
    classes += [(type(name, (Inert,), {}), name) for name in objects]
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(classes):
            warnings.simplefilter("ignore")  # torch warns about its own older file forms
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        message = str(error)
        if "Unsupported global" in message or "unsupported GLOBAL" in message:
            name = message.split("GLOBAL ", 1)[1].split()[0]
            raise InputError.of(
                where=path,
                expected=f"{what}, holding tensors and settings only",
                found=f"an object of the class '{name}', which loading would have to run",
                remedy="use the published file, or save its tensors alone again with torch.save",
            ) from error
        raise _broken(path, what, error, again) from error
    # torch and the unpickler raise these for bytes that mean nothing to them
    except (
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        AssertionError,
        OverflowError,
        MemoryError,
    ) as error:
        raise _broken(path, what, error, again) from error
    if not isinstance(content, (dict, Inert) if objects else dict):
        raise InputError.of(
            where=path, expected=what, found=f"a saved {type(content).__name__}", remedy="name the right file"
        )
    return content


def load_safetensors(path: Path, what: str, again: str = "download it again") -> dict[str, Any]:
    """Read a safetensors file, which can hold nothing but tensors. See :func:`load_pickle`.

    Raises:
        InputError: no such file, not a safetensors file, or a truncated one.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    _check_there(path, what, again)
    try:
        return dict(load_file(path, device="cpu"))
    except (SafetensorError, OSError, ValueError, RuntimeError, LookupError) as error:
        raise InputError.of(
            where=path,
            expected=what,
            found=f"no whole safetensors file, of {path.stat().st_size} bytes ({error})",
            remedy=f"check that it is the right file; {again}",
        ) from error


def _check_there(path: Path, what: str, again: str) -> None:
    if not path.is_file():
        raise InputError.of(
            where=path,
            expected=what,
            found="a folder" if path.is_dir() else "no such file",
            remedy="name the file that you downloaded",
        )
    if path.stat().st_size == 0:
        raise InputError.of(where=path, expected=what, found="an empty file", remedy=again)


def _broken(path: Path, what: str, error: Exception, again: str) -> InputError:
    try:
        with open(path, "rb") as file:
            start = file.read(4)
    except OSError as closed:
        found = closed.strerror or type(closed).__name__
        return InputError.of(where=path, expected=what, found=found, remedy="make the file readable")
    torch_file = start.startswith(b"PK")
    found = "a torch file that is cut off or damaged" if torch_file else "a file that torch cannot read"
    return InputError.of(
        where=path,
        expected=what,
        found=f"{found}, of {path.stat().st_size} bytes",
        remedy=f"check that it is the right file; {again}",
    )
