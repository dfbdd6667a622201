"""Paths of media that differ from clip to clip: ``{folder}/{id}.wav`` → one path a clip."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmer_fairseq.errors import InputError

_BRACES = re.compile(r"{([^{}]+)}")
#: Stands for the id of the clip.
ID = "id"


def keys_of(path: str) -> list[str]:
    """What stands in the braces of a path.

    Raises:
        InputError: nothing does, so that all clips would have the same file.
    """
    keys = _BRACES.findall(path)
    if not keys:
        raise InputError.of(
            where="--media",
            expected="a path with {KEY} for what differs from clip to clip",
            found=f"'{path}'",
            remedy="write for example {id}.wav, or {KEY} alone where a column holds whole paths",
        )
    return list(dict.fromkeys(keys))


def filled(path: str, ids: Sequence[str], values: Mapping[str, Sequence[Any]]) -> list[str]:
    """The path of each clip; '' where one of its values is empty.

    Args:
        path: with the keys of ``values``, and ``id``, in braces.
        ids: of the clips.
        values: key → value of each clip.
    """
    columns = {ID: ids, **values}
    paths = []
    for k in range(len(ids)):
        row = {key: str(column[k]).strip() for key, column in columns.items()}
        # one pass: a value may hold braces of its own
        paths.append(_BRACES.sub(lambda key, row=row: row[key[1]], path) if all(row.values()) else "")  # type: ignore[misc]
    return paths
