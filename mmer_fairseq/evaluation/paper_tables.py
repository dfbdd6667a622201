"""Yes/no decisions of several models → the tables of the MME2E paper, in its own form.

Source: Dai et al., "Multimodal End-to-End Sparse Model for Emotion Recognition", NAACL 2021. Each emotion is a decision
by itself, also on IEMOCAP, where a clip has one; F1 is that of yes; the average is the plain mean over the emotions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.metrics import confusion as counts

#: Column of the paper → other names of the emotion in corpora.
OTHER_NAMES = {
    "angry": ("anger", "ang"),
    "disgusted": ("disgust", "dis"),
    "excited": ("excitement", "exc"),
    "fear": ("fearful", "fea"),
    "frustrated": ("frustration", "fru"),
    "happy": ("happiness", "hap"),
    "neutral": ("neu",),
    "sad": ("sadness",),
    "surprised": ("surprise", "sur"),
}
AVERAGE = "avg"


@dataclass(frozen=True)
class Form:
    """A table of the paper.

    Attributes:
        title: what it shows.
        columns: emotions, in its order.
        first: [N, 2, 2] yes/no tables → the number before F1, [N].
    """

    title: str
    columns: tuple[str, ...]
    first: Callable[[Tensor], Tensor]


FORMS = {
    "mme2e-iemocap": Form(
        "IEMOCAP: accuracy / F1 in percent",
        ("angry", "excited", "frustrated", "happy", "neutral", "sad"),
        counts.accuracy,
    ),
    "mme2e-mosei": Form(
        "CMU-MOSEI: weighted accuracy / F1 in percent",
        ("angry", "disgusted", "fear", "happy", "sad", "surprised"),
        counts.uar,
    ),
}


@dataclass(frozen=True)
class Decisions:
    """What a model decided.

    Attributes:
        model: its name in the table.
        where: file that it is from, for messages.
        labels: N names.
        target: for each clip N numbers 0 or 1.
        decided: likewise.
    """

    model: str
    where: str
    labels: Sequence[str]
    target: Sequence[Sequence[float]]
    decided: Sequence[Sequence[float]]


def paper_table(form: Form, models: Sequence[Decisions]) -> str:
    """One line a model.

    Raises:
        InputError: the labels are not the emotions of the table.
    """
    rows = [("model", *form.columns, AVERAGE)]
    for model in models:
        first, f1 = scores(form, model)
        cells = [*zip(first, f1), (sum(first) / len(first), sum(f1) / len(f1))]
        rows.append((model.model, *(f"{100 * a:.1f}/{100 * b:.1f}" for a, b in cells)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))])
        for row in rows
    ]
    return "\n".join([form.title, *lines])


def scores(form: Form, model: Decisions) -> tuple[list[float], list[float]]:
    """The first number and F1 of each emotion, 0 … 1, in the order of the table.

    Raises:
        InputError: the labels are not the emotions of the table.
    """
    places = _places(form, model)
    wanted, decided = (torch.tensor(part)[:, places] > 0.5 for part in (model.target, model.decided))
    tables = counts.binary_confusion(wanted, decided, torch.ones_like(wanted))
    return form.first(tables).tolist(), counts.f1(tables)[:, 1].tolist()


def _places(form: Form, model: Decisions) -> list[int]:
    """Position of each column's emotion among the labels."""
    column = {other: name for name, others in OTHER_NAMES.items() for other in others}
    found = [column.get(label.lower(), label.lower()) for label in model.labels]
    if sorted(found) != sorted(form.columns):
        raise InputError.of(
            where=model.where,
            expected=f"decisions on the emotions of the table ({', '.join(form.columns)})",
            found=", ".join(model.labels),
            remedy="name predictions of a model for these labels, or another --form",
        )
    return [found.index(name) for name in form.columns]
