"""Flags that several importers have in the same words."""

from __future__ import annotations

import argparse


def add_places(parser: argparse.ArgumentParser, root: str = "") -> None:
    """The new corpus and, where ``root`` says what it is, the folder ``--root`` that is read."""
    parser.add_argument("directory", metavar="OUT", help="folder to write; it must not exist or be empty")
    if root:
        parser.add_argument("--root", required=True, metavar="DIR", help=root)


def add_modalities(parser: argparse.ArgumentParser, *modalities: str) -> None:
    """``--modalities``: some of two or three, by default all."""
    parser.add_argument(
        "--modalities",
        nargs="+",
        choices=modalities,
        default=list(modalities),
        help=f"what the clips consist of (default: {'both' if len(modalities) == 2 else 'all three'})",
    )


def add_leave_out(parser: argparse.ArgumentParser, what: str = "clips", metavar: str = "CLIP") -> None:
    """``--leave-out``: names, or a file of them."""
    parser.add_argument(
        "--leave-out",
        nargs="+",
        default=[],
        metavar=metavar,
        help=f"{what} that are not wanted, or a file of their names",
    )
