"""Loading a corpus folder."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.errors import InputError

TRAIN = "id\ttext\temotion\ta\na1\tone word\thappy\t0.5\na2\t\tother\t1\n"
TWO_SPACES = """\
name: two
labels:
  emotion: {kind: classes, column: emotion, classes: [happy, sad], ignore: [other]}
  arousal: {kind: score, columns: [a], range: [0, 1]}
"""


def test_load(folder) -> None:
    valid = "\ufeffid\ttext\temotion\ta\r\nb1\tword\tsad\t0\r\n"
    directory = folder(
        {"valid.tsv": valid, "train.tsv": TRAIN, "extra.tsv": "id\temotion\ta\ttext\ne\tsad\t1\tx\n"},
        description=TWO_SPACES,
    )
    corpus = Corpus.load(directory)
    assert corpus.splits == ("train", "valid", "extra")
    assert corpus.label_space.name == "emotion"
    assert [clip.id for clip in corpus.clips("train")] == ["a1"]
    assert corpus.left_out == {"train": [("a2", "other")], "valid": [], "extra": []}
    assert corpus.clips("valid")[0].where == f"{directory}/valid.tsv:2"
    assert (corpus.name, corpus.text_form, corpus.directory) == ("two", "words", directory)


def test_another_label_space(folder) -> None:
    corpus = Corpus.load(folder({"train.tsv": TRAIN}, description=TWO_SPACES), labels="arousal")
    assert [clip.label for clip in corpus.clips("train")] == [(0.5,), (1.0,)]


def test_a_relative_directory(folder, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = folder({"train.tsv": TRAIN}, description=TWO_SPACES)
    monkeypatch.chdir(directory.parent)
    assert Corpus.load("corpus").directory == directory


def test_the_first_fault_is_raised(folder, faults) -> None:
    directory = folder({"train.tsv": "id\temotion\ttext\na\thapy\tx\nb\tsaad\tx\n"})
    expected = faults(directory)
    assert len(expected) == 2
    with pytest.raises(InputError) as caught:
        Corpus.load(directory)
    assert str(caught.value).replace(f"{directory}/", "") == expected[0]


CORPUS = (
    "expected a corpus: a folder with corpus.yaml and <split>.tsv, or with <split>_a.tsv, <split>_t.tsv, "
    "<split>_v.tsv and label_file_<split>.csv; found "
)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        Corpus.load(tmp_path / "none")
    assert str(caught.value) == f"{tmp_path}/none: {CORPUS}no such folder. Correct the path."


def test_a_file(folder) -> None:
    directory = folder({"train.tsv": TRAIN})
    with pytest.raises(InputError, match=r"found a file\. Correct the path\.$"):
        Corpus.load(directory / "train.tsv")


@pytest.mark.parametrize(("files", "found"), [({}, "an empty folder"), ({"a.txt": "x"}, "a.txt")])
def test_neither_layout(folder, files: dict[str, str], found: str) -> None:
    directory = folder(files, description=None)
    with pytest.raises(InputError) as caught:
        Corpus.load(directory)
    assert str(caught.value) == f"{directory}: {CORPUS}{found}. Write corpus.yaml or name another folder."


def test_no_split_files(folder) -> None:
    directory = folder({".hidden.tsv": "x"})
    with pytest.raises(InputError) as caught:
        Corpus.load(directory)
    assert str(caught.value) == (
        f"{directory}: expected one <split>.tsv at least; found none. Add train.tsv, valid.tsv or test.tsv."
    )


CASES = [
    (
        {"train.tsv": ""},
        "train.tsv: expected a split file; found an empty file. Write its content or name another file.",
    ),
    (
        {"train.tsv": b"id\ttext\temotion\na\t\xff\thappy\n"},
        "train.tsv:2: expected text in UTF-8; found byte 0xff at position 18. Save the file as UTF-8.",
    ),
    (
        {"my split.tsv": "id\ttext\temotion\na\tx\thappy\n"},
        "my split.tsv: expected a split name of letters, digits, '_', '-' and '.'; found 'my split'. Rename "
        "the file.",
    ),
    (
        {"train.tsv": "id\ttext\temotion\na\tx\thappy\n", "valid.tsv": "id\ttext\temotion\na\tx\tsad\n"},
        "valid.tsv:2: expected ids that are unique in the whole corpus; found 'a', which is the id of "
        "train.tsv:2 as "
        "well. Rename or remove one of the two clips.",
    ),
    (
        {"train.tsv": "id\ttext\na\tx\n"},
        "train.tsv:1: expected a header with the columns id, emotion; found id, text (no emotion). Write "
        "the column "
        "names in the first line.",
    ),
]


@pytest.mark.parametrize(("files", "fault"), CASES)
def test_faults(folder, faults, files: dict[str, str], fault: str) -> None:
    assert faults(folder(files)) == [fault]


def test_faults_of_two_files_are_told_together(folder, faults) -> None:
    found = faults(folder({"train.tsv": "", "valid.tsv": "id\ttext\temotion\na\tx\t?\n"}))
    assert [fault.split(":")[0] for fault in found] == ["train.tsv", "valid.tsv"]


def test_an_unknown_label_space(folder) -> None:
    directory = folder({"train.tsv": TRAIN}, description=TWO_SPACES)
    with pytest.raises(InputError) as caught:
        Corpus.load(directory, labels="arousel")
    assert str(caught.value) == (
        f"{directory}/corpus.yaml: expected the label space to be one of emotion, arousal; found 'arousel'. "
        f"Write "
        "'arousal'."
    )


def test_an_unknown_split(folder) -> None:
    corpus = Corpus.load(folder({"train.tsv": TRAIN}, description=TWO_SPACES))
    with pytest.raises(InputError) as caught:
        corpus.clips("trian")
    assert str(caught.value) == (
        f"{corpus.directory}: expected the split to be one of train; found 'trian'. Write 'train'."
    )


def test_nothing_is_looked_up_on_disk_for_each_row(folder, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"c{i}\tword\tm/c{i}.wav\t{i}\t{i + 1}\thappy\n" for i in range(20000))
    directory = folder({"train.tsv": "id\ttext\taudio\tstart\tend\temotion\n" + rows})
    shutil.rmtree(directory / "m", ignore_errors=True)
    begin = time.process_time()
    assert len(Corpus.load(directory).clips("train")) == 20000
    assert time.process_time() - begin < 2


def test_a_folder_without_permission(folder, faults, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = folder({"train.tsv": TRAIN}, description=TWO_SPACES)

    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.listdir", refuse)
    fault = faults(directory)[0]
    assert fault.startswith(f"{directory}: expected a corpus: a folder with corpus.yaml")
    assert fault.endswith("; found Permission denied. Make the folder readable.")
