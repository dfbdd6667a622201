"""``mmer import faces``: labelled pictures of faces, in folders of classes or as Aff-Wild2's expressions.

Each clip of the corpus is one picture, a video of one frame. For models of one face at a time, such as the auxiliary
task of FacialMMT.

Licence: that of the data set, which the user has. Nothing is downloaded here.
Source of the expressions: Kollias, "ABAW: Valence-Arousal Estimation, Expression Recognition, Action Unit Detection &
Multi-Task Learning Challenges", CVPR Workshops 2022. Classes by default: Zheng et al., "A Facial Expression-Aware
Multimodal Multi-task Learning Framework for Emotion Recognition in Multi-party Conversations", ACL 2023.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmer_fairseq.corpus.importers._aff_wild2.splits import tell_shared
from mmer_fairseq.corpus.importers._faces.classes import Classes, add_class_flags, settle_classes
from mmer_fairseq.corpus.importers._faces.expressions import MELD, labelled_pictures, read_expressions
from mmer_fairseq.corpus.importers._faces.folders import class_pictures, split_folders
from mmer_fairseq.corpus.importers._faces.pictures import Picture, add_split_flags, deal_out, refuse_to_deal
from mmer_fairseq.corpus.importers._public.flags import add_places
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import given_folder
from mmer_fairseq.corpus.importers._public.write import SPLITS, finish, vacant
from mmer_fairseq.errors import InputError

HELP = "write a corpus from labelled pictures of faces: folders of classes, or Aff-Wild2's expressions"

COLUMN = "emotion"

EPILOG = f"""Each clip is one picture, its id the path of the picture. Pictures are named where they lie, not copied.

Without --annotations, the folders are the classes:
  DIR/<class>/….jpg             the pictures are dealt out by --fractions and --seed, each class by itself; who is in
                                them is not known, so that one person may be in several splits
  DIR/<split>/<class>/….jpg     splits train, valid (or val, dev) and test, those that are there
.jpg, .jpeg and .png count. The classes are the names of the folders, but for --map, --ignore and --drop.

With --annotations, they are Aff-Wild2's expressions, for non-commercial research (https://ibug.doc.ic.ac.uk/):
  ANNOTATIONS/Train_Set, Validation_Set   <video>.txt: the names of the classes, then a number a frame, -1 for none;
                                          the files alone: the videos are dealt out, both persons of one together
  DIR/<video>/00001.jpg, …                cropped faces; frames without a face have no picture
Frames without a class, or without a picture, are left out and counted. Names of classes are in small letters. Without
--classes and --map, they are read as MELD's: {", ".join(MELD.names)};
happiness is joy, and other is dropped.

The files of the corpus keep the labels of the data set. corpus.yaml says what they are read as
(map: {{happiness: joy}}) and which are left out (ignore: [other], from --ignore).

  mmer import faces data/fer --root FER2013 --map happy=joy,sad=sadness,angry=anger \\
    --classes {",".join(MELD.names)}
  mmer import faces data/faces --root pictures --fractions train=0.9 valid=0.1 --seed 3
  mmer import faces data/expr --root cropped_aligned --annotations EXPR_Classification_Challenge --every 5"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer import faces``."""
    add_places(parser, "folder of the pictures")
    add = parser.add_argument
    add("--annotations", metavar="ANNOTATIONS", help="folder of Aff-Wild2's expression annotations")
    add("--every", type=int, metavar="N", help="take each N-th picture of a video (default 1: all)")
    add_class_flags(parser)
    add_split_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Look for the pictures, write the corpus and say what is in it."""
    if args.every is not None and (args.every < 1 or not args.annotations):
        raise InputError.of(
            where="--every",
            expected="1 or more, with --annotations",
            found=f"{args.every}" + ("" if args.annotations else " without it"),
            remedy="correct it, or leave it out",
        )
    folder = vacant(args.directory)
    root = given_folder(args.root, "the folder of the pictures")
    left_out = LeftOut()
    if args.annotations:
        place = given_folder(args.annotations, "the folder of the annotations")
        pictures, classes = _expressions(args, root, place, left_out)
    else:
        pictures, classes = _folders(args, root, left_out)
    rows = {split: [_row(picture) for picture in members] for split, members in pictures.items()}
    _tell_classes(pictures, classes, left_out)
    description: dict[str, Any] = {"name": "aff-wild2-expr" if args.annotations else root.name}
    if args.annotations:
        description.update(licence="non-commercial research", link="https://ibug.doc.ic.ac.uk/")
    description.update(media_root=str(root), labels={COLUMN: classes.space(COLUMN)})
    return finish(folder, args.directory, description, rows, left_out, splits=list(pictures))


def _row(picture: Picture) -> dict[str, str]:
    row = {"id": picture.path, "video": picture.path, COLUMN: picture.label}
    return {**row, "speaker": picture.path.split("/")[0]} if picture.group else row


def _folders(
    args: argparse.Namespace, root: Path, left_out: LeftOut
) -> tuple[dict[str, list[Picture]], Classes]:
    splits = split_folders(root)
    labels: dict[str, str] = {}
    found: dict[str, list[Picture]] = {}
    for split, place in splits.items() or [("", root)]:
        found[split], there = class_pictures(root, place, left_out)
        labels = {**there, **labels}
    classes = settle_classes(args, labels)
    kept = {split: _without(classes, members, left_out) for split, members in found.items()}
    if splits:
        refuse_to_deal(args, ", ".join(place.name for place in splits.values()))
        return {split: kept[split] for split in SPLITS if split in kept}, classes
    left_out.notes.append(
        "no split is given: the pictures were dealt out, each class by itself; one person may be in several splits"
    )
    return deal_out(args, kept[""], root), classes


def _without(classes: Classes, pictures: Sequence[Picture], left_out: LeftOut) -> list[Picture]:
    for picture in pictures:
        if picture.label in classes.drop:
            left_out.add(f"of '{picture.label}'", picture.path)
    return [picture for picture in pictures if picture.label not in classes.drop]


def _expressions(
    args: argparse.Namespace, root: Path, place: Path, left_out: LeftOut
) -> tuple[dict[str, list[Picture]], Classes]:
    videos = read_expressions(place)
    labels: dict[str, str] = {}
    for told in videos.values():
        for name in told.names:
            labels.setdefault(name, f"{told.where}:1")
    classes = settle_classes(args, labels, MELD)
    found: dict[str, list[Picture]] = {}
    for split, picture in labelled_pictures(videos, root, classes, args.every or 1, left_out):
        found.setdefault(split, []).append(picture)
    if not found:
        raise InputError.of(
            where=root,
            expected=f"faces of the annotated videos, such as {next(iter(videos))}/00001.jpg",
            found="; ".join(left_out.notes) or "none",
            remedy="name the folder that holds them with --root",
        )
    if "" in found:
        left_out.notes.append("no split is given: the videos were dealt out")
        return deal_out(args, found[""], root), classes
    refuse_to_deal(args, "Train_Set, Validation_Set …")
    tell_shared({video: told.split for video, told in videos.items()}, left_out)
    return {
        split: found.get(split, []) for split in SPLITS if any(t.split == split for t in videos.values())
    }, classes


def _tell_classes(pictures: Mapping[str, Sequence[Picture]], classes: Classes, left_out: LeftOut) -> None:
    """Name classes that a split has no picture of: nothing can be learnt, or said, of them."""
    for split, members in pictures.items():
        there = Counter(classes.aliases.get(picture.label, picture.label) for picture in members)
        lost = [name for name in classes.names if name not in there]
        if lost:
            left_out.notes.append(f"{split} has no picture of {', '.join(lost)}")
