"""``mmer plot``: learning curves and predictions of a run as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmer_fairseq.errors import InputError

HELP = "draw the learning curves and the predictions of a run"
LOG, PREDICTIONS, PICTURE = "train.log", "predictions.tsv", "plot.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "run",
        nargs="?",
        metavar="RUN_DIR",
        help=f"folder with {LOG} and/or {PREDICTIONS}; {PICTURE} is put there",
    )
    parser.add_argument("--log", metavar="FILE", help="what --log-format json --log-file FILE has written")
    parser.add_argument("--predictions", metavar="FILE", help="what --save-predictions FILE has written")
    parser.add_argument("--out", metavar="FILE", help=f".png, .pdf or .svg (default: RUN_DIR/{PICTURE})")
    parser.add_argument(
        "--metric",
        metavar="NAME",
        help="metric to draw beside the loss (default: that of the best checkpoint)",
    )
    parser.add_argument("--split", metavar="NAME", help="only predictions of this split (default: all)")


def run(args: argparse.Namespace) -> int:
    """Draw and say where the picture lies.

    Raises:
        InputError: there is nothing to draw, or a file is not what it should be.
    """
    from mmer_fairseq.plots import canvas, history, predictions
    from mmer_fairseq.plots import run as pictures

    log, table, out = _files(args)
    curves = history.read_history(log) if log else None
    decided = predictions.read_predictions(table, args.split) if table else None
    if curves and decided:
        figure = pictures.run_figure(curves, decided, args.metric)
    elif curves:
        figure = pictures.curves_figure(curves, args.metric)
    else:
        assert decided is not None  # _files gives at least one
        figure = pictures.predictions_figure(decided)
    canvas.save(figure, out)
    print(out)
    return 0


def _files(args: argparse.Namespace) -> tuple[Path | None, Path | None, Path]:
    """Log, predictions (None: do not draw) and output."""
    log = Path(args.log) if args.log else None
    table = Path(args.predictions) if args.predictions else None
    out = Path(args.out) if args.out else None
    if args.run is not None:
        folder = Path(args.run)
        log = log or _if_there(folder / LOG)
        table = table or _if_there(folder / PREDICTIONS)
        out = out or folder / PICTURE
    if log is None and table is None:
        raise InputError.of(
            where=args.run or "mmer plot",
            expected=f"a folder with {LOG} or {PREDICTIONS}, or --log or --predictions",
            found="neither file" if args.run else "none of them",
            remedy="give RUN_DIR, --log FILE or --predictions FILE",
        )
    if out is None:
        raise InputError.of(
            where="--out", expected="the file to write", found="nothing", remedy="add --out FILE.png"
        )
    return log, table, out


def _if_there(path: Path) -> Path | None:
    return path if path.is_file() else None
