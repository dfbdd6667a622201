"""``mmer traces``: what a model predicts for every step of every recording."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    parser.add_argument("data", metavar="DATA", help="corpus folder")
    parser.add_argument("--path", required=True, metavar="CKPT", help="checkpoint of fairseq-train")
    parser.add_argument("--split", default="test", metavar="NAME", help="default: test")
    parser.add_argument("--labels", metavar="NAME", help="label space (default: that of the training)")
    parser.add_argument("--modalities", metavar="M[,M…]", help="read only these (default: all of the model)")
    parser.add_argument("--features", metavar="M=NAME,…", help="stored features (default: as in training)")
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
        "--batch-size", type=int, default=32, metavar="N", help="windows at once (default: 32)"
    )
    parser.add_argument(
        "--num-workers", type=int, default=1, metavar="N", help="reading processes (default: 1)"
    )
    parser.add_argument("--cpu", action="store_true", help="do not use a GPU")
    parser.add_argument(
        "--out", metavar="DIR", help="where the files go (default: traces-SPLIT beside the checkpoint)"
    )


def run(args: argparse.Namespace) -> int:
    """Predict, smooth, print the scores and write the files.

    Raises:
        InputError: a flag, the checkpoint or the corpus is not what it should be.
    """
    _check(args)
    out = Path(args.out) if args.out else Path(args.path).parent / f"traces-{args.split}"
    _make(out)
    import mmer_fairseq  # fairseq takes seconds to import: not before the flags are known to be good

    mmer_fairseq.register()
    from mmer_fairseq.evaluation.smoothing import smooth
    from mmer_fairseq.evaluation.trace_files import TraceWriter
    from mmer_fairseq.evaluation.traces import predicted_traces
    from mmer_fairseq.plots import canvas
    from mmer_fairseq.plots.traces import traces_figure

    widths = _chosen_widths(args, out) if args.smooth else None
    trained = _load(args, args.split)
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


def _check(args: argparse.Namespace) -> None:
    for name, lowest in (("batch_size", 1), ("num_workers", 0), ("draw", 0)):
        if getattr(args, name) < lowest:
            raise InputError.of(
                where="--" + name.replace("_", "-"),
                expected=f"{lowest} or more",
                found=getattr(args, name),
                remedy="correct it or leave the flag out",
            )


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


def _make(folder: Path) -> None:
    """Better refused before the work than after it."""
    from mmer_fairseq.evaluation.report import unwritable

    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / f".{os.getpid()}"
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise unwritable(folder, error) from error


def _load(args: argparse.Namespace, split: str) -> Any:
    from mmer_fairseq.evaluation.trained import load_trained

    flags = {name: getattr(args, name) for name in ("labels", "modalities", "features")}
    return load_trained(args.path, args.data, split, flags=flags, cpu=args.cpu)


def _chosen_widths(args: argparse.Namespace, out: Path) -> tuple[int, ...]:
    from mmer_fairseq.evaluation.smoothing import choose_widths
    from mmer_fairseq.evaluation.traces import predicted_traces

    trained = _load(args, args.smooth_on)
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
