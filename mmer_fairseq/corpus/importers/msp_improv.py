"""``mmer import msp-improv``: MSP-IMPROV, acted and improvised dialogues of two persons.

8,438 turns of 12 speakers in 6 sessions, with primary and secondary emotions and activation, valence and dominance
by crowd workers. Read are the recordings and ``Evalution.txt`` (the corpus' own spelling). Not used: naturalness,
single ratings of the attributes. The corpus has no transcripts. Arousal is the activation of the corpus, and all
three attributes are means as the file has them; which end of a scale means what is told in its documentation.

Licence: academic, to be asked for; nothing is downloaded here.
Source: Busso et al., "MSP-IMPROV: An Acted Corpus of Dyadic Interactions to Study Emotion Perception", IEEE
Transactions on Affective Computing 8 (2017); https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmer_fairseq.corpus.faults import some
from mmer_fairseq.corpus.importers._msp_improv.evaluations import (
    ATTRIBUTES,
    HIGH,
    LOW,
    SECONDARY,
    Evaluation,
    read_evaluations,
)
from mmer_fairseq.corpus.importers._msp_improv.names import BEGINNING, SESSIONS, Name, clip_of, read_name
from mmer_fairseq.corpus.importers._public.flags import add_modalities
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
from mmer_fairseq.errors import InputError

HELP = "write a corpus from MSP-IMPROV: 12 speakers, 6 sessions, improvised and read turns"

CLASSES = {
    4: ("angry", "sad", "neutral", "happy"),
    10: SECONDARY[:-1],
}
CLIPS = 8438
FILMS = (".mp4", ".avi")
EVALUATIONS = ("evalution.txt", "evaluation.txt")
#: Stands for attributes that a turn lacks; outside the scale, and ignored.
NO_SCORE = "0"

EPILOG = """DIR is the corpus as it comes. Its licence is academic; ask for it at
https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html

Read are, in DIR and all folders in it:
  MSP-IMPROV-S01A-F01-P-FM01.wav    sound; for clips that lack it, the track of the video
  the same with .avi or .mp4        video (where a clip has both, the .mp4)
  Evalution.txt or Evaluation.txt   a block for each turn: name; consensus; A:…; V:…; D:…; N:…; and a line for
                                    each annotator: id; primary emotion; secondary emotions; A:…; V:…; D:…; N:…;

--classes 4 counts the primary emotions (angry, sad, neutral, happy); --classes 10 counts all secondary emotions that
were chosen, of which an annotator may choose several (depressed, frustrated, angry, sad, disgust, excited, fear,
neutral, surprise, happy). 'other' competes for a clip, and is no class. --partition I holds out session I as test
and the next as valid. The label space 'attributes' holds the means of arousal (activation), valence and dominance,
1 … 5, as the file has them. The columns 'target' and 'recording' are kept, and read by nothing.

  mmer import msp-improv data/msp-improv --root MSP-IMPROV --partition 3
  mmer import msp-improv data/msp-improv-10 --root MSP-IMPROV --classes 10 --rule distribution
  mmer import msp-improv data/msp-improv-aux --root MSP-IMPROV --partition-file labels_consensus_1.csv"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer import msp-improv``."""
    add_shared(parser, "folder of MSP-IMPROV")
    add = parser.add_argument
    add(
        "--classes", type=int, choices=tuple(CLASSES), default=4, help="4 primary or 10 secondary (default 4)"
    )
    add("--evaluation", metavar="FILE", help="default: the one Evalution.txt or Evaluation.txt in DIR")
    add("--partition", type=int, choices=SESSIONS, help="the session that is held out (default 1)")
    add_modalities(parser, "audio", "video")
    add(
        "--unknown-is-other",
        action="store_true",
        help="count words that are no emotion of the corpus as 'other', and name them (default: a fault)",
    )


def run(args: argparse.Namespace) -> int:
    """Read the folder, label and split the turns, write the corpus and say what is in it."""
    if args.partition_file:
        refuse(args, "--partition-file", "--rule", "--partition")
    folder = vacant(args.directory)
    root = given_folder(args.root, "the folder of MSP-IMPROV")
    left_out = LeftOut()
    files = files_under(root)
    media = _media(root, files, args.modalities, left_out)
    left_out.expect(len(media), CLIPS)
    media = without(args.leave_out, media, left_out)
    names = {clip: read_name(clip, str(root)) for clip in media}
    classes = CLASSES[args.classes]
    said = _evaluations(args, root, files, left_out)
    verdicts, splits = _labelled(args, names, classes, said, left_out)
    scores = {clip: said[clip].means for clip in verdicts if clip in said}
    rows: dict[str, list[dict[str, str]]] = {}
    for clip, verdict in verdicts.items():
        name = names[clip]
        row = {"id": clip, **media[clip], "speaker": name.speaker, **label_cells(verdict, classes)}
        if any(scores.values()):
            means = scores.get(clip)
            row.update(zip(ATTRIBUTES, map("{:g}".format, means) if means else [NO_SCORE] * len(ATTRIBUTES)))
        row.update({"target": name.target, "recording": name.kind})
        rows.setdefault(splits[clip], []).append(row)
    spaces: dict[str, Any] = label_spaces(classes, (row for table in rows.values() for row in table))
    if any(scores.values()):
        spaces["attributes"] = {"kind": "score", "columns": list(ATTRIBUTES), "range": [LOW, HIGH]}
        lacking = [clip for clip in verdicts if not scores.get(clip)]
        left_out.note("without arousal, valence and dominance", lacking)
        if lacking:
            spaces["attributes"]["ignore"] = [NO_SCORE]
    description = {
        "name": "msp-improv",
        "licence": "academic licence of the University of Texas at Dallas",
        "link": "https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html",
        "media_root": str(root),
        "labels": spaces,
        "other_columns": ["target", "recording"],
    }
    return finish(folder, args.directory, description, rows, left_out)


