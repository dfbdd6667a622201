from __future__ import annotations

import os

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.settings import PLAN, Settings, alone, folder_names, settle


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": -1.0}, "--rate: expected a rate above 0 Hz; found -1. Correct it."),
        ({"size": 0}, "--size: expected 1 pixel or more; found 0. Correct it."),
        ({"margin": 48}, "--margin: expected 0 or more pixels, less than --size 48; found 48. Correct it."),
        ({"hold": -0.5}, "--hold: expected 0 seconds or more; found -0.5. Correct it."),
        ({"detect_size": -1}, "--detect-size: expected 0 (as stored) or more pixels; found -1. Correct it."),
        ({"min_face": 3}, "--min-face: expected 12 pixels or more; found 3. Correct it."),
        ({"face": "all"}, "--face: expected track or largest; found 'all'. Write one of them."),
        ({"fallback": "left"}, "--fallback: expected none or centre; found 'left'. Write one of them."),
    ],
)
def test_settings_that_cannot_be(change, message):
    Settings("haar").check()
    with pytest.raises(InputError) as error:
        Settings("haar", **change).check()
    assert str(error.value) == message


def test_the_same_settings_go_on_and_others_are_refused(tmp_path):
    settle(tmp_path, Settings("haar", "4"))
    settle(tmp_path, Settings("haar", "4"))
    with pytest.raises(InputError) as error:
        settle(tmp_path, Settings("mtcnn", "4", size=96))
    assert str(error.value) == (
        f"{tmp_path}: expected faces found with detector 'mtcnn', size 96; found some found with detector 'haar', "
        "size 48. Choose another --out, ask for what is there, or remove the folder to start again."
    )
    (tmp_path / PLAN).write_text("{")
    with pytest.raises(
        InputError, match=r"plan.json: expected the settings of mmer faces; found a damaged file"
    ):
        settle(tmp_path, Settings("haar"))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(
        InputError, match=r"expected an empty folder, or one that mmer faces began; found holiday.jpg"
    ):
        settle(tmp_path, Settings("haar"))


def test_one_run_at_a_time_and_half_written_clips_go(tmp_path, monkeypatch):
    monkeypatch.setattr("mmer_fairseq.corpus.lock.PATIENCE", 0.1)
    (tmp_path / "done").mkdir()
    (tmp_path / ".half.123").mkdir()
    with alone(tmp_path):
        assert sorted(os.listdir(tmp_path)) == [".lock", "done"]
        with (
            pytest.raises(
                InputError, match="expected no other run of mmer faces into this folder; found one"
            ),
            alone(tmp_path),
        ):
            pass


def test_any_id_becomes_the_name_of_one_folder():
    ids = [
        "Ses01F_impro01_F000",
        "d/1",
        "d%2F1",
        "..",
        ".x",
        "a b",
        "é~",
        "x" * 300,
        "x" * 299,
        "Case",
        "case",
    ]
    names = folder_names(ids)
    assert names["Ses01F_impro01_F000"] == "Ses01F_impro01_F000"
    assert (names["d/1"], names["d%2F1"]) == ("d%2F1", "d%252F1")
    assert (names[".."], names[".x"], names["a b"], names["é~"]) == ("%2E.", "%2Ex", "a%20b", "%C3%A9%7E")
    assert len({name.lower() for name in names.values()}) == len(ids)
    assert all(len(name) < 200 and "/" not in name and name[0] != "." for name in names.values())
    assert names["Case"].startswith("Case=")
