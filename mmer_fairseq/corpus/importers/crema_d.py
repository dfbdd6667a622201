"""``mmer import crema-d``: CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset.

7,442 clips: 91 actors say 12 sentences with an intended emotion, and thousands of people say which emotion they
notice in the voice, in the face and in both. Read are the recordings, ``processedResults/tabulatedVotes.csv`` and
``VideoDemographics.csv``. Not used: ``AudioMP3``, ``finishedResponses.csv`` (single ratings, already counted in the
table), ``summaryTable.csv`` (its winners are found anew from the counts), the rated level of the emotion.

Licence: Open Database License (ODbL) 1.0, contents under the Database Contents License (DbCL) 1.0.
Source: Cao et al., "CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset", IEEE Transactions on Affective
Computing 5 (2014); https://github.com/CheyneyComputerScience/CREMA-D. Recordings are not downloaded here.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from mmer_fairseq.corpus.faults import some
from mmer_fairseq.corpus.importers._crema_d.names import EMOTIONS, Name, clip_of, read_name
from mmer_fairseq.corpus.importers._crema_d.tables import (
    DEMOGRAPHICS,
    OTHER_COLUMNS,
    PRESENTATIONS,
    VOTES,
    check_speakers,
    read_speakers,
    read_votes,
)
from mmer_fairseq.corpus.importers._public.left_out import LeftOut, settle
from mmer_fairseq.corpus.importers._public.partitions import read_partition
from mmer_fairseq.corpus.importers._public.recordings import files_under, given_folder, recordings
from mmer_fairseq.corpus.importers._public.votes import Verdict, without_idle_shares
from mmer_fairseq.corpus.importers._public.write import (
    add_shared,
    finish,
    label_cells,
    label_spaces,
    refuse,
    vacant,
    without,
)
from mmer_fairseq.corpus.splitting import fold_groups
from mmer_fairseq.errors import InputError

HELP = "write a corpus from CREMA-D: 91 actors, 12 sentences, six emotions, with the votes of listeners"

CLIPS = 7442
SOUND, FILMS = "AudioWAV", "VideoFlash"
CLASSES = {
    6: ("angry", "sad", "disgust", "fear", "neutral", "happy"),
    4: ("angry", "sad", "neutral", "happy"),
}
FOLDS, SEED = 5, 1

EPILOG = f"""DIR is a clone of https://github.com/CheyneyComputerScience/CREMA-D with its recordings
(git lfs pull). Licence: Open Database License 1.0, contents under the Database Contents License 1.0.

