"""``mmer serve``: a page in the browser that predicts the clips it is given."""

from __future__ import annotations

import argparse

from mmer_fairseq.cli._reading import add_reading_arguments, load_predictor

HELP = "a web page that shows the emotion of a clip over time, predicted with a checkpoint"

EPILOG = """Drop or record a clip, watch the timeline follow it, switch modalities off and see what changes, download
the result. Nothing leaves this machine: the page is served to its own browser alone (--host 0.0.0.0 lets others in),
and files stay in a temporary folder until the page is left. Needs pip install 'mmer_fairseq[serve]'.

  mmer serve --path runs/mine/checkpoint_best.pt"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--path", required=True, metavar="CKPT", help="checkpoint of fairseq-train")
    where = parser.add_argument_group("where it is reached")
    where.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="to listen on (default: 127.0.0.1)"
    )
    where.add_argument("--port", type=int, default=7860, metavar="N", help="0: any free one (default: 7860)")
    where.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="a name of this machine that others type, besides its addresses (again for more)",
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--max-mb", type=float, default=500.0, metavar="MB", help="of an upload (default: 500)"
    )
    limits.add_argument(
        "--max-minutes", type=float, default=60.0, metavar="MIN", help="of a recording (default: 60)"
    )
    limits.add_argument(
        "--max-uploads", type=int, default=20, metavar="N", help="files held at once (default: 20)"
    )
    limits.add_argument(
        "--timeout", type=float, default=600.0, metavar="S", help="seconds of a prediction (default: 600)"
    )
    limits.add_argument(
        "--keep", type=float, default=30.0, metavar="MIN", help="minutes an unused file is kept (default: 30)"
    )
    limits.add_argument(
        "--parallel", type=int, default=1, metavar="N", help="predictions at once, others wait (default: 1)"
    )
    add_reading_arguments(parser.add_argument_group("how files are read"))


def run(args: argparse.Namespace) -> int:
    """Serve until stopped.

    Raises:
        InputError: a flag or the checkpoint is not what it should be, the port is taken, a package is missing.
    """
    from mmer_fairseq.predict.cropping import plan_crops
    from mmer_fairseq.serve.server import check_installed, listen, serve
    from mmer_fairseq.serve.settings import Settings

    check_installed()
    settings = Settings(
        max_mb=args.max_mb,
        max_minutes=args.max_minutes,
        max_uploads=args.max_uploads,
        timeout=args.timeout,
        keep=args.keep,
        parallel=args.parallel,
    )
    plan_crops(
        args.faces, None, 0.0, 64, "cpu"
    )  # a wrong or missing detector is told now, not to the first user
    with listen(args.host, args.port) as sock:
        serve(load_predictor(args), settings, sock, args.host, args.name, args.faces)
    return 0
