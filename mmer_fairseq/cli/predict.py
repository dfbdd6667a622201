"""``mmer predict``: what a model says of any video, sound or text."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path
from typing import Any

from mmer_fairseq.cli._reading import add_reading_arguments, load_predictor
from mmer_fairseq.errors import InputError

HELP = "predict the emotion of videos, sounds and texts with a checkpoint"

EPILOG = """Of each file the model gets what it has of text, sound and picture; what is missing is said. A file of up to
30 seconds is one clip; a longer one is cut into speech segments, or into the segments of subtitles, --window's windows,
or nothing at all (--whole). A text is an utterance a line. Words of a video or sound: --subtitles FILE, or a .vtt, .srt
or .txt of the same name beside it. Models of traces predict every step.

  mmer predict --path runs/mine/checkpoint_best.pt talk.mp4
  mmer predict --path runs/mine/checkpoint_best.pt lecture.mkv --window 5 --hop 2.5 --out lecture
  mmer predict --path runs/mine/checkpoint_best.pt recordings/ --out predicted

The corpus of the training is not needed, only the weights of published encoders, where they were or where --encoder
says. --out writes predictions.tsv, .json and .vtt (subtitles that show the emotion) and draws timeline.png."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="video, sound, .txt, .vtt, .srt, or a folder"
    )
    parser.add_argument("--path", required=True, metavar="CKPT", help="checkpoint of fairseq-train")
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="write tables, subtitles and timeline there (several files: a folder each)",
    )
    cut = parser.add_argument_group("how files are cut")
    cut.add_argument("--window", type=float, default=0.0, metavar="S", help="windows of so many seconds")
    cut.add_argument(
        "--hop", type=float, default=0.0, metavar="S", help="from a window to the next (default: its length)"
    )
    cut.add_argument("--whole", action="store_true", help="each file is one clip, however long")
    cut.add_argument("--subtitles", metavar="FILE", help=".vtt or .srt: words and segments of the one file")
    cut.add_argument("--text", metavar="WORDS", help="what is said in the one file, which then is one clip")
    cut.add_argument(
        "--longest", type=float, default=30.0, metavar="S", help="seconds of a segment (default: 30)"
    )
    cut.add_argument(
        "--speech",
        default="auto",
        choices=["auto", "energy", "webrtc"],
        help="finds speech: level above the noise, or webrtc (pip install 'mmer_fairseq[vad]'; default if installed)",
    )
    read = parser.add_argument_group("how they are read")
    add_reading_arguments(read)


def run(args: argparse.Namespace) -> int:
    """Predict each file; those that cannot be read are named, and the others go on.

    Raises:
        InputError: a flag, the checkpoint or the only file is not what it should be.
    """
    from mmer_fairseq.predict.cutting import Options
    from mmer_fairseq.predict.files import expand

    wanted = dict(
        window=args.window,
        hop=args.hop,
        whole=args.whole or args.text is not None,
        subtitles=args.subtitles,
        text=args.text,
        longest=args.longest,
        speech=args.speech,
        faces=args.faces,
    )
    Options(**wanted)
    files = expand(args.files)
    _check_single(args, files)
    if args.out:
        from mmer_fairseq.cli._checkpoint import writable

        writable(Path(args.out))
    predictor = load_predictor(args)
    names = _folders(files)
    unread = 0
    for file in files:
        out = None if not args.out else Path(args.out) / (names[file] if len(files) > 1 else "")
        try:
            _predict(predictor, file, wanted, out)
        except InputError as error:
            if len(files) == 1:
                raise
            unread += 1
            print(f"error: {error}", file=sys.stderr)
    if unread:
        print(f"{unread} of {len(files)} files could not be read", file=sys.stderr)
    return 2 if unread else 0


def _check_single(args: argparse.Namespace, files: list[Path]) -> None:
    for flag in ("subtitles", "text"):
        if getattr(args, flag) and len(files) > 1:
            raise InputError.of(
                where=f"--{flag}",
                expected="one file, whose words they are",
                found=f"{len(files)} files",
                remedy="predict it by itself, or put subtitles of the same name beside each file",
            )


def _folders(files: list[Path]) -> dict[Path, str]:
    """A folder name of its own for each file."""
    names: dict[Path, str] = {}
    for file in files:
        name = wanted = file.name
        number = 1
        while name in names.values():
            number += 1
            name = f"{wanted}-{number}"
        names[file] = name
    return names


