"""Training step (forward and backward of the three losses) of AuxFormer, ours against the plain way.

In the paper's sizes: 32 clips of 130 sound and 78 picture steps, 5 layers, 10 heads; ``--which v1``: 130 LLDs and
4096 VGG-Face features in, width 130; ``v2``: 1024 and 50 in, width 50. The plain way (``plain_auxformer.py``) runs
every query of every layer through ``nn.MultiheadAttention``, on padding too. Both have the same weights; outputs and
gradients are compared first. The two take turns, and medians are reported: of the clock, and of the processor's time.

    OMP_NUM_THREADS=1 python tests/benchmarks/step_auxformer.py --which v2
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from plain_auxformer import PlainAuxFormer  # noqa: E402
from turns import report, take_turns  # noqa: E402

from mmer_fairseq.checkpoints.auxformer import network_of, sizes_of, to_network  # noqa: E402
from mmer_fairseq.networks.auxformer import AuxFormer  # noqa: E402

SIZES = {
    "v1": {"audio_dim": 130, "video_dim": 4096, "dim": 130},
    "v2": {"audio_dim": 1024, "video_dim": 50, "dim": 50},
}
STEPS = {"audio": 130, "video": 78}
HEADS, OUTPUTS = 10, 6


def networks(which: str, dropout: bool) -> tuple[PlainAuxFormer, AuxFormer]:
    """Both ways, with the same weights."""
    torch.manual_seed(1)
    off = {} if dropout else {"dropout": 0.0, "embed_dropout": 0.0, "out_dropout": 0.0}
    plain = PlainAuxFormer(**SIZES[which], heads=HEADS, outputs=OUTPUTS, **off)
    off = dict.fromkeys(("attention", "activation", "residual", "embed", "out"), 0.0)
    ours = AuxFormer(
        **SIZES[which], heads=HEADS, outputs=OUTPUTS, original_behaviour=True,
        **({} if dropout else {f"{name}_dropout": p for name, p in off.items()}),
    )  # fmt: skip
    state = to_network(plain.state_dict(), "plain")
    assert network_of(sizes_of(plain.state_dict(), "plain"), HEADS).state_dict().keys() == state.keys()
    ours.load_state_dict(state)
    return plain, ours


def plain_step(network: PlainAuxFormer, streams: dict[str, Tensor], target: Tensor) -> Tensor:
    """Forward and backward; the three logits [3, B, C]."""
    network.zero_grad(set_to_none=True)
    outputs = network(streams["audio"], streams["video"])
    sum(F.cross_entropy(x, target) for x in outputs).backward()
    return torch.stack(outputs).detach()


def our_step(
    network: AuxFormer, streams: dict[str, Tensor], lengths: dict[str, Tensor], target: Tensor
) -> Tensor:
    """The same."""
    network.zero_grad(set_to_none=True)
    output = network(streams, lengths)
    outputs = [output["main"], *output["aux"].values()]
    sum(F.cross_entropy(x, target) for x in outputs).backward()
    return torch.stack(outputs).detach()


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; exit status 1 if the two ways disagree."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--which", choices=list(SIZES), default="v2")
    parser.add_argument("--batch", type=int, default=32, help="clips")
    parser.add_argument(
        "--shortest", type=float, default=1.0, help="lengths go from this share of the longest to 1"
    )
    parser.add_argument("--no-dropout", action="store_true", help="without the paper's dropout")
    parser.add_argument("--repeats", type=int, default=5, help="timed steps of the plain way")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    dims = {"audio": SIZES[args.which]["audio_dim"], "video": SIZES[args.which]["video_dim"]}
    streams = {m: torch.randn(args.batch, steps, dims[m]) for m, steps in STEPS.items()}
    full = {m: torch.full((args.batch,), steps) for m, steps in STEPS.items()}
    share = torch.linspace(args.shortest, 1, args.batch)
    lengths = {m: (share * steps).round().long().clamp(min=1) for m, steps in STEPS.items()}
    target = torch.arange(args.batch) % OUTPUTS

    # in double precision, where rounding hides no difference
    plain, ours = (network.double() for network in networks(args.which, dropout=False))
    exact = {m: x.double() for m, x in streams.items()}
    outputs = plain_step(plain, exact, target), our_step(ours, exact, full, target)
    expected = to_network({name: p.grad for name, p in plain.named_parameters()}, "plain")
    logits = float((outputs[0] - outputs[1]).abs().max())
    gradients = max(
        float((p.grad - expected[name]).abs().max() / expected[name].abs().max().clamp(min=1e-12))
        for name, p in ours.named_parameters()
    )
    agree = logits <= 1e-9 and gradients <= 1e-6

    plain, ours = networks(args.which, dropout=not args.no_dropout)
    ours.original_behaviour = False  # timed as it is used
    times = take_turns(
        {
            "plain": lambda: plain_step(plain, streams, target),
            "ours": lambda: our_step(ours, streams, lengths, target),
        },
        repeats=args.repeats,
    )
    print(
        f"machine   {platform.machine()}, {args.threads} threads; Python {platform.python_version()}, "
        f"torch {torch.__version__}"
    )
    print(f"sizes     {args.which}, {args.batch} clips of up to {STEPS}, shortest {args.shortest:g} of that")
    print(f"agree     {agree}: logits to {logits:.1e}, gradients to {gradients:.1e} of their largest number")
    report(times)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
