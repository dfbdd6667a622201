"""Label spaces as ``corpus.yaml`` describes them."""

from __future__ import annotations

import math
from typing import Any

from mmer_fairseq.corpus.clip import CLIP_COLUMNS
from mmer_fairseq.corpus.faults import hint
from mmer_fairseq.corpus.fields import At, Fields, shown
from mmer_fairseq.corpus.labels import KINDS, LabelSpace

SPACE_KEYS = {
    "classes": (("column", "classes"), ("map", "ignore")),
    "multilabel": (("columns",), ()),
    "score": (("columns",), ("range", "ignore")),
    "trace": (("column", "names", "rate"), ("range", "invalid")),
}


def read_space(name: str, entry: Any, fields: Fields) -> LabelSpace | None:
    """One label space, or None when it cannot be used."""
    at = ("labels", name)
    kinds = ", ".join(KINDS)
    if not isinstance(entry, dict):
        fields.wrong(at, "a mapping with 'kind' and its columns", shown(entry), "write {kind: …, …}")
        return None
    kind = entry.get("kind")
    if kind not in KINDS:
        remedy = hint(str(kind), KINDS, f"write one of {kinds}")
        fields.wrong((*at, "kind"), f"one of {kinds}", shown(kind) if kind else "no kind", remedy)
        return None
    required, optional = SPACE_KEYS[kind]
    fields.keys(entry, at, ("kind", *required), optional)
    if any(key not in entry for key in required):
        return None
    return _space(name, str(kind), entry, at, fields)


def _space(name: str, kind: str, entry: dict[str, Any], at: At, fields: Fields) -> LabelSpace | None:
    columns = fields.words(entry, "columns", at)
    if "column" in entry:
        columns = (fields.text(entry, "column", at=at),)
    names_key = {"classes": "classes", "trace": "names"}.get(kind, "columns")
    names = fields.words(entry, names_key, at)
    if not names and entry[names_key] == []:
        fields.wrong((*at, names_key), "a list of one entry at least", "an empty list", "name them")
    for column in set(columns) & set(CLIP_COLUMNS):
        fields.wrong(at, "in columns of its own", f"the column '{column}'", "rename the label column")
        return None
    rate = fields.number(entry, "rate", at) if "rate" in entry else 0.0
    if "rate" in entry and rate is not None and not rate > 0:
        fields.wrong((*at, "rate"), "above 0 Hz", f"{rate:g}", "write the steps a second of the traces")
        rate = None
    bounds = _range(entry, at, fields)
    invalid = fields.number(entry, "invalid", at) if "invalid" in entry else None
    ignore = fields.words(entry, "ignore", at)
    for word in sorted(set(ignore) & set(names) if kind == "classes" else ()):
        fields.wrong(
            (*at, "ignore"), "labels that are no class", f"'{word}'", "remove it from one of the two lists"
        )
    aliases = _aliases(entry, names, ignore, at, fields)
    if not names or not all(columns) or rate is None:
        return None
    return LabelSpace(name, kind, names, columns, bounds, rate, invalid, ignore, aliases)


def _aliases(
    entry: dict[str, Any], names: tuple[str, ...], ignore: tuple[str, ...], at: At, fields: Fields
) -> tuple[tuple[str, str], ...]:
    """Labels of another label set and the classes they are read as; those with a fault are not among them."""
    found, at = entry.get("map", {}), (*at, "map")
    if not isinstance(found, dict):
        fields.wrong(at, "a mapping from labels to classes", shown(found), "write {happiness: joy}")
        return ()
    aliases = []
    for alias, name in found.items():
        pair = f"'{alias}: {name}'"
        if not all(isinstance(word, (str, int)) and not isinstance(word, bool) for word in (alias, name)):
            odd = alias if isinstance(name, (str, int)) and not isinstance(name, bool) else name
            fields.wrong(at, "a mapping from texts to texts", f"{shown(odd)} in it", "put quotes around it")
        elif str(alias) in names:
            remedy = "remove it from 'map' or from 'classes'"
            fields.wrong(at, "a mapping from labels that are no class", pair, remedy)
        elif str(alias) in ignore:
            remedy = "remove it from 'map' or from 'ignore'"
            fields.wrong(at, "a mapping from labels that are not left out", pair, remedy)
        elif str(name) not in names:
            remedy = hint(str(name), names, "correct it, or add the class under 'classes'")
            fields.wrong(at, f"a mapping to classes ({', '.join(names)})", pair, remedy)
        else:
            aliases.append((str(alias), str(name)))
    return tuple(aliases)


def _range(entry: dict[str, Any], at: At, fields: Fields) -> tuple[float, float] | None:
    found = entry.get("range")
    if found is None:
        return None
    numbers = isinstance(found, list) and len(found) == 2
    if not numbers or not all(isinstance(x, (int, float)) and math.isfinite(x) for x in found):
        fields.wrong((*at, "range"), "two numbers", shown(found), "write [lowest, highest]")
        return None
    if not found[0] < found[1]:
        remedy = "write the lower number first"
        fields.wrong((*at, "range"), "[lowest, highest]", shown(found), remedy)
        return None
    return float(found[0]), float(found[1])
