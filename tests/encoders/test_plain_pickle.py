"""Arrays out of a pickle that may come from anyone."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmer_fairseq.encoders.plain_pickle import load_arrays
from mmer_fairseq.errors import InputError


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", ["<f4", ">f8", "i4", "u1", "?", "f2"])
def test_arrays_and_numbers(tmp_path: Path, kind: str, protocol: int):
    array = (np.arange(6) % 2).astype(kind).reshape(2, 3)
    values = [array, np.asfortranarray(array), np.float32(2.5), np.float64(0.1), 3, 0.5]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(values, protocol))
    for found, wanted in zip(load_arrays(tmp_path / "a.pkl", "arrays"), values):
        np.testing.assert_array_equal(found, np.asarray(wanted, np.float64))


class Calls:
    """Pickled as a call."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


def forged() -> Calls:
    """An array whose type says that its bytes are pointers to objects."""
    rebuild, given, state = np.dtype([("a", "O")]).__reduce__()
    return Calls(np.ndarray, ((1,), Calls(rebuild, given, (*state[:-1], 0)), b"AAAAAAA\0"))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (
            [Calls(os.mkdir, ("it-ran",))],
            "an object of the class 'posix.mkdir', which loading would have to run",
        ),
        ([Calls(eval, ("1",))], "an object of the class 'builtins.eval', which loading would have to run"),
        ([forged()], "an object of the class 'numpy.dtype', which loading would have to run"),
        ([np.array(["a", None], dtype=object)], "an object of the class 'numpy.dtype', which"),
        ([Calls(np.ndarray, ((3,),))], "a damaged file (TypeError)"),
        ([10**400], "something else than numbers in it"),
        ([["a"]], "something else than numbers in it"),
        ({"a": 1}, "a saved dict"),
        (b"bytes", "a saved bytes"),
    ],
    ids=["a call", "eval", "pointers", "objects", "an array's class", "too large", "words", "dict", "bytes"],
)
def test_anything_else_is_refused(tmp_path: Path, monkeypatch, content: Any, found: str):
    monkeypatch.chdir(tmp_path)
    Path("a.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(InputError) as error:
        load_arrays(Path("a.pkl"), "arrays")
    assert str(error.value).startswith(f"a.pkl: expected arrays; found {found}")
    assert not Path("it-ran").exists()


def test_bytes_cut_anywhere_are_refused(tmp_path: Path):
    whole = pickle.dumps((np.float32(1), np.arange(4.0)))
    for length in range(len(whole)):
        (tmp_path / "a.pkl").write_bytes(whole[:length])
        with pytest.raises(InputError, match="expected arrays; found "):
            load_arrays(tmp_path / "a.pkl", "arrays")
