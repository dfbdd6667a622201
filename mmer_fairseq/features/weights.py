"""Where the encoder of a store lies, in words that outlive a move of the corpus.

The words are ``NAME:PATH``. A path inside the corpus is written relative to the store (it begins with ``..``), any
other one as it is: absolute, or the name of a published set. They help to find the encoder again; whether it is the
right one its fingerprint tells.
"""

from __future__ import annotations

import os
from pathlib import Path

from mmer_fairseq.features.index import Made, read_index, write_index


def to_remember(words: str, corpus: Path, store: Path) -> str:
    """``NAME:PATH`` with an absolute path → as the store keeps it.

    Args:
        words: of the encoder.
        corpus: its folder; what lies in it moves with it.
        store: folder of the store.
    """
    name, _, path = words.partition(":")
    if os.path.isabs(path) and Path(os.path.normpath(path)).is_relative_to(corpus):
        path = os.path.relpath(path, store)
    return f"{name}:{path}" if path else name


def absolute(words: str, store: Path) -> str:
    """``NAME:PATH`` as the store keeps it → with an absolute path."""
    name, _, path = words.partition(":")
    if path.split("/")[0] == "..":
        path = os.path.normpath(store / path)
    return f"{name}:{path}" if path else name


def there(words: str) -> bool:
    """Whether ``NAME:PATH`` names a file or folder that is there, or none at all. A path may end with ``@LAYER``."""
    path = words.partition(":")[2]
    return not os.path.isabs(path) or os.path.exists(path) or os.path.exists(path.rpartition("@")[0])


def renew(store: Path, made: Made, count: int, words: str) -> None:
    """A complete store whose encoder is not where it was, or that does not say where, learns it. Else nothing happens.

    Args:
        store: its folder.
        made: what it holds.
        count: of shards.
        words: as :func:`to_remember` gives them, of the same encoder.
    """
    *_, known = read_index(store)
    if known != words and not (known and there(absolute(known, store))):
        write_index(store, made, count, words)
