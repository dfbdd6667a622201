"""``mmer traces``: what a model predicts for every step of every recording."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmer_fairseq.cli._checkpoint import add_checkpoint_arguments, check_numbers, load, writable
from mmer_fairseq.errors import InputError

HELP = "write and draw the traces that a model predicts, smoothed if asked for"

EPILOG = """One CSV file a clip with a line for every step, labelled or not. --form aff-wild2 writes predictions.txt in
the form of the Aff-Wild2 challenge instead, cut to the range of the labels.

  mmer traces data/aff-wild2 --path runs/jmt/checkpoint_best.pt --split valid
  mmer traces data/aff-wild2 --path runs/jmt/checkpoint_best.pt --split test --smooth --form aff-wild2

With --smooth each dimension gets a moving average whose width gives the highest CCC on the validation split
(--smooth-on); the widths are kept in smoothing.json."""

PICTURE, WIDTHS_FILE = "traces.png", "smoothing.json"
SHOWN = ("ccc", "pearson", "rmse")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_checkpoint_arguments(parser, batch_size=32, unit="windows")
    parser.add_argument(
        "--smooth", action="store_true", help="moving average, its widths chosen on --smooth-on"
    )
    parser.add_argument("--smooth-on", default="valid", metavar="NAME", help="default: valid")
    parser.add_argument(
        "--form", default="csv", choices=["csv", "aff-wild2"], help="of the files (default: csv)"
    )
    parser.add_argument(
        "--draw", type=int, default=4, metavar="N", help="draw the first N clips (default: 4)"
    )
    parser.add_argument("--clips", metavar="ID[,ID…]", help="draw these clips instead")
    parser.add_argument(
        "--out", metavar="DIR", help="where the files go (default: traces-SPLIT beside the checkpoint)"
    )


def run(args: argparse.Namespace) -> int:
    """Predict, smooth, print the scores and write the files.

    Raises:
        InputError: a flag, the checkpoint or the corpus is not what it should be.
    """
    check_numbers(args)
    import mmer_fairseq  # fairseq takes seconds to import: not before the flags are known to be good

    mmer_fairseq.register()
    from mmer_fairseq.evaluation.smoothing import smooth
    from mmer_fairseq.evaluation.trace_files import TraceWriter
    from mmer_fairseq.evaluation.traces import predicted_traces
    from mmer_fairseq.plots import canvas
    from mmer_fairseq.plots.traces import traces_figure

    trained = load(args, args.split)
    out = writable(Path(args.out) if args.out else Path(args.path).parent / f"traces-{args.split}")
    widths = _chosen_widths(args, out) if args.smooth else None
    labels, metric = trained.task.labels, trained.criterion.metrics
    plain, smoothed = metric.zeros(), metric.zeros()
    wanted = _wanted(args, trained.dataset.clips)
    drawn: list[tuple[str, float, Any, Any]] = []
    count = 0
    with TraceWriter(args.form, out, labels) as writer:
        for trace in predicted_traces(trained, args.batch_size, args.num_workers):
            count += 1
            final = trace.prediction if widths is None else smooth(trace.prediction, widths)
            for sums, values in ((plain, trace.prediction), (smoothed, final)):
                for key, value in metric.sums(values[None], trace.target[None]).items():
                    sums[key] += value
            writer.add(trace, final)
            if trace.clip.id in wanted if wanted else len(drawn) < args.draw:
                drawn.append((trace.clip.id, trace.rate, final.numpy(), trace.target.numpy()))
    scores = {"as predicted": metric.compute(plain)}
    if widths is not None:
        scores["smoothed"] = metric.compute(smoothed)
    print(f"{args.split}: {count} clips")
    print(_table(scores, labels.names) if float(plain["n"].sum()) else "no step has a label: no scores")
    if drawn:
        last = list(scores.values())[-1]
        known = float(plain["n"].sum())
        title = f"{args.split}" + (f", CCC over {count} clips {last['ccc']:.3f}" if known else "")
        canvas.save(traces_figure(drawn, labels.names, title=title, limits=labels.range), out / PICTURE)
        print(out / PICTURE)
    print(writer.result)
    return 0


def _wanted(args: argparse.Namespace, clips: Sequence[Any]) -> set[str]:
    """The clips of ``--clips``."""
    wanted = {name.strip() for name in (args.clips or "").split(",") if name.strip()}
    unknown = sorted(wanted - {clip.id for clip in clips})
    if unknown:
        raise InputError.of(
            where="--clips",
            expected=f"ids of clips in {args.split}",
            found=", ".join(unknown),
            remedy="correct the ids, or choose another --split",
        )
    return wanted


def _chosen_widths(args: argparse.Namespace, out: Path) -> tuple[int, ...]:
    from mmer_fairseq.evaluation.smoothing import choose_widths
    from mmer_fairseq.evaluation.traces import predicted_traces

    trained = load(args, args.smooth_on)
    traces = list(predicted_traces(trained, args.batch_size, args.num_workers))
    if not any(bool((~trace.target.isnan()).any()) for trace in traces):
        raise InputError.of(
            where=f"--smooth-on {args.smooth_on}",
            expected="a split with labels, to choose the widths by",
            found="no labelled step",
            remedy="name another split, or leave --smooth out",
        )
    widths = choose_widths([t.prediction for t in traces], [t.target for t in traces])
    names = trained.task.labels.names
    about = {"chosen on": args.smooth_on, "widths in steps": dict(zip(names, widths))}
    (out / WIDTHS_FILE).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    shown = ", ".join(f"{name} {width}" for name, width in zip(names, widths))
    print(f"smoothing over so many steps, chosen on {args.smooth_on}: {shown}")
    if args.smooth_on == args.split:
        print("  the widths were chosen on these clips: their scores are a little too good")
    return widths


def _table(scores: dict[str, dict[str, float]], names: Sequence[str]) -> str:
    columns = [*(names if len(names) > 1 else ()), "all" if len(names) > 1 else names[0]]
    rows = [["", "", *columns]]
    for kind, values in scores.items():
        for metric in SHOWN:
            cells = [values[f"{metric}_{name}"] for name in names] if len(names) > 1 else []
            rows.append([kind, metric.upper() if metric != "pearson" else "Pearson"])
            rows[-1] += [f"{value:.3f}" for value in [*cells, values[metric]]]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows)
