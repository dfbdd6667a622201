"""Test sets drawn from populations whose true scores are known.

Intervals of 95 % hold the truth in 93 to 97 of 100; two equally good systems are called different in 4 to 6 of 100.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from mmer_fairseq.metrics import confusion, moments
from mmer_fairseq.reporting.bootstrap import Units, estimate
from mmer_fairseq.reporting.measures import Measure, Statistic
from mmer_fairseq.reporting.paired import flip_test, parts

PRIOR = torch.tensor([0.45, 0.3, 0.15, 0.1], dtype=torch.float64)
EVEN = torch.full((4,), 0.25, dtype=torch.float64)
RECALLS = (0.8, 0.7, 0.5, 0.4)
#: Test sets for coverage, of two systems, and resamplings of each.
SETS, PAIRS, DRAWS, FLIPS = 1000, 2500, 500, 1000
CLASS_METRICS = ("accuracy", "uar", "weighted_f1")


def decisions(recalls: tuple[float, ...]) -> Tensor:
    """P(decision | class), [C, C]: these recalls, and mistakes that fall unevenly."""
    size = len(recalls)
    wrong = torch.rand(size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.1
    wrong.fill_diagonal_(0)
    right = torch.tensor(recalls, dtype=torch.float64)
    return wrong / wrong.sum(1, keepdim=True) * (1 - right[:, None]) + torch.diag(right)


def classes(pairs: Tensor, size: int) -> Statistic:
    """Accuracy, UAR and weighted F1 of many test sets as one statistic.

    Args:
        pairs: LongTensor [n, S], class · size + decision of n clips in S test sets.
        size: number of classes.
    """
    clips, sets = pairs.shape
    cells = one_hot(pairs, size * size).double().flatten(1)

    def values(weights: Tensor) -> list[Tensor]:
        counts = (weights @ cells).reshape(-1, sets, size, size)
        found = [confusion.accuracy(counts), confusion.uar(counts), confusion.weighted_f1(counts)]
        return list(torch.cat(found, dim=-1).unbind(-1))

    return Statistic([Measure(name, "", clips) for name in CLASS_METRICS for _ in range(sets)], clips, values)


def true_classes(prior: Tensor, given: Tensor) -> Tensor:
    """Accuracy, UAR and weighted F1 of the population."""
    counts = 1e9 * prior[:, None] * given
    return torch.stack([confusion.accuracy(counts), confusion.uar(counts), confusion.weighted_f1(counts)])


def numbers(x: Tensor, y: Tensor) -> Statistic:
    """CCC of many test sets as one statistic; x, y: float64 [n, S]."""
    rows = moments.moments(x.reshape(1, -1), y.reshape(1, -1), torch.ones(1, x.numel(), dtype=torch.bool))
    parts = {key: value.reshape(x.shape) for key, value in rows.items()}

    def values(weights: Tensor) -> list[Tensor]:
        return list(moments.ccc({key: weights @ part for key, part in parts.items()}).unbind(-1))

    return Statistic([Measure("ccc", "", len(x)) for _ in range(x.shape[1])], len(x), values)


def draw_classes(prior: Tensor, given: Tensor, clips: int, sets: int, random: torch.Generator) -> Tensor:
    """Class · C + decision, LongTensor [clips, sets]."""
    joint = (prior[:, None] * given).flatten()
    return torch.multinomial(joint, clips * sets, True, generator=random).reshape(clips, sets)


def draw_two(
    prior: Tensor, given: tuple[Tensor, Tensor], clips: int, sets: int, random: torch.Generator
) -> list[Tensor]:
    """Two systems on the same clips, which agree more often than by chance."""
    size = len(prior)
    target = torch.multinomial(prior, clips * sets, True, generator=random)
    u, v, alike = torch.rand(3, clips * sets, generator=random, dtype=torch.float64)
    pairs = []
    for system, luck in zip(given, (u, torch.where(alike < 0.5, u, v))):
        decided = (luck[:, None] > system.cumsum(1)[target]).sum(1).clamp(max=size - 1)
        pairs.append((target * size + decided).reshape(clips, sets))
    return pairs


def draw_numbers(
    rho: float, scale: float, bias: float, target: Tensor, shared: Tensor, random: torch.Generator
) -> Tensor:
    """Predictions with this correlation, spread and bias; half of their errors' variance is ``shared``."""
    own = torch.randn(target.shape, generator=random, dtype=torch.float64)
    error = math.sqrt(0.5) * (shared + own)
    return scale * (rho * target + math.sqrt(1 - rho * rho) * error) + bias


def true_ccc(rho: float, scale: float, bias: float) -> float:
    """CCC of :func:`draw_numbers` with a standard normal target."""
    return 2 * rho * scale / (1 + scale * scale + bias * bias)


def covered(statistic, truth, units=None):
    found = estimate(statistic, units, draws=DRAWS)
    inside = torch.tensor([each.low <= t <= each.high for each, t in zip(found, truth)])
    return (100 * inside.double().reshape(-1, SETS).mean(1)).tolist()


@pytest.mark.parametrize("clips", [100, 200, 300])
@pytest.mark.parametrize(
    ("prior", "recalls"), [(PRIOR, (0.8, 0.7, 0.5, 0.4)), (EVEN, (0.97, 0.95, 0.9, 0.9))]
)
def test_intervals_of_classes(clips, prior, recalls):
    given, random = decisions(recalls), torch.Generator().manual_seed(clips)
    statistic = classes(draw_classes(prior, given, clips, SETS, random), 4)
    truth = true_classes(prior, given).repeat_interleave(SETS).tolist()
    found = covered(statistic, truth)
    print("coverage", clips, recalls, dict(zip(CLASS_METRICS, found)))
    assert all(93 <= share <= 97 for share in found)


