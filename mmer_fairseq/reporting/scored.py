"""A predictions file, with ids and scores: what every number of a report is made from."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.plots.predictions import read_predictions


@dataclass(frozen=True)
class Scored:
    """Targets, decisions and scores of the clips of one split.

    Letters: n clips; M rows, one a clip, or one a step of a trace; N labels.

    Attributes:
        kind: classes, multilabel, score or trace.
        names: class or column names.
        ids: of the clips, in the order of the file.
        clip: LongTensor [M], the clip that a row is of.
        target: float64 [M, 1] class index, or [M, N]; NaN: a step without a label.
        prediction: likewise.
        scores: float64 [M, N].
    """

    kind: str
    names: tuple[str, ...]
    ids: tuple[str, ...]
    clip: Tensor
    target: Tensor
    prediction: Tensor
    scores: Tensor

    def of(self, ids: Sequence[str]) -> Scored:
        """These clips alone, in this order."""
        place = {name: i for i, name in enumerate(self.ids)}
        rows: list[list[int]] = [[] for _ in self.ids]
        for row, clip in enumerate(self.clip.tolist()):
            rows[clip].append(row)
        kept = [row for name in ids for row in rows[place[name]]]
        clip = [i for i, name in enumerate(ids) for _ in rows[place[name]]]
        at = torch.tensor(kept, dtype=torch.long)
        return replace(
            self,
            ids=tuple(ids),
            clip=torch.tensor(clip, dtype=torch.long),
            target=self.target[at],
            prediction=self.prediction[at],
            scores=self.scores[at],
        )

    def as_multilabel(self) -> Scored:
        """Yes/no decisions of a file in which every clip happens to have one label."""
        if self.kind != "classes":
            return self
        size = len(self.names)
        target, prediction = (
            torch.nn.functional.one_hot(side[:, 0].long(), size).double()
            for side in (self.target, self.prediction)
        )
        return replace(self, kind="multilabel", target=target, prediction=prediction)


def read_scored(path: str | Path, split: str | None = None) -> Scored:
    """Read a file of ``--save-predictions``.

    Args:
        path: of the file.
        split: only these clips; None, or a file that does not say: all, which must be of one split.

    Raises:
        InputError: it cannot be read, has no such clip, or a clip or a step of it twice.
    """
    if split is not None and not _tells_splits(Path(path)):
        split = None
    read = read_predictions(path, split)
    if split is None and len(read.splits) > 1:
        raise InputError.of(
            where=path, expected="one split", found=", ".join(read.splits), remedy="choose one with --split"
        )
    ids, clip, scores = _ids_and_scores(Path(path), split, [f"score_{name}" for name in read.names])
    target, prediction = (torch.tensor(side, dtype=torch.float64) for side in (read.target, read.prediction))
    return Scored(read.kind, read.names, ids, clip, target, prediction, scores)


def _tells_splits(path: Path) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            return "split" in file.readline().rstrip("\n").split("\t")
    except (OSError, UnicodeDecodeError):
        return True  # reading it says what is wrong


def _ids_and_scores(
    path: Path, split: str | None, columns: Sequence[str]
) -> tuple[tuple[str, ...], Tensor, Tensor]:
    place: dict[str, int] = {}
    clip, scores = [], []
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        for row in rows:
            if split is not None and row.get("split") != split:
                continue
            clip.append(place.setdefault(row["id"], len(place)))
            try:
                scores.append([float(row[column]) for column in columns])
            except ValueError:
                raise InputError.of(
                    where=f"{path}:{rows.line_num}",
                    expected=f"a number in each of {', '.join(columns)}",
                    found=", ".join(repr(row[column]) for column in columns),
                    remedy="write the file anew with fairseq-validate --save-predictions",
                ) from None
    return tuple(place), torch.tensor(clip), torch.tensor(scores, dtype=torch.float64)
