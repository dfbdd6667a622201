"""The ``mmer`` command: what fairseq has no command for. One file a command, found by name."""

from __future__ import annotations

import argparse
import importlib
import logging
import pkgutil
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

import mmer_fairseq
from mmer_fairseq import cli
from mmer_fairseq.errors import InputError


def commands() -> dict[str, str]:
    """Command → the module that holds it; ``import_`` is called ``import``, which Python keeps for itself."""
    names = [module.name for module in pkgutil.iter_modules(cli.__path__)]
    return {
        name.rstrip("_").replace("_", "-"): f"{cli.__name__}.{name}"
        for name in sorted(names)
        if name != "main" and not name.startswith("_")
    }


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The command line.

    Args:
        only: load the flags of this command alone; the others are listed with their help.
    """
    parser = argparse.ArgumentParser(
        prog="mmer",
        description="Data, features, checkpoints and plots for fairseq runs with --user-dir mmer_fairseq.",
        epilog="Training and validation are fairseq's own: fairseq-train, fairseq-validate, fairseq-hydra-train.",
    )
    parser.add_argument("--version", action="version", version=f"mmer_fairseq {mmer_fairseq.__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, path in commands().items():
        if only in (None, name):
            module = importlib.import_module(path)
            _add(subparsers, name, module)
        else:
            subparsers.add_parser(name)
    return parser


def _add(subparsers: argparse._SubParsersAction, name: str, module: ModuleType) -> None:
    parser = subparsers.add_parser(
        name,
        help=module.HELP,
        description=module.HELP,
        epilog=getattr(module, "EPILOG", None),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    parser.set_defaults(run_command=module.run)  # plot has a RUN of its own


def _divide(words: list[str], command: str | None) -> tuple[list[str], list[str]]:
    """Words of ours, and those behind ``--`` of a command that hands them on; argparse would mix them up."""
    hands_on = command is not None and getattr(
        importlib.import_module(commands()[command]), "HANDS_ON", False
    )
    if not hands_on or "--" not in words:
        return words, []
    place = words.index("--")
    return words[:place], words[place + 1 :]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        Exit status: what the command says; 2 for a fault in the input, whose message goes to stderr; 130 if stopped.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    known = commands()
    # importing all commands to run one would cost seconds
    command = words[0] if words and words[0] in known else None
    words, behind = _divide(words, command)
    arguments = build_parser(command).parse_args(words)
    arguments.behind = behind
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.INFO, stream=sys.stderr)
    logging.getLogger("fairseq").setLevel(
        logging.WARNING
    )  # it tells of optional packages and of its iterators
    warnings.filterwarnings("ignore", message=r"`torch\.jit\.", category=FutureWarning)  # fairseq's own code
    try:
        return int(arguments.run_command(arguments) or 0)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
