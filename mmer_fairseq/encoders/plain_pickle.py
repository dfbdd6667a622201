"""Reading arrays that Python's own ``pickle`` wrote, without running anything that the file says."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from mmer_fairseq.errors import InputError

#: What the unpickler raises for bytes that mean nothing to it.
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


class _Type:
    """In the place of ``numpy.dtype``, which would believe a forged description and follow its pointers."""

    def __init__(self, name: str, *_: Any) -> None:
        self.type = np.dtype(str(name))
        if self.type.kind not in "biuf":
            raise pickle.UnpicklingError("numpy.dtype")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.type = self.type.newbyteorder(">" if state[1] == ">" else "<" if state[1] == "<" else "=")

    def array(self, raw: Any, shape: Any = (), fortran: Any = False) -> np.ndarray:
        return np.frombuffer(bytes(raw), self.type).reshape(shape, order="F" if fortran else "C").copy()


class _Array:
    """In the place of ``numpy.ndarray``."""

    value: np.ndarray

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, raw = state
        self.value = kind.array(raw, shape, fortran)


class _Refused:
    """``numpy.ndarray`` itself is only ever named, never called."""


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _scalar(kind: _Type, raw: Any) -> np.ndarray:
    return kind.array(raw.encode("latin1") if isinstance(raw, str) else raw)


def _frombuffer(raw: Any, kind: _Type, shape: Any, order: str = "C") -> np.ndarray:
    return kind.array(raw, shape, order == "F")


def _encode(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1")  # how protocols 0 to 2 write bytes


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Refused,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
}
for _core in ("numpy.core", "numpy._core"):
    _STAND_INS[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _STAND_INS[f"{_core}.multiarray", "scalar"] = _scalar
    _STAND_INS[f"{_core}.numeric", "_frombuffer"] = _frombuffer


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return _STAND_INS[module, name]


def load_arrays(path: Path, what: str) -> list[Any]:
    """Read a pickled list or tuple of numbers and NumPy arrays.

    Args:
        path: the file.
        what: what it should be, for messages.

    Returns:
        The numbers and arrays, as arrays of doubles.

    Raises:
        InputError: no such file, damaged, another class inside, or something else than numbers.
    """
    try:
        with open(path, "rb") as file:
            content = _Arrays(file).load()
    except OSError as error:
        raise _wrong(path, what, error.strerror or "no such file") from error
    except pickle.UnpicklingError as error:
        found = f"an object of the class '{error}', which loading would have to run"
        raise _wrong(
            path, what, found if "." in str(error) and " " not in str(error) else str(error)
        ) from error
    except _DAMAGE as error:
        raise _wrong(path, what, f"a damaged file ({type(error).__name__})") from error
    if not isinstance(content, (list, tuple)):
        raise _wrong(path, what, f"a saved {type(content).__name__}")
    try:
        return [
            np.asarray(each.value if isinstance(each, _Array) else each, dtype=np.float64) for each in content
        ]
    except _DAMAGE as error:
        raise _wrong(path, what, "something else than numbers in it") from error


def _wrong(path: Path, what: str, found: str) -> InputError:
    return InputError.of(where=path, expected=what, found=found, remedy="name the right file")
