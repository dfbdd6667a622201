"""``mmer import NAME …``: a public corpus, or arrays someone already has, into a corpus folder."""

from __future__ import annotations

import argparse

from mmer_fairseq.corpus.importers import importers

HELP = "write a corpus from another form of it: the embedded toy corpus, arrays, a public corpus"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one sub-command per importer."""
    subparsers = parser.add_subparsers(dest="importer", metavar="NAME", required=True)
    for name, module in importers().items():
        command = subparsers.add_parser(
            name,
            help=module.HELP,
            description=module.HELP,
            epilog=getattr(module, "EPILOG", None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run_importer=module.run)


def run(args: argparse.Namespace) -> int:
    """Run the importer."""
    return int(args.run_importer(args) or 0)
