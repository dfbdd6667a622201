"""``mmer import aff-wild2``: Aff-Wild2, valence and arousal of people in videos from the web, frame by frame.

594 videos in the valence-arousal challenge of the 5th and 6th ABAW workshops. Read are the annotations, the folders of
cropped faces (``cropped_aligned``) and the videos, of which only headers are: for sound and frame rate. Not used:
expressions and action units, the boxes and landmarks of the faces.

Licence: for non-commercial research, by an agreement that a full-time member of an institution signs; nothing is
downloaded here.
Source: Kollias and Zafeiriou, "Expression, Affect, Action Unit Recognition: Aff-Wild2, Multi-Task Learning and
ArcFace", BMVC 2019; https://ibug.doc.ic.ac.uk/resources/aff-wild2/
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmer_fairseq.corpus.faults import hint
from mmer_fairseq.corpus.importers._aff_wild2.annotations import (
    NAMES,
    NONE,
    Annotation,
    read_annotations,
    read_names,
)
from mmer_fairseq.corpus.importers._aff_wild2.media import Medium, base_of, find_media
from mmer_fairseq.corpus.importers._aff_wild2.splits import fold_splits, listed_splits, tell_shared
from mmer_fairseq.corpus.importers._public.flags import add_places
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import given_folder
from mmer_fairseq.corpus.importers._public.write import common_root, finish, refuse, vacant
from mmer_fairseq.errors import InputError

HELP = "write a corpus from Aff-Wild2: valence and arousal of every frame of videos from the web"

#: Of most videos, in Hz; taken where a video's own is not known.
RATE = 30.0
TRACES = "traces"

EPILOG = """Aff-Wild2 is for non-commercial research. Ask for it at https://ibug.doc.ic.ac.uk/resources/aff-wild2/
(an agreement signed by a full-time member of your institution).

Read are:
  --annotations DIR   Train_Set, Validation_Set (or Val_Set) and, if there, Test_Set, in each one file a video:
                        <video>.txt: header valence,arousal, one line a frame, -5 for a frame without annotation
                        <video>.csv: columns img, V, A, frame_id (from 1); frames not listed have no annotation;
                                     in Test_Set without V and A
                      <video> may end in _left or _right: a person whose sound and frame rate are those of the video
  --faces DIR         <video>/00001.jpg, …: cropped faces; frames without a face have no picture
  --videos DIR        batch1/<video>.mp4, batch2/<video>.avi, …: sound and, from their headers, frame rates;
                      a <video>.wav is preferred for the sound. Without it there is no sound, and 30 Hz is assumed
  --test-list FILE    test videos, one a line, or their frames (<video>/00001.jpg, …)
A test video without labels gets a trace of -5: as long as its list of frames says, else its last picture, else its
video. Faces, videos and sound are named where they lie, not copied.

Splits are the official ones. --folds K --fold k divides the training and validation videos anew, always the same way:
fold k is validation, both persons of a video are in one fold. Who a person is the corpus does not say.

Ten training videos are left out by the code of JMT: --leave-out 313 212 303 171 40-30-1280x720 286 270 234 239 266

  mmer import aff-wild2 data/aff-wild2 --annotations VA_Estimation_Challenge --faces cropped_aligned --videos batches
  mmer import aff-wild2 data/aff-wild2-2 --annotations VA_Estimation_Challenge --faces cropped_aligned \\
    --videos batches --folds 5 --fold 2"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer import aff-wild2``."""
    add_places(parser)
    add = parser.add_argument
    add("--annotations", required=True, metavar="DIR", help="folder of Train_Set and Validation_Set")
    add("--faces", metavar="DIR", help="folder of the cropped faces (default: no video)")
    add("--videos", metavar="DIR", help="folder of the videos (default: no sound, 30 Hz)")
    add("--sounds", metavar="DIR", help="folder of .wav files (default: those among the videos)")
    add("--test-list", metavar="FILE", help="test videos or their frames (default: those of Test_Set)")
    add("--folds", type=int, metavar="K", help="folds of training and validation videos")
    add("--fold", type=int, metavar="k", help="which fold is validation, 1 … K")
    add("--fold-list", metavar="FILE", help="names of the validation videos, one a line")
    add("--leave-out", nargs="+", default=[], metavar="VIDEO", help="videos that are not wanted")