@pytest.mark.parametrize("clips", [100, 200, 300])
@pytest.mark.parametrize("kind", [(0.6, 0.7, 0.1), (0.9, 1.0, 0.0), (0.2, 0.7, 0.0)])
def test_intervals_of_ccc(clips, kind):
    random = torch.Generator().manual_seed(clips)
    target, shared = torch.randn(2, clips, SETS, generator=random, dtype=torch.float64)
    statistic = numbers(draw_numbers(*kind, target, shared, random), target)
    found = covered(statistic, [true_ccc(*kind)] * SETS)
    print("coverage ccc", clips, kind, found)
    assert 93 <= found[0] <= 97


@pytest.mark.parametrize(("speakers", "each"), [(10, 20), (20, 10)])
def test_speakers_who_are_easy_or_hard(speakers, each):
    clips, random = speakers * each, torch.Generator().manual_seed(speakers)
    given = decisions((0.7, 0.7, 0.7, 0.7))
    # a speaker's recall is 0.55 or 0.85: 0.7 over all
    gain = 0.15 * (2.0 * torch.randint(2, (speakers, SETS), generator=random) - 1)
    of = torch.arange(speakers).repeat_interleave(each)
    target = torch.multinomial(PRIOR, clips * SETS, True, generator=random)
    right = torch.rand(clips * SETS, generator=random) < 0.7 + gain[of].flatten()
    wrong = given.clone().fill_diagonal_(0)
    decided = torch.where(right, target, torch.multinomial(wrong[target], 1, generator=random)[:, 0])
    pairs = (target * 4 + decided).reshape(clips, SETS)
    statistic, truth = classes(pairs, 4), true_classes(PRIOR, given).repeat_interleave(SETS)
    by_speaker = covered(statistic, truth.tolist(), Units("speakers", of, speakers))
    by_clip = covered(statistic, truth.tolist())
    print("coverage speakers", speakers, by_speaker, by_clip)
    assert all(93 <= share <= 97 for share in by_speaker)
    assert by_clip[0] < 91  # clips of one speaker are not independent


def alarms(first, second, units=None):
    units = units or Units.clips(first.clips)
    p = flip_test(parts(first, units) - parts(second, units), flips=FLIPS)
    return (100 * (p <= 0.05).double().reshape(-1, PAIRS).mean(1)).tolist()


def two(clips, given, prior=PRIOR):
    pairs = draw_two(prior, given, clips, PAIRS, torch.Generator().manual_seed(clips))
    return [classes(each, len(prior)) for each in pairs]


@pytest.mark.parametrize("clips", [100, 300])
def test_systems_that_are_alike(clips):
    given = decisions(RECALLS)
    found = alarms(*two(clips, (given, given)))
    print("alarms", clips, dict(zip(CLASS_METRICS, found)))
    assert all(4 <= share <= 6 for share in found)


@pytest.mark.parametrize("clips", [100, 300])
def test_systems_that_are_equally_good_at_different_classes(clips):
    first = decisions(RECALLS)
    order = torch.tensor([3, 2, 1, 0])
    given = first, first[order][:, order]
    found = alarms(*two(clips, given, EVEN))
    print("alarms", clips, dict(zip(CLASS_METRICS, found)))
    assert all(4 <= share <= 6 for share in found)


def two_ccc(clips, *kinds):
    random = torch.Generator().manual_seed(clips)
    target, shared = torch.randn(2, clips, PAIRS, generator=random, dtype=torch.float64)
    return [numbers(draw_numbers(*kind, target, shared, random), target) for kind in kinds]


@pytest.mark.parametrize("clips", [100, 300])
@pytest.mark.parametrize("second", [(0.6, 0.75, 0.0), (0.8, 0.42503602372791804, 0.0)])
def test_ccc_of_equal_height(clips, second):
    first = (0.6, 0.75, 0.0)  # the other second one is better correlated and has too little spread
    assert true_ccc(*second) == pytest.approx(true_ccc(*first))
    found = alarms(*two_ccc(clips, first, second))
    print("alarms", clips, second, found)
    assert 4 <= found[0] <= 6


def test_what_is_better_is_found():
    given = decisions(RECALLS), decisions((0.65, 0.55, 0.35, 0.25))
    assert all(share > 90 for share in alarms(*two(300, given)))
    assert alarms(*two_ccc(300, (0.6, 0.75, 0.0), (0.4, 0.75, 0.0)))[0] > 90


def test_speakers_who_suit_one_system():
    speakers, each = 12, 20
    clips, random = speakers * each, torch.Generator().manual_seed(5)
    of = torch.arange(speakers).repeat_interleave(each)
    target = torch.multinomial(EVEN, clips * PAIRS, True, generator=random)
    pairs = []
    for _ in range(2):
        chance = 0.7 + 0.25 * (torch.rand(speakers, PAIRS, generator=random) - 0.5)
        right = torch.rand(clips * PAIRS, generator=random) < chance[of].flatten()
        decided = torch.where(right, target, (target + 1) % 4)
        pairs.append(classes((target * 4 + decided).reshape(clips, PAIRS), 4))
    by_speaker = alarms(*pairs, Units("speakers", of, speakers))
    by_clip = alarms(*pairs)
    print("alarms speakers", by_speaker, by_clip)
    assert all(3.5 <= share <= 6.5 for share in by_speaker)
    assert by_clip[0] > 7  # clips of one speaker are not independent
