"""``mmer report``: one page about one or several systems; or their results in the form of a paper's table."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from mmer_fairseq.errors import InputError

HELP = "scores with intervals, tests between systems, pictures: one page; or the table of a paper"
TEST = "test"

EPILOG = """Each RUN is a folder of fairseq-train (checkpoint_best.pt, and test.tsv of --save-predictions), or such
a table. NAME=RUN,RUN,… are runs of one system with different seeds. Written to --out: report.html, which needs no
other file, its pictures, report.tex (a table for a paper) and report.json (all numbers).

  mmer report runs/toy
  mmer report SSE-FT=runs/a1,runs/a2 LF-RNN=runs/b1,runs/b2 --split test --out runs/report --evaluate

With --form, each FILE of --save-predictions is a line of the table of a paper:
mme2e-iemocap: accuracy / F1 of each of six emotions, and their means, as Dai et al. (NAACL 2021) print them.
mme2e-mosei:   weighted accuracy / F1 of the six emotions of CMU-MOSEI.

  mmer report --form mme2e-iemocap MME2E=runs/mme2e/test.tsv MESM=runs/mesm/test.tsv"""

#: As ``evaluation.paper_tables.FORMS``, which takes torch to import.
FORMS = ("mme2e-iemocap", "mme2e-mosei")
#: As ``reporting.breakdown.RESAMPLE``.
RESAMPLE = ("clips", "speakers", "dialogues")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "runs", nargs="+", metavar="[NAME=]RUN[,RUN…]", help="a system: its run, or runs with other seeds"
    )
    parser.add_argument("--form", choices=FORMS, help="print the table of this paper and corpus instead")
    parser.add_argument(
        "--split", metavar="NAME", help=f"of the corpus (default: {TEST}, or the one that is in the file)"
    )
    parser.add_argument("--data", metavar="DIR", help="corpus folder (default: the one in the checkpoint)")
    parser.add_argument(
        "--out", metavar="DIR", help="where the files go (default: report in the folder of the first run)"
    )
    parser.add_argument(
        "--evaluate", action="store_true", help="run fairseq-validate where predictions are missing"
    )
    parser.add_argument(
        "--resample",
        choices=RESAMPLE,
        help="what intervals and tests draw (default: speakers where there are ten or more, else clips)",
    )
    parser.add_argument(
        "--draws", type=int, default=2000, metavar="N", help="bootstrap samples (default: 2000)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the resampling (default: 1)")
    parser.add_argument(
        "--strict", action="store_true", help="refuse to report on a split that chose the epoch or thresholds"
    )


def run(args: argparse.Namespace) -> int:
    """Make the report, or print the table of a paper.

    Raises:
        InputError: a file, a checkpoint or the corpus is not what it should be.
    """
    return _paper(args) if args.form else _page(args)


def _page(args: argparse.Namespace) -> int:
    if args.draws < 100:
        raise InputError.of(
            where="--draws", expected="100 or more", found=args.draws, remedy="leave the flag out"
        )
    from mmer_fairseq.reporting import breakdown, systems, words
    from mmer_fairseq.reporting.results import rare_labels, results, selection_warnings
    from mmer_fairseq.reporting.write import write

    split = args.split or _default_split(args.runs)
    loaded = systems.load(args.runs, split, data=args.data, evaluate=_evaluate if args.evaluate else None)
    warnings = selection_warnings(loaded, split)
    if warnings and args.strict:
        raise InputError.of(
            where="--strict",
            expected=f"nothing learnt or chosen on {split}",
            found="; ".join(warnings),
            remedy="report another split, or train with --valid-subset valid",
        )
    loaded, left_out = systems.on_common_clips(loaded)
    known, notes = breakdown.look_up(loaded, args.data, split)
    units, why = breakdown.choose_units(args.resample, known, len(loaded[0].runs[0].scored.ids))
    found = results(loaded, known, split, units, why, draws=args.draws, seed=args.seed)
    found.warnings = warnings
    found.notes = notes + systems.remarks(loaded, left_out) + rare_labels(found)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for name, what, where, how in words.selection(found):
        print(f"{name}: {what} on {where} ({how})")
    print(words.terminal(found))
    for line in (*words.summary(found), words.resampling(found), *found.notes):
        print(line)
    first = loaded[0].runs[0].path
    out = Path(args.out) if args.out else (first if first.is_dir() else first.parent) / "report"
    for path in write(found, out):
        print(path)
    return 0


def _default_split(words: list[str]) -> str:
    """That of a table that is named first; of a folder, test."""
    from mmer_fairseq.plots.predictions import read_predictions
    from mmer_fairseq.reporting.systems import parse

    path = parse(words)[0][1][0]
    return (_split(path, read_predictions(path).splits) or TEST) if path.is_file() else TEST


def _evaluate(words: list[str], folder: Path) -> None:
    """Run ``fairseq-validate``; what it says goes to a file of the run."""
    log = folder / "report-validate.txt"
    from mmer_fairseq.reporting.commands import startable

    print(f"scoring {words[words.index('--path') + 1]}; the log is {log}", file=sys.stderr)
    with open(log, "w", encoding="utf-8") as file:
        done = subprocess.run(startable(words), stdout=file, stderr=file, env=os.environ, check=False)
    if done.returncode:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise InputError.of(
            where=log,
            expected="fairseq-validate to end well",
            found="; ".join(last) or "nothing",
            remedy="read the log",
        )


def _paper(args: argparse.Namespace) -> int:
    """Print the table.

    Raises:
        InputError: a file is not what it should be.
    """
    from mmer_fairseq.evaluation import paper_tables
    from mmer_fairseq.plots.predictions import read_predictions

    models, sizes = [], []
    for given in args.runs:
        name, path = _named(given)
        split = args.split or _split(path, read_predictions(path).splits)
        read = read_predictions(path, split)
        if read.kind not in ("classes", "multilabel"):
            raise InputError.of(
                where=path,
                expected="decisions: labels of kind classes or multilabel",
                found=f"labels of kind {read.kind}",
                remedy="name predictions of emotions",
            )
        target, decided = read.target, read.prediction
        if read.kind == "classes":
            size = len(read.names)
            target, decided = (
                [[float(row[0] == i) for i in range(size)] for row in side] for side in (target, decided)
            )
        models.append(paper_tables.Decisions(name, str(path), read.names, target, decided))
        sizes.append(f"{name}: {read.clips} clips" + (f" of {split}" if split else ""))
    print(paper_tables.paper_table(paper_tables.FORMS[args.form], models))
    print("; ".join(sizes))
    return 0


def _named(given: str) -> tuple[str, Path]:
    """Name of the model and its file; a path may hold a ``=`` of its own."""
    name, mark, path = given.partition("=")
    if mark and name and not Path(given).exists():
        return name, Path(path)
    return str(Path(given).with_suffix("")), Path(given)


def _split(path: Path, splits: tuple[str, ...]) -> str | None:
    if TEST in splits or not splits:
        return TEST if splits else None
    if len(splits) > 1:
        raise InputError.of(
            where=path, expected="one split", found=", ".join(splits), remedy="choose one with --split"
        )
    return splits[0]
