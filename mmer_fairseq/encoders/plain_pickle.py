"""Reading arrays that Python's own ``pickle`` wrote, without running anything that the file says."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from mmer_fairseq.errors import InputError

#: What NumPy's arrays and numbers are rebuilt with; none of it does anything else.
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
    *(
        (f"numpy.{core}.multiarray", name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
}


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name}")
        if module.startswith("numpy."):  # NumPy 2 renamed the folder; the file may be of either
            import numpy as np

            core = "numpy._core" if hasattr(np, "_core") else "numpy.core"
            module = f"{core}.{module.rpartition('.')[2]}"
        return super().find_class(module, name)


def load_arrays(path: Path, what: str) -> list[Any]:
    """Read a pickled list or tuple of numbers and NumPy arrays.

    Args:
        path: the file.
        what: what it should be, for messages.

    Raises:
        InputError: no such file, damaged, another class inside, or something else than numbers.
    """
    import numpy as np

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
    # the unpickler raises these for bytes that mean nothing to it
    except (EOFError, ValueError, LookupError, AttributeError, TypeError, ImportError, MemoryError) as error:
        raise _wrong(path, what, f"a damaged file ({type(error).__name__})") from error
    try:
        arrays = [np.asarray(each, dtype=np.float64) for each in content]
    except (TypeError, ValueError) as error:
        raise _wrong(path, what, f"a saved {type(content).__name__}") from error
    return arrays


def _wrong(path: Path, what: str, found: str) -> InputError:
    return InputError.of(where=path, expected=what, found=found, remedy="name the right file")
