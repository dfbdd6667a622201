"""What is in a corpus, split by split: the numbers, and the lines that ``mmer check`` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from mmer_fairseq.corpus.clip import MODALITIES, Clip
from mmer_fairseq.corpus.corpus import Corpus
from mmer_fairseq.corpus.faults import count, some
from mmer_fairseq.corpus.labels import LabelSpace


@dataclass
class LabelSummary:
    """Labels of one split in one label space: how often each class, or the values of each score."""

    counts: dict[str, int] = field(default_factory=dict)
    scores: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, space: LabelSpace, clips: list[Clip], left_out: list[tuple[str, str]]) -> LabelSummary:
        """Count. ``scores`` holds (mean, lowest, highest)."""
        summary = cls(left_out=dict(Counter(label for _, label in left_out)))
        if space.kind == "classes":
            found = Counter(clip.label for clip in clips)
            summary.counts = {name: found[index] for index, name in enumerate(space.names)}
        elif space.kind == "multilabel":
            summary.counts = {
                name: int(sum(clip.label[i] for clip in clips))  # type: ignore[misc, index]
                for i, name in enumerate(space.names)
            }
        elif space.kind == "score" and clips:
            for i, name in enumerate(space.names):
                values = [float(clip.label[i]) for clip in clips]  # type: ignore[index]
                summary.scores[name] = (sum(values) / len(values), min(values), max(values))
        elif space.kind == "trace":
            summary.counts = {"traces": len(clips)}
        return summary

    def __str__(self) -> str:
        parts = [f"{name} {count}" for name, count in self.counts.items()]
        parts += [
            f"{name} mean {mean:.3g} ({low:g} … {high:g})" for name, (mean, low, high) in self.scores.items()
        ]
        text = ", ".join(parts) or "no labels"
        if self.left_out:
            gone = ", ".join(f"{name} {count}" for name, count in self.left_out.items())
            text += f"; left out: {gone}"
        return text


@dataclass
class SplitSummary:
    """What is in a split. ``missing``: modality → clips without it; ``bare``: clips without any."""

    clips: int
    seconds: float = 0.0
    labels: dict[str, LabelSummary] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    bare: int = 0
    speakers: tuple[str, ...] = ()
    dialogues: tuple[str, ...] = ()

    @property
    def hours(self) -> float:
        """Length of the clips' media together."""
        return self.seconds / 3600


@dataclass
class Report:
    """What :func:`check` found. ``shared_*``: two splits → what they have in common."""

    faults: list[str] = field(default_factory=list)
    splits: dict[str, SplitSummary] = field(default_factory=dict)
    shared_speakers: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    shared_dialogues: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The summary as text, without the faults."""
        for name, split in self.splits.items():
            yield f"{name}: {count(split.clips, 'clip')}, {split.hours:.2f} h"
            for space, labels in split.labels.items():
                yield f"  {space}: {labels}"
            gaps = [f"{modality} {count}" for modality, count in split.missing.items() if count]
            gaps += [f"all of them {split.bare}"] if split.bare else []
            yield f"  missing: {', '.join(gaps) or 'none'}"
            for what, found in (("speakers", split.speakers), ("dialogues", split.dialogues)):
                if found:
                    yield f"  {what}: {len(found)}"
        for what, shared in (("speaker", self.shared_speakers), ("dialogue", self.shared_dialogues)):
            for (first, second), names in shared.items():
                yield f"{first} and {second} share {count(len(names), what)}: {some(names)}"
        yield from self.remarks


def summarise(report: Report, corpora: Sequence[Corpus], seconds: Mapping[str, float]) -> None:
    """Fill in the splits of a report and what they share.

    Args:
        report: gets the numbers.
        corpora: the corpus as read with each of its label spaces; the first one counts the clips.
        seconds: length of each clip by its id (missing: unknown).
    """
    for split in corpora[0].splits:
        report.splits[split] = _split(split, corpora, seconds)
    for a, b in combinations(report.splits, 2):
        first, second = report.splits[a], report.splits[b]
        speakers = sorted(set(first.speakers) & set(second.speakers))
        dialogues = sorted(set(first.dialogues) & set(second.dialogues))
        if speakers:
            report.shared_speakers[a, b] = speakers
        if dialogues:
            report.shared_dialogues[a, b] = dialogues
    report.remarks += corpora[0].remarks
    absent = [f"'{name}'" for name in ("train", "valid") if name not in report.splits]
    if absent and not report.faults:  # a split that cannot be read is no missing one
        flags = "--train-subset and --valid-subset"
        report.remarks.append(f"no split {' and '.join(absent)}: to train, name others with {flags}")


def _split(split: str, corpora: Sequence[Corpus], seconds: Mapping[str, float]) -> SplitSummary:
    clips = corpora[0].clips(split)
    used = [m for m in MODALITIES if any(c.has(m) for s in corpora[0].splits for c in corpora[0].clips(s))]
    return SplitSummary(
        clips=len(clips),
        seconds=sum(seconds.get(clip.id, 0.0) for clip in clips),
        labels={
            corpus.label_space.name: LabelSummary.of(
                corpus.label_space, corpus.clips_of.get(split, []), corpus.left_out.get(split, [])
            )
            for corpus in corpora
        },
        missing={modality: sum(not clip.has(modality) for clip in clips) for modality in used},
        bare=sum(not clip.media for clip in clips),
        speakers=tuple(sorted({clip.speaker for clip in clips} - {""})),
        dialogues=tuple(sorted({clip.dialogue for clip in clips} - {""})),
    )
