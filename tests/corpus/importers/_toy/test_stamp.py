"""Whose folder it is: new and empty ones are taken, everything else is refused with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmer_fairseq.corpus.importers._toy.stamp import Stamp
from mmer_fairseq.errors import InputError

ASKED = {"clips": 10, "seed": 1}
RULE = "expected a new or empty folder, or a toy corpus made with the same parameters"
REMEDY = "Name another folder, or delete this one if nothing in it is needed."


def refusal(folder: Path, parameters=ASKED) -> str:
    with pytest.raises(InputError) as error:
        Stamp.claim(folder, parameters)
    return str(error.value)


def test_new_empty_and_begun_folders_are_taken(tmp_path: Path):
    assert not Stamp.claim(tmp_path / "deep" / "new", ASKED).finished()
    assert not Stamp.claim(tmp_path / "deep" / "new", ASKED).finished()
    (tmp_path / "empty").mkdir()
    assert (Stamp.claim(tmp_path / "empty", ASKED).directory / "toy.json").is_file()


def test_files_are_remembered_with_their_sizes(tmp_path: Path):
    stamp = Stamp.claim(tmp_path, ASKED)
    (tmp_path / "a.wav").write_bytes(b"123")
    stamp.files["a.wav"] = 3
    stamp.save()
    again = Stamp.claim(tmp_path, ASKED)
    assert again.finished()
    assert again.intact("a.wav")
    (tmp_path / "a.wav").write_bytes(b"12")
    assert not again.intact("a.wav")
    assert not again.intact("never.wav")


def test_a_folder_of_something_else_is_refused_and_untouched(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("mine")
    message = refusal(tmp_path)
    assert (
        message == f"{tmp_path}: {RULE}; found a folder that holds thesis.tex and is no toy corpus. {REMEDY}"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "note", ["{}", "[1]", "not json", '{"made_by": "mmer import toy"}', '{"made_by": "me"}']
)
def test_a_foreign_or_broken_note_is_refused(tmp_path: Path, note: str):
    (tmp_path / "toy.json").write_text(note)
    assert "found a folder that holds toy.json and is no toy corpus" in refusal(tmp_path)


def test_other_parameters_are_named(tmp_path: Path):
    Stamp.claim(tmp_path, ASKED)
    message = refusal(tmp_path, {"clips": 20, "seed": 1})
    assert (
        "found a toy corpus with clips=10, seed=1, version=1 (asked for: clips=20, seed=1, version=1)"
        in message
    )
    assert message.endswith(REMEDY)


def test_a_file_in_the_way(tmp_path: Path):
    (tmp_path / "file").write_text("")
    assert f"{tmp_path / 'file'}: {RULE}; found a file." in refusal(tmp_path / "file")
    assert "found a place that cannot be written (Not a directory)" in refusal(tmp_path / "file" / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path):
    tmp_path.chmod(0o500)
    try:
        assert "found a place that cannot be written (Permission denied)" in refusal(tmp_path / "new")
    finally:
        tmp_path.chmod(0o700)
