"""BioVid's list of samples: who, which level of pain, and the names of the files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmer_fairseq.corpus.faults import hint, stop
from mmer_fairseq.corpus.importers._public.tables import Row, read_rows
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError

#: No heat, and four levels from the threshold of pain to what one can just stand.
CLASSES = ("BL1", "PA1", "PA2", "PA3", "PA4")
#: Classes of the label space ``pain-presence``: of BL1 and of PA4; clips of the levels between are left out.
PRESENCE = {"BL1": "none", "PA4": "strongest"}
BETWEEN = "between"

COLUMNS = ("subject_id", "subject_name", "class_id", "class_name", "sample_id", "sample_name")
#: Where the list lies in the corpus.
PLACES = ("starting_point/samples.csv", "samples.csv")


@dataclass(frozen=True)
class Sample:
    """One row of the list."""

    name: str
    subject: str
    number: str
    level: str
    where: str


def find_list(root: Path) -> Path:
    """The list in its usual places.

    Raises:
        InputError: it is in none of them.
    """
    for place in PLACES:
        if (root / place).is_file():
            return root / place
    raise InputError.of(
        where=root,
        expected=f"the list of samples in it ({' or '.join(PLACES)})",
        found="none",
        remedy="correct --root, or name the list with --samples",
    )


def read_samples(path: Path) -> dict[str, Sample]:
    """Read the list.

    Args:
        path: tab-separated, with ``COLUMNS``.

    Returns:
        Sample by its name, in the order of the list.

    Raises:
        InputError: the file is missing or empty, lacks a column, names an unknown class, a sample twice, or two
            numbers for one subject.
    """
    found: dict[str, Sample] = {}
    numbers: dict[str, tuple[str, str]] = {}
    for row in read_rows(path, "the list of samples, tab-separated", COLUMNS, delimiter="\t"):
        sample = _sample(row)
        if sample.name in found:
            raise InputError.of(
                where=row.where,
                expected="every sample once",
                found=f"'{sample.name}', which stands at {found[sample.name].where} as well",
                remedy="remove one of the two lines",
            )
        found[sample.name] = sample
        number, first = numbers.setdefault(sample.subject, (sample.number, row.where))
        if number != sample.number:
            raise InputError.of(
                where=row.where,
                expected=f"subject_id {number} for {sample.subject}, as at {first}",
                found=f"'{sample.number}'",
                remedy="correct one of the two lines",
            )
    return found


def _sample(row: Row) -> Sample:
    level = row["class_name"]
    if level not in CLASSES:
        raise InputError.of(
            where=row.where,
            expected=f"class_name to be one of {', '.join(CLASSES)} (part A)",
            found=f"'{level}'",
            remedy=hint(level, CLASSES, "name the list of part A with --samples"),
        )
    for column in ("subject_name", "sample_name"):
        name = row[column]
        if not name or "/" in name or name.startswith("."):
            raise InputError.of(
                where=row.where,
                expected=f"{column} to be the name of a {'folder' if column == 'subject_name' else 'file'}",
                found=f"'{name}'",
                remedy="correct the list, or take it anew from its source",
            )
    return Sample(row["sample_name"], row["subject_name"], row["subject_id"], level, row.where)


def unwanted_samples(words: Iterable[str], samples: Mapping[str, Sample]) -> list[str]:
    """The samples that ``--leave-out`` means.

    Args:
        words: subject_name, subject_id or sample_name, or a file that holds some, separated by blanks or lines
            (lines that begin with # are remarks).
        samples: from :func:`read_samples`.

    Raises:
        InputError: one of them is no subject and no sample, or a file is empty.
    """
    named: list[tuple[str, str]] = []
    for word in words:
        if Path(word).is_file():
            text = read_utf8(word, "subjects or samples to leave out", stop)
            assert text is not None
            for line, row in enumerate(text.split("\n"), start=1):
                named += [
                    (name, f"{word}:{line}") for name in row.split() if not row.lstrip().startswith("#")
                ]
        else:
            named.append((word, "--leave-out"))
    groups: dict[str, list[str]] = {}
    for sample in samples.values():
        for key in (sample.name, sample.subject, sample.number):
            groups.setdefault(key, []).append(sample.name)
    for name, where in named:
        if name not in groups:
            raise InputError.of(
                where=where,
                expected="subjects or samples of the list, or a file that names some",
                found=f"'{name}'",
                remedy=hint(name, groups, "correct the name"),
            )
    return list(dict.fromkeys(sample for name, _ in named for sample in groups[name]))
