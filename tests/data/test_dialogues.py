from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from mmer_fairseq.corpus import Clip
from mmer_fairseq.data.dialogues import FEWEST, Dialogues, check_context, collate_context
from mmer_fairseq.errors import InputError


@dataclass
class Source:
    """Clips whose text is the number of their tokens."""

    bad: tuple[str, ...] = ()

    def present(self, clip):
        return clip.has("text")

    def read(self, clip, *, random):
        if clip.id in self.bad:
            raise InputError("broken")
        first = 10 + 100 * int(clip.turn or 0)
        return torch.tensor([0, *range(first, first + int(clip.media["text"])), 2])


def clip(id, tokens, dialogue="d", turn="0", split="train"):
    media = {"text": str(tokens)} if tokens is not None else {"audio": "a.wav"}
    return Clip(id, media, False, None, None, "", dialogue, turn, 0, "c.tsv:1", split)


def dialogues(clips, budget=512, separator=(2, 2), **options):
    return Dialogues(clips, Source(**options), budget, separator, "missing")


def own(part, clip_id):
    start, length = part.spans[clip_id]
    return part.tokens[start + 1 : start + length].tolist()


def test_layout_of_roberta_in_the_order_of_turns():
    clips = [clip("b", 2, turn="1"), clip("a", 1, turn="0"), clip("c", 3, turn="10")]
    part = dialogues(clips).of_clip(clips[0])
    a, b, c = [10], [110, 111], [1010, 1011, 1012]
    assert part.tokens.tolist() == [0, *a, 2, 2, *b, 2, 2, *c, 2]
    assert part.spans == {"a": (0, 2), "b": (3, 3), "c": (7, 4)}
    assert [own(part, id) for id in "abc"] == [a, b, c]


def test_layout_of_bert():
    clips = [clip("a", 1, turn="0"), clip("b", 2, turn="1")]
    part = dialogues(clips, separator=(2,)).of_clip(clips[1])
    assert part.tokens.tolist() == [0, 10, 2, 110, 111, 2]
    assert own(part, "b") == [110, 111]


def test_a_clip_alone_is_what_its_own_text_is():
    one = clip("a", 4, dialogue="")
    other = clip("b", 2, dialogue="")
    made = dialogues([one, other])
    assert torch.equal(made.of_clip(one).tokens, Source().read(one, random=None))
    assert made.of_clip(other).key != made.of_clip(one).key


def popped(lengths, room):
    """The plain way: one token at a time, from the longest."""
    lengths = list(lengths)
    while sum(lengths) > room:
        lengths[max(range(len(lengths)), key=lambda k: lengths[k])] -= 1
    return lengths


@pytest.mark.parametrize("seed", range(12))
def test_the_longest_utterances_lose_their_last_tokens(seed):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 90, (6,), generator=generator).tolist()
    clips = [clip(str(k), n, turn=str(k)) for k, n in enumerate(lengths)]
    budget = 12 + int(torch.randint(6 * FEWEST, 300, (1,), generator=generator))
    part = dialogues(clips, budget).of_clip(clips[0])
    assert len(part.spans) == 6  # one part: none is shorter than FEWEST
    wanted = popped(lengths, budget - 2 - 5 * 2)
    assert [len(own(part, str(k))) for k in range(6)] == wanted
    assert all(own(part, str(k)) == list(range(10 + 100 * k, 10 + 100 * k + n)) for k, n in enumerate(wanted))
    assert len(part.tokens) <= budget


def test_a_long_dialogue_is_cut_into_parts():
    clips = [clip(str(k), 30, turn=str(k)) for k in range(50)]
    made = dialogues(clips, 512)
    parts = {made.of_clip(c).key: made.of_clip(c) for c in clips}
    assert sorted(len(part.spans) for part in parts.values()) == [16, 17, 17]
    assert all(len(part.tokens) <= 512 for part in parts.values())
    assert all(FEWEST <= len(own(made.of_clip(c), c.id)) <= 30 for c in clips)
    assert list(made.of_clip(clips[0]).spans) == [str(k) for k in range(16)]


def test_an_utterance_longer_than_the_budget_is_cut():
    clips = [clip("a", 50, turn="0"), clip("b", 3, turn="1")]
    made = dialogues(clips, 10)
    assert len(made.of_clip(clips[0]).tokens) <= 10
    assert own(made.of_clip(clips[1]), "b") == [110, 111, 112]


def test_what_was_lost_is_said(caplog):
    caplog.set_level("INFO")
    clips = [clip("a", 50, turn="0"), clip("b", 40, turn="1")]
    made = dialogues(clips, 64)
    assert not caplog.records
    made.of_clip(clips[0])
    assert "dialogue d: 90 tokens do not fit into --context 64; 30 are left out, in 1 part" in caplog.text


def test_clips_without_text_and_unreadable_ones_are_passed_over():
    clips = [
        clip("a", 2, turn="0"),
        clip("b", None, turn="1"),
        clip("x", 3, turn="2"),
        clip("c", 1, turn="3"),
    ]
    made = dialogues(clips, bad=("x",))
    assert list(made.of_clip(clips[0]).spans) == ["a", "c"]
    strict = Dialogues(clips, Source(bad=("x",)), 512, (2, 2))
    with pytest.raises(InputError, match="broken"):
        strict.of_clip(clips[0])


def test_batch_holds_each_dialogue_once():
    clips = [
        clip("a", 1, "d", "0"),
        clip("b", 2, "d", "1"),
        clip("c", 3, "e", "0"),
        clip("n", None, "e", "1"),
    ]
    made = dialogues(clips)
    items = []
    for each in clips:
        if not each.has("text"):
            items.append({})
            continue
        part = made.of_clip(each)
        items.append({"context": (part.key, part.tokens, *part.spans[each.id])})
    batch = collate_context(items, 1)
    assert batch["tokens"].tolist() == [[0, 10, 2, 2, 110, 111, 2], [0, 10, 11, 12, 2, 1, 1]]
    assert batch["lengths"].tolist() == [7, 5]
    assert batch["spans"].tolist() == [[0, 0, 2], [0, 3, 3], [1, 0, 4], [0, 0, 0]]
    assert collate_context([{}, {}], 1) == {}


def test_numbers_of_dialogues():
    clips = [clip("a", 1, "d"), clip("b", 1, ""), clip("c", 1, "d"), clip("e", 1, "")]
    assert dialogues(clips).numbers(clips) == [0, 1, 0, 2]


@dataclass
class Stub:
    source: object


class NoDialogues:
    directory = "data/mine"
    splits = ("train",)

    def clips(self, split):
        return [clip("a", 1, dialogue="")]


@pytest.mark.parametrize(
    ("budget", "stream", "found"),
    [
        (3, Stub(None), "found 3. Allow"),
        (512, None, "found a run without text"),
        (512, Stub(object()), "found stored features of it"),
    ],
)
def test_context_is_refused(budget, stream, found):
    with pytest.raises(InputError, match="--context: expected 4 tokens or more") as caught:
        check_context(budget, stream, NoDialogues())
    assert found in str(caught.value)
