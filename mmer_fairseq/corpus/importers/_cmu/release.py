"""The import of CMU-MOSEI and CMU-MOSI, which differ in where their files lie."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmer_fairseq.corpus.importers._cmu.labels import EMOTIONS, HIGH, LOW, Label, read_labels
from mmer_fairseq.corpus.importers._cmu.media import SEGMENTS, WHOLE, find_media
from mmer_fairseq.corpus.importers._cmu.splits import SEED, make_splits
from mmer_fairseq.corpus.importers._cmu.transcripts import Segment, read_transcripts
from mmer_fairseq.corpus.importers._public.flags import add_leave_out, add_modalities, add_places
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import given_folder
from mmer_fairseq.corpus.importers._public.splits import expand, tell_shared
from mmer_fairseq.corpus.importers._public.write import common_root, finish, vacant, without
from mmer_fairseq.errors import InputError

TRANSCRIPTS = ("Transcript/Segmented/Combined", "Transcript/Segmented", "Transcript")
FOLDERS = {"audio": ("Audio",), "video": ("Videos", "Video")}


@dataclass(frozen=True)
class Release:
    """What differs: names, clips as the paper counts them, and where labels may be (the first that is there)."""

    name: str
    title: str
    licence: str
    link: str
    clips: int
    labels: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser, release: Release) -> None:
    """Add the flags of both importers."""
    add_places(parser, f"folder of {release.title}")
    add = parser.add_argument
    add("--labels", metavar="PATH", help="file or folder of the labels (default: see below)")
    add("--transcripts", metavar="DIR", help="folder of the transcripts (default: see below)")
    add("--videos", metavar="DIR", help="folder of the videos (default: see below)")
    add("--sounds", metavar="DIR", help="folder of the .wav files (default: see below)")
    add_modalities(parser, "text", "audio", "video")
    add(
        "--recordings",
        choices=(WHOLE, SEGMENTS),
        help="cut clips out of whole recordings by their times, or take a file a clip (default: what gives more "
        "clips more of the modalities)",
    )
    add(
        "--splits",
        metavar="DIR",
        help="folder of train.txt, valid.txt and test.txt (or train_split.txt …), a video or a clip a line",
    )
    add("--seed", type=int, metavar="N", help=f"deal the videos out, by this seed (default {SEED})")
    add_leave_out(parser)


def run(args: argparse.Namespace, release: Release) -> int:
    """Read the labels, look for transcripts and media, write the corpus and say what is in it."""
    folder = vacant(args.directory)
    root = given_folder(args.root, f"the folder of {release.title}")
    left_out = LeftOut()
    labels = read_labels(_labels_place(args, root, release), left_out)
    if len(labels) != release.clips:
        left_out.notes.append(
            f"labels of {len(labels)} clips; the paper of {release.title} counts {release.clips}"
        )
    segments = _segments(args, root, labels)
    unlabelled = {clip: segment.video for clip, segment in segments.items() if clip not in labels}
    splits = make_splits(args, labels, unlabelled, left_out)
    for clip in unlabelled:
        left_out.add("in the transcripts but without a label", clip)
    kept = _kept(args, labels, splits, left_out)
    times = _times(kept, segments, left_out)
    places = {
        what: given_folder(given, f"the folder of the {flag}")
        if given
        else _first(root, FOLDERS[what]) or root
        for what, flag, given in (("audio", "sounds", args.sounds), ("video", "videos", args.videos))
    }
    media, form = find_media(kept, times, places, args.modalities, args.recordings, left_out)
    base = common_root(root, *places.values())
    rows: dict[str, list[dict[str, str]]] = {}
    lacking = []
    for clip, label in kept.items():
        row = {"id": clip, **{what: str(path.relative_to(base)) for what, path in media[clip].items()}}
        words = _words(clip, label, segments) if "text" in args.modalities else ""
        if "text" in args.modalities and not words:
            lacking.append(clip)
        if not words and not media[clip]:
            left_out.add("without any of " + " and ".join(args.modalities), clip)
            continue
        if words:
            row["text"] = words
        if form == WHOLE and media[clip]:
            start, end = times[clip]
            row.update(start=f"{start:.9g}", end=f"{end:.9g}")
        row.update(speaker=label.video, dialogue=label.video, turn=label.clip)
        row.update({"sentiment": f"{label.sentiment:.6g}", **dict(zip(EMOTIONS, map(str, label.emotions)))})
        rows.setdefault(splits[clip], []).append(row)
    written = {row["id"]: split for split, own in rows.items() for row in own}
    tell_shared(written, {"video": {clip: labels[clip].video for clip in written}}, left_out)
    left_out.note("without a transcript", lacking)
    description = {
        "name": release.name,
        "licence": release.licence,
        "link": release.link,
        "media_root": str(base),
        "labels": _spaces(kept),
    }
    return finish(folder, args.directory, description, rows, left_out)


def _first(root: Path, names: tuple[str, ...]) -> Path | None:
    """The first of these that is there, in the folder itself or in its folder ``Raw``."""
    places = (base / name for base in (root, root / "Raw") for name in names)
    return next((place for place in places if place.exists()), None)


def _labels_place(args: argparse.Namespace, root: Path, release: Release) -> Path:
    if args.labels:
        return Path(args.labels)
    place = _first(root, release.labels)
    if place is None:
        raise InputError.of(
            where=root,
            expected=f"one of {', '.join(release.labels)} in it, or in its folder Raw",
            found="none of them",
            remedy="correct --root, or name the labels with --labels",
        )
    return place


def _segments(args: argparse.Namespace, root: Path, labels: Mapping[str, Label]) -> dict[str, Segment]:
    if args.transcripts:
        return read_transcripts(given_folder(args.transcripts, "the folder of the transcripts"))
    place = _first(root, TRANSCRIPTS)
    if place is not None:
        return read_transcripts(place)
    if "text" in args.modalities and not any(label.text for label in labels.values()):
        raise InputError.of(
            where=root,
            expected=f"{TRANSCRIPTS[0]} or {TRANSCRIPTS[1]} in it, or a column 'text' in the labels",
            found="neither",
            remedy="name the folder with --transcripts, or leave text out of --modalities",
        )
    return {}


def _kept(
    args: argparse.Namespace, labels: Mapping[str, Label], splits: Mapping[str, str], left_out: LeftOut
) -> dict[str, Label]:
    kept = {}
    for clip, label in without(expand(args.leave_out), labels, left_out, "clips with labels").items():
        if label.sentiment is None:
            left_out.add("without an answer on sentiment", clip)
        elif clip not in splits:
            left_out.add("in none of the split files", clip)
        else:
            kept[clip] = label
    return kept


def _times(
    labels: Mapping[str, Label], segments: Mapping[str, Segment], left_out: LeftOut
) -> dict[str, tuple[float, float]]:
    """Start and end in seconds of the clips that have them."""
    times: dict[str, tuple[float, float]] = {}
    early, odd = [], []
    for clip, label in labels.items():
        says: Label | Segment | None = label if label.start is not None else segments.get(clip)
        if says is None or says.start is None or says.end is None:
            continue
        if not says.end > max(says.start, 0.0):
            odd.append(clip)
            continue
        if says.start < 0:
            early.append(clip)
        times[clip] = max(says.start, 0.0), says.end
    left_out.note("that begin before 0, cut from 0", early)
    left_out.note("whose end is not after their start, taken as without times", odd)
    return times


def _words(clip: str, label: Label, segments: Mapping[str, Segment]) -> str:
    return (segments[clip].text if clip in segments else "") or label.text


def _spaces(labels: Mapping[str, Label]) -> dict[str, Any]:
    spaces: dict[str, Any] = {
        "sentiment": {"kind": "score", "columns": ["sentiment"], "range": [LOW, HIGH]},
    }
    if any(label.emotions for label in labels.values()):
        spaces["emotions"] = {"kind": "multilabel", "columns": list(EMOTIONS)}
    return spaces
