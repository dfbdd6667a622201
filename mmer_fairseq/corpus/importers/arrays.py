"""``mmer import arrays``: a corpus from arrays and tables that someone already has (npz or CSV files).

The Python function under it is :func:`import_arrays`. Features become feature stores; media are named, not decoded.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmer_fairseq.corpus.corpus import Corpus
from mmer_fairseq.corpus.faults import some
from mmer_fairseq.corpus.importers._arrays.files import ArrayFile, Keyed, find
from mmer_fairseq.corpus.importers._arrays.labels import Labels
from mmer_fairseq.corpus.importers._arrays.paths import ID, filled, keys_of
from mmer_fairseq.corpus.importers._arrays.write import import_arrays
from mmer_fairseq.corpus.importers._public.flags import add_places
from mmer_fairseq.corpus.labels import KINDS
from mmer_fairseq.corpus.splitting import fold_groups, split_groups
from mmer_fairseq.errors import InputError

__all__ = ["Labels", "import_arrays"]

HELP = "write a corpus from features, paths of media and transcripts in .npz or .csv files"

EPILOG = """KEY is the name of an array in an .npz file or of a column of a .csv or .tsv file; FILE:KEY where
several files have one of that name (a file is called by its name without the ending). 'AU*' puts all such
columns side by side. '{id}/audio' means one array a clip, under names that hold its id.

Paths of media are put together: '{folder}/{id}.wav' means the columns 'folder' and the id. Where a clip has a
medium and features of one modality, training reads the medium unless --features names the store.

Features are [N, D] (one vector a clip), [N, T, D] with --lengths, [all steps, D] with --lengths, one array
[T, D] a clip ('{id}…'), or the rows of a CSV (--steps). Rows of several files are matched by their ids.

  one file:
    mmer import arrays data/mine --arrays mine.npz --ids ids --features audio=egemaps \\
      --labels emotion --speakers actor --split-by speaker
  two files whose ids begin differently; action units as video, transcripts as text:
    mmer import arrays data/mine --arrays features.npz metadata.csv \\
      --ids ids metadata:file --id-part '^..-(.*)' --features audio=egemaps video=au \\
      --texts transcript --labels emotion --speakers metadata:actor --split-by speaker --folds 6 --fold 1
  recordings, and action units besides:
    mmer import arrays data/mine --arrays features.npz metadata.csv \\
      --ids ids metadata:file --id-part '^..-(.*)' --media audio='{metadata:file}.flac' --media-root data/audio \\
      --features video=au --labels emotion --speakers metadata:actor --split-by speaker
  transcripts alone:
    mmer import arrays data/mine --arrays mine.csv --ids utterance --texts transcript --labels emotion \\
      --dialogues dialogue --splits split
  scores, and dialogues that stay together:
    mmer import arrays data/mine --arrays mine.npz --ids utterance \\
      --features text=glove:text video=facet:visual --labels sentiment --label-kind score --range -3 3 \\
      --dialogues video --turns position --split-by dialogue
  traces:
    mmer import arrays data/mine --arrays mine.npz --features audio=lld:{id}/audio --rate lld=10 \\
      --labels '{id}/gold' --label-kind trace --label-names arousal valence --label-rate 10 \\
      --split-by clip"""

SPLITS = ("train", "valid", "test")
DEFAULT_SHARES = (0.7, 0.15, 0.15)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer import arrays``."""
    add_places(parser)
    add = parser.add_argument
    add("--arrays", nargs="+", required=True, metavar="FILE", help=".npz, .csv or .tsv files")
    add("--ids", nargs="+", default=[], metavar="KEY", help="the ids of each file ('{id}…' needs none)")
    add("--id-part", metavar="REGEX", help="the id is what the parentheses match (default: all of it)")
    add(
        "--common",
        action="store_true",
        help="keep the ids that all files have (default: ids must be the same)",
    )
    add(
        "--features",
        nargs="+",
        default=[],
        metavar="MODALITY=STORE:KEY",
        help="text, audio, video or physio; name of the store; its array (default: of the same name)",
    )
    add("--lengths", nargs="+", default=[], metavar="STORE=KEY", help="valid steps of each clip (0: missing)")
    add("--rate", nargs="+", default=[], metavar="STORE=HZ", help="vectors a second (default 0: no clock)")
    add("--steps", nargs="+", default=[], metavar="FILE", help="CSV files with one row a time step")
    add("--dtype", choices=("float32", "float16"), default="float32", help="of the stored features")
    add("--labels", nargs="+", required=True, metavar="KEY", help="labels; several: one value each")
    add("--label-kind", choices=KINDS, default="classes", help="default: classes")
    add("--label-name", default="", metavar="NAME", help="of the label space (default: the first KEY)")
    add("--label-names", nargs="+", default=[], metavar="NAME", help="of the values (default: the KEYs)")
    add("--classes", nargs="+", default=[], metavar="NAME", help="in order; whole numbers index into it")
    add("--ignore", nargs="+", default=[], metavar="LABEL", help="labels whose clips are left out")
    add("--range", nargs=2, type=float, metavar=("LOW", "HIGH"), help="of scores and traces")
    add("--label-rate", type=float, default=0.0, metavar="HZ", help="steps a second of traces")
    add("--invalid", type=float, metavar="X", help="in traces: no annotation (besides NaN), such as -5")
    add("--drop-unlabelled", action="store_true", help="leave out clips without a label, and name them")
    add("--texts", metavar="KEY", help="transcripts")
    add(
        "--media",
        nargs="+",
        default=[],
        metavar="MODALITY=PATH",
        help="audio, video or physio; the file of each clip, with {KEY} for what differs",
    )
    add("--media-root", metavar="DIR", help="folder that these paths start from (default: OUT)")
    add("--speakers", metavar="KEY")
    add("--dialogues", metavar="KEY")
    add("--turns", metavar="KEY", help="whole numbers: position in the dialogue")
    add(
        "--standardise-by",
        choices=("speaker", "dialogue"),
        help="bring each feature to zero mean and unit variance within each of these",
    )
    add("--splits", metavar="KEY", help="the split of each clip (train, valid, test, …)")
    add("--split-by", choices=("speaker", "dialogue", "clip"), help="make splits that share none of these")
    add(
        "--fractions",
        nargs=3,
        type=float,
        default=DEFAULT_SHARES,
        metavar=SPLITS,
        help="default %(default)s; 0: no such split",
    )
    add("--folds", type=int, metavar="K", help="K-fold cross-validation instead of fractions")
    add("--fold", type=int, default=1, metavar="I", help="the fold to test on, 1 … K (I + 1 is valid)")
    add("--seed", type=int, default=1, help="of the splits")
    add("--name", default="", help="of the corpus (default: of the folder)")
    add("--licence", default="")
    add("--link", default="")


