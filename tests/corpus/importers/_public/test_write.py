"""Writing what importers have found."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.write import common_root, finish
from mmer_fairseq.errors import InputError


def description(root: Path) -> dict:
    space = {"kind": "classes", "column": "emotion", "classes": ["sad", "happy"]}
    return {"name": "x", "media_root": str(root), "labels": {"emotion": space}}


def rows(*splits: str) -> dict[str, list[dict[str, str]]]:
    return {split: [{"id": split, "text": "so it is", "emotion": "sad"}] for split in splits}


def test_files_beside_the_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "deep" / "out"
    given = []

    def fill(scratch: Path) -> None:
        given.append(scratch)
        assert not folder.exists()
        (scratch / "a.txt").write_text("here")

    done = finish(
        folder,
        "out",
        description(tmp_path),
        rows("valid", "train"),
        LeftOut(),
        splits=("train", "valid"),
        fill=fill,
    )
    assert done == 0
    assert (folder / "a.txt").read_text() == "here"
    assert Corpus.load(folder).splits == ("train", "valid")
    assert not given[0].exists()
    assert "train 1, valid 1 clips; look at it with: mmer check out" in capsys.readouterr().out


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "out"

    def fill(scratch: Path) -> None:
        raise InputError(f"{scratch}/a.npy: broken")

    with pytest.raises(InputError) as error:
        finish(folder, "out", description(tmp_path), rows("train", "valid", "test"), LeftOut(), fill=fill)
    assert str(error.value) == f"{folder}/a.npy: broken"
    assert list(tmp_path.iterdir()) == []


def test_splits_that_must_have_clips(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected clips in each of train, valid, test; found none in test"):
        finish(tmp_path / "out", "out", description(tmp_path), rows("train", "valid"), LeftOut())


def test_the_folder_that_holds_all_of_them() -> None:
    assert common_root(Path("/a/b/c"), Path("/a/d")) == Path("/a")
    assert common_root(Path("/a/b"), Path("/c")) == Path("/")
