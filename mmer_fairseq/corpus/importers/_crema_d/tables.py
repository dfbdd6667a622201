"""Tables of the CREMA-D repository: the votes on each clip, and who the actors are."""

from __future__ import annotations

from pathlib import Path

from mmer_fairseq.corpus.faults import number, some
from mmer_fairseq.corpus.importers._crema_d.names import ACTORS, clip_of
from mmer_fairseq.corpus.importers._public.tables import Row, read_rows
from mmer_fairseq.errors import InputError

VOTES = Path("processedResults") / "tabulatedVotes.csv"
DEMOGRAPHICS = Path("VideoDemographics.csv")

LETTERS = {"A": "angry", "D": "disgust", "F": "fear", "H": "happy", "N": "neutral", "S": "sad"}

#: First digit of the index (100001 …) of the votes on each presentation.
PRESENTATIONS = {"voice": 1, "face": 2, "multimodal": 3}

_SPEAKER_COLUMNS = {"age": "Age", "sex": "Sex", "race": "Race", "ethnicity": "Ethnicity"}
OTHER_COLUMNS = tuple(_SPEAKER_COLUMNS)


def read_votes(path: Path, presentation: str) -> dict[str, dict[str, float]]:
    """The votes on each clip in one presentation: clip → emotion → number of votes.

    Raises:
        InputError: the file lacks a column or is otherwise wrong, a clip stands twice, or no row is of this
            presentation.
    """
    rows = read_rows(path, "the table of votes", (*LETTERS, "fileName"))
    index = rows[0].header[0]
    if index in LETTERS or index == "fileName":
        raise InputError.of(
            where=f"{path}:1",
            expected="the index (100001 …) in the first column",
            found=f"'{index}'",
            remedy="take the file as the repository has it",
        )
    found: dict[str, dict[str, float]] = {}
    lines: dict[str, str] = {}
    for row in rows:
        if _block(row) != PRESENTATIONS[presentation]:
            continue
        name = row["fileName"]
        clip = clip_of(name[:-4] if name[-4:].lower() in (".wav", ".flv", ".mp4") else name, row.where)
        if clip in found:
            raise InputError.of(
                where=row.where,
                expected=f"every clip once among the votes on {presentation}",
                found=f"'{clip}', which stands at {lines[clip]} as well",
                remedy="remove one of the two lines",
            )
        found[clip] = {emotion: row.amount(letter) for letter, emotion in LETTERS.items()}
        lines[clip] = row.where
    if not found:
        raise InputError.of(
            where=path,
            expected=f"rows of --votes {presentation} (index {PRESENTATIONS[presentation]}00001 …)",
            found="none",
            remedy="choose another presentation, or take the file as the repository has it",
        )
    return found


def _block(row: Row) -> int:
    value = number(row.cells[0])
    block = int(value // 100000) if value is not None and value == int(value) else 0
    if block not in PRESENTATIONS.values():
        raise InputError.of(
            where=row.where,
            expected="an index of 100001 … (voice), 200001 … (face) or 300001 … (multimodal)",
            found=f"'{row.cells[0]}'",
            remedy="take the file as the repository has it",
        )
    return block


def read_speakers(path: Path) -> dict[str, dict[str, str]]:
    """Age, sex, race and ethnicity: actor → column of the split files → cell.

    Raises:
        InputError: the file lacks a column, or an actor stands twice or is none.
    """
    found: dict[str, dict[str, str]] = {}
    for row in read_rows(path, "the table of actors", ("ActorID", *_SPEAKER_COLUMNS.values())):
        actor = row["ActorID"]
        if not actor.isdigit() or int(actor) not in ACTORS or actor in found:
            raise InputError.of(
                where=row.where,
                expected=f"each actor from {ACTORS[0]} to {ACTORS[-1]} once",
                found=f"'{actor}'" + (" again" if actor in found else ""),
                remedy="correct the line or remove it",
            )
        found[actor] = {column: row[name] for column, name in _SPEAKER_COLUMNS.items()}
    return found


def check_speakers(speakers: dict[str, dict[str, str]], actors: list[str], path: Path) -> None:
    """Every actor of the recordings must stand in the table.

    Raises:
        InputError: some do not.
    """
    lost = [actor for actor in actors if actor not in speakers]
    if lost:
        raise InputError.of(
            where=path,
            expected="a line for each actor of the recordings",
            found=f"none for {some(lost)}",
            remedy="take the file as the repository has it, or remove it to do without",
        )
