"""``mmer import biovid``: the BioVid Heat Pain Database, part A: faces and biosignals of people in pain.

8,700 samples of 5.5 s: 87 subjects, each 20 times without pain and at four levels of heat. Read are the list of
samples, ``video`` and ``biosignals_filtered``. Not used: parts B to E, the unfiltered signals unless they are asked
for, head pose and what was recorded between the samples.

Licence: for non-commercial research, by a signed agreement; nothing is downloaded here.
Source: Walter et al., "The BioVid Heat Pain Database: Data for the Advancement and Systematic Validation of an
Automated Pain Recognition System", IEEE CYBCO 2013; https://www.nit.ovgu.de/BioVid.html
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmer_fairseq.corpus.importers._biovid.samples import (
    BETWEEN,
    CLASSES,
    PRESENCE,
    Sample,
    find_list,
    read_samples,
    unwanted_samples,
)
from mmer_fairseq.corpus.importers._biovid.signals import CHANNELS, RATE, read_signals
from mmer_fairseq.corpus.importers._public.flags import add_leave_out, add_modalities, add_places
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import given_folder
from mmer_fairseq.corpus.importers._public.write import common_root, finish, vacant
from mmer_fairseq.corpus.splitting import fold_groups, split_groups
from mmer_fairseq.errors import InputError

HELP = "write a corpus from BioVid part A: five levels of heat pain, faces and biosignals of 87 subjects"

SAMPLES = 8700
FOLDS, SEED = 5, 1
FILMS, SIGNALS = "video", "biosignals_filtered"
PHYSIO = "physio"

EPILOG = f"""BioVid is for non-commercial research. Ask for it at https://www.nit.ovgu.de/BioVid.html (an
agreement to sign).

Read are, in DIR (part A):
  starting_point/samples.csv or samples.csv          tab-separated: subject_id, subject_name, class_id, class_name
                                                     (BL1, PA1 … PA4), sample_id, sample_name
  {FILMS}/<subject>/<sample>.mp4                       video
  {SIGNALS}/<subject>/<sample>_bio.csv     tab-separated: time (µs), {", ".join(CHANNELS[:3])},
                                                     {", ".join(CHANNELS[3:])}; 512 Hz
The biosignals are written anew into OUT/physio, as arrays of float32 (about 0.5 GB); videos stay where they are.

Label spaces: 'pain' has all five levels; 'pain-presence' is none (BL1) against strongest (PA4), and leaves out the
levels between (choose it with --labels pain-presence in training).

