"""Rows of a split file → clips. Nothing here touches the disk: a corpus of 100,000 clips loads in seconds."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mmer_fairseq.corpus.clip import MODALITIES, STORE_PREFIX, Clip, Label
from mmer_fairseq.corpus.description import Description
from mmer_fairseq.corpus.faults import Fault, count, hint, number
from mmer_fairseq.corpus.labels import LabelSpace
from mmer_fairseq.corpus.tsv import Table
from mmer_fairseq.errors import InputError

LeftOut = list[tuple[str, str]]


class Identifiers:
    """Every id of a corpus and where it stands."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}

    def add(self, name: str, where: str) -> None:
        """Check an id and remember it.

        Raises:
            InputError: it is empty, holds control characters, or was used before.
        """
        if not name:
            raise InputError.of(
                where=where, expected="an id", found="an empty cell", remedy="give the clip an id"
            )
        if not name.isprintable():
            raise InputError.of(
                where=where,
                expected="an id of printable characters",
                found=repr(name),
                remedy="remove the control characters",
            )
        if name in self.seen:
            raise InputError.of(
                where=where,
                expected="ids that are unique in the whole corpus",
                found=f"'{name}', which is the id of {self.seen[name]} as well",
                remedy="rename or remove one of the two clips",
            )
        self.seen[name] = where


class RowReader:
    """Turns rows into clips; one for all splits, because ids are unique in the whole corpus.

    Attributes:
        ids: every id so far.
        others: clips without a label of the label space: left out, or with a fault in it.
    """

    def __init__(self, description: Description, space: LabelSpace, fault: Fault) -> None:
        self.description = description
        self.space = space
        self.fault = fault
        self.root = str(description.media_root)
        self.ids = Identifiers()
        self.others: list[Clip] = []

    def clips(self, table: Table, split: str) -> tuple[list[Clip], LeftOut]:
        """Read the rows of a split.

        Returns:
            The clips, and (id, label) of those whose label the label space leaves out. Rows with a fault are
            in neither.
        """
        clips: list[Clip] = []
        left_out: LeftOut = []
        modalities = [modality for modality in MODALITIES if modality in table.columns]
        for line, cells in table.rows:
            where = f"{table.path}:{line}"
            name = cells["id"]
            label: Label | None = None
            try:
                self.ids.add(name, where)
                ignored = self.space.left_out(cells)
                if ignored is None:
                    label = self.space.parse(cells, where)
                    if self.space.kind == "trace":
                        label = self.path(str(label), self.space.columns[0], where)
            except InputError as error:
                self.fault(error)
                ignored = None
            try:
                clip = self._clip(cells, label, modalities, where, split)
            except InputError as error:
                self.fault(error)
                continue
            if ignored is not None:
                left_out.append((name, ignored))
            (clips if label is not None else self.others).append(clip)
        if clips and not any(clip.media for clip in clips):
            self.fault(
                InputError.of(
                    where=table.path,
                    expected=f"clips with text, audio, video or physio in the split '{split}'",
                    found=f"{count(len(clips), 'clip')} without any",
                    remedy="fill the columns of the modalities that the clips have",
                )
            )
        if left_out and not clips:
            self.fault(
                InputError.of(
                    where=table.path,
                    expected=f"labels of the label space '{self.space.name}'",
                    found=f"only labels under 'ignore' ({count(len(left_out), 'row')})",
                    remedy="choose another label space, correct 'ignore' or remove the split",
                )
            )
        return clips, left_out

    def path(self, cell: str, column: str, where: str) -> str:
        """The absolute path a cell names, inside media_root."""
        remedy = "move the file there, or set media_root in corpus.yaml to a folder that holds all files"
        return path_inside(self.root, cell, f"{column} to be a file inside media_root", where, remedy)

    def _clip(
        self, cells: Mapping[str, str], label: Label | None, modalities: list[str], where: str, split: str
    ) -> Clip:
        media, text_is_path = {}, False
        for modality in modalities:
            cell = cells[modality]
            if not cell:
                continue
            words = modality == "text" and (" " in cell or not cell.endswith(".txt"))
            if cell.startswith(STORE_PREFIX) and " " not in cell:
                self._stores(cell, modality, where)
                media[modality] = cell
            elif words:
                media[modality] = cell
            else:
                media[modality] = self.path(cell, modality, where)
                text_is_path = text_is_path or modality == "text"
        start, end = _seconds(cells, "start", where), _seconds(cells, "end", where)
        if end is not None and end <= (start or 0.0):
            raise InputError.of(
                where=where,
                expected=f"end to be after start ({start or 0.0:g} s)",
                found=f"'{cells['end']}'",
                remedy="correct start or end (both in seconds from the beginning of the medium)",
            )
        turn = cells.get("turn", "")
        if turn and not (turn.isascii() and turn.isdigit()):
            raise InputError.of(
                where=where,
                expected="turn to be a whole number, 0 or more",
                found=f"'{turn}'",
                remedy="write the position of the clip in its dialogue",
            )
        return Clip(
            id=cells["id"],
            media=media,
            text_is_path=text_is_path,
            start=start,
            end=end,
            speaker=cells.get("speaker", ""),
            dialogue=cells.get("dialogue", ""),
            turn=turn,
            label=label if label is not None else 0,
            where=where,
            split=split,
            rate=_rate(cells, where),
            own_pictures=self.description.picture_clock == "clip",
        )

    def _stores(self, cell: str, modality: str, where: str) -> None:
        features = self.description.features
        for name in cell[len(STORE_PREFIX) :].split(","):
            if name in features and features[name].modality == modality:
                continue
            fitting = [entry.name for entry in features.values() if entry.modality == modality]
            known = ", ".join(fitting) or "none"
            other = f" (a store of {features[name].modality})" if name in features else ""
            raise InputError.of(
                where=where,
                expected=f"{modality} to name feature stores of corpus.yaml made from {modality} ({known})",
                found=f"'{name}'{other}",
                remedy=hint(name, fitting, "add the store under 'features' in corpus.yaml"),
            )