def run(args: argparse.Namespace) -> int:
    """Read the files, match the ids, write the corpus and say what is in it."""
    files = _open(args)
    features = [_feature(entry) for entry in args.features]
    lengths = dict(_pair(entry, "--lengths", "STORE=KEY") for entry in args.lengths)
    rates = {store: _hertz(text) for store, text in (_pair(x, "--rate", "STORE=HZ") for x in args.rate)}
    _known(lengths, features, "--lengths")
    _known(rates, features, "--rate")
    lengths_of = {store: _keyed(files, key, numbers=True) for store, key in lengths.items()}
    vectors = {store: _keyed(files, key, lengths_of.get(store), vectors=True) for _, store, key in features}
    labels = [_keyed(files, key, numbers=args.label_kind != "classes") for key in args.labels]
    columns = {
        name: _keyed(files, key)
        for name in ("texts", "speakers", "dialogues", "turns", "splits")
        for key in [getattr(args, name)]
        if key
    }
    paths = dict(_pair(entry, "--media", "MODALITY=PATH") for entry in args.media)
    parts = {
        modality: {key: _keyed(files, key) for key in keys_of(path) if key != ID}
        for modality, path in paths.items()
    }
    named = [keyed for keys in parts.values() for keyed in keys.values()]
    used = [*vectors.values(), *labels, *columns.values(), *lengths_of.values(), *named]
    if not vectors and not args.texts and not paths:
        raise InputError.of(
            where="--features, --media, --texts",
            expected="what the clips consist of",
            found="none of them",
            remedy="name features, media or transcripts",
        )
    ids = used[0].ids
    if args.common:
        everywhere = set(ids).intersection(*(keyed.ids for keyed in used))
        gone = sorted(set(ids).union(*(keyed.ids for keyed in used)) - everywhere)
        ids = [clip for clip in ids if clip in everywhere]
        print(f"ids that not all files have, left out: {some(gone) or 'none'}")

    def aligned(keyed: Keyed) -> list[Any]:
        return keyed.aligned(ids, common=args.common)

    extra = {name: aligned(keyed) for name, keyed in columns.items()}
    splits = extra.pop("splits", None) or _splits(args, ids, extra)
    space = _labels(args, [aligned(keyed) for keyed in labels])
    folder = import_arrays(
        args.directory,
        ids=ids,
        labels=space,
        splits=[str(split) for split in splits],
        features={store: (modality, aligned(vectors[store])) for modality, store, _ in features},
        lengths={
            store: aligned(keyed)
            for store, keyed in lengths_of.items()
            if not _consecutive(vectors[store], keyed)
        },
        rates=rates,
        media={
            modality: filled(paths[modality], ids, {key: aligned(keyed) for key, keyed in keys.items()})
            for modality, keys in parts.items()
        },
        media_root=args.media_root,
        standardise_by=_of(args.standardise_by, "--standardise-by", extra) if args.standardise_by else None,
        drop_unlabelled=args.drop_unlabelled,
        dtype=args.dtype,
        name=args.name,
        licence=args.licence,
        link=args.link,
        **extra,
    )
    if space.lacking():
        print(f"clips without a label, left out: {some(ids[index] for index in space.lacking())}")
    corpus = Corpus.load(folder)
    counts = ", ".join(f"{split} {len(corpus.clips(split))}" for split in corpus.splits)
    print(f"{folder}: {counts} clips; look at it with: mmer check {args.directory}")
    return 0


