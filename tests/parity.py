"""Compare our networks with what the original systems computed: ``python tests/parity.py FILE…``.

Each file holds weights under the original's key names, inputs, and the original's outputs in eval mode. The
weights come in through the converter that ``mmer convert`` uses. Prints the largest absolute difference of
every case; exit status 0 if all are within tolerance, 1 if one is not, 2 if a file cannot be used.

A new system is a module in ``tests/references/`` with ``accepts(path)`` and ``cases(path)``.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

TESTS = Path(__file__).resolve().parent
# The checkout itself comes first, so that it is compared even where another version is installed.
sys.path[:0] = [str(TESTS.parent), str(TESTS)]

from mmer_fairseq.errors import InputError  # noqa: E402


def systems() -> list[ModuleType]:
    """The modules of ``tests/references/`` that read reference files."""
    names = sorted(module.name for module in pkgutil.iter_modules([str(TESTS / "references")]))
    modules = [importlib.import_module(f"references.{name}") for name in names]
    return [module for module in modules if hasattr(module, "cases")]


def reader_of(path: Path) -> ModuleType:
    """The system that reads this file.

    Raises:
        InputError: there is no such file, or no system reads it.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise InputError.of(where=path, expected="a reference file", found=found, remedy="correct the path")
    for system in systems():
        if system.accepts(path):
            return system
    known = ", ".join(system.__name__.rpartition(".")[2] for system in systems())
    raise InputError.of(
        where=path,
        expected=f"a reference file of one of these systems: {known}",
        found="another file",
        remedy="add a module to tests/references that reads it",
    )


def report(path: Path) -> bool:
    """Print the comparison of one file.

    Returns:
        Whether all its cases are within tolerance.
    """
    held = True
    for case in reader_of(path).cases(path):
        differences = case.differences()
        worst = max(differences, key=lambda name: differences[name])
        good = differences[worst] <= case.tolerance
        held = held and good
        print(
            f"{'ok  ' if good else 'FAIL'} {case.name}: largest difference {differences[worst]:.2e} "
            f"({worst}, {len(differences)} outputs), tolerance {case.tolerance:.0e}"
        )
    return held


def main(argv: Sequence[str] | None = None) -> int:
    """Compare all files; see the module's first lines for the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="reference file")
    status = 0
    for path in parser.parse_args(argv).files:
        try:
            status = max(status, 0 if report(path) else 1)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 2
    return status


if __name__ == "__main__":
    sys.exit(main())
