"""The one error a user can cause, and its one form: where, what was expected, what was found, what to do."""

from __future__ import annotations

import importlib
from typing import Any


class InputError(ValueError):
    """Something the user gave is wrong: a file, a label, a flag, a checkpoint, a store.

    Build it with :meth:`of`. The constructor takes a finished message because ``torch``'s data loader
    re-raises a worker's error as ``type(error)(message)``.
    """

    @classmethod
    def of(cls, *, where: object, expected: str, found: object, remedy: str) -> InputError:
        """Build the message.

        Args:
            where: file and, where there is one, line (``path:line``), or the flag that is wrong.
            expected: what would have been right.
            found: what is there.
            remedy: what the user can do about it, as an imperative sentence without a full stop.
        """
        return cls(f"{where}: expected {expected}; found {found}. {remedy[:1].upper()}{remedy[1:]}.")


def optional(module: str, *, where: object, expected: str, remedy: str) -> Any:
    """Import a package that is not always installed, where it is used.

    Args:
        module: its name in Python.
        where: what needs it, as in :meth:`InputError.of`.
        expected: the package, and what for.
        remedy: how to install it.

    Raises:
        InputError: it is not installed, or does not fit the machine.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # OSError: of a library that it loads
        raise InputError.of(
            where=where, expected=expected, found=f"none that can be imported ({error})", remedy=remedy
        ) from error
