"""What a run's folder remembers."""

from __future__ import annotations

import pytest

from mmer_fairseq.errors import InputError


def test_a_run_goes_on_only_with_the_flags_that_it_was_begun_with(make):
    make().write(make().state())
    other = make("A", 1, "well", "--dropout", "0.5")
    assert other.state()["command"] == list(other.job.train)  # nothing was saved: it may begin anew
    (other.path / "checkpoint_last.pt").touch()
    with pytest.raises(InputError) as error:
        other.state()
    assert str(error.value) == (
        f"{other.path}: expected a run with the same flags, to go on with; found one with other flags: "
        "--dropout (not given), now 0.5. Give the flags of the first time, another --out, or remove the folder."
    )


def test_a_broken_state(make):
    folder = make()
    folder.path.mkdir(parents=True)
    (folder.path / "run.json").write_text("{")
    with pytest.raises(InputError) as error:
        folder.state()
    assert str(error.value).startswith(
        f"{folder.path}/run.json: expected what mmer compare writes of a run; found JSONDecodeError: "
    )
    assert str(error.value).endswith(f"Remove {folder.path} to run it again.")


def test_last_words_are_the_message(make):
    folder = make()
    folder.path.mkdir(parents=True)
    assert folder.last_words() == "nothing"
    (folder.path / "output.txt").write_text("a\nerror: x.tsv:3: expected this\n  at the end\n")
    assert folder.last_words() == "error: x.tsv:3: expected this"
    (folder.path / "output.txt").write_text("$ before\nValueError: old\n$ now\na\nb\n\nc\nd\ne\n")
    assert folder.last_words() == "b; c; d; e"