def run(args: argparse.Namespace) -> int:
    """Read annotations, look for the media, write the corpus and say what is in it."""
    if args.fold_list:
        refuse(args, "--fold-list", "--folds", "--fold")
    if (args.folds is None) != (args.fold is None):
        raise InputError.of(
            where="--folds, --fold", expected="both or none of them", found="one", remedy="add the other"
        )
    folder = vacant(args.directory)
    labels = given_folder(args.annotations, "the folder of the annotations")
    faces = given_folder(args.faces, "the folder of the cropped faces") if args.faces else None
    films = given_folder(args.videos, "the folder of the videos") if args.videos else None
    sounds = given_folder(args.sounds, "the folder of the sounds") if args.sounds else None
    if not (faces or films or sounds):
        raise InputError.of(
            where="--faces, --videos, --sounds",
            expected="one of them at least",
            found="none",
            remedy="name the folder of the faces, or of the videos",
        )
    left_out = LeftOut()
    annotations = read_annotations(labels)
    if args.test_list:
        _add_tests(annotations, args.test_list)
    splits = _splits(args, {video: each.split for video, each in annotations.items()})
    tell_shared(splits, left_out)
    annotations = _without(annotations, args.leave_out, left_out)
    media = find_media(annotations, faces, films, sounds, left_out)
    if not any(each.faces or each.sound for each in media.values()):
        raise InputError.of(
            where="--faces, --videos, --sounds",
            expected=f"media of the {len(annotations)} annotated videos, such as {next(iter(annotations))}",
            found="none in " + ", ".join(str(place) for place in (faces, films, sounds) if place),
            remedy="name the folders that hold <video>/00001.jpg, <video>.mp4 or <video>.wav",
        )
    traces = _traces(annotations, media, left_out)
    root = common_root(folder, *(place for place in (faces, films, sounds) if place))
    rows: dict[str, list[dict[str, str]]] = {}
    for video in traces:
        row = _row(video, media[video], root)
        row["trace"] = str((folder / TRACES / f"{video}.npy").relative_to(root))
        rows.setdefault(splits[video], []).append(row)
    description = {
        "name": "aff-wild2",
        "licence": "non-commercial research, by a signed agreement",
        "link": "https://ibug.doc.ic.ac.uk/resources/aff-wild2/",
        "media_root": str(root),
        "labels": {
            "affect": {
                "kind": "trace",
                "column": "trace",
                "names": list(NAMES),
                "rate": RATE,
                "range": [-1, 1],
                "invalid": NONE,
            }
        },
        "other_columns": ["recording"],
    }

    def fill(scratch: Path) -> None:
        (scratch / TRACES).mkdir()
        for video, trace in traces.items():
            np.save(scratch / TRACES / f"{video}.npy", trace)

    return finish(folder, args.directory, description, rows, left_out, splits=("train", "valid"), fill=fill)


def _add_tests(annotations: dict[str, Annotation], path: str) -> None:
    """Test videos of a list; those that Test_Set has as well keep their labels."""
    for video, (where, last) in read_names(path, "a list of test videos").items():
        there = annotations.get(video)
        if there is not None and there.split != "test":
            raise InputError.of(
                where=where,
                expected="videos of the test set",
                found=f"'{video}', which is annotated in {there.where}",
                remedy="remove the line, or the annotations",
            )
        if there is None:
            annotations[video] = Annotation("test", where, last, None)
        elif there.values is None:
            annotations[video] = replace(there, frames=max(there.frames, last))


def _splits(args: argparse.Namespace, official: Mapping[str, str]) -> dict[str, str]:
    if args.fold_list:
        return listed_splits(official, args.fold_list)
    if args.folds is not None:
        return fold_splits(official, args.folds, args.fold)
    return dict(official)


def _without(
    annotations: Mapping[str, Annotation], unwanted: list[str], left_out: LeftOut
) -> dict[str, Annotation]:
    for video in unwanted:
        if video not in annotations:
            raise InputError.of(
                where="--leave-out",
                expected="videos with annotations",
                found=f"'{video}'",
                remedy=hint(video, annotations, "correct the name"),
            )
        left_out.add("as --leave-out says", video)
    return {video: each for video, each in annotations.items() if video not in unwanted}


def _traces(
    annotations: Mapping[str, Annotation], media: Mapping[str, Medium], left_out: LeftOut
) -> dict[str, np.ndarray]:
    """float32 [frames, 2] of each video that stays."""
    traces, beyond = {}, []
    for video, each in annotations.items():
        medium = media[video]
        if each.values is None:
            frames = each.frames or medium.last or medium.frames
            if not frames:
                left_out.add("without labels, and of no known length", video)
                continue
            traces[video] = np.full((frames, 2), NONE, dtype=np.float32)
        elif not (each.values != NONE).any() and each.split != "test":
            left_out.add("without a frame that has an annotation", video)
        else:
            traces[video] = each.values
        if video in traces and medium.last > len(traces[video]):
            beyond.append(video)
    left_out.note("with pictures beyond the end of their annotations", beyond)
    return traces


def _row(video: str, medium: Medium, root: Path) -> dict[str, str]:
    row = {"id": video}
    if medium.faces:
        row["video"] = str(medium.faces.relative_to(root))
    if medium.sound:
        row["audio"] = str(medium.sound.relative_to(root))
    if medium.rate:
        row["rate"] = f"{medium.rate:.9g}"
    row["recording"] = base_of(video)
    return row
