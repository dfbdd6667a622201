"""``mmer import iemocap``: IEMOCAP, the Interactive Emotional Dyadic Motion Capture database.

10,039 turns of 10 actors in 5 sessions, improvised and scripted dialogues of two persons. Read are the evaluations,
the transcripts and the recordings of the full release. Not used: the choices of single annotators, self-evaluations,
motion capture, alignments of words.

Licence: for research, after a request; nothing is downloaded here.
Source: Busso et al., "IEMOCAP: Interactive emotional dyadic motion capture database", Language Resources and
Evaluation 42 (2008); https://sail.usc.edu/iemocap/. Label set of six emotions and split files: Dai et al.,
"Multimodal End-to-End Sparse Model for Emotion Recognition", NAACL 2021.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmer_fairseq.corpus.importers._iemocap.evaluations import (
    ATTRIBUTES,
    EMOTIONS,
    EVALUATIONS,
    HIGH,
    LOW,
    SIX,
    TRANSCRIPTS,
    Turn,
    read_turns,
    read_words,
)
from mmer_fairseq.corpus.importers._iemocap.media import (
    FILMS,
    SENTENCES,
    SOUNDS,
    Media,
    find_media,
    own_file,
    write_own,
)
from mmer_fairseq.corpus.importers._iemocap.splits import add_split_flags, make_splits, tell_known
from mmer_fairseq.corpus.importers._public.flags import add_leave_out, add_modalities, add_places
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import given_folder
from mmer_fairseq.corpus.importers._public.splits import expand
from mmer_fairseq.corpus.importers._public.write import common_root, finish, vacant, without
from mmer_fairseq.errors import InputError

HELP = "write a corpus from IEMOCAP: dialogues of 10 actors in 5 sessions, emotions, valence, activation, dominance"

TURNS = 10039
LINK = "https://sail.usc.edu/iemocap/"
#: In the order of SSE-FT; 'happy' counts excited turns too.
FOUR = ("neutral", "sad", "angry", "happy")
#: Stands for means outside the scale; ignored.
NO_SCORE = "0"

EPILOG = f"""DIR is IEMOCAP_full_release. Ask for it at {LINK} (a release form; for research).

Read are, in DIR/Session1 … DIR/Session5:
  {EVALUATIONS}/<dialogue>.txt        [start - end], utterance, emotion, [valence, activation, dominance]
  {TRANSCRIPTS}/<dialogue>.txt       utterance [start-end]: words
  {FILMS}/<dialogue>.avi             video of both speakers side by side
  {SOUNDS}/<dialogue>.wav                  sound, one channel for each speaker's microphone
  {SENTENCES}/<dialogue>/<utterance>.wav   sound of one utterance
The column 'side' says in which half of the picture the speaker is, left or right: mmer faces
takes the face there.

The times of a clip hold for its sound and its video. With video, sound is therefore cut from {SOUNDS}; read as one
channel, it holds both microphones. --own-microphone writes the channel of the speaker into OUT/audio (about 3 GB
for the whole corpus) and takes that. Without video, sound is that of {SENTENCES}, and cut from {SOUNDS} where a
file is missing there.

Label spaces: 'emotion4' is neutral, sad, angry, happy (excited turns too); 'emotion6' is angry, excited, frustrated,
happy, neutral, sad; 'emotions6' is the same as six decisions yes or no; 'vad' holds valence, activation and dominance,
1 … 5, without the turns where a mean lies outside. Turns of another emotion (xxx, oth, fea, sur, dis) are
left out. --all-emotions keeps them, for 'vad': then 'emotion4' and 'emotion6' leave them out, and there is no
'emotions6'.

--folds 5 --fold k: session k is test, the next one valid. --folds 10 --fold k: speaker k (Ses01F, Ses01M, Ses02F, …)
is test, the other speaker of that session valid. With --valid-share S, that share of the speakers that are not test
is valid. --split paper --split-files DIR reads lists of utterances, such as those of MME2E, which have the same
speakers and dialogues in training and test: such scores are of known voices. What splits share is printed.

  mmer import iemocap data/iemocap --root IEMOCAP_full_release --fold 5
  mmer import iemocap data/iemocap-words --root IEMOCAP_full_release --folds 10 --modalities text audio
  mmer import iemocap data/iemocap-mme2e --root IEMOCAP_full_release --own-microphone \\
    --split paper --split-files IEMOCAP_SPLIT"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer import iemocap``."""
    add_places(parser, "folder IEMOCAP_full_release")
    add_modalities(parser, "text", "audio", "video")
    add = parser.add_argument
    add(
        "--own-microphone",
        action="store_true",
        help="write the sound of each speaker's own microphone into OUT/audio",
    )
    add("--all-emotions", action="store_true", help="keep turns of other emotions than the six")
    add_split_flags(parser)
    add_leave_out(parser, "utterances", "UTTERANCE")