def path_inside(root: str, cell: str, expected: str, where: str, remedy: str) -> str:
    """The absolute path of a file that must lie inside a folder, so that a corpus can be moved and shared.

    A relative path starts from the folder; an absolute one is allowed when it lies inside it. Links are not
    followed: where they lead is the user's own doing.

    Args:
        root: absolute path of the folder.
        cell: the path as the user wrote it.
        expected: what it should be, for messages.
        where: ``path:line``, for messages.
        remedy: what to do when it leads out of the folder.

    Raises:
        InputError: it leads out of the folder.
    """
    base = root if root.endswith(os.sep) else root + os.sep
    if cell[:1] not in "/." and "/." not in cell and "//" not in cell:  # the fast way of the common case
        return base + cell
    path = os.path.normpath(os.path.join(root, cell))
    if not path.startswith(base):
        raise InputError.of(where=where, expected=f"{expected} ({root})", found=f"'{cell}'", remedy=remedy)
    return path


def _seconds(cells: Mapping[str, str], column: str, where: str) -> float | None:
    cell = cells.get(column, "")
    if not cell:
        return None
    value = number(cell)
    if value is None or value < 0:
        raise InputError.of(
            where=where,
            expected=f"{column} to be seconds, 0 or more",
            found=f"'{cell}'",
            remedy="write a number with a decimal point, or leave the cell empty",
        )
    return value


def _rate(cells: Mapping[str, str], where: str) -> float | None:
    cell = cells.get("rate", "")
    if not cell:
        return None
    value = number(cell)
    if value is None or value <= 0:
        raise InputError.of(
            where=where,
            expected="rate to be steps a second in Hz, above 0",
            found=f"'{cell}'",
            remedy="write a number with a decimal point, or leave the cell empty for the rate of the label space",
        )
    return value
