"""Fusion step (forward and backward) of SSE-FT, ours against the plain way.

``robertEMO_large`` in the sizes of the original's README: text 1024, sound 512, picture 256, feed-forward 1024,
2 layers, 2 cross-modal layers, 4 heads, 4 clips of 30 tokens, 400 sound steps and 150 picture steps. The plain
way pads them to 512 tokens, 936 sound positions and 300 picture steps and runs every query, as the original does
(``plain_sse_ft.py``). Both have the same weights; their outputs and gradients are compared first. The two take
turns, and medians are reported: of the clock, and of the processor's time, which other programs disturb less.

    python tests/benchmarks/fusion_sse_ft.py --threads 1
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from plain_sse_ft import PlainSSEFT  # noqa: E402
from turns import report, take_turns  # noqa: E402

from mmer_fairseq.checkpoints.sse_ft import to_network  # noqa: E402
from mmer_fairseq.networks.sse_ft import SSEFT  # noqa: E402

NAMES = {"t": "text", "a": "audio", "v": "video"}
DIMS = {"t": 1024, "a": 512, "v": 256}
SIZES = {"ffn_dim": 1024, "heads": 4, "layers": 2, "cross_layers": 2, "outputs": 1}
POSITIONS = {"t": 512, "a": 936, "v": 301}  # with the start vector of sound and picture
PADDED = {"t": 512, "a": 935, "v": 300}
CLIPS = {"t": 30, "a": 400, "v": 150}
WARM_UP = 2
OURS_A_TURN = 3


def networks(dropout: float) -> tuple[PlainSSEFT, SSEFT]:
    """Both ways, with the same weights."""
    torch.manual_seed(1)
    plain = PlainSSEFT("tav", dims=DIMS, positions=POSITIONS, dropout=dropout, **SIZES)
    ours = SSEFT(
        modalities=tuple(NAMES.values()),
        text_dim=DIMS["t"],
        audio_dim=DIMS["a"],
        video_dim=DIMS["v"],
        max_positions_audio=POSITIONS["a"],
        max_positions_video=POSITIONS["v"],
        dropout=dropout,
        attention_dropout=dropout,
        pooler_dropout=dropout,
        **SIZES,
    )
    ours.load_state_dict(to_network(plain.state_dict(), "plain"))
    return plain, ours


def clips(batch: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Features of the clips as they are, and padded as the plain way wants them."""
    real = {m: torch.randn(batch, CLIPS[m], DIMS[m]) for m in NAMES}
    padded = {m: torch.zeros(batch, PADDED[m], DIMS[m]) for m in NAMES}
    for m, x in real.items():
        padded[m][:, : x.shape[1]] = x
    return {NAMES[m]: x for m, x in real.items()}, padded


def step(network: nn.Module, *batch: dict[str, Tensor]) -> Tensor:
    """Forward and backward of a squared error; returns the logits."""
    network.zero_grad(set_to_none=True)
    logits = network(*batch)["logits"]
    logits.square().sum().backward()
    return logits.detach()


def largest_differences(plain: PlainSSEFT, ours: SSEFT, outputs: Sequence[Tensor]) -> tuple[float, float]:
    """Of the logits, absolute; of the gradients, relative to the largest number of each gradient."""
    expected = to_network({name: p.grad for name, p in plain.named_parameters()}, "plain")
    gradients = 0.0
    for name, parameter in ours.named_parameters():
        scale = float(expected[name].abs().max())
        gradients = max(gradients, float((parameter.grad - expected[name]).abs().max()) / max(scale, 1e-12))
    return float((outputs[0] - outputs[1]).abs().max()), gradients


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; exit status 1 if the two ways disagree."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=4, help="clips")
    parser.add_argument(
        "--dropout",
        type=float,
        default=0.1,
        help="as in the original's command; agreement is measured without",
    )
    parser.add_argument(
        "--repeats", type=int, default=5, help="timed steps of the plain way; ours runs thrice as many"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    real, padded = clips(args.batch)
    lengths = {m: torch.full((args.batch,), CLIPS[m]) for m in NAMES}
    own_lengths = {NAMES[m]: n for m, n in lengths.items()}

    plain, ours = networks(0.0)
    outputs = step(plain, padded, lengths), step(ours, real, own_lengths)
    logits, gradients = largest_differences(plain, ours, outputs)
    agree = logits <= 1e-5 and gradients <= 1e-3

    plain, ours = networks(args.dropout)
    runs: dict[str, Callable[[], object]] = {
        "plain": lambda: step(plain, padded, lengths),
        "ours": lambda: step(ours, real, own_lengths),
    }
    times = take_turns(runs, repeats=args.repeats, warm_up=WARM_UP, a_turn={"ours": OURS_A_TURN})
    print(f"machine   {platform.machine()}, {processor()}, {args.threads} threads")
    print(f"versions  Python {platform.python_version()}, torch {torch.__version__}")
    print(f"sizes     {args.batch} clips of {CLIPS}, plain padded to {PADDED}, widths {DIMS}, {SIZES}")
    print(
        f"run       float32, training, dropout {args.dropout}, {WARM_UP} warm-up turns, {args.repeats} timed"
    )
    print(f"agree     {agree}: logits to {logits:.1e}, gradients to {gradients:.1e} of their largest number")
    report(times)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
