"""``mmer report``: results of several models in the form of a paper's table."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmer_fairseq.errors import InputError

HELP = "print what --save-predictions has written as the table of a paper"
TEST = "test"

EPILOG = """Each FILE is a line of the table, called NAME or, without one, as its path says.

mme2e-iemocap: accuracy / F1 of each of six emotions, and their means, as Dai et al. (NAACL 2021) print them.
mme2e-mosei:   weighted accuracy / F1 of the six emotions of CMU-MOSEI.

  mmer report --form mme2e-iemocap MME2E=runs/mme2e/test.tsv MESM=runs/mesm/test.tsv"""

#: As ``evaluation.paper_tables.FORMS``, which takes torch to import.
FORMS = ("mme2e-iemocap", "mme2e-mosei")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("files", nargs="+", metavar="[NAME=]FILE", help="predictions of a model")
    parser.add_argument("--form", required=True, choices=FORMS, help="table of which paper and corpus")
    parser.add_argument(
        "--split", metavar="NAME", help=f"of the corpus (default: {TEST}, or the one that is in the file)"
    )


def run(args: argparse.Namespace) -> int:
    """Print the table.

    Raises:
        InputError: a file is not what it should be.
    """
    from mmer_fairseq.evaluation import paper_tables
    from mmer_fairseq.plots.predictions import read_predictions

    models, sizes = [], []
    for given in args.files:
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
