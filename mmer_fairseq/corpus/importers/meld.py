"""``mmer import meld``: MELD, the Multimodal EmotionLines Dataset.

13,708 utterances of 1,433 dialogues of the series Friends: words, clips with picture and sound, seven emotions and
three sentiments. Read are the published tables and clips. Not used: features of others, the dyadic and the Chinese
versions.

Licence: GPL-3.0 for the annotations; the clips are of a television series, whose makers keep their rights. Nothing is
downloaded here.
Source: Poria et al., "MELD: A Multimodal Multi-Party Dataset for Emotion Recognition in Conversations", ACL 2019;
https://affective-meld.github.io/
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmer_fairseq.corpus.importers._meld.clips import FOLDERS, find_clips
from mmer_fairseq.corpus.importers._meld.decoding import Verdict, check_share, decode_clips
from mmer_fairseq.corpus.importers._meld.table import (
    EMOTIONS,
    SENTIMENTS,
    Utterance,
    find_tables,
    read_utterances,
)
from mmer_fairseq.corpus.importers._public.flags import add_leave_out, add_places
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import given_folder
from mmer_fairseq.corpus.importers._public.splits import expand, tell_shared
from mmer_fairseq.corpus.importers._public.write import finish, vacant, without
from mmer_fairseq.errors import InputError

HELP = "write a corpus from MELD: dialogues of the series Friends, seven emotions and three sentiments"

LINK = "https://affective-meld.github.io/"

#: A clip that lasts this much longer than its times say was cut wrongly, in seconds; it stays, and is named.
TOO_LONG = 10.0

EPILOG = f"""MELD is published at {LINK} (tables: GPL-3.0; clips: of a television series).

Read are:
  --csv-dir  train_sent_emo.csv, dev_sent_emo.csv (or val_…, valid_…) and test_sent_emo.csv, those that are there:
             Utterance, Speaker, Emotion, Sentiment, Dialogue_ID, Utterance_ID, and maybe Season, Episode, StartTime,
             EndTime; UTF-8 or Windows-1252, and what reading one as the other has made of them
  --clips    {FOLDERS["train"][0]}, {FOLDERS["valid"][0]} and {FOLDERS["test"][0]} (or train, dev,
             test), at any depth: dia<dialogue>_utt<utterance>.mp4; of final_videos_test…, which repeat others, those
             alone whose other file is missing; not ._ files
Without --clips the corpus has text only. Clips are cut already, so no times are written.

Every clip is decoded to its end, picture and sound apart, since some are damaged. One that is damaged, silent or
missing keeps its text, and is named. --no-decode takes every file that is not empty. A stopped run goes on where it
was.

Clips are named <split>-d<dialogue>-u<utterance> (dev-d12-u3), dialogues <split>-d<dialogue>, as numbers begin anew in
each split; the turn is the number of the utterance. Season and episode are columns that nothing reads.

Label spaces: 'emotion' is {", ".join(EMOTIONS)}; 'sentiment' is {", ".join(SENTIMENTS)}.

The splits are those of MELD: they share the speakers of the series, and what they share is printed.

  mmer import meld data/meld-words --csv-dir MELD.Raw
  mmer import meld data/meld --csv-dir MELD.Raw --clips MELD.Raw --jobs 8"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer import meld``."""
    add_places(parser)
    add = parser.add_argument
    add("--csv-dir", required=True, metavar="DIR", help="folder of the tables")
    add("--clips", metavar="DIR", help="folder of the clips (default: text only)")
    add(
        "--modalities",
        nargs="+",
        choices=("text", "audio", "video"),
        help="what the clips consist of (default: all three; text without --clips)",
    )
    add("--no-decode", action="store_true", help="do not look for damaged clips")
    add("--jobs", type=int, metavar="N", help="processes that decode (default: one per processor)")
    add_leave_out(parser)


