"""Which label of a data set is a class, is read as one, or is left out."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmer_fairseq.corpus.faults import hint
from mmer_fairseq.errors import InputError


@dataclass(frozen=True)
class Classes:
    """What becomes of labels.

    Attributes:
        names: the classes.
        aliases: label → class.
        ignore: labels that the corpus has, but its label space leaves out.
        drop: labels whose pictures do not get into the corpus.
    """

    names: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()

    @property
    def known(self) -> tuple[str, ...]:
        """Every label that a picture may have."""
        return (*self.names, *self.aliases, *self.ignore, *self.drop)

    def space(self, column: str) -> dict[str, Any]:
        """The label space as ``corpus.yaml`` describes it."""
        space: dict[str, Any] = {"kind": "classes", "column": column, "classes": list(self.names)}
        if self.aliases:
            space["map"] = dict(self.aliases)
        if self.ignore:
            space["ignore"] = list(self.ignore)
        return space


def add_class_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that :func:`settle_classes` reads; words may be separated by commas too."""
    add = parser.add_argument
    add("--classes", nargs="+", metavar="CLASS", help="the classes, in their order (default: see below)")
    add("--map", nargs="+", metavar="A=B", help="read the label A as the class B (default: see below)")
    add("--ignore", nargs="+", metavar="LABEL", help="labels that the label space is to leave out")
    add(
        "--drop", nargs="+", metavar="LABEL", help="labels whose pictures are not wanted (default: see below)"
    )


def settle_classes(
    args: argparse.Namespace, labels: Mapping[str, str], standard: Classes = Classes(())
) -> Classes:
    """The classes by the flags, or by their absence.

    Args:
        args: has ``classes``, ``map``, ``ignore`` and ``drop``.
        labels: those of the data set → where each is first found, in their order.
        standard: names and aliases that are taken when neither ``--classes`` nor ``--map`` is given (no names: the
            labels themselves), and labels to drop when nothing else is said of them.

    Raises:
        InputError: a flag names a label that the data set has not, says two things of one label, or is misspelt; or a
            label of the data set is none of the classes and nothing is said of it.
    """
    named, ignore, drop = _words(args.classes), _words(args.ignore), _words(args.drop)
    aliases = _pairs(_words(args.map))
    for flag, words in (("--map", tuple(aliases)), ("--ignore", ignore), ("--drop", drop)):
        _check_known(flag, words, labels)
    if not named and not aliases and standard.names:
        named = tuple(name for name in standard.names if name not in (*ignore, *drop))
        aliases = {old: new for old, new in standard.aliases.items() if old not in (*ignore, *drop)}
    _check_once({"--classes": named, "--map": tuple(aliases), "--ignore": ignore, "--drop": drop})
    drop += tuple(
        label
        for label in standard.drop
        if label in labels and label not in (*named, *aliases, *ignore, *drop)
    )
    if not named:
        rest = (label for label in labels if label not in (*aliases, *ignore, *drop))
        named = tuple(dict.fromkeys([*rest, *aliases.values()]))
    for old, new in aliases.items():
        if new not in named:
            raise InputError.of(
                where="--map",
                expected=f"one of the classes ({', '.join(named)}) for '{old}'",
                found=f"'{new}'",
                remedy=hint(new, named, "add it to --classes"),
            )
    classes = Classes(named, aliases, ignore, drop)
    for label, where in labels.items():
        if label not in classes.known:
            raise InputError.of(
                where=where,
                expected=f"one of {', '.join(classes.known)}",
                found=f"'{label}'",
                remedy="say what it is with --classes, --map, --ignore or --drop",
            )
    return classes


def _words(given: Sequence[str] | None) -> tuple[str, ...]:
    parts = (part.strip() for word in given or () for part in word.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def _pairs(words: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in words:
        old, sign, new = (part.strip() for part in word.partition("="))
        if not (old and sign and new) or old in pairs:
            raise InputError.of(
                where="--map",
                expected="label=class, and each label once",
                found=f"'{word}'",
                remedy="write --map happiness=joy,angry=anger",
            )
        pairs[old] = new
    return {old: new for old, new in pairs.items() if old != new}


def _check_known(flag: str, words: Collection[str], labels: Mapping[str, str]) -> None:
    for word in words:
        if word not in labels:
            raise InputError.of(
                where=flag,
                expected=f"labels of the data set ({', '.join(labels)})",
                found=f"'{word}'",
                remedy=hint(word, labels, "correct it, or leave it out"),
            )


def _check_once(said: Mapping[str, Sequence[str]]) -> None:
    first: dict[str, str] = {}
    for flag, words in said.items():
        for word in words:
            other = first.setdefault(word, flag)
            if other != flag:
                raise InputError.of(
                    where=f"{other}, {flag}",
                    expected="each label in one of them",
                    found=f"'{word}' in both",
                    remedy="remove it from one of them",
                )