def _open(args: argparse.Namespace) -> list[ArrayFile]:
    part = None
    if args.id_part:
        try:
            part = re.compile(args.id_part)
        except re.error as error:
            raise InputError.of(
                where="--id-part", expected="a regular expression", found=str(error), remedy="correct it"
            ) from error
    files = [
        ArrayFile(Path(path).stem, path, id_part=part, steps=Path(path).stem in args.steps)
        for path in args.arrays
    ]
    for file in files:
        if sum(other.name == file.name for other in files) > 1:
            raise InputError.of(
                where="--arrays",
                expected="files of different names",
                found=f"several '{file.name}'",
                remedy="rename one",
            )
    for key in args.ids:
        named = [file for file in files if key.startswith(f"{file.name}:")]
        holders = [file for file in files if file.holds(key)] if not named else named[:1]
        for file in holders or [find(files, key)[0]]:
            inner = key[len(file.name) + 1 :] if named else key
            find([file], inner)
            file.ids_key = inner
    return files


def _keyed(
    files: Sequence[ArrayFile],
    key: str,
    lengths: Keyed | None = None,
    *,
    numbers: bool = False,
    vectors: bool = False,
) -> Keyed:
    file, inner = find(files, key)
    return file.keyed(
        inner, [int(n) for n in lengths.values] if lengths else None, numbers=numbers, vectors=vectors
    )


def _consecutive(vectors: Keyed, lengths: Keyed) -> bool:
    """Whether the clips were cut out of one long array already."""
    return isinstance(vectors.values, list) and [len(v) for v in vectors.values] == [
        int(n) for n in lengths.values
    ]


def _pair(entry: str, flag: str, form: str) -> tuple[str, str]:
    left, equals, right = entry.partition("=")
    if not left or not equals or not right:
        raise InputError.of(where=flag, expected=form, found=f"'{entry}'", remedy="write both sides of '='")
    return left, right


def _feature(entry: str) -> tuple[str, str, str]:
    """Modality, store, key."""
    modality, rest = _pair(entry, "--features", "MODALITY=STORE:KEY")
    store, _, key = rest.partition(":")
    return modality, store, key or store


def _hertz(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError.of(
            where="--rate", expected="Hz", found=f"'{text}'", remedy="write a number"
        ) from error


def _known(given: dict[str, Any], features: Sequence[tuple[str, str, str]], flag: str) -> None:
    stores = [store for _, store, _ in features]
    for store in given:
        if store not in stores:
            raise InputError.of(
                where=flag,
                expected=f"a store of --features ({', '.join(stores)})",
                found=f"'{store}'",
                remedy="correct the name",
            )


def _labels(args: argparse.Namespace, values: list[list[Any]]) -> Labels:
    name = args.label_name or re.sub(r"\W+", "_", args.labels[0].split(":")[-1]).strip("_") or "label"
    default = [key.split(":")[-1] for key in args.labels] if len(values) > 1 else []
    rows: list[Any] = values[0]
    if len(values) > 1:
        traces = args.label_kind == "trace"
        rows = [np.stack(row, axis=1) if traces else list(row) for row in zip(*values)]
    return Labels(
        values=rows,
        kind=args.label_kind,
        name=name,
        names=tuple(args.classes or args.label_names or default),
        range=tuple(args.range) if args.range else None,
        rate=args.label_rate,
        invalid=args.invalid,
        ignore=tuple(args.ignore),
    )


def _splits(args: argparse.Namespace, ids: Sequence[str], columns: dict[str, list[Any]]) -> list[str]:
    if not args.split_by:
        raise InputError.of(
            where="--splits, --split-by",
            expected="one of them",
            found="none",
            remedy="name the array of the splits, or let them be made by speaker, dialogue or clip",
        )
    groups: Sequence[Any] = ids
    if args.split_by != "clip":
        groups = _of(args.split_by, "--split-by", columns)
    groups = [str(group) for group in groups]
    if args.folds:
        return fold_groups(groups, args.folds, args.fold, seed=args.seed)
    shares = {split: share for split, share in zip(SPLITS, args.fractions) if share}
    return split_groups(groups, shares, seed=args.seed)


def _of(group: str, flag: str, columns: dict[str, list[Any]]) -> list[Any]:
    """The speaker (or dialogue) of each clip."""
    if f"{group}s" not in columns:
        raise InputError.of(
            where=f"{flag} {group}",
            expected=f"--{group}s KEY",
            found="no such flag",
            remedy=f"name the array of the {group}s",
        )
    return columns[f"{group}s"]
