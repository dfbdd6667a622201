"""Training step (forward, backward, SGD) of JMT, ours against the plain way.

In the README's sizes: 32 sequences of 16 steps, sound and picture 512 wide, one head and one layer; ``--heads 4
--layers 2`` for larger ones; ``--joint`` and ``--output`` for the other variants. The plain way (``plain_jmt.py``)
attends with ``nn.MultiheadAttention`` from every token. Both have the same weights; outputs and gradients are compared
first. The two take turns, and medians are reported: of the clock, and of the processor's time.

    python tests/benchmarks/step_jmt.py --threads 1 2
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from plain_jmt import PlainJMT  # noqa: E402
from turns import report, take_turns  # noqa: E402

from mmer_fairseq.checkpoints.jmt import fusion_to_network, sizes_of  # noqa: E402
from mmer_fairseq.networks.jmt import JMT  # noqa: E402

STEPS, DIM = 16, 512
VARIANTS = ("TRANSFORMER", "FC", "NONE")


def networks(joint: str, output: str, heads: int, layers: int) -> tuple[PlainJMT, JMT]:
    """Both ways, with the same weights."""
    torch.manual_seed(1)
    plain = PlainJMT(joint, output, dim=DIM, heads=heads, layers=layers, over_time=True)
    sizes = sizes_of(plain.state_dict(), "plain")
    ours = JMT(
        streams=("video", "audio"), outputs=2, dim=sizes.dim, head_dim=sizes.head_dim, heads=heads,
        layers=sizes.layers, joint_modalities=joint, output_format=output,
    )  # fmt: skip
    ours.load_state_dict(fusion_to_network(plain.state_dict(), "plain"))
    return plain, ours


def loss_of(predicted: Tensor, target: Tensor) -> Tensor:
    """1 − CCC of each output over all steps [B, S, C], added up."""
    x, y = (values.flatten(0, 1) for values in (predicted, target))
    mean_x, mean_y = x.mean(0), y.mean(0)
    covariance = ((x - mean_x) * (y - mean_y)).mean(0)
    both = x.var(0, unbiased=False) + y.var(0, unbiased=False) + (mean_x - mean_y).square()
    return (1 - 2 * covariance / both).sum()


def plain_outputs(network: PlainJMT, streams: Mapping[str, Tensor]) -> Tensor:
    """[B, S, 2]; the original's time-first results are turned round."""
    y = torch.stack(network(streams["audio"], streams["video"]), dim=-1)
    return y if y.shape[0] == len(streams["audio"]) else y.transpose(0, 1)


def our_outputs(network: JMT, streams: Mapping[str, Tensor]) -> Tensor:
    """[B, S, 2]."""
    lengths = {m: torch.full((len(x),), x.shape[1]) for m, x in streams.items()}
    return network(streams, lengths)["logits"]


def compare(plain: PlainJMT, ours: JMT, streams: Mapping[str, Tensor], target: Tensor) -> tuple[float, float]:
    """Largest difference of outputs, and of gradients relative to each tensor's largest, in double precision."""
    plain, ours = plain.double(), ours.double()
    exact, goal = {m: x.double() for m, x in streams.items()}, target.double()
    outputs = plain_outputs(plain, exact), our_outputs(ours, exact)
    for y in outputs:
        loss_of(y, goal).backward()
    theirs = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in plain.named_parameters()}
    expected = fusion_to_network(theirs, "plain")
    gradients = max(
        float((p.grad - expected[n]).abs().max() / expected[n].abs().max().clamp(min=1e-12))
        for n, p in ours.named_parameters()
    )
    return float((outputs[0] - outputs[1]).detach().abs().max()), gradients


def step(
    network: nn.Module,
    run: Callable[[Any, Mapping[str, Tensor]], Tensor],
    streams: Mapping[str, Tensor],
    target: Tensor,
) -> Callable[[], None]:
    """One training step as a function without arguments."""
    # what nothing uses has no gradient and is not stepped
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, nesterov=True)

    def once() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss_of(run(network, streams), target).backward()
        optimizer.step()

    return once


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; exit status 1 if the two ways disagree."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--joint", choices=VARIANTS, default="TRANSFORMER")
    parser.add_argument("--output", choices=["SELF_ATTEN", "FC"], default="SELF_ATTEN")
    parser.add_argument("--heads", type=int, default=1)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32, help="sequences")
    parser.add_argument("--repeats", type=int, default=9, help="timed steps of each way")
    parser.add_argument("--threads", type=int, nargs="+", default=[torch.get_num_threads()])
    args = parser.parse_args(argv)
    torch.manual_seed(2)
    streams = {m: torch.randn(args.batch, STEPS, DIM) for m in ("audio", "video")}
    target = torch.rand(args.batch, STEPS, 2) * 2 - 1
    variant = args.joint, args.output, args.heads, args.layers
    outputs, gradients = compare(*networks(*variant), streams, target)
    agree = outputs <= 1e-9 and gradients <= 1e-6

    print(f"machine   {platform.machine()}; Python {platform.python_version()}, torch {torch.__version__}")
    print(
        f"sizes     {args.joint}/{args.output}, {args.heads} heads, {args.layers} layers, {args.batch} sequences of "
        f"{STEPS} steps, width {DIM}"
    )
    print(
        f"agree     {agree}: outputs to {outputs:.1e}, gradients to {gradients:.1e} of their largest number"
    )
    for threads in args.threads:
        torch.set_num_threads(threads)
        plain, ours = networks(*variant)
        ways = {}
        for name, network, run in (("plain", plain, plain_outputs), ("ours", ours, our_outputs)):
            ways[name] = step(network, run, streams, target)
        print(f"threads   {threads}")
        report(take_turns(ways, repeats=args.repeats))
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