def _media(
    root: Path, files: list[Path], modalities: list[str], left_out: LeftOut
) -> dict[str, dict[str, str]]:
    """Clip → modality → path from the root; in the order of the ids."""
    named = [path for path in files if BEGINNING.match(path.name)]
    turns = set(named)
    others = [path for path in files if path.suffix.lower() in (".wav", *FILMS) and path not in turns]
    if others:
        shown = some(path.relative_to(root) for path in others)
        left_out.notes.append(f"recordings that are no turns of the corpus, passed over: {shown}")
    sounds, no_sound = recordings(named if "audio" in modalities else (), (".wav",), clip_of)
    films, no_film = recordings(named, FILMS, clip_of)
    tracks = {clip: path for clip, path in films.items() if clip not in sounds}
    found = {"audio": {**sounds, **tracks}, "video": films}
    clips = sorted({clip for modality in modalities for clip in found[modality]})
    for what, lost in (("sound", no_sound), ("video", no_film)):
        left_out.note(f"with an empty file of {what}, taken as none", lost)
    for clip in sorted({*no_sound, *no_film} - set(clips)):
        left_out.add("whose recordings are empty files", clip)
    if "audio" in modalities:
        left_out.note("without a .wav, whose sound is the track of the video", sorted(tracks))
    if "video" in modalities:
        left_out.note("without video", [clip for clip in clips if clip not in films])
    if not clips:
        raise InputError.of(
            where=root,
            expected="recordings named MSP-IMPROV-S01A-F01-P-FM01.wav, .avi or .mp4 in it",
            found="none",
            remedy="correct --root",
        )
    return {
        clip: {
            modality: str(found[modality][clip].relative_to(root))
            for modality in modalities
            if clip in found[modality]
        }
        for clip in clips
    }


def _evaluations(
    args: argparse.Namespace, root: Path, files: list[Path], left_out: LeftOut
) -> dict[str, Evaluation]:
    """What annotators said; nothing where a label file makes up for it."""
    found = [path for path in files if path.name.lower() in EVALUATIONS]
    if args.evaluation:
        found = [Path(args.evaluation)]
    if len(found) != 1:
        if not found and args.partition_file:
            print(f"no Evalution.txt in {root}: the corpus has no arousal, valence and dominance")
            return {}
        raise InputError.of(
            where=root,
            expected="one Evalution.txt (or Evaluation.txt) in it",
            found=some(found) or "none",
            remedy="name the file with --evaluation",
        )
    said, unknown = read_evaluations(found[0], unknown_is_other=args.unknown_is_other)
    if unknown:
        words = some(f"{word} ({times})" for word, times in unknown.most_common())
        left_out.notes.append(f"unknown words counted as other: {words}")
    return said


def _labelled(
    args: argparse.Namespace,
    names: Mapping[str, Name],
    classes: tuple[str, ...],
    said: Mapping[str, Evaluation],
    left_out: LeftOut,
) -> tuple[dict[str, Verdict], dict[str, str]]:
    """The verdict on each turn that stays, and the split of each turn."""
    if args.partition_file:
        entries, unused = read_partition(
            args.partition_file,
            classes=classes,
            emotions=SECONDARY,
            clip_of=clip_of,
            speaker_of=lambda clip: read_name(clip, clip).speaker,
        )
        for session in SESSIONS:
            parts = {entries[clip].split for clip in entries if read_name(clip, clip).session == session}
            if len(parts) > 1:
                left_out.notes.append(f"session {session} is in {' and '.join(sorted(parts))}")
        if unused:
            left_out.notes.append(f"columns of {args.partition_file} that are not used: {some(unused)}")
        votes: Mapping[str, Mapping[str, float]] = {clip: entry.votes for clip, entry in entries.items()}
        verdicts = settle(names, votes, classes, "distribution", "the label file", left_out)
        return without_idle_shares(verdicts), {clip: entry.split for clip, entry in entries.items()}
    test = args.partition or 1
    valid = test % len(SESSIONS) + 1
    held_out = {test: "test", valid: "valid"}
    splits = {clip: held_out.get(name.session, "train") for clip, name in names.items()}
    rule, primary = args.rule or "plurality", args.classes == 4
    votes = {clip: dict(one.primary if primary else one.secondary) for clip, one in said.items()}
    verdicts = settle(names, votes, classes, rule, "the evaluations", left_out)
    if primary:
        here = [clip for clip in names if clip in said]
        differing = [clip for clip in here if said[clip].consensus != said[clip].plurality]
        left_out.note("whose plurality is not the consensus in the file", differing)
    return verdicts, splits
