"""Image and sound branches of MME2E, dense against sparse (MESM): multiply-adds, and time of forward and backward.

A batch of 8 clips of mixed lengths: 70 faces of 48×48 pixels and 100 pieces of spectrograms, in the README's sizes
(transformers of 4 layers and width 64), in training mode. The selection is untrained, so that attention is nearly even
over an image, and each threshold keeps about that share of the sites before each stage. All ways take turns in one run;
medians are reported, and ratios of the dense time to the sparse one, of clock and of processor. Multiply-adds are those
of convolutions and of the attention, counted per image from what was selected.

    OMP_NUM_THREADS=1 python tests/benchmarks/sparse_mme2e.py --plot sparse.png
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from turns import take_turns  # noqa: E402

from mmer_fairseq.modules.selection import SparseCNN  # noqa: E402
from mmer_fairseq.modules.sites import Sites  # noqa: E402
from mmer_fairseq.modules.vgg import STAGES, STEM  # noqa: E402
from mmer_fairseq.networks.mme2e import MME2E, Branch  # noqa: E402
from mmer_fairseq.networks.mme2e_sparse import MESM  # noqa: E402

FACES = [6, 12, 8, 5, 14, 9, 7, 9]
PIECES = [9, 17, 11, 7, 20, 13, 10, 13]
IMAGES = {"video": (3, 48, 48), "audio": (1, 128, 32)}
DIMS = {"text": 768, "video": 6912, "audio": 4096}
THRESHOLDS = (0.9, 0.8, 0.7, 0.5)
WIDTHS = list(zip((STEM, *STAGES), STAGES))


def batch(share: float = 1.0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Streams and lengths, with that share of the faces and pieces of every clip."""
    generator = torch.Generator().manual_seed(3)
    counts = {"text": [1] * len(FACES), "video": FACES, "audio": PIECES}
    lengths = {m: torch.tensor([max(round(n * share), 1) for n in counts[m]]) for m in counts}
    streams = {
        m: torch.randn(len(FACES), int(n.max()), DIMS[m], generator=generator) for m, n in lengths.items()
    }
    return streams, lengths


def networks(thresholds: Sequence[float]) -> dict[str, MME2E]:
    """The dense network and the sparse ones."""
    torch.manual_seed(1)
    found: dict[str, MME2E] = {"dense": MME2E(dims=DIMS, outputs=6, images=IMAGES)}
    for threshold in thresholds:
        torch.manual_seed(1)
        found[f"{threshold:g}"] = MESM(dims=DIMS, outputs=6, images=IMAGES, threshold=threshold)
    return found


def step(network: MME2E, streams: dict[str, Tensor], lengths: dict[str, Tensor]) -> None:
    """Forward and backward."""
    network.zero_grad(set_to_none=True)
    network(streams, lengths)["logits"].square().mean().backward()


def stem_products(image: tuple[int, int, int]) -> int:
    """Multiply-adds of the layers that both have."""
    channels, height, width = image
    return height * width * STEM * 25 * channels + (height * width // 4) * 4 * 9 * STEM * STEM


def dense_products(image: tuple[int, int, int]) -> int:
    """Multiply-adds of all convolutions on one image."""
    sites = image[1] * image[2] // 4
    stages = sum((sites >> 2 * i) * 9 * (a * b + b * b) for i, (a, b) in enumerate(WIDTHS))
    return stem_products(image) + stages


@torch.no_grad()
def sparse_products(
    network: MESM, streams: dict[str, Tensor], lengths: dict[str, Tensor]
) -> dict[str, float]:
    """Multiply-adds of what was selected, the mean over images, by modality."""
    found = {}
    for m, branch in network.branches.items():
        assert isinstance(branch, Branch)
        assert isinstance(branch.cnn, SparseCNN)
        x, counts = network._steps(m, streams, lengths)
        stages: list[Sites] = []
        branch.steps(x, counts, network._text(streams, lengths), selected=stages)
        sites = [stages[0].mask.numel(), *(_reached(stage.mask) for stage in stages[:-1])]
        products = sum(
            stage.pairs.count * (a * b + b * b) + seen * a * (a + 1)
            for stage, seen, (a, b) in zip(stages, sites, WIDTHS)
        )
        found[m] = stem_products(IMAGES[m]) + products / len(x)
    return found


def _reached(mask: Tensor) -> int:
    """Sites of the next stage that may be selected."""
    return int(torch.nn.functional.max_pool2d(mask.float()[:, None], 2).sum())


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, draw it if asked; exit status 1 if the goals are missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--thresholds", type=float, nargs="+", default=THRESHOLDS)
    parser.add_argument("--share", type=float, default=1.0, help="of the faces and pieces of every clip")
    parser.add_argument("--repeats", type=int, default=7, help="timed turns")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the table into this file")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    streams, lengths = batch(args.share)
    ways = networks(args.thresholds)
    images = {m: int(lengths[m].sum()) for m in IMAGES}
    dense = sum(images[m] * dense_products(image) for m, image in IMAGES.items())
    products = {"dense": float(dense)}
    shown = {"dense": {m: float(dense_products(image)) for m, image in IMAGES.items()}}
    for way, network in ways.items():
        if isinstance(network, MESM):
            shown[way] = sparse_products(network, streams, lengths)
            products[way] = sum(images[m] * count for m, count in shown[way].items())
    times = take_turns(
        {way: (lambda own=network: step(own, streams, lengths)) for way, network in ways.items()},
        repeats=args.repeats,
    )
    medians = {
        way: [statistics.median(t[kind] for t in taken) for kind in (0, 1)] for way, taken in times.items()
    }
    print(
        f"machine   {platform.machine()}, {args.threads} threads; Python {platform.python_version()}, "
        f"torch {torch.__version__}"
    )
    print(
        f"batch     {len(FACES)} clips, {images['video']} faces, {images['audio']} pieces; forward and backward"
    )
    print("threshold  M a face  M a piece  arithmetic  clock (s)  processor (s)  faster (clock)  (processor)")
    good = True
    for way, (clock, processor) in medians.items():
        part, ratios = products[way] / dense, [medians["dense"][k] / medians[way][k] for k in (0, 1)]
        print(
            f"{way:>9}  {shown[way]['video'] / 1e6:8.0f}  {shown[way]['audio'] / 1e6:9.0f}  {part:10.2f}"
            f"  {clock:9.3f}  {processor:13.3f}  {ratios[0]:14.2f}  {ratios[1]:11.2f}"
        )
        goal = 2.0 if part <= 0.355 else 1.3 if part <= 0.52 else 0.0
        good = good and ratios[0] >= goal
    if args.plot:
        draw(args.plot, {way: p / dense for way, p in products.items()}, medians)
    return 0 if good else 1


def draw(path: Path, parts: dict[str, float], medians: dict[str, list[float]]) -> None:
    """Arithmetic and time, as shares of the dense network's, at each threshold."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    ways = list(parts)
    figure, axes = pyplot.subplots(figsize=(5, 3.2), layout="constrained")
    axes.plot(ways, list(parts.values()), "o-", label="multiply-adds")
    axes.plot(ways, [medians[way][0] / medians["dense"][0] for way in ways], "s-", label="time (clock)")
    axes.set(xlabel="sparse threshold", ylabel="share of the dense network", ylim=(0, None))
    axes.legend()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
