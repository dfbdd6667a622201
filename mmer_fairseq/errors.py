"""The one error a user can cause, and its one form: where, what was expected, what was found, what to do."""

from __future__ import annotations


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
