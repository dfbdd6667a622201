"""The text of a clip's dialogue: what was said before it and after it, for an encoder that reads all of it once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mmer_fairseq.corpus import Clip, Corpus
from mmer_fairseq.data.sources import RawSource
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.stopping import check

logger = logging.getLogger(__name__)

#: A dialogue is cut into parts before its longest utterances are shortened below this many tokens.
FEWEST = 24
#: Between two utterances: ``</s> </s>``. What ids of an older layout get, too.
ROBERTA_SEPARATOR = (2, 2)
#: The smallest budget with room for an utterance of two tokens.
SMALLEST = 4


@dataclass(frozen=True)
class Part:
    """A dialogue, or a part of a long one, as one text.

    Attributes:
        key: of this part; equal ones are the same text.
        tokens: LongTensor [T]: ``<s>`` u1 separator u2 separator … ``</s>``.
        spans: clip id → position of the token before its first one (``<s>``, or the last of a separator), and the
            number of its own tokens and this one.
    """

    key: tuple[str, int]
    tokens: Tensor
    spans: dict[str, tuple[int, int]]


@dataclass
class Dialogues:
    """The dialogues of a split.

    A dialogue is the text of all clips that name it, in the order of their turns. One that is longer than the budget
    loses tokens one by one, always the last of its longest utterance, as in FacialMMT; one that would leave utterances
    of fewer than 24 tokens so is cut into parts of about as many utterances each. So the context of a clip depends on
    its dialogue alone, never on the batch. A clip without a dialogue is one by itself.

    Source: Zheng et al., ACL 2023 (FacialMMT), and its published code, for the layout and the shortening.

    Args:
        clips: of the split, those without a label to predict too.
        source: reads their tokens, from an opening token to a closing one.
        budget: tokens of a part, all of them.
        separator: tokens between two utterances.
        bad_clips: ``missing``: an utterance that cannot be read is left out (and named when it is its turn).
    """

    clips: Iterable[Clip]
    source: RawSource
    budget: int
    separator: tuple[int, ...]
    bad_clips: str = "error"
    _turns: dict[str, list[Clip]] = field(default_factory=dict, init=False, repr=False)
    _parts: dict[str, dict[str, Part]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for clip in self.clips:
            if self.source.present(clip):
                self._turns.setdefault(_name(clip), []).append(clip)
        for clips in self._turns.values():
            clips.sort(key=lambda clip: int(clip.turn or 0))

    def of_clip(self, clip: Clip) -> Part:
        """The part of the dialogue that holds a clip with a text.

        Raises:
            InputError: a text of the dialogue cannot be read.
        """
        name = _name(clip)
        if name not in self._parts:
            self._parts[name] = {id: part for part in self._read(name) for id in part.spans}
        return self._parts[name][clip.id]

    def numbers(self, clips: Sequence[Clip]) -> list[int]:
        """A number for each clip, the same for those of one dialogue."""
        seen: dict[str, int] = {}
        return [seen.setdefault(_name(clip), len(seen)) for clip in clips]

    def _read(self, name: str) -> list[Part]:
        spoken, ends = [], (0, 0)
        for clip in self._turns[name]:
            check()
            try:
                tokens = self.source.read(clip, random=None)
            except InputError:
                if self.bad_clips == "error":
                    raise
                continue
            ends = int(tokens[0]), int(tokens[-1])
            spoken.append((clip.id, tokens[1:-1]))
        parts = [_Fitted(piece, self._cap(piece)) for piece in self._pieces(spoken)]
        lost = sum(len(tokens) for _, tokens in spoken) - sum(sum(part.kept) for part in parts)
        if lost or len(parts) > 1:
            logger.info(
                "dialogue %s: %d tokens do not fit into --context %d; %d are left out, in %d part%s",
                name.partition(":")[2],
                sum(len(tokens) for _, tokens in spoken),
                self.budget,
                lost,
                len(parts),
                "s" if len(parts) > 1 else "",
            )
        return [self._laid(name, number, part, ends) for number, part in enumerate(parts)]

    def _pieces(self, spoken: list[tuple[str, Tensor]]) -> list[list[tuple[str, Tensor]]]:
        """The fewest parts in which no utterance gets too short."""
        for count in range(1, len(spoken) + 1):
            check()
            sizes = [len(spoken) * k // count for k in range(count + 1)]
            pieces = [spoken[a:b] for a, b in zip(sizes, sizes[1:])]
            if all(
                len(piece) == 1 or self._cap(piece)[0] >= min(FEWEST, _longest(piece)) for piece in pieces
            ):
                return pieces
        return []

    def _cap(self, piece: list[tuple[str, Tensor]]) -> tuple[int, int]:
        """Tokens that each utterance keeps at most, and how many of the last long ones keep one more."""
        lengths = sorted(len(tokens) for _, tokens in piece)
        room = self.budget - 2 - (len(piece) - 1) * len(self.separator)
        if sum(lengths) <= room:
            return lengths[-1], 0
        for done, length in enumerate(lengths):
            rest = len(lengths) - done
            if length * rest > room:
                return max(room // rest, 0), max(room % rest, 0)
            room -= length
        raise AssertionError("unreachable: the utterances fit")

    def _laid(self, name: str, number: int, part: _Fitted, ends: tuple[int, int]) -> Part:
        between = torch.tensor(self.separator, dtype=torch.long)
        spans: dict[str, tuple[int, int]] = {}
        laid, at = [torch.tensor(ends[:1])], 1
        for (id, tokens), kept in zip(part.piece, part.kept):
            if spans:
                laid.append(between)
                at += len(between)
            laid.append(tokens[:kept])
            spans[id] = (at - 1, kept + 1)
            at += kept
        laid.append(torch.tensor(ends[1:]))
        return Part((name, number), torch.cat(laid), spans)


@dataclass(frozen=True)
class _Fitted:
    piece: list[tuple[str, Tensor]]
    cap: tuple[int, int]

    @property
    def kept(self) -> list[int]:
        """Tokens of each utterance."""
        cap, spare = self.cap
        long = [k for k, (_, tokens) in enumerate(self.piece) if len(tokens) > cap]
        more = set(long[len(long) - spare :]) if spare else set()
        return [min(len(tokens), cap + (k in more)) for k, (_, tokens) in enumerate(self.piece)]


def _longest(piece: list[tuple[str, Tensor]]) -> int:
    return max(len(tokens) for _, tokens in piece)


def _name(clip: Clip) -> str:
    return f"dialogue:{clip.dialogue}" if clip.dialogue else f"clip:{clip.id}"


def check_context(budget: int, stream: Any, corpus: Corpus) -> None:
    """Refuse ``--context`` where it means nothing.

    Args:
        budget: the flag's value, not 0.
        stream: the run's stream of text (see ``data.plan``); None: it has none.
        corpus: the data set.

    Raises:
        InputError: a budget without room, no text to read, stored text, or no dialogues.
    """
    found, remedy = "", "leave the flag out"
    if budget < SMALLEST:
        found, remedy = str(budget), "allow for a few hundred tokens, such as --context 512"
    elif stream is None:
        found = "a run without text"
    elif not isinstance(stream.source, RawSource):
        found, remedy = "stored features of it", "leave out --context, or --features text=…"
    elif not any(clip.dialogue for split in corpus.splits for clip in corpus.clips(split)):
        found = f"none in {corpus.directory} (column 'dialogue')"
    if found:
        raise InputError.of(
            where="--context",
            expected=f"{SMALLEST} tokens or more, and texts that are parts of dialogues",
            found=found,
            remedy=remedy,
        )


def plan_dialogues(
    budget: int, source: Any, clips: Iterable[Clip], bad_clips: str = "error"
) -> Dialogues | None:
    """The dialogues of a split; None: texts are read by themselves (``budget`` 0, or the run has no text)."""
    if not budget or source is None:
        return None
    separator = getattr(source.options.tokenizer, "separator", ROBERTA_SEPARATOR)
    return Dialogues(clips, source, budget, separator, bad_clips)


def collate_context(items: Sequence[dict], padding_idx: int) -> dict[str, Tensor]:
    """The dialogues of a batch, each once.

    Args:
        items: clips, some with a ``context``: a part, position and length; see :class:`Part`.
        padding_idx: fills up the shorter dialogues.

    Returns:
        ``tokens`` LongTensor [D, T], ``lengths`` LongTensor [D] and ``spans`` LongTensor [B, 3]: each clip's dialogue,
        position and length (0: it has no text); {} if no clip has a context.
    """
    rows: dict[tuple[str, int], int] = {}
    texts: list[Tensor] = []
    spans = []
    for item in items:
        if "context" not in item:
            spans.append((0, 0, 0))
            continue
        key, tokens, start, length = item["context"]
        if key not in rows:
            rows[key] = len(texts)
            texts.append(tokens)
        spans.append((rows[key], start, length))
    if not texts:
        return {}
    return {
        "tokens": torch.nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=padding_idx),
        "lengths": torch.tensor([len(text) for text in texts]),
        "spans": torch.tensor(spans),
    }
