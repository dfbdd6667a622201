"""The embedded toy corpus: short films of invented people, for first steps, tests and comparisons.

Nothing is downloaded: the faces are drawn, the voices synthesised and the words picked from a small
vocabulary, all from one seed. Four label spaces: `emotion` (classes), `emotions` (multilabel: a quarter of
the clips mix two), `sentiment` (score), `affect` (trace of valence and arousal). How the emotion is spread
over face, voice and words is told in `_toy/plan.py`. Licence: MIT, like this package.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmer_fairseq.corpus.importers._toy.files import INVALID, clip_files, write_clip
from mmer_fairseq.corpus.importers._toy.plan import EMOTIONS, TRACE_RATE, ClipPlan, plan_clips
from mmer_fairseq.corpus.importers._toy.speakers import draw_speakers
from mmer_fairseq.corpus.importers._toy.stamp import Stamp
from mmer_fairseq.corpus.write import write_corpus
from mmer_fairseq.errors import InputError

HELP = "write the embedded toy corpus: drawn faces, synthetic voices, short sentences"

_DESCRIPTION = {
    "name": "toy",
    "licence": "MIT",
    "media_root": ".",
    "text": "words",
    "labels": {
        "emotion": {"kind": "classes", "column": "emotion", "classes": list(EMOTIONS)},
        "emotions": {"kind": "multilabel", "columns": list(EMOTIONS)},
        "sentiment": {"kind": "score", "columns": ["sentiment"], "range": [-3, 3]},
        "affect": {
            "kind": "trace",
            "column": "trace",
            "names": ["valence", "arousal"],
            "rate": TRACE_RATE,
            "range": [-1, 1],
            "invalid": INVALID,
        },
    },
}


def write_toy_corpus(
    directory: str | Path,
    *,
    clips: int = 150,
    seed: int = 1,
    missing: float = 0.0,
    size: int = 96,
    jobs: int | None = None,
    progress: bool = False,
) -> Path:
    """Write the toy corpus, or what is still lacking of it after an interruption.

    The same parameters give the same files, whatever `jobs`. A complete corpus is left as it is; lost or
    shortened files are written again.

    Args:
        directory: a new or empty folder, or a toy corpus of the same parameters.
        clips: number of clips, at least 10; three fifths train, one fifth each valid and test.
        seed: of everything that is left to chance, 0 or more.
        missing: share of the text, audio and video cells left empty, 0 … 0.9; every clip keeps at least one.
        size: width and height of the pictures in pixels, even, 32 … 512.
        jobs: threads; None: one per processor, at most 8.
        progress: show a progress bar on stderr.

    Returns:
        The corpus folder.

    Raises:
        InputError: a parameter is out of its range, or the folder holds something else.
    """
    _require("clips", 10 <= clips <= 100_000, "10 … 100000", clips)
    _require("seed", seed >= 0, "0 or more", seed)
    _require("missing", 0.0 <= missing <= 0.9, "0 … 0.9", missing)
    _require("size", 32 <= size <= 512 and size % 2 == 0, "an even number of pixels, 32 … 512", size)
    _require("jobs", jobs is None or jobs >= 1, "1 or more", jobs)
    folder = Path(directory)
    stamp = Stamp.claim(folder, {"clips": clips, "seed": seed, "missing": float(missing), "size": size})
    plans = plan_clips(clips=clips, seed=seed, missing=missing)
    lacking = [plan for plan in plans if not all(map(stamp.intact, clip_files(plan).values()))]
    splits = list(dict.fromkeys(plan.split for plan in plans))
    tables = [folder / "corpus.yaml", *(folder / f"{split}.tsv" for split in splits)]
    if stamp.finished() and not lacking and all(path.is_file() for path in tables):
        return folder
    for name in ("media", "traces"):
        (folder / name).mkdir(exist_ok=True)
    speakers = draw_speakers(np.random.default_rng([seed, 0]))

    def write(plan: ClipPlan) -> dict[str, int]:
        return write_clip(folder, plan, speakers[plan.speaker], seed=seed, size=size)

    with ThreadPoolExecutor(jobs or min(os.cpu_count() or 1, 8)) as pool:
        done = pool.map(write, lacking)
        for files in tqdm(
            done, total=len(lacking), desc="toy corpus", unit="clip", disable=None if progress else True
        ):
            stamp.files.update(files)
    if not all(path.is_file() for path in tables):
        rows = {split: [_row(plan) for plan in plans if plan.split == split] for split in splits}
        write_corpus(folder, description=_DESCRIPTION, rows=rows)
    stamp.save()
    return folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `mmer import toy`."""
    parser.add_argument("directory", help="folder to write: new, empty, or a toy corpus of the same flags")
    parser.add_argument("--clips", type=int, default=150, help="number of clips, at least 10 (default 150)")
    parser.add_argument("--seed", type=int, default=1, help="of everything left to chance (default 1)")
    parser.add_argument(
        "--missing",
        type=float,
        default=0.0,
        help="share of text, audio and video cells left empty, 0 … 0.9 (default 0)",
    )
    parser.add_argument(
        "--size", type=int, default=96, help="width and height of the pictures in pixels (default 96)"
    )
    parser.add_argument(
        "--jobs", type=int, default=None, help="threads (default: one per processor, at most 8)"
    )


def run(args: argparse.Namespace) -> int:
    """`mmer import toy DIR`: write the corpus and say where it lies."""
    folder = write_toy_corpus(
        args.directory,
        clips=args.clips,
        seed=args.seed,
        missing=args.missing,
        size=args.size,
        jobs=args.jobs,
        progress=True,
    )
    print(f"toy corpus of {args.clips} clips: {folder}")
    return 0


def _row(plan: ClipPlan) -> dict[str, str]:
    files = clip_files(plan)
    return {
        "id": plan.id,
        "text": "" if "text" in plan.missing else plan.transcript,
        "audio": files.get("audio", ""),
        "video": files.get("video", ""),
        "speaker": plan.speaker,
        "dialogue": plan.dialogue,
        "turn": str(plan.turn),
        "emotion": plan.emotion,
        **{name: str(int(name in (plan.emotion, plan.second))) for name in EMOTIONS},
        "sentiment": f"{plan.sentiment():.2f}",
        "trace": files["trace"],
    }


def _require(name: str, holds: bool, expected: str, found: object) -> None:
    if not holds:
        raise InputError.of(
            where=f"mmer import toy, --{name}",
            expected=expected,
            found=found,
            remedy=f"give --{name} a value in that range",
        )
