"""Rows → clips."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmer_fairseq.corpus.description import parse_description
from mmer_fairseq.corpus.faults import stop
from mmer_fairseq.corpus.rows import RowReader, path_inside
from mmer_fairseq.corpus.tsv import Table
from mmer_fairseq.errors import InputError

DESCRIPTION = """\
name: x
labels:
  emotion: {kind: classes, column: emotion, classes: [happy, sad], ignore: [xxx]}
  affect: {kind: trace, column: trace, names: [v], rate: 10}
features:
  wav2vec: {path: w, modality: audio}
  glove: {path: g, modality: text}
"""


def read(*rows: dict[str, str], labels: str = "emotion"):
    description = parse_description(DESCRIPTION, Path("/data/corpus.yaml"), stop)
    assert description is not None
    found: list[ValueError] = []
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    lines = [(n, {**dict.fromkeys(columns, ""), **row}) for n, row in enumerate(rows, start=2)]
    reader = RowReader(description, description.labels[labels], found.append)
    clips, left_out = reader.clips(Table(Path("train.tsv"), columns, lines), "train")
    return clips, left_out, [str(error) for error in found]


def row(**cells: str) -> dict[str, str]:
    return {"id": "a", "emotion": "happy", "audio": "a.wav", **cells}


def test_a_full_row() -> None:
    cells = row(
        text="so it is", video="v/a.mp4", start="1.5", end="3", speaker="Ann", dialogue="d1", turn="4"
    )
    (clip,), left_out, faults = read({**cells, "emotion": "sad"})
    assert not faults
    assert not left_out
    assert clip.media == {"text": "so it is", "audio": "/data/a.wav", "video": "/data/v/a.mp4"}
    assert (clip.start, clip.end, clip.speaker, clip.dialogue, clip.turn) == (1.5, 3.0, "Ann", "d1", "4")
    assert (clip.label, clip.where, clip.split, clip.text_is_path) == (1, "train.tsv:2", "train", False)


def test_a_clip_may_have_a_rate_of_its_own() -> None:
    clips, _, faults = read(row(rate="29.97"), row(id="b"))
    assert not faults
    assert [clip.rate for clip in clips] == [29.97, None]


def test_empty_cells_are_missing() -> None:
    clips, _, faults = read(row(), row(id="b", audio="", text="", start="", turn=""))
    assert not faults
    assert clips[1].media == {}
    assert clips[1].start is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("t/a.txt", "/data/t/a.txt"),
        ("see readme.txt", None),
        ("fine", None),
        ("store:glove", None),
    ],
)
def test_transcript_or_path(text: str, path: str | None) -> None:
    (clip,), _, faults = read(row(text=text))
    assert not faults
    assert clip.text_is_path == (path is not None)
    assert clip.media["text"] == (path or text)


def test_a_trace_is_a_path() -> None:
    (clip,), _, faults = read({"id": "a", "audio": "a.wav", "trace": "t/a.csv"}, labels="affect")
    assert not faults
    assert clip.label == "/data/t/a.csv"


def test_labels_to_ignore_are_left_out_and_named() -> None:
    clips, left_out, faults = read(row(), row(id="b", emotion="xxx"))
    assert not faults
    assert [clip.id for clip in clips] == ["a"]
    assert left_out == [("b", "xxx")]


CASES = [
    ({"id": ""}, "an id; found an empty cell. Give the clip an id."),
    ({"id": "a\x07"}, "an id of printable characters; found 'a\\x07'. Remove the control characters."),
    (
        {"start": "one"},
        "start to be seconds, 0 or more; found 'one'. Write a number with a decimal point, or leave the "
        "cell empty.",
    ),
    (
        {"start": "-1"},
        "start to be seconds, 0 or more; found '-1'. Write a number with a decimal point, or leave the cell "
        "empty.",
    ),
    (
        {"end": "nan"},
        "end to be seconds, 0 or more; found 'nan'. Write a number with a decimal point, or leave the cell "
        "empty.",
    ),
    *(
        (
            {"rate": cell},
            f"rate to be steps a second in Hz, above 0; found '{cell}'. Write a number with a decimal point, or "
            "leave the cell empty for the rate of the label space.",
        )
        for cell in ("0", "-25", "fast", "nan")
    ),
    (
        {"start": "2", "end": "2"},
        "end to be after start (2 s); found '2'. Correct start or end (both in seconds from the beginning "
        "of the "
        "medium).",
    ),
    (
        {"end": "0"},
        "end to be after start (0 s); found '0'. Correct start or end (both in seconds from the beginning "
        "of the "
        "medium).",
    ),
    (
        {"turn": "1.0"},
        "turn to be a whole number, 0 or more; found '1.0'. Write the position of the clip in its dialogue.",
    ),
    (
        {"audio": "store:wav2vek"},
        "audio to name feature stores of corpus.yaml made from audio (wav2vec); found 'wav2vek'. Write "
        "'wav2vec'.",
    ),
    (
        {"audio": "store:glove"},
        "audio to name feature stores of corpus.yaml made from audio (wav2vec); found 'glove' (a store of "
        "text). "
        "Add the store under 'features' in corpus.yaml.",
    ),
    (
        {"video": "store:"},
        "video to name feature stores of corpus.yaml made from video (none); found ''. Add the store under "
        "'features' in corpus.yaml.",
    ),
    (
        {"audio": "../a.wav"},
        "audio to be a file inside media_root (/data); found '../a.wav'. Move the file there, or set "
        "media_root in "
        "corpus.yaml to a folder that holds all files.",
    ),
    (
        {"video": "/elsewhere/a.mp4"},
        "video to be a file inside media_root (/data); found '/elsewhere/a.mp4'. Move the file there, or set "
        "media_root in corpus.yaml to a folder that holds all files.",
    ),
    ({"emotion": "happpy"}, "emotion to be one of happy, sad; found 'happpy'. Write 'happy'."),
]


@pytest.mark.parametrize(("cells", "fault"), CASES)
def test_faults(cells: dict[str, str], fault: str) -> None:
    clips, left_out, faults = read(row(**cells))
    assert faults == [f"train.tsv:2: expected {fault}"]
    assert not clips
    assert not left_out


def test_a_row_may_have_two_faults() -> None:
    assert len(read(row(emotion="?", start="?"))[2]) == 2


def test_an_id_twice() -> None:
    _, _, faults = read(row(), row(id="b"), row())
    assert faults == [
        "train.tsv:4: expected ids that are unique in the whole corpus; found 'a', which is the id of "
        "train.tsv:2 "
        "as well. Rename or remove one of the two clips."
    ]


def test_a_split_without_any_modality() -> None:
    _, _, faults = read(row(audio=""), row(id="b", audio=""))
    assert faults == [
        "train.tsv: expected clips with text, audio, video or physio in the split 'train'; found 2 clips "
        "without "
        "any. Fill the columns of the modalities that the clips have."
    ]


def test_a_split_of_ignored_labels_only() -> None:
    _, left_out, faults = read(row(emotion="xxx"))
    assert left_out == [("a", "xxx")]
    assert faults == [
        "train.tsv: expected labels of the label space 'emotion'; found only labels under 'ignore' (1 row). "
        "Choose another label space, correct 'ignore' or remove the split."
    ]


@pytest.mark.parametrize(
    ("cell", "path"),
    [
        ("a.wav", "/data/a.wav"),
        ("./x/../a.wav", "/data/a.wav"),
        ("x//a.wav", "/data/x/a.wav"),
        ("..a.wav", "/data/..a.wav"),
        ("/data/x/a.wav", "/data/x/a.wav"),
        ("x/.hidden/a.wav", "/data/x/.hidden/a.wav"),
    ],
)
def test_path_inside(cell: str, path: str) -> None:
    assert path_inside("/data", cell, "a file", "x:1", "do") == path


@pytest.mark.parametrize("cell", ["..", "x/../../a.wav", "/data2/a.wav", "/data", "/data/../a"])
def test_path_outside(cell: str) -> None:
    with pytest.raises(InputError, match=r"^x:1: expected a file \(/data\); found '"):
        path_inside("/data", cell, "a file", "x:1", "do")


def test_the_root_of_all() -> None:
    assert path_inside("/", "a/b.wav", "a file", "x:1", "do") == "/a/b.wav"
