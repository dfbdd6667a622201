"""A batch under a condition."""

from __future__ import annotations

import copy

import pytest
import torch

from mmer_fairseq.data.collate import collate
from mmer_fairseq.data.dataset import nothing
from mmer_fairseq.evaluation.conditions import SUBSET, Condition
from mmer_fairseq.evaluation.variants import Chance, variant
from mmer_fairseq.media import noise

EMPTY = {"text": nothing("tokens"), "audio": nothing("samples"), "video": nothing("frames", size=8)}
ALL = ("text", "audio", "video")
CHANCE = Chance(seed=3)


def item(index: int, **sizes: int) -> dict:
    random = torch.Generator().manual_seed(index)
    made = {
        "text": lambda n: torch.randint(4, 99, (n,), generator=random),
        "audio": lambda n: torch.randn(n, generator=random),
        "video": lambda n: torch.randint(256, (n, 3, 8, 8), generator=random).to(torch.uint8),
    }
    streams = {m: made[m](n) for m, n in sizes.items() if n}
    return {"index": index, "streams": streams, "target": torch.tensor(0)}


ITEMS = [item(0, text=5, audio=900, video=3), item(1, audio=400, video=6), item(2, text=7, video=2), item(3)]
IDS = ["a", "b", "c", "d"]
CONDITIONS = [Condition("snr", ALL, 5), Condition("blur", ALL, 1.5), Condition("occlusion", ALL, 0.25)]


def batch(items=ITEMS) -> dict:
    return collate(items, EMPTY, 1)


def same(one, other) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return torch.equal(one, other) if torch.is_tensor(one) else one == other


@pytest.mark.parametrize("kept", [ALL, ("text",), ("audio", "video"), ("video",)])
def test_a_subset_is_what_collate_makes_of_clips_that_have_no_more(kept):
    less = [{**i, "streams": {m: x for m, x in i["streams"].items() if m in kept}} for i in ITEMS]
    whole = batch()
    before = copy.deepcopy(whole)
    made = variant(whole, Condition(SUBSET, kept), IDS, CHANCE)
    assert same(made.batch, batch(less))
    assert made.lacking == sum(not i["streams"] for i in less)
    assert same(whole, before)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda c: c.kind)
def test_a_clip_is_spoilt_alike_in_any_batch(condition):
    whole = batch()
    before = copy.deepcopy(whole)
    made = variant(whole, condition, IDS, CHANCE)
    assert same(whole, before)
    lengths, spoilt = whole["net_input"]["lengths"], made.batch["net_input"]["streams"]
    assert same(made.batch["net_input"]["lengths"], lengths)
    m = condition.modality
    assert made.lacking == int((lengths[m] == 0).sum())
    for row, (one, name) in enumerate(zip(ITEMS, IDS)):
        alone = variant(batch([one]), condition, [name], CHANCE).batch["net_input"]["streams"]
        steps = int(lengths[m][row])
        assert torch.equal(spoilt[m][row, :steps], alone[m][0, :steps])
        assert not spoilt[m][row, steps:].any()  # padding stays padding
        assert not steps or not torch.equal(
            spoilt[m][row, :steps], whole["net_input"]["streams"][m][row, :steps]
        )
    assert all(spoilt[other] is whole["net_input"]["streams"][other] for other in ALL if other != m)


def test_what_is_added_is_drawn_from_seed_and_id():
    def sound(chance: Chance, name: str):
        return variant(batch(ITEMS[:1]), CONDITIONS[0], [name], chance).batch["net_input"]["streams"]["audio"]

    wave = ITEMS[0]["streams"]["audio"]
    assert torch.equal(sound(CHANCE, "a")[0], noise.add_noise(wave, 5, noise.generator_of(3, "snr", "a")))
    assert not torch.equal(sound(CHANCE, "a"), sound(CHANCE, "b"))
    assert not torch.equal(sound(CHANCE, "a"), sound(Chance(seed=4), "a"))
    assert not torch.equal(sound(CHANCE, "a"), sound(Chance(seed=3, recording=torch.randn(50)), "a"))


def test_silence_is_counted_and_left():
    silent = {**ITEMS[0], "streams": {"audio": torch.zeros(50)}}
    made = variant(batch([silent, *ITEMS[1:]]), CONDITIONS[0], IDS, CHANCE)
    assert (made.lacking, made.silent) == (2, 1)
    assert not made.batch["net_input"]["streams"]["audio"][0].any()
