"""Windows over a trace: which steps a sequence of sub-sequences predicts.

A sequence has S = seq_length // subseq_length sub-sequences of L = subseq_length steps of the trace, one behind the
other, so it spans S·L steps; each predicts the step that it ends with. So one sequence predicts every L-th step only:
the sequences that start one step later, two steps later, … L-1 steps later predict the steps between. Of a trace of T
steps, window (g, o) predicts the steps g·S·L + o + i·L below T, i = 0 … S-1, for o = 0 … L-1: each step is the target
of exactly one window.

Evaluation takes all windows. Training takes those whose first target is a multiple of the stride and that hold a label.

Source: Waligora et al., "Joint Multimodal Transformer for Emotion Recognition in the Wild", CVPRW 2024, and its code,
where these numbers were constants and a hole in the labels cost whole sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mmer_fairseq.corpus.subsequences import Subsequences
from mmer_fairseq.errors import InputError


@dataclass(frozen=True)
class Windows:
    """Lengths in steps of the trace.

    Attributes:
        seq_length: that a sequence spans; what is left of a division by ``subseq_length`` is not used.
        subseq_length: L, of a sub-sequence.
        stride: in training, windows start at multiples of this step.
        dilation: every d-th step of a sub-sequence gives a picture or stored vector.

    Raises:
        InputError: not positive, or a sequence shorter than a sub-sequence.
    """

    seq_length: int = 512
    subseq_length: int = 32
    stride: int = 1
    dilation: int = 4

    def __post_init__(self) -> None:
        for name in ("subseq_length", "stride", "dilation", "seq_length"):
            lowest = self.subseq_length if name == "seq_length" else 1
            if getattr(self, name) < lowest:
                why = " (--subseq-length)" if name == "seq_length" else ""
                raise InputError.of(
                    where="--" + name.replace("_", "-"),
                    expected=f"{lowest} or more{why}, in steps of the trace",
                    found=getattr(self, name),
                    remedy="correct it",
                )

    @property
    def steps(self) -> int:
        """S, sub-sequences of a sequence."""
        return self.seq_length // self.subseq_length

    @property
    def span(self) -> int:
        """S·L: from a window to the one of the next group."""
        return self.steps * self.subseq_length

    @property
    def subsequences(self) -> Subsequences:
        """What one of them holds."""
        return Subsequences(self.subseq_length, self.dilation)

    def starts(self, length: int) -> np.ndarray:
        """First targets of all windows over a trace of ``length`` steps, rising: int64 [W]."""
        groups = np.arange(0, length, self.span)
        starts = (groups[:, None] + np.arange(self.subseq_length)).flatten()
        return starts[starts < length]

    def targets(self, start: int, length: int) -> np.ndarray:
        """The steps that a window predicts: int64, S of them or, at the end of the trace, fewer."""
        targets = start + np.arange(self.steps) * self.subseq_length
        return targets[targets < length]

    def group(self, start: int, length: int) -> tuple[int, int]:
        """First and last target of all windows of the same group: what they read overlaps."""
        first = start // self.span * self.span
        return first, min(first + self.span, length) - 1


@dataclass(frozen=True)
class WindowTable:
    """All windows of a split, in the order of clips and of time.

    Attributes:
        clip: int64 [W], position of each window's clip.
        start: int64 [W], its first target.
        lengths: int64 [clips], steps of each clip's trace.
    """

    clip: np.ndarray
    start: np.ndarray
    lengths: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        return len(self.clip)


def tabulate(windows: Windows, labelled: Sequence[np.ndarray], *, training: bool) -> WindowTable:
    """List the windows of a split.

    Args:
        windows: their lengths.
        labelled: for each clip BoolTensor-like [T], which steps of its trace hold a label.
        training: take only windows at multiples of the stride that hold a label; evaluation takes all.
    """
    clips, starts = [], []
    for number, holds in enumerate(labelled):
        first = windows.starts(len(holds))
        if training:
            first = first[first % windows.stride == 0]
            steps = first[:, None] + np.arange(windows.steps) * windows.subseq_length
            padded = np.append(np.asarray(holds, dtype=bool), False)
            first = first[padded[np.minimum(steps, len(holds))].any(axis=1)]
        clips.append(np.full(len(first), number, dtype=np.int64))
        starts.append(first)
    return WindowTable(
        np.concatenate(clips) if clips else np.zeros(0, dtype=np.int64),
        np.concatenate(starts) if starts else np.zeros(0, dtype=np.int64),
        np.array([len(holds) for holds in labelled], dtype=np.int64),
    )