def run(args: argparse.Namespace) -> int:
    """Read the tables, look at the clips, write the corpus and say what is in it."""
    modalities = _modalities(args)
    folder = vacant(args.directory)
    tables = find_tables(given_folder(args.csv_dir, "the folder of MELD's tables"))
    left_out = LeftOut()
    utterances = read_utterances(tables, left_out)
    if len(tables) < len(FOLDERS):
        left_out.notes.append(f"no table of {', '.join(split for split in FOLDERS if split not in tables)}")
    utterances = without(expand(args.leave_out), utterances, left_out, "utterances of the tables")
    memory = folder.with_name(f".{folder.name}.decoded")
    media: dict[str, dict[str, str]] = {}
    root = "."
    if args.clips:
        place = given_folder(args.clips, "the folder of MELD's clips")
        files = find_clips(place, utterances, list(tables), left_out)
        media = _media(args, utterances, files, place, modalities, memory, left_out)
        root = str(place)
    rows: dict[str, list[dict[str, str]]] = {}
    lacking = []
    for clip, one in utterances.items():
        words = one.text if "text" in modalities else ""
        if not words and not media.get(clip):
            left_out.add("without any of " + " and ".join(modalities), clip)
            continue
        row = {"id": clip, **media.get(clip, {})}
        if words:
            row["text"] = words
        elif "text" in modalities:
            lacking.append(clip)
        row.update(speaker=one.speaker, dialogue=one.talk, turn=str(one.number))
        row.update(emotion=one.emotion, sentiment=one.sentiment)
        row.update(zip(("season", "episode"), one.episode))
        rows.setdefault(one.split, []).append(row)
    left_out.note("without words", lacking)
    _tell_shared(utterances, left_out)
    status = finish(folder, args.directory, _description(root), rows, left_out, splits=list(tables))
    memory.unlink(missing_ok=True)
    return status


def _modalities(args: argparse.Namespace) -> tuple[str, ...]:
    wanted = args.modalities or (("text", "audio", "video") if args.clips else ("text",))
    needs_clips = [modality for modality in wanted if modality != "text"]
    if needs_clips and not args.clips:
        raise InputError.of(
            where="--modalities",
            expected="text alone, where there are no clips",
            found=", ".join(wanted),
            remedy="name the folder of the clips with --clips",
        )
    if args.clips and not needs_clips:
        raise InputError.of(
            where="--clips",
            expected="audio or video among --modalities",
            found="text",
            remedy="leave out --clips, or add one of them",
        )
    if args.jobs is not None and args.jobs < 1:
        raise InputError.of(
            where="--jobs", expected="1 or more processes", found=args.jobs, remedy="write a whole number"
        )
    return tuple(wanted)


def _media(
    args: argparse.Namespace,
    utterances: Mapping[str, Utterance],
    files: Mapping[str, Path],
    root: Path,
    modalities: tuple[str, ...],
    memory: Path,
    left_out: LeftOut,
) -> dict[str, dict[str, str]]:
    """Clip → modality → path from the root, without the media that cannot be decoded."""
    wanted = [modality for modality in ("audio", "video") if modality in modalities]
    verdicts: Mapping[str, Verdict] = {}
    if not args.no_decode:
        clips = {clip: (path, utterances[clip].where) for clip, path in files.items()}
        verdicts = decode_clips(clips, wanted, args.jobs or os.cpu_count() or 1, memory)
        check_share(verdicts.values(), len(files), root)
    media: dict[str, dict[str, str]] = {}
    nothing = Verdict(0.0, {})
    for clip, path in files.items():
        verdict = verdicts.get(clip, nothing)
        for fault in dict.fromkeys(verdict.faults.values()):
            lost = " and ".join(what for what in wanted if verdict.faults.get(what) == fault)
            left_out.notes.append(f"{clip}: {lost} taken as none: {fault}")
        media[clip] = {what: str(path.relative_to(root)) for what in wanted if what not in verdict.faults}
    longer = {
        clip: f"{clip} ({verdict.seconds:.0f} s, not {utterances[clip].seconds:.0f} s)"
        for clip, verdict in verdicts.items()
        if utterances[clip].seconds and verdict.seconds > utterances[clip].seconds + TOO_LONG
    }
    left_out.note("far longer than their times say (--leave-out takes them out)", longer.values())
    return media


def _tell_shared(utterances: Mapping[str, Utterance], left_out: LeftOut) -> None:
    splits = {clip: one.split for clip, one in utterances.items()}
    speakers = {clip: one.speaker for clip, one in utterances.items()}
    tell_shared(splits, {"speaker": speakers}, left_out)
    known, tested = (
        {speakers[c] for c in splits if (splits[c] == "train") == first} for first in (True, False)
    )
    if known & tested:
        left_out.notes.append(
            "scores on these splits are of voices and faces known from training: MELD has the same leading roles in "
            "all of them"
        )


def _description(root: str) -> dict[str, Any]:
    return {
        "name": "meld",
        "licence": "GPL-3.0 (tables); the clips are of a television series, whose makers keep their rights",
        "link": LINK,
        "media_root": root,
        "labels": {
            "emotion": {"kind": "classes", "column": "emotion", "classes": list(EMOTIONS)},
            "sentiment": {"kind": "classes", "column": "sentiment", "classes": list(SENTIMENTS)},
        },
        "other_columns": ["season", "episode"],
    }
