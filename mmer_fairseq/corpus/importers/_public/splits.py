"""Splits that the user has as lists of ids, and what the splits of a corpus share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from mmer_fairseq.corpus.faults import count, hint, some, stop
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import given_folder
from mmer_fairseq.corpus.importers._public.write import SPLITS
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError

_WORDS = {"train": ("train",), "valid": ("valid", "val", "dev"), "test": ("test",)}


def split_of(word: str) -> str | None:
    """The split that a word means (``dev`` is valid); None when it means none."""
    return next((split for split, words in _WORDS.items() if word.lower() in words), None)


def listed_names(path: str | Path, what: str) -> list[tuple[str, str]]:
    """The names in a file, one a line, each with its ``path:line``; lines that begin with # are remarks.

    Raises:
        InputError: the file is missing, empty or no text.
    """
    text = read_utf8(path, what, stop)
    assert text is not None
    lines = [(line.strip(), f"{path}:{number}") for number, line in enumerate(text.split("\n"), start=1)]
    return [(name, where) for name, where in lines if name and not name.startswith("#")]


def expand(words: Sequence[str]) -> list[str]:
    """Names of clips; a word that is a file stands for the names in it."""
    lists = [listed_names(word, "names") if Path(word).is_file() else [(word, "")] for word in words]
    return list(dict.fromkeys(name for names in lists for name, _ in names))


def read_split_files(folder: str | Path, members: Mapping[str, Sequence[str]], what: str) -> dict[str, str]:
    """Splits from ``train_split.txt``, ``valid_split.txt`` and ``test_split.txt``, or ``train.txt`` and so on.

    Args:
        folder: of the three files.
        members: what a line may name → the clips that it stands for.
        what: such a name is, for messages ("an utterance of the corpus").

    Returns:
        Clip → split, of the clips that are named.

    Raises:
        InputError: a file is missing or empty, or a line names what is not known or was named before.
    """
    folder = given_folder(folder, "the folder of the split files")
    lists = {
        split: listed_names(_split_file(folder, split), f"the ids of the {split} split") for split in SPLITS
    }
    unknown = [entry for entries in lists.values() for entry in entries if entry[0] not in members]
    if unknown:
        name, where = unknown[0]
        others = f", and {count(len(unknown) - 1, 'line')} like it" if len(unknown) > 1 else ""
        raise InputError.of(
            where=where,
            expected=what,
            found=f"'{name}'{others}",
            remedy=hint(name, members, "correct the line or remove it, or name the whole corpus"),
        )
    splits: dict[str, str] = {}
    places: dict[str, str] = {}
    for split, entries in lists.items():
        for name, where in entries:
            for clip in members[name]:
                if clip in splits:
                    raise InputError.of(
                        where=where,
                        expected="every clip once in all split files",
                        found=f"'{clip}', which is in {splits[clip]} as well ({places[clip]})",
                        remedy="remove one of the two lines",
                    )
                splits[clip], places[clip] = split, where
    return splits


def _split_file(folder: Path, split: str) -> Path:
    names = [f"{word}{ending}.txt" for word in _WORDS[split] for ending in ("_split", "")]
    found = [folder / name for name in names if (folder / name).exists()]
    if len(found) != 1:
        raise InputError.of(
            where=folder,
            expected=f"{names[0]} or {names[1]} in it" if not found else f"one list of the {split} split",
            found=some(path.name for path in found) or "none",
            remedy="remove the others" if found else "add it: the ids, one a line",
        )
    return found[0]


def tell_shared(
    splits: Mapping[str, str], groups: Mapping[str, Mapping[str, str]], left_out: LeftOut
) -> None:
    """Say which groups two splits have in common.

    Args:
        splits: clip → split.
        groups: what the groups are (``speaker``) → clip → its group.
        left_out: told what is shared; nothing where nothing is.
    """
    for first, second in combinations(SPLITS, 2):
        shared = []
        for what, group_of in groups.items():
            sides = [
                {group_of[clip] for clip, split in splits.items() if split == one} for one in (first, second)
            ]
            both = sorted(sides[0] & sides[1])
            if both:
                shared.append(f"{count(len(both), what)} ({some(both)})")
        if shared:
            left_out.notes.append(f"{first} and {second} share {' and '.join(shared)}")