def _predict(predictor: Any, file: Path, options: dict[str, Any], out: Path | None) -> None:
    from contextlib import ExitStack

    from mmer_fairseq.predict.picture import light
    from mmer_fairseq.predict.write import Writer

    recording = predictor.open(file, **options)
    clocked = bool(recording.seconds)
    table = _Table(predictor.labels)
    bars: list[Any] = []
    with ExitStack() as stack:
        bar = stack.enter_context(_Bar(recording.seconds))
        writer = stack.enter_context(Writer(out, recording)) if out is not None else None
        bar.write(_headed(recording))
        bar.write(table.header(clocked))
        for number, segment in enumerate(recording.segments()):
            for line in table.lines(segment):
                bar.write(line)
            if writer is not None:
                writer.add(segment)
                bars.append(light(segment, number, predictor.modalities))
            bar.reach(segment.end or 0.0)
        bar.write(bar.summary())
        for note in recording.notes:
            bar.write(f"  {note}")
    if out is not None:
        _draw(recording, bars, out)
        print(out)


class _Bar:
    """Seconds of media that are done, and how many times faster than real time."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.done, self.began = seconds, 0.0, time.monotonic()

    def __enter__(self) -> _Bar:
        from tqdm import tqdm

        form = "{l_bar}{bar}| {n:.0f} of {total:.0f} s [{elapsed}<{remaining}{postfix}]"
        self.bar = tqdm(
            total=self.seconds or None, bar_format=form, disable=None if self.seconds else True, leave=False
        )
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.close()

    def reach(self, second: float) -> None:
        step, self.done = max(0.0, second - self.done), max(self.done, second)
        if not self.bar.disable:
            self.bar.set_postfix_str(f"{self.factor:.1f} × real time", refresh=False)
            self.bar.update(step)

    @property
    def factor(self) -> float:
        return self.done / max(time.monotonic() - self.began, 1e-3)

    def write(self, line: str) -> None:
        if line:
            self.bar.write(line, file=sys.stdout)
            sys.stdout.flush()

    def summary(self) -> str:
        took = time.monotonic() - self.began
        return f"  {self.done:.1f} s in {took:.1f} s, {self.factor:.1f} × real time" if self.seconds else ""


def _headed(recording: Any) -> str:
    from mmer_fairseq.plots.timeline import clock

    found = recording.found
    has = [word for word, there in (("sound", found.sound), ("picture", found.picture)) if there]
    length = f"{clock(recording.seconds)}, " if recording.seconds else ""
    about = f", {recording.about}" if recording.about else ""
    lines = [f"{recording.path}: {length}{' and '.join(has) or found.kind}{about}"]
    lines += [f"  {modality} is missing: {why}" for modality, why in recording.missing.items()]
    return "\n".join(lines)


class _Table:
    """Lines of text under each other."""

    def __init__(self, labels: Any) -> None:
        self.kind, self.names = labels.kind, list(labels.names)
        self.widths = [max(7, len(name)) for name in self.names]
        longest = max(map(len, self.names))
        self.label = {"classes": longest, "multilabel": max(18, longest)}.get(self.kind, 0)
        self.clocked = True

    def header(self, clocked: bool) -> str:
        self.clocked = clocked
        cells = ["     start        end"] if clocked else []
        cells += ["label".ljust(max(5, self.label))] if self.label else []
        cells += [name.rjust(width) for name, width in zip(self.names, self.widths)]
        return "  " + "  ".join([*cells, "" if clocked else "text"]).rstrip()

    def lines(self, segment: Any) -> list[str]:
        from mmer_fairseq.predict.write import stamp

        cells = []
        if self.clocked:
            times = [stamp(x)[:-1].lstrip("0:") or "0" for x in (segment.start or 0.0, segment.end or 0.0)]
            times = ["0" + t if t.startswith(".") else t for t in times]
            cells.append("".join(t.rjust(10) if k == 0 else t.rjust(11) for k, t in enumerate(times)))
        if self.label:
            cells.append((segment.label or "-").ljust(max(5, self.label)))
        for name, width in zip(self.names, self.widths):
            cells.append((f"{segment.scores[name]:.3f}" if name in segment.scores else "-").rjust(width))
        words = segment.text if not self.clocked else ""
        rows = ["  " + "  ".join([*cells, words]).rstrip()]
        return rows + [f"    ! {note}" for note in segment.notes]


def _draw(recording: Any, bars: list[Any], out: Path) -> None:
    from mmer_fairseq.plots import canvas
    from mmer_fairseq.predict.picture import draw

    if not bars:
        logging.getLogger(__name__).warning("nothing to draw: no segment was found")
        return
    canvas.save(draw(recording, bars), out / "timeline.png")
