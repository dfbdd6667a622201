"""``mmer import mosei``: what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from trees.mosei import (
    FIRST,
    HEADER,
    VIDEOS,
    answers,
    first_batch,
    make,
    run,
    split_files,
)


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    return make(tmp_path_factory.mktemp("mosei") / "CMU", kit)


def drop(name: str):
    return lambda root: shutil.rmtree(root / name)


def put(name: str, text: str):
    return lambda root: (root / name).write_text(text)


BATCH = "Labels/batch1.csv"
SCRIPT = f"Transcript/Segmented/Combined/{VIDEOS[0]}.txt"
FAULTS = [
    (shutil.rmtree, "", "ROOT: expected the folder of CMU-MOSEI; found no such folder. Correct the path."),
    (
        drop("Labels"),
        "",
        "ROOT: expected one of Labels, label.csv in it, or in its folder Raw; found none of them. Correct --root, or "
        "name the labels with --labels.",
    ),
    (
        lambda root: [path.unlink() for path in (root / "Labels").rglob("*.csv")],
        "",
        "ROOT/Labels: expected labels in it (*.csv); found none. Put them there, or name them with --labels.",
    ),
    (None, "--labels x.csv", "x.csv: expected a table of labels; found no such file."),
    (
        drop("Transcript"),
        "",
        "ROOT: expected Transcript/Segmented/Combined or Transcript/Segmented in it, or a column 'text' in the labels; "
        "found neither. Name the folder with --transcripts, or leave text out of --modalities.",
    ),
    (
        lambda root: [path.unlink() for path in (root / "Transcript").rglob("*.txt")],
        "",
        "ROOT/Transcript/Segmented/Combined: expected transcripts named <video>.txt or <video>.annotprocessed in it; "
        "found none. Name their folder with --transcripts, or leave text out of --modalities.",
    ),
    (
        drop("Videos"),
        "",
        "ROOT: expected video of labelled clips (<video>.mp4); found none. Name the folder with --videos, or leave "
        "video out of --modalities.",
    ),
    (
        lambda root: (drop("Audio")(root), drop("Videos")(root)),
        "--modalities audio --recordings segments",
        "ROOT: expected audio of labelled clips (<video>_<clip>.wav); found none. Name the folder with --sounds, or "
        "leave audio out of --modalities.",
    ),
    (None, "--videos nowhere", "nowhere: expected the folder of the videos; found no such folder."),
    (
        lambda root: shutil.copy(root / "Videos/Full/Combined/bb.mp4", root / "Videos"),
        "",
        "ROOT/Videos/Full/Combined/bb.mp4: expected one file of each clip; found ROOT/Videos/bb.mp4 of the same clip. "
        "Remove one of the two.",
    ),
    (
        put(BATCH, first_batch().replace("Answer.fear", "Answer.fears")),
        "",
        f"ROOT/{BATCH}:1: expected a header with the columns Input.VIDEO_ID, Input.CLIP, Answer.sentiment, "
        "Answer.anger, Answer.disgust, Answer.fear, Answer.happiness, Answer.sadness, Answer.surprise; found 'HITId', ",
    ),
    (
        put("Labels/notes.csv", "a,b\nc,d\n"),
        "",
        "ROOT/Labels/notes.csv:1: expected a header with the columns Input.VIDEO_ID, ",
    ),
    (
        lambda root: [
            put(f"Labels/{name}", "a,b\nc,d\n")(root) for name in ("batch1.csv", "more/batch2.csv")
        ],
        "",
        "ROOT/Labels: expected annotations with the columns Input.VIDEO_ID, Input.CLIP, Answer.sentiment …, or a "
        "single table; found batch1.csv, batch2.csv. Name the table with --labels.",
    ),
    (
        put(BATCH, HEADER + "\n" + answers(FIRST, sentiment="good")),
        "",
        f"ROOT/{BATCH}:2: expected Answer.sentiment to be a number from -3 to 3; found 'good'. Correct the table, or "
        "take it anew from its source.",
    ),
    (put(BATCH, HEADER + "\n" + answers(FIRST, sentiment="4")), "", "from -3 to 3; found '4'."),
    (
        put(BATCH, HEADER + "\n" + answers(FIRST, emotions="0,0,much,0,0,0")),
        "",
        f"ROOT/{BATCH}:2: expected Answer.fear to be a number, 0 or more; found 'much'.",
    ),
    (
        put(BATCH, HEADER + "\n" + answers("x_one")),
        "",
        f"ROOT/{BATCH}:2: expected Input.CLIP to be the number of the clip in its video, a whole number of 0 or more; "
        "found 'one'. Correct the cell, or take the row out.",
    ),
    (
        put(BATCH, HEADER + "\n" + answers("_1")),
        "",
        f"ROOT/{BATCH}:2: expected the id of a video; found ''. Correct the cell, or take the row out.",
    ),
    (
        put(SCRIPT, "x___1___0.5___0.9\n"),
        "",
        f"ROOT/{SCRIPT}:1: expected a line of the form video___clip___start___end___text; found "
        "'x___1___0.5___0.9'. Correct the line, or take the file anew from its source.",
    ),
    (
        put(SCRIPT, "x___1___0.5___later___words\n"),
        "",
        f"ROOT/{SCRIPT}:1: expected start and end in seconds; found '0.5' and 'later'. Correct the line, or take",
    ),
    (
        put(SCRIPT, "bb___1___0.5___0.9___words\n"),
        "",
        f"expected every clip once; found 'bb_1', which stands at ROOT/{SCRIPT}:1 as well. Remove one of the two "
        "lines.",
    ),
    (put(SCRIPT, ""), "", f"ROOT/{SCRIPT}: expected the transcript of a video; found an empty file."),
    (None, "--leave-out bb_11", "--leave-out: expected clips with labels; found 'bb_11'. Write 'bb_1'."),
    (None, "--splits x --seed 2", "--splits, --seed: expected one of them; found both. Leave out --seed, or"),
]


@pytest.mark.parametrize(("change", "words", "fault"), FAULTS)
def test_faults(root: Path, capsys: pytest.CaptureFixture[str], change, words: str, fault: str) -> None:
    if change is not None:
        change(root)
    assert run(root, words) == 2
    assert fault in capsys.readouterr().err.replace(str(root), "ROOT")
    assert not (root.parent / "out").exists()


def test_faults_of_split_files(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fault(change) -> str:
        lists = tmp_path / "lists"
        shutil.rmtree(lists, ignore_errors=True)
        split_files(lists, change)
        assert run(root, f"--modalities text --splits {lists}") == 2
        return capsys.readouterr().err.replace(str(lists), "LISTS")

    assert (
        "LISTS/val.txt:4: expected a video or a clip of the labels or transcripts; found 'gone', and 1 line like it. "
        "Correct the line or remove it, or name the whole corpus."
    ) in fault(lambda lists: lists["val"].extend(["gone", "lost"]))
    assert (
        f"LISTS/test.txt:2: expected every clip once in all split files; found '{FIRST}', which is in train as well "
        "(LISTS/train.txt:2). Remove one of the two lines."
    ) in fault(lambda lists: lists["test"].insert(0, FIRST))
    assert "LISTS: expected test_split.txt or test.txt in it; found none." in fault(
        lambda lists: lists.pop("test")
    )