Read are, in DIR:
  {SOUND}/*.wav                         sound; where there is none, the track of the video
  {FILMS}/*.flv or *.mp4              video (where a clip has both, the .mp4)
  processedResults/tabulatedVotes.csv    first column: index (100001 … voice, 200001 … face, 300001 … multimodal);
                                         needed columns: A, D, F, H, N, S (votes for angry, disgust, fear, happy,
                                         neutral, sad) and fileName
  VideoDemographics.csv                  ActorID, Age, Sex, Race, Ethnicity; may be absent, else they become
                                         columns that nothing reads (other_columns)
Text is the sentence that the name of the clip stands for. Clips are named 1001_IEO_ANG_HI.

All six emotions compete for a clip before it is asked whether the winner is a class. --partition I holds out one
fifth of the actors as test and the next as valid; it is the same for all rules and classes. The columns
'intended' (emotion the actor was asked for) and 'level' are kept, and read by nothing.

  mmer import crema-d data/crema-d --root CREMA-D
  mmer import crema-d data/crema-d-4 --root CREMA-D --classes 4 --rule majority --partition 2
  mmer import crema-d data/crema-d-soft --root CREMA-D --rule distribution --votes voice
  mmer import crema-d data/crema-d-aux --root CREMA-D --partition-file label_consensus_1.csv"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer import crema-d``."""
    add_shared(parser, "clone of the CREMA-D repository")
    add = parser.add_argument
    add(
        "--classes",
        type=int,
        choices=tuple(CLASSES),
        default=6,
        help="4: angry, sad, neutral, happy (default 6)",
    )
    add(
        "--label",
        choices=("votes", "intended"),
        help="the emotion that people noticed, or the one in the name of the clip (default: votes)",
    )
    add(
        "--votes",
        choices=tuple(PRESENTATIONS),
        help="what these people heard or saw (default: multimodal, both)",
    )
    add("--votes-file", metavar="CSV", help=f"the table of votes (default: DIR/{VOTES})")
    add("--partition", type=int, choices=range(1, FOLDS + 1), help="which actors are held out (default 1)")
    add(
        "--modalities",
        nargs="+",
        choices=("text", "audio", "video"),
        default=["text", "audio", "video"],
        help=f"what the clips consist of; without video, {FILMS} is read only where {SOUND} is absent "
        "(default: all three)",
    )


def run(args: argparse.Namespace) -> int:
    """Read the folder, label and split the clips, write the corpus and say what is in it."""
    if args.partition_file:
        refuse(args, "--partition-file", "--rule", "--label", "--votes", "--votes-file", "--partition")
    if args.label == "intended":
        refuse(args, "--label intended", "--rule", "--votes", "--votes-file")
    folder = vacant(args.directory)
    root = given_folder(args.root, "the folder of CREMA-D")
    left_out = LeftOut()
    media = _media(root, args.modalities, left_out)
    left_out.expect(len(media), CLIPS)
    media = without(args.leave_out, media, left_out)
    names = {clip: read_name(clip, str(root)) for clip in media}
    classes = CLASSES[args.classes]
    verdicts, splits = _labelled(args, root, names, classes, left_out)
    people = _people(root, names)
    rows: dict[str, list[dict[str, str]]] = {}
    for clip, verdict in verdicts.items():
        name = names[clip]
        row = {"id": clip, **media[clip], "speaker": name.actor, **label_cells(verdict, classes)}
        if "text" in args.modalities:
            row["text"] = name.sentence
        row.update({"intended": name.emotion, "level": name.level, **people.get(name.actor, {})})
        rows.setdefault(splits[clip], []).append(row)
    description = {
        "name": "crema-d",
        "licence": "ODbL 1.0 (https://opendatacommons.org/licenses/odbl/1-0/), contents DbCL 1.0",
        "link": "https://github.com/CheyneyComputerScience/CREMA-D",
        "media_root": str(root),
        "labels": label_spaces(classes, (row for table in rows.values() for row in table)),
        "other_columns": ["intended", "level", *(OTHER_COLUMNS if people else ())],
    }
    return finish(folder, args.directory, description, rows, left_out)


def _media(root: Path, modalities: list[str], left_out: LeftOut) -> dict[str, dict[str, str]]:
    """Clip → modality → path from the root; in the order of the ids."""
    sound, films = "audio" in modalities, "video" in modalities
    if not sound and not films:
        raise InputError.of(
            where="--modalities", expected="audio or video among them", found="text", remedy="add one of them"
        )
    if films:
        remedy = "fetch it, correct --root" + (", or use --modalities text audio" if sound else "")
        given_folder(root / FILMS, "the folder of the videos", remedy)
    elif not (root / SOUND).is_dir():
        what = f"the folder of the videos, where there is no {SOUND}"
        given_folder(root / FILMS, what, "fetch one of them, or correct --root")
    found: dict[str, dict[str, Path]] = {}
    empty: dict[str, list[str]] = {}
    for modality, place, endings in (("audio", SOUND, (".wav",)), ("video", FILMS, (".mp4", ".flv"))):
        wanted = sound if modality == "audio" else films or not (root / SOUND).is_dir()
        files = files_under(root / place) if wanted and (root / place).is_dir() else []
        others = [path.name for path in files if path.suffix.lower() not in endings]
        if others:
            left_out.notes.append(f"files in {place} that are no recordings, passed over: {some(others)}")
        found[modality], empty[modality] = recordings(files, endings, clip_of)
        left_out.note(f"with an empty file in {place}, taken as none", empty[modality])
    tracks = [clip for clip in found["video"] if clip not in found["audio"]] if sound else []
    audio = {**found["audio"], **{clip: found["video"][clip] for clip in tracks}} if sound else {}
    video = found["video"] if films else {}
    clips = sorted({*audio, *video})
    left_out.note(f"without a file in {SOUND}, whose sound is the track of the video", sorted(tracks))
    if films:
        left_out.note("without video", [clip for clip in clips if clip not in video])
    for clip in sorted({clip for lost in empty.values() for clip in lost} - set(clips)):
        left_out.add("whose recordings are empty files", clip)
    if not clips:
        raise InputError.of(
            where=root,
            expected=f"recordings in {SOUND} or {FILMS}",
            found="none",
            remedy="fetch them: git lfs install, then git lfs pull in that repository",
        )
    paths = (("audio", audio), ("video", video))
    return {
        clip: {modality: str(files[clip].relative_to(root)) for modality, files in paths if clip in files}
        for clip in clips
    }


def _labelled(
    args: argparse.Namespace,
    root: Path,
    names: Mapping[str, Name],
    classes: tuple[str, ...],
    left_out: LeftOut,
) -> tuple[dict[str, Verdict], dict[str, str]]:
    """The verdict on each clip that stays, and the split of each clip."""
    if args.partition_file:
        entries, unused = read_partition(
            args.partition_file,
            classes=classes,
            emotions=tuple(EMOTIONS.values()),
            clip_of=clip_of,
            speaker_of=lambda clip: clip.split("_")[0],
        )
        if unused:
            left_out.notes.append(f"columns of {args.partition_file} that are not used: {some(unused)}")
        splits = {clip: entry.split for clip, entry in entries.items()}
        votes: Mapping[str, Mapping[str, float]] = {clip: entry.votes for clip, entry in entries.items()}
        rule, source = "distribution", "the label file"
    else:
        splits = _partition(names, args.partition or 1)
        rule, source = args.rule or "plurality", "the table of votes"
        if args.label == "intended":
            source = "the names"
            votes = {clip: {name.emotion: 1.0} for clip, name in names.items()}
        else:
            votes = read_votes(Path(args.votes_file or root / VOTES), args.votes or "multimodal")
    verdicts = settle(names, votes, classes, rule, source, left_out)
    return without_idle_shares(verdicts) if args.partition_file else verdicts, splits


def _partition(names: Mapping[str, Name], partition: int) -> dict[str, str]:
    """Folds of actors, each counted once, so that they do not depend on which clips stay."""
    actors = sorted({name.actor for name in names.values()})
    fold = dict(zip(actors, fold_groups(actors, FOLDS, partition, seed=SEED)))
    return {clip: fold[name.actor] for clip, name in names.items()}


def _people(root: Path, names: Mapping[str, Name]) -> dict[str, dict[str, str]]:
    path = root / DEMOGRAPHICS
    if not path.exists():
        print(f"no {DEMOGRAPHICS}: the corpus does not say age, sex, race and ethnicity")
        return {}
    people = read_speakers(path)
    check_speakers(people, sorted({name.actor for name in names.values()}), path)
    return people
