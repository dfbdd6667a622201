"""``mmer faces``: find, follow and crop the faces of a corpus once, so that training reads crops."""

from __future__ import annotations

import argparse
import os

from mmer_fairseq.faces.detectors import DETECTORS, choose
from mmer_fairseq.faces.run import find_faces, told
from mmer_fairseq.faces.settings import FACES, FALLBACKS, Settings

HELP = "find, follow and crop the faces of a corpus once, so that training reads crops"

EPILOG = """OUT becomes a corpus of the same clips and labels. Its video is folders of crops, OUT/faces/CLIP/00001.jpg …
Picture k is the one on the screen at (k − 1) · interval from the beginning of the clip; one without a face is missing.
Sound, texts and feature stores are referred to where they lie. OUT/faces/manifest.tsv holds boxes, scores and tracks.
A run that was stopped or killed goes on where it was when the same command is given again.

  mmer faces data/iemocap --out data/iemocap-faces
  fairseq-train data/iemocap-faces --arch mme2e …

Detectors: {detectors}.
Without --detector: mtcnn, or haar where only that one is installed. Install them with
  {mtcnn}
  {haar}""".format(
    detectors="; ".join(f"{name} ({entry.about})" for name, entry in DETECTORS.items()),
    mtcnn=DETECTORS["mtcnn"].install,
    haar=DETECTORS["haar"].install,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer faces``."""
    parser.add_argument("directory", metavar="DIR", help="folder of the corpus, which stays as it is")
    parser.add_argument("--out", required=True, metavar="OUT", help="folder of the new corpus")
    parser.add_argument("--detector", metavar="NAME", help=f"one of {', '.join(DETECTORS)}")
    often = parser.add_mutually_exclusive_group()
    often.add_argument(
        "--img-interval",
        type=_above_zero,
        metavar="MS",
        help="milliseconds between pictures, at any frame rate of the video (default: those of the trace, or 500)",
    )
    often.add_argument("--rate", type=_above_zero, metavar="HZ", help="the same as pictures a second")
    parser.add_argument(
        "--size", type=int, default=48, metavar="PX", help="of a crop, which is square (default: 48)"
    )
    parser.add_argument(
        "--margin",
        type=int,
        default=2,
        metavar="PX",
        help="of the crop around the box, both sides together (default: 2)",
    )
    parser.add_argument(
        "--face",
        default=FACES[0],
        help="track: the most prominent person; largest: of each picture by itself (default: track)",
    )
    parser.add_argument(
        "--hold",
        type=float,
        default=1.0,
        metavar="S",
        help="seconds without a face that are bridged with the box before them (default: 1)",
    )
    parser.add_argument(
        "--fallback",
        default=FALLBACKS[0],
        help="where there is no face: none (no picture), or centre (the middle of the picture) (default: none)",
    )
    parser.add_argument(
        "--detect-size",
        type=int,
        default=360,
        metavar="PX",
        help="shorter side of the pictures that the detector gets, at most; 0: as stored (default: 360)",
    )
    parser.add_argument(
        "--min-face",
        type=int,
        default=20,
        metavar="PX",
        help="smallest face, in the pictures that the detector gets (default: 20)",
    )
    parser.add_argument("--splits", metavar="S[,S…]", help="splits of the new corpus (default: all)")
    parser.add_argument(
        "--labels",
        metavar="NAME[,NAME…]",
        help="label spaces of the new corpus; its pictures have the rate of its traces (default: all)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="processes, each with one thread (default: one a core, at most 4; one where --device is a GPU)",
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 … (default: cpu)")
    parser.add_argument(
        "--skip-bad",
        type=int,
        default=0,
        metavar="N",
        help="go on without the picture of up to N clips whose video is broken, and name them (default: 0)",
    )


def run(args: argparse.Namespace) -> int:
    """Find the faces, and say what was found."""
    detector = choose(args.detector)
    settings = Settings(
        detector=detector.name,
        version=detector.version,
        instead_of=detector.instead_of,
        rate=args.rate or (1000.0 / args.img_interval if args.img_interval else 0.0),
        size=args.size,
        margin=args.margin,
        face=args.face,
        hold=args.hold,
        fallback=args.fallback,
        detect_size=args.detect_size,
        min_face=args.min_face,
    )
    several = min(os.cpu_count() or 1, 4) if args.device == "cpu" else 1
    outcome = find_faces(
        args.directory,
        args.out,
        settings,
        splits=args.splits.split(",") if args.splits else None,
        labels=args.labels.split(",") if args.labels else None,
        workers=args.workers if args.workers > 0 else several,
        device=args.device,
        skip_bad=args.skip_bad,
    )
    print(told(outcome))
    return 0


def _above_zero(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text}")
    return number