def run(args: argparse.Namespace) -> int:
    """Read the folder, split the turns, write the corpus and say what is in it."""
    if args.own_microphone and "audio" not in args.modalities:
        raise InputError.of(
            where="--own-microphone",
            expected="audio among --modalities",
            found=", ".join(args.modalities),
            remedy="add audio, or leave out --own-microphone",
        )
    folder = vacant(args.directory)
    root = given_folder(args.root, "the folder of IEMOCAP")
    left_out = LeftOut()
    turns = read_turns(root)
    if len(turns) != TURNS:
        left_out.notes.append(f"{len(turns)} evaluated utterances; the whole corpus has {TURNS}")
    names = {clip: turn.name for clip, turn in turns.items()}
    splits = make_splits(args, names)
    words = _words(args, root, turns, left_out)
    kept = _kept(args, turns, splits, left_out)
    media = find_media(kept, root, args.modalities, args.own_microphone, left_out)
    base = common_root(folder, root) if args.own_microphone else root
    rows: dict[str, list[dict[str, str]]] = {}
    for clip, turn in kept.items():
        paths = _paths(media[clip], turn, folder if args.own_microphone else None)
        if not paths and not words.get(clip):
            left_out.add("without any of " + " and ".join(args.modalities), clip)
            continue
        row = {"id": clip, **{what: str(path.relative_to(base)) for what, path in paths.items()}}
        if words.get(clip):
            row["text"] = words[clip]
        if media[clip].cut:
            row.update(start=f"{turn.start:.9g}", end=f"{turn.end:.9g}")
        name = turn.name
        row.update(speaker=name.speaker, dialogue=name.dialogue, turn=str(turn.number), side=name.side)
        row.update(_labels(turn, args.all_emotions))
        rows.setdefault(splits[clip], []).append(row)
    tell_known({row["id"]: split for split, own in rows.items() for row in own}, names, left_out)
    if "text" in args.modalities:
        left_out.note("without a transcript", [clip for clip in kept if not words.get(clip)])
    left_out.note(
        f"with a mean outside {LOW:g} … {HIGH:g}, left out of 'vad'",
        [clip for clip, turn in kept.items() if not turn.on_scale],
    )
    description = {
        "name": "iemocap",
        "licence": "research, by a release form of the University of Southern California",
        "link": LINK,
        "media_root": str(base),
        "labels": _spaces(args.all_emotions),
        "other_columns": ["side"],
    }
    if not args.own_microphone:
        return finish(folder, args.directory, description, rows, left_out)

    def fill(scratch: Path) -> None:
        used = {row["id"] for table in rows.values() for row in table}
        sounds = ((kept[clip].name, one.sound) for clip, one in media.items() if clip in used)
        write_own(scratch, ((name, sound) for name, sound in sounds if sound is not None))

    return finish(folder, args.directory, description, rows, left_out, fill=fill)


def _words(
    args: argparse.Namespace, root: Path, turns: Mapping[str, Turn], left_out: LeftOut
) -> dict[str, str]:
    if "text" not in args.modalities:
        return {}
    words = read_words(root, left_out)
    for clip in words:
        if clip not in turns:
            left_out.add("in the transcripts but not in the evaluations", clip)
    return words


def _kept(
    args: argparse.Namespace, turns: Mapping[str, Turn], splits: Mapping[str, str], left_out: LeftOut
) -> dict[str, Turn]:
    kept = {}
    for clip, turn in without(
        expand(args.leave_out), turns, left_out, "utterances of the evaluations"
    ).items():
        if turn.emotion not in SIX and not args.all_emotions:
            left_out.add("of another emotion than the six", clip)
        elif clip not in splits:
            left_out.add("in none of the split files", clip)
        else:
            kept[clip] = turn
    return kept


def _paths(media: Media, turn: Turn, own: Path | None) -> dict[str, Path]:
    """Modality → file; with ``own``, the sound is the one written into that folder."""
    paths = {}
    if media.sound is not None:
        paths["audio"] = media.sound if own is None else own_file(own, turn.name)
    if media.film is not None:
        paths["video"] = media.film
    return paths


def _labels(turn: Turn, all_emotions: bool) -> dict[str, str]:
    row = {"emotion4": "happy" if turn.emotion == "excited" else turn.emotion, "emotion6": turn.emotion}
    if not all_emotions:
        row.update({word: str(int(word == turn.emotion)) for word in SIX})
    scores = [f"{mean:g}" if turn.on_scale else NO_SCORE for mean in turn.means]
    return {**row, **dict(zip(ATTRIBUTES, scores))}


def _spaces(all_emotions: bool) -> dict[str, Any]:
    words = list(EMOTIONS.values()) if all_emotions else list(SIX)
    gone = [word for word in words if word not in FOUR and word != "excited"]
    six: dict[str, Any] = {"kind": "classes", "column": "emotion6", "classes": list(SIX)}
    if all_emotions:
        six["ignore"] = [word for word in words if word not in SIX]
    spaces: dict[str, Any] = {
        "emotion4": {"kind": "classes", "column": "emotion4", "classes": list(FOUR), "ignore": gone},
        "emotion6": six,
    }
    if not all_emotions:
        spaces["emotions6"] = {"kind": "multilabel", "columns": list(SIX)}
    vad = {"kind": "score", "columns": list(ATTRIBUTES), "range": [LOW, HIGH], "ignore": [NO_SCORE]}
    return {**spaces, "vad": vad}
