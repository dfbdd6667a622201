"""``mmer robustness``: how a trained model scores when modalities are missing or spoilt."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from mmer_fairseq.cli._checkpoint import add_checkpoint_arguments, check_numbers, load, writable
from mmer_fairseq.errors import InputError

HELP = "score a checkpoint with modalities missing, and with noise added"

EPILOG = """Any model of this plugin is scored as fairseq-validate does it, with the flags in its checkpoint, on every
subset of its modalities, and with white noise on the sound, a blurred and a partly covered picture.

  mmer robustness data/toy --path runs/toy/checkpoint_best.pt
  mmer robustness data/toy --path runs/toy/checkpoint_best.pt --noise street.wav --snr 10 0 -10 --blur --occlusion"""

TSV, PICTURE = "robustness.tsv", "robustness.png"
LEVELS = {"snr": (20, 10, 5, 0), "blur": (1, 2, 4), "occlusion": (0.1, 0.25, 0.5)}

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_checkpoint_arguments(parser, batch_size=16, unit="clips")
    parser.add_argument("--metric", metavar="NAME", help="to show (default: that of the best checkpoint)")
    shown = {kind: " ".join(f"{level:g}" for level in levels) for kind, levels in LEVELS.items()}
    helps = {
        "snr": "of noise on the sound, in dB of the clip's own power",
        "blur": "standard deviations of a Gaussian blur, in pixels of the frame that the model gets",
        "occlusion": "shares of the frame's area under a grey rectangle",
    }
    for kind, text in helps.items():
        parser.add_argument(
            f"--{kind}",
            type=float,
            nargs="*",
            default=list(LEVELS[kind]),
            metavar="X",
            help=f"{text} (default: {shown[kind]}; no number: leave it out)",
        )
    parser.add_argument("--noise", metavar="FILE", help="recorded noise to add (default: white noise)")
    parser.add_argument("--seed", type=int, default=1, help="of noise and rectangles (default: 1)")
    parser.add_argument(
        "--out", metavar="DIR", help=f"where {TSV} and {PICTURE} go (default: the checkpoint's folder)"
    )


def run(args: argparse.Namespace) -> int:
    """Score, print the table and write both files.

    Raises:
        InputError: a flag, the checkpoint, the corpus or the noise is not what it should be.
    """
    from mmer_fairseq.evaluation.conditions import check_levels

    levels = {kind: getattr(args, kind) for kind in LEVELS}
    check_levels(levels)
    check_numbers(args)
    import mmer_fairseq  # fairseq takes seconds to import: not before the flags are known to be good

    mmer_fairseq.register()
    from mmer_fairseq.evaluation.conditions import plan_conditions
    from mmer_fairseq.evaluation.report import remarks, table, write_tsv
    from mmer_fairseq.evaluation.sweep import sweep
    from mmer_fairseq.evaluation.variants import Chance

    trained = load(args, args.split)
    metric = _metric(args.metric or trained.metric, trained.criterion.metrics.names)
    forms = trained.forms()
    conditions, notes = plan_conditions(forms, levels)
    absent = [m for m in trained.task.streams if m not in forms]
    notes += [f"{m}: not read here, missing for every clip" for m in absent]
    chance = Chance(args.seed, _recording(args, trained, forms))
    out = writable(Path(args.out) if args.out else Path(args.path).parent)
    batches = trained.batches(args.batch_size, args.num_workers)
    results = sweep(
        trained.task, trained.model, trained.criterion, trained.dataset, batches, conditions, chance
    )
    print(table(results, metric))
    for line in notes + remarks(results):
        print(line)
    write_tsv(results, out / TSV)
    _draw(results, metric, f"{args.split}, {results[0].clips} clips", out / PICTURE)
    print(out / TSV)
    print(out / PICTURE)
    return 0


def _metric(name: str, known: tuple[str, ...]) -> str:
    if name not in known:
        raise InputError.of(
            where="--metric",
            expected=f"one of {', '.join(known)}",
            found=repr(name),
            remedy="name one of these metrics",
        )
    return name


def _recording(args: argparse.Namespace, trained: Any, forms: dict[str, str]) -> Any:
    """The noise of ``--noise`` at the rate of the corpus' sound; None: white noise."""
    if args.noise is None:
        return None
    from mmer_fairseq.media.noise import load_recording

    if forms.get("audio") != "samples" or not args.snr:
        raise InputError.of(
            where="--noise",
            expected="a model that reads sound from its media, and levels of --snr",
            found="no level" if forms.get("audio") == "samples" else "none here",
            remedy="leave out --noise",
        )
    rate = trained.dataset.sources["audio"].options.sample_rate
    return load_recording(args.noise, rate=rate, where="--noise")


def _draw(results: list[Any], metric: str, title: str, path: Path) -> None:
    from mmer_fairseq.plots import canvas
    from mmer_fairseq.plots.robustness import robustness_figure

    subsets = {r.condition.name: r.values[metric] for r in results if r.condition.level is None}
    curves: dict[str, dict[float, float]] = {}
    for result in results:
        if result.condition.level is not None:
            points = curves.setdefault(result.condition.kind, {})
            points[result.condition.level] = result.values[metric]
    canvas.save(robustness_figure(subsets, curves, metric=metric, title=title), path)