No subject is in two splits. --folds K --fold k: the subjects are dealt out to K folds, always the same way, each
counted once also if --leave-out names it; fold k is test and the next one valid, or, with --valid-share S, that share
of the subjects which are not test. --folds 87 leaves out one subject at a time. All subjects are in the corpus unless
--leave-out names them; subject_name, subject_id and sample_name will do, or a file of them (# begins a remark).

  mmer import biovid data/biovid --root BioVid/PartA
  mmer import biovid data/biovid-3 --root BioVid/PartA --fold 3 --channels gsr --leave-out silent_subjects.txt"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer import biovid``."""
    add_places(parser, "folder of part A")
    add = parser.add_argument
    add("--samples", metavar="FILE", help="the list of samples (default: the one in DIR)")
    add_modalities(parser, "video", "physio")
    add(
        "--channels",
        default=",".join(CHANNELS),
        help="of the biosignals, separated by commas, in the order wanted (default: all)",
    )
    add("--biosignals", default=SIGNALS, metavar="FOLDER", help=f"in DIR (default: {SIGNALS})")
    add("--folds", type=int, default=FOLDS, metavar="K", help="folds of subjects, 3 or more (default 5)")
    add("--fold", type=int, default=1, metavar="k", help="which fold is held out, 1 … K (default 1)")
    add("--valid-share", type=float, metavar="S", help="share of the other subjects (default: the next fold)")
    add_leave_out(parser, "subjects or samples", "NAME")


def run(args: argparse.Namespace) -> int:
    """Read the list, look for the media, convert the biosignals, write the corpus and say what is in it."""
    folder = vacant(args.directory)
    channels = _channels(args.channels)
    root = given_folder(args.root, "the folder of part A")
    samples = read_samples(Path(args.samples) if args.samples else find_list(root))
    splits = _splits(args, samples)
    left_out = LeftOut()
    if len(samples) != SAMPLES:
        left_out.notes.append(f"the list has {len(samples)} samples; part A has {SAMPLES}")
    unwanted = set(unwanted_samples(args.leave_out, samples))
    for name in samples:
        if name in unwanted:
            left_out.add("as --leave-out says", name)
    kept = {name: sample for name, sample in samples.items() if name not in unwanted}
    films = _films(args, root, kept, left_out)
    signals = _signal_files(args, root, kept, left_out)
    base = common_root(folder, root)
    rows: dict[str, list[dict[str, str]]] = {}
    for name, sample in kept.items():
        if name not in films and name not in signals:
            left_out.add("without any of " + " and ".join(args.modalities), name)
            continue
        row = {"id": name, "speaker": sample.subject, "pain": sample.level}
        row["presence"] = PRESENCE.get(sample.level, BETWEEN)
        if name in films:
            row["video"] = str(films[name].relative_to(base))
        if name in signals:
            row["physio"] = str(_array(folder, sample).relative_to(base))
        rows.setdefault(splits[sample.subject], []).append(row)
    changed: list[str] = []

    def fill(scratch: Path) -> None:
        for name, path in signals.items():
            array = _array(scratch, kept[name])
            array.parent.mkdir(parents=True, exist_ok=True)
            values, moved = read_signals(path, channels)
            np.save(array, values)
            if moved:
                changed.append(name)
        left_out.note(f"whose biosignals were brought to {RATE:g} Hz", changed)

    description: dict[str, Any] = {
        "name": "biovid",
        "licence": "non-commercial research, by a signed agreement",
        "link": "https://www.nit.ovgu.de/BioVid.html",
        "media_root": str(base),
        "labels": {
            "pain": {"kind": "classes", "column": "pain", "classes": list(CLASSES)},
            "pain-presence": {
                "kind": "classes",
                "column": "presence",
                "classes": list(PRESENCE.values()),
                "ignore": [BETWEEN],
            },
        },
    }
    if signals:
        description["physio"] = {"rate": RATE, "channels": list(channels)}
    return finish(folder, args.directory, description, rows, left_out, fill=fill)


def _array(folder: Path, sample: Sample) -> Path:
    return folder / PHYSIO / sample.subject / f"{sample.name}.npy"


def _channels(words: str) -> tuple[str, ...]:
    channels = tuple(word.strip() for word in words.split(","))
    unknown = [word for word in channels if word not in CHANNELS]
    if unknown or len(set(channels)) < len(channels):
        raise InputError.of(
            where="--channels",
            expected=f"each at most once of {', '.join(CHANNELS)}",
            found=f"'{unknown[0]}'" if unknown else f"'{words}'",
            remedy="separate them by commas, without blanks",
        )
    return channels


def _splits(args: argparse.Namespace, samples: Mapping[str, Sample]) -> dict[str, str]:
    """Split of each subject; it does not depend on which samples stay."""
    subjects = sorted({sample.subject for sample in samples.values()})
    splits = dict(zip(subjects, fold_groups(subjects, args.folds, args.fold, seed=SEED)))
    if args.valid_share is None:
        return splits
    if not 0 < args.valid_share < 1:
        raise InputError.of(
            where="--valid-share",
            expected="a share of the subjects above 0 and below 1",
            found=args.valid_share,
            remedy="correct it, or leave it out",
        )
    others = [subject for subject in subjects if splits[subject] != "test"]
    shares = {"train": 1 - args.valid_share, "valid": args.valid_share}
    return {**splits, **dict(zip(others, split_groups(others, shares, seed=SEED)))}


def _films(
    args: argparse.Namespace, root: Path, samples: Mapping[str, Sample], left_out: LeftOut
) -> dict[str, Path]:
    if "video" not in args.modalities:
        return {}
    place = given_folder(root / FILMS, "the folder of the videos", "fetch it, or use --modalities physio")
    paths = {name: place / sample.subject / f"{name}.mp4" for name, sample in samples.items()}
    return _there(paths, "video", left_out)


def _signal_files(
    args: argparse.Namespace, root: Path, samples: Mapping[str, Sample], left_out: LeftOut
) -> dict[str, Path]:
    if "physio" not in args.modalities:
        return {}
    remedy = "fetch it, name it with --biosignals, or use --modalities video"
    place = given_folder(root / args.biosignals, "the folder of the biosignals", remedy)
    paths = {name: place / sample.subject / f"{name}_bio.csv" for name, sample in samples.items()}
    return _there(paths, "biosignals", left_out)


def _there(paths: Mapping[str, Path], what: str, left_out: LeftOut) -> dict[str, Path]:
    """The files that exist and are not empty."""
    found, empty = {}, []
    for name, path in paths.items():
        if path.is_file():
            if path.stat().st_size:
                found[name] = path
            else:
                empty.append(name)
    absent: Sequence[str] = [name for name in paths if name not in found and name not in empty]
    left_out.note(f"without {what}", absent)
    left_out.note(f"with an empty file of {what}, taken as none", empty)
    return found
