"""Sites: convolution, norm and selection at chosen places, against whole maps; a selection that is learnt."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmer_fairseq.modules import sites as sites_module
from mmer_fairseq.modules.norm_pool import NormReluPool
from mmer_fairseq.modules.selection import Selection, most_attended, scrambled
from mmer_fairseq.modules.sites import SiteConv, SiteNorm, Sites, halved


@pytest.mark.parametrize("density", [0.03, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("block", [7, 1024])
def test_convolution(density: float, block: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sites_module, "BLOCK", block)
    torch.manual_seed(0)
    mask = torch.rand(2, 12, 10) < density
    mask[0, 2, 1] = True
    sites, conv = Sites(mask), SiteConv(4, 6).double()
    assert sites.dense == (density >= 0.9)
    rows = torch.randn(len(sites), 4, dtype=torch.float64, requires_grad=True)
    y = conv(rows, sites)
    grad = torch.randn_like(y)
    found = torch.autograd.grad(y, (rows, conv.weight), grad)
    full = torch.zeros(2, 12, 10, 4, dtype=torch.float64).masked_scatter(mask[..., None], rows)
    kernel = conv.weight.permute(2, 1, 0).unflatten(2, (3, 3))
    expected = F.conv2d(full.permute(0, 3, 1, 2), kernel, padding=1).permute(0, 2, 3, 1)[mask]
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)
    for ours, theirs in zip(found, torch.autograd.grad(expected, (rows, conv.weight), grad)):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_pairs_are_those_of_chosen_neighbours():
    mask = torch.zeros(2, 4, 4, dtype=torch.bool)
    mask[0, 0, 0] = mask[0, 1, 1] = mask[1, 0, 0] = mask[0, 3, 3] = True
    assert Sites(mask).pairs.count == 4 + 2


def test_halving():
    torch.manual_seed(0)
    mask = torch.rand(3, 6, 4) < 0.3
    sites = Sites(mask)
    rows = torch.rand(len(sites), 5, dtype=torch.float64, requires_grad=True)
    y, above = halved(rows, sites)
    full = F.max_pool2d(sites.map(rows), 2)
    assert torch.equal(above.mask, F.max_pool2d(mask.float(), 2) > 0)
    expected = full.permute(0, 2, 3, 1)[above.mask]
    grad = torch.randn_like(y)
    assert torch.equal(y, expected)
    wanted = torch.autograd.grad(expected, rows, grad)[0]
    assert torch.equal(torch.autograd.grad(y, rows, grad)[0], wanted)


def test_norm():
    torch.manual_seed(0)
    ours, theirs = SiteNorm(3).double(), torch.nn.BatchNorm1d(3, eps=1e-4, momentum=0.01).double()
    x = torch.randn(9, 3, dtype=torch.float64)
    torch.testing.assert_close(ours(x), F.relu(theirs(x)), rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.running_var, theirs.running_var, rtol=0, atol=1e-12)
    assert torch.equal(ours(x[:1]), ours.eval()(x[:1]))  # one site has no statistics


@pytest.mark.parametrize("training", [True, False])
def test_norm_relu_and_pool(training: bool):
    torch.manual_seed(0)
    ours, theirs = NormReluPool(5).double().train(training), torch.nn.BatchNorm2d(5).double().train(training)
    with torch.no_grad():
        ours.weight.normal_()  # negative ones, too
        ours.bias.normal_()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 5, 6, 4, dtype=torch.float64, requires_grad=True)
    y, expected = ours(x), F.max_pool2d(F.relu(theirs(x)), 2)
    grad = torch.randn_like(y)
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)
    wanted = torch.autograd.grad(expected, (x, *theirs.parameters()), grad)
    for a, b in zip(torch.autograd.grad(y, (x, *ours.parameters()), grad), wanted):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    for (_, a), (_, b) in zip(ours.named_buffers(), theirs.named_buffers()):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_most_attended():
    attention = torch.tensor([[0.1, 0.5, 0.2, 0.2], [0.97, 0.01, 0.01, 0.01]])
    assert most_attended(attention, 0.6).tolist() == [[False, True, True, False], [True] + [False] * 3]
    assert most_attended(attention, 0.05).sum(dim=1).tolist() == [1, 1]


def test_scrambled_keeps_one_image_as_it_is():
    torch.manual_seed(0)
    mask = torch.rand(1, 4, 4) < 0.6
    rows = torch.randn(int(mask.sum()), 2)
    assert torch.equal(scrambled(rows, mask), rows)
    mask = torch.ones(2, 1, 2, dtype=torch.bool)
    assert scrambled(torch.arange(4)[:, None], mask).flatten().tolist() == [0, 2, 1, 3]


def test_kept_features_pass_unchanged():
    torch.manual_seed(0)
    sites = Sites(torch.rand(3, 4, 4) < 0.7)
    rows, clips = torch.randn(len(sites), 5), torch.tensor([0, 0, 1])
    kept, chosen = Selection(5, 6)(rows, sites, torch.randn(2, 6), clips, 0.5, True)
    place = {int(i): row for i, row in zip(sites.index, rows)}
    assert torch.equal(kept, torch.stack([place[int(i)] for i in chosen.index]))
    assert len(chosen) < len(sites)


def test_the_selection_is_learnt():
    """One quadrant tells the answer, which one the text says; the others are noise, and disturb."""
    torch.manual_seed(0)
    selection, head = Selection(6, 4), torch.nn.Linear(6, 1)
    optimizer = torch.optim.Adam([*selection.parameters(), *head.parameters()], lr=0.02)
    sites, clips = Sites(torch.ones(32, 4, 4, dtype=torch.bool)), torch.arange(32)
    quadrant_of = (torch.arange(4)[:, None] // 2 * 2 + torch.arange(4)[None] // 2).flatten()  # [16]

    def batch() -> tuple[torch.Tensor, ...]:
        told, target = torch.randint(0, 4, (32,)), torch.randint(0, 2, (32,)).float()
        right = quadrant_of[None] == told[:, None]
        x = torch.cat([torch.randn(32, 16, 2), F.one_hot(quadrant_of, 4).expand(32, 16, 4)], dim=2)
        x[..., 0] = torch.where(right, 2 * target[:, None] - 1, 3 * x[..., 0])
        return x.flatten(0, 1), F.one_hot(told, 4).float(), target, right

    def step(train: bool = True) -> tuple[float, float]:
        rows, text, target, right = batch()
        kept, chosen = selection(rows, sites, text, clips, 0.7, train)
        image = chosen.index // 16
        summed = torch.zeros(32, 6).index_add(0, image, kept) / chosen.mask.flatten(1).sum(1)[:, None]
        loss = F.binary_cross_entropy_with_logits(head(summed).squeeze(1), target)
        if train:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        share = float((chosen.mask.flatten(1) & right).sum() / chosen.mask.sum())
        return float(loss.detach()), share

    first = [step(False) for _ in range(10)]
    for _ in range(300):
        step()
    last = [step(False) for _ in range(10)]
    losses, shares = ([sum(pair[k] for pair in part) / 10 for part in (first, last)] for k in (0, 1))
    assert losses[1] < 0.5 * losses[0]
    assert shares[0] < 0.4
    assert shares[1] > 0.8
