"""``mmer faces``: find, follow and crop the faces of a corpus once, so that training reads crops."""

from __future__ import annotations

import argparse
import logging
import os
from typing import Any

from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.detectors import DETECTORS, PREFERRED, Choice, choose
from mmer_fairseq.faces.run import find_faces, told
from mmer_fairseq.faces.settings import FACES, FALLBACKS, Settings
from mmer_fairseq.faces.speaker.run import find_speakers, told_speakers
from mmer_fairseq.faces.speaker.settings import CLUSTERS, TRACKERS, SpeakerSettings

logger = logging.getLogger(__name__)

HELP = "find, follow and crop the faces of a corpus once, so that training reads crops"

EPILOG = """OUT becomes a corpus of the same clips and labels. Its video is folders of crops, OUT/faces/CLIP/00001.jpg …
Picture k is the one on the screen at (k − 1) · interval from the beginning of the clip; one without a face is missing.
Sound, texts and feature stores are referred to where they lie. OUT/faces/manifest.tsv holds boxes, scores and tracks.
A run that was stopped or killed goes on where it was when the same command is given again.

  mmer faces data/iemocap --out data/iemocap-faces
  fairseq-train data/iemocap-faces --arch mme2e …

With --speaker the face is that of the person who speaks, of several: all faces are followed, their lips are compared
with the voice, and the same people are known again after cuts and over the clips of a dialogue. OUT/faces/ then holds
speakers.tsv (a line a clip), unsure.tsv (clips to look at) and contact-sheet.png as well, OUT/speaker/ everybody's
boxes. Where nobody's mouth agrees with the voice the clip gets no picture (see --off-screen).

  mmer faces data/meld --out data/meld-speaker --speaker --size 160 --gallery data/leads

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
    _add_speaker(parser.add_argument_group("the speaker of a clip with several people"))


def _add_speaker(group: argparse._ArgumentGroup) -> None:
    """Each step has a flag; those without a default do nothing without --speaker."""
    group.add_argument("--speaker", action="store_true", help="the face of the person who speaks")
    group.add_argument(
        "--boxes",
        metavar="FILE",
        help="faces that another detector found: a table with clip, time (seconds), x0, y0, x1, y1 (pixels)",
    )
    group.add_argument(
        "--tracker",
        metavar="NAME",
        help=f"joins faces to tracks: {' or '.join(TRACKERS)} (default: {TRACKERS[0]})",
    )
    group.add_argument(
        "--lips",
        metavar="NAME",
        help="compared with the voice: shape (how the mouth looks) or motion (that it moves) (default: shape)",
    )
    group.add_argument(
        "--embed",
        metavar="NAME",
        help="tells people apart: centre (colours and a coarse picture) or facenet:PATH (default: centre)",
    )
    group.add_argument(
        "--cluster",
        metavar="NAME",
        help=f"joins tracks to people: {' or '.join(CLUSTERS)} (default: {CLUSTERS[0]})",
    )
    group.add_argument(
        "--gallery",
        metavar="DIR",
        help="known people: one folder each, named as in the column speaker, with pictures of the face",
    )
    group.add_argument(
        "--unsure", type=float, metavar="P", help="clips of less confidence are listed, 0 … 1 (default: 0.8)"
    )
    group.add_argument(
        "--off-screen",
        metavar="NAME",
        help="where nobody's mouth agrees with the voice: none (no picture), or best (the best guess, as FacialMMT "
        "does) (default: none)",
    )
    group.add_argument(
        "--looks", type=float, metavar="HZ", help="pictures a second that the detector gets (default: 5)"
    )


def _speaker_settings(args: argparse.Namespace, detector: Choice) -> SpeakerSettings | None:
    names = ("boxes", "tracker", "lips", "embed", "cluster", "gallery", "unsure", "off_screen", "looks")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if not args.speaker:
        if given:
            raise InputError.of(
                where=f"--{next(iter(given)).replace('_', '-')}",
                expected="--speaker beside it",
                found="none",
                remedy="add --speaker",
            )
        return None
    for name in ("boxes", "gallery"):
        if name in given:
            given[name] = os.path.abspath(given[name])
    helper = "blobs" if args.detector is None and detector.name in PREFERRED else "none"
    return SpeakerSettings(helper=helper, **given)


def _choose(args: argparse.Namespace) -> Choice:
    """The detector; with --speaker there is always one, if only for drawn faces."""
    if args.boxes is not None:
        return Choice("centre", "")
    if args.speaker and args.detector is None and all(DETECTORS[name].fault() for name in PREFERRED):
        logger.warning(
            "only drawn faces are found, because neither %s is installed. To install one: %s",
            " nor ".join(PREFERRED),
            DETECTORS[PREFERRED[0]].install,
        )
        return Choice("blobs", DETECTORS["blobs"].version, PREFERRED[0])
    return choose(args.detector)


def run(args: argparse.Namespace) -> int:
    """Find the faces, and say what was found."""
    detector = _choose(args)
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
        speaker=_speaker_settings(args, detector),
    )
    several = min(os.cpu_count() or 1, 4) if args.device == "cpu" else 1
    options: dict[str, Any] = {
        "splits": args.splits.split(",") if args.splits else None,
        "labels": args.labels.split(",") if args.labels else None,
        "workers": args.workers if args.workers > 0 else several,
        "device": args.device,
        "skip_bad": args.skip_bad,
    }
    if settings.speaker is not None:
        print(told_speakers(find_speakers(args.directory, args.out, settings, **options)))
    else:
        print(told(find_faces(args.directory, args.out, settings, **options)))
    return 0


def _above_zero(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text}")
    return number
