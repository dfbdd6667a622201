"""What is known of the clips besides their labels: speakers, dialogues, and conditions to look at one by one."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from mmer_fairseq.corpus import MODALITIES, Clip, Corpus
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.sound import sound_seconds
from mmer_fairseq.reporting.bootstrap import Units
from mmer_fairseq.reporting.systems import System

#: Values of a column up to which each is a condition; one with more is a name or a number.
MOST_VALUES = 12
FEWEST_SPEAKERS = 10
RESAMPLE = ("clips", "speakers", "dialogues")


@dataclass(frozen=True)
class Known:
    """What a corpus says of the clips of a report, each list in their order.

    Attributes:
        corpus: its name; '': no corpus was found.
        range: of the labels, if limited.
        speakers: '' where the corpus does not say.
        dialogues: likewise.
        conditions: title → the group of each clip; '' is in none.
    """

    corpus: str = ""
    range: tuple[float, float] | None = None
    speakers: tuple[str, ...] = ()
    dialogues: tuple[str, ...] = ()
    conditions: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Clips that have something in common.

    Attributes:
        name: of what they have in common.
        clips: LongTensor, their positions.
    """

    name: str
    clips: Tensor


def look_up(systems: Sequence[System], data: str | None, split: str) -> tuple[Known, list[str]]:
    """What is known of the clips of all systems, and what a reader should know of that.

    Args:
        systems: over the same clips.
        data: corpus folder; None: the one that a checkpoint names, if it is still there.
        split: of the corpus.

    Raises:
        InputError: the folder that was asked for is no corpus, or does not have the clips.
    """
    origins = [run.origin for system in systems for run in system.runs if run.origin is not None]
    folder = data or next((o.data for o in origins if o.data and Path(o.data).is_dir()), "")
    if not folder:
        gone = f" ({origins[0].data} is gone)" if origins else ""
        return Known(), [f"No corpus{gone}: nothing by speaker or condition. Name it with --data."]
    labels = next((o.labels for o in origins if o.labels), "")
    read = {m for origin in origins for m in origin.modalities}
    return read_known(folder, labels, split, systems[0].runs[0].scored.ids, tuple(read)), []


def read_known(folder: str, labels: str, split: str, ids: Sequence[str], modalities: Sequence[str]) -> Known:
    """Look the clips up in their corpus.

    Args:
        folder: of the corpus.
        labels: name of the label space.
        split: of the corpus.
        ids: of the clips.
        modalities: that the systems read; (): all count.

    Raises:
        InputError: it is no corpus, or does not have the clips.
    """
    corpus = Corpus.load(folder, labels=labels if labels else None)
    clips = {clip.id: clip for clip in corpus.clips(split)}
    lost = [name for name in ids if name not in clips]
    if lost:
        raise InputError.of(
            where=corpus.directory,
            expected=f"the clips of the predictions in the split {split}",
            found=f"{len(lost)} that are not there, as {lost[0]}",
            remedy="name the corpus that was evaluated with --data",
        )
    found = [clips[name] for name in ids]
    conditions = {"modalities": _modalities(found, modalities), **_columns(corpus, split, ids)}
    conditions["length of the clip"] = _lengths(found)
    useful = {title: groups for title, groups in conditions.items() if len(set(groups) - {""}) > 1}
    return Known(
        corpus.name,
        corpus.label_space.range,
        tuple(clip.speaker for clip in found),
        tuple(clip.dialogue for clip in found),
        useful,
    )


def _modalities(clips: Sequence[Clip], read: Sequence[str]) -> tuple[str, ...]:
    """Which are there, of those that the corpus has and the systems read."""
    known = [m for m in MODALITIES if (not read or m in read) and any(clip.has(m) for clip in clips)]
    groups = []
    for clip in clips:
        missing = [m for m in known if not clip.has(m)]
        groups.append("all there" if not missing else "without " + " and ".join(missing))
    return tuple(groups)


def _columns(corpus: Corpus, split: str, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Other columns of the split file that hold few different values, as sex or session."""
    names = corpus.description.other_columns
    path = Path(corpus.directory) / f"{split}.tsv"
    if not names or not path.exists():
        return {}
    with open(path, encoding="utf-8", newline="") as file:
        table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        rows = {row["id"].strip(): row for row in table}
    columns = {}
    for name in names:
        cells = tuple((rows[clip].get(name) or "").strip() for clip in ids)
        if len(set(cells) - {""}) <= MOST_VALUES:
            columns[name] = cells
    return columns


def _lengths(clips: Sequence[Clip]) -> tuple[str, ...]:
    """Thirds by duration, or by the number of words where there is no sound."""
    lengths, unit = [_seconds(clip) for clip in clips], "s"
    if sum(length is not None for length in lengths) < len(clips) / 2:
        words = [clip.media.get("text", "") for clip in clips]
        lengths, unit = (
            [len(w.split()) if w and not c.text_is_path else None for w, c in zip(words, clips)],
            "words",
        )
    known = sorted(length for length in lengths if length is not None)
    if len(known) < 9:
        return ("",) * len(clips)
    low, high = known[len(known) // 3], known[2 * len(known) // 3]
    if not known[0] < low < high:
        return ("",) * len(clips)

    def name(length: float | None) -> str:
        if length is None:
            return ""
        if length < low:
            return f"short (below {low:.3g} {unit})"
        return f"long ({high:.3g} {unit} and more)" if length >= high else "medium"

    return tuple(map(name, lengths))


def _seconds(clip: Clip) -> float | None:
    if clip.end is not None:
        return clip.end - (clip.start or 0.0)
    medium = clip.media.get("audio")
    if not medium or clip.stores("audio"):
        return None
    try:
        return sound_seconds(medium, where=clip.where) - (clip.start or 0.0)
    except InputError:
        return None  # predictions may be reported where the media are not


def groups(labels: Sequence[str]) -> list[Group]:
    """Clips by label, in the order of the names; short before medium before long."""
    rank = {"all there": "0", "short": "1", "medium": "2", "long": "3"}
    names = sorted(set(labels) - {""}, key=lambda name: (rank.get(name.split(" (")[0], "4"), name))
    return [
        Group(name, torch.tensor([i for i, label in enumerate(labels) if label == name])) for name in names
    ]


def choose_units(asked: str | None, known: Known, clips: int) -> tuple[Units, str]:
    """What is resampled, and why.

    Args:
        asked: one of ``RESAMPLE``; None: speakers where there are ten or more, else clips.
        known: of the corpus.
        clips: number of them.

    Raises:
        InputError: the corpus does not have what was asked for.
    """
    sources = {"speakers": list(known.speakers), "dialogues": list(known.dialogues)}
    counts = {name: len(set(labels) - {""}) for name, labels in sources.items()}
    if asked in sources:
        if counts[asked] < 2:
            raise InputError.of(
                where=f"--resample {asked}",
                expected=f"two {asked} or more among the clips, named by the corpus",
                found=counts[asked] or ("none" if known.corpus else "no corpus"),
                remedy="give --resample clips, or the corpus with --data",
            )
        return Units.groups(asked, sources[asked]), "as was asked for"
    if asked == "clips":
        return Units.clips(clips), "as was asked for"
    if counts["speakers"] >= FEWEST_SPEAKERS:
        return Units.groups("speakers", sources["speakers"]), "as clips of one speaker are alike"
    if not known.corpus:
        return Units.clips(clips), "as no corpus says who speaks"
    count = counts["speakers"]
    why = f"as {count} speakers are too few to draw from" if count else "as the corpus does not name speakers"
    return Units.clips(clips), why
