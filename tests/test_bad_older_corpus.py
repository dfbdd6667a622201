"""One fault at a time in a corpus in the folder layout of the original SSE-FT."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus

#: The clip that is spoilt: line 4 of the lists.
ROW = 3
FORM = re.compile(r".*: expected .*; found .*\. [A-Z`].*\.", re.DOTALL)
Change = Callable[[Path], None]


def put(path: Path, content: str) -> None:
    path.unlink(missing_ok=True)  # a hard link may share it
    path.write_text(content)


def older_layout(twelve: Path, folder: Path) -> None:
    """The clips of the good corpus in the folder layout of the original SSE-FT."""
    corpus = Corpus.load(twelve)
    names = {"happy": "hap", "content": "neu", "sad": "sad", "angry": "ang"}
    shutil.copytree(twelve / "media", folder / "media", copy_function=os.link)
    for split in corpus.splits:
        clips = corpus.clips(split)
        for clip in clips:
            put(folder / "media" / f"{clip.id}.txt", "0\t17\t18\t2\n")
        for letter, suffix in (("a", "wav"), ("t", "txt"), ("v", "mp4")):
            files = [f"{clip.id}.{suffix}\t1" for clip in clips]
            put(folder / f"{split}_{letter}.tsv", "\n".join(["media", *files]) + "\n")
        labels = [f"{clip.id},{names[corpus.label_space.names[clip.label]]}" for clip in clips]  # type: ignore[index]
        put(folder / f"label_file_{split}.csv", "\n".join(["id,label", *labels]) + "\n")


def lines_of(name: str, function: Callable[[list[str]], list[str]]) -> Change:
    return lambda d: put(d / name, "\n".join(function((d / name).read_text().splitlines())) + "\n")


def tensor(value: Any) -> Change:
    def change(folder: Path) -> None:
        name = (folder / "train_a.tsv").read_text().splitlines()[ROW].split(".")[0]
        (folder / "media" / f"{name}.wav").unlink()
        torch.save(value, folder / "media" / f"{name}.pt")

    return change


def first_text(content: str) -> Change:
    def change(folder: Path) -> None:
        name = (folder / "train_t.tsv").read_text().splitlines()[ROW].split("\t")[0]
        put(folder / "media" / name, content)

    return change


class Runs:
    """Unpickling it would run something."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("it-ran",)


OLDER: dict[str, tuple[Change, str, str]] = {
    "another order": (
        lines_of("train_v.tsv", lambda x: [*x[:2], x[3], x[2], *x[4:]]), "train_v.tsv:3: ", "the same ids in the"
    ),
    "a list too short": (lines_of("train_a.tsv", lambda x: x[:-1]), "train_a.tsv:7: ", "found the end of the list"),
    "no root folder": (lines_of("train_a.tsv", lambda x: ["gone", *x[1:]]), "train_a.tsv:1: ", "'gone', which is"),
    "out of the root": (
        lines_of("train_a.tsv", lambda x: [*x[:3], "../" + x[3], *x[4:]]), "train_a.tsv:4: ", "inside the root"
    ),
    "no label file": (lambda d: (d / "label_file_train.csv").unlink(), "label_file_train.csv: ", "no such file"),
    "wrong label": (
        lines_of("label_file_train.csv", lambda x: [*x[:2], x[2] + "p", *x[3:]]), "label_file_train.csv:3: ", "of neu"
    ),
    "no label": (
        lines_of("label_file_train.csv", lambda x: [*x[:2], *x[3:]]), "train_t.tsv:3: ", "expected a label for every id"
    ),
    "label twice": (lines_of("label_file_train.csv", lambda x: [*x, x[1]]), "label_file_train.csv:8: ", "once; found"),
    "words": (first_text("hello\n"), "train_t.tsv:4: media/", "expected token ids from 0 to 50264"),
    "an id too high": (first_text("0 99999 2"), "train_t.tsv:4: media/", "found id 99999"),
    "code in a tensor": (tensor(Runs()), "train_t.tsv:4: media/", "expected a tensor [samples]"),
    "a tensor of NaN": (tensor(torch.full((99,), float("nan"))), "train_t.tsv:4: media/", "found nan"),
}  # fmt: skip


@pytest.mark.parametrize("name", OLDER)
def test_each_fault_of_the_older_layout(
    name: str,
    twelve: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    change, place, words = OLDER[name]
    folder = tmp_path / "older"
    folder.mkdir()
    older_layout(twelve, folder)
    change(folder)
    assert main(["check", str(folder), "--decode", "--jobs", "1"]) == 1
    faults = [
        line for line in capsys.readouterr().out.replace(f"{folder}/", "").splitlines() if "; found" in line
    ]
    assert faults[0].startswith(place)
    assert words in faults[0]
    assert all(FORM.fullmatch(line) for line in faults), faults
    assert not (tmp_path / "it-ran").exists()
