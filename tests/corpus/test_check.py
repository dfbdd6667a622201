"""Checking a whole corpus."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq.corpus import check as module
from mmer_fairseq.corpus.check import check
from mmer_fairseq.errors import InputError

STORES = """\
name: s
labels:
  emotion: {kind: classes, column: emotion, classes: [happy, sad], ignore: [xxx]}
features:
  w2v: {path: w2v, modality: audio}
"""


class Store:
    """A feature store as far as checking looks at one."""

    modality = "audio"
    rate = 10.0

    def __init__(
        self, lengths: dict[str, int], skipped: dict[str, str] | None = None, broken: str = ""
    ) -> None:
        self.lengths = lengths
        self.meta = {"skipped": skipped or {}}
        self.broken = broken

    def ids(self):
        return iter(self.lengths)

    def length(self, clip_id: str) -> int:
        return self.lengths[clip_id]

    def get(self, clip_id: str) -> np.ndarray:
        if clip_id == self.broken:
            raise InputError(f"{clip_id} is broken")
        return np.zeros((self.lengths[clip_id], 2))

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self.lengths


def faults_of(directory: Path, **options) -> list[str]:
    return [fault.replace(f"{directory}/", "") for fault in check(directory, **options).faults]


def test_no_faults(folder, kit) -> None:
    directory = folder({"train.tsv": kit.tsv("id|audio|emotion", "a|a.wav|happy", "b|b.wav|sad")})
    for name in ("a.wav", "b.wav"):
        kit.wav(directory / name, seconds=1.5)
    report = check(directory)
    assert report.faults == []
    assert report.splits["train"].seconds == pytest.approx(3.0)


def test_faults_of_tables_labels_and_media_are_all_told(folder, kit) -> None:
    directory = folder(
        {
            "train.tsv": kit.tsv(
                "id|audio|emotion", "a|a.wav|happy", "b|none.wav|sad", "c|a.wav|glad", "d|a.wav"
            ),
            "valid.tsv": "",
        }
    )
    kit.wav(directory / "a.wav")
    found = faults_of(directory)
    assert [fault.split(" ")[0] for fault in found] == [
        "valid.tsv:",
        "train.tsv:3:",
        "train.tsv:4:",
        "train.tsv:5:",
    ]


def test_media_of_clips_without_a_label_are_looked_at(folder, kit) -> None:
    rows = ("a|x.txt|happy", "b|y.txt|other", "c|z.txt|glad")
    directory = folder({"train.tsv": kit.tsv("id|text|emotion", *rows), "x.txt": "x"})
    assert [fault.split(";")[0] for fault in faults_of(directory)] == [
        "train.tsv:3: expected a transcript",
        "train.tsv:4: expected emotion to be one of happy, sad",
        "train.tsv:4: expected a transcript",
    ]


def test_media_of_the_older_layout_are_looked_at(folder, kit) -> None:
    files = {
        "m/a.txt": "0 5 2",
        "m/b.txt": "0 words 2",
        "train_t.tsv": "m\na.txt\nb.txt\nc.txt\n",
        "label_file_train.csv": "id,label\na,neu\nb,exc\nc,ned\n",
    }
    assert [fault.split(";")[0] for fault in faults_of(folder(files, description=None))] == [
        "label_file_train.csv:4: expected label to be one of neu, sad, ang, hap",
        "train_t.tsv:3: m/b.txt: expected token ids from 0 to 50264, separated by blanks",
        "train_t.tsv:4: expected a transcript",
    ]


def test_progress_sees_every_clip(folder, kit) -> None:
    directory = folder({"train.tsv": kit.tsv("id|text|emotion", "a|x|happy", "b|y|sad")})
    seen = []

    def progress(items, total):
        for item in items:
            seen.append((item.id, total))
            yield item

    check(directory, progress=progress)
    assert seen == [("a", 2), ("b", 2)]


def test_every_label_space_is_checked_and_shared_faults_are_told_once(folder, kit) -> None:
    text = (
        "name: x\nlabels:\n  emotion: {kind: classes, column: e, classes: [a]}\n"
        "  score: {kind: score, columns: [s], range: [0, 1]}\n"
    )
    directory = folder(
        {"train.tsv": kit.tsv("id|text|turn|e|s", "a|x|1|a|0", "b|x||b|2", "c|x|one|a|0")}, description=text
    )
    assert [fault.split(";")[0] for fault in faults_of(directory)] == [
        "train.tsv:3: expected e to be one of a",
        "train.tsv:3: expected s to be a number from 0 to 1",
        "train.tsv:4: expected turn to be a whole number, 0 or more",
    ]
    assert len(faults_of(directory, labels="score")) == 2


def test_media_root_missing(folder, kit) -> None:
    directory = folder(
        {"train.tsv": kit.tsv("id|audio|emotion", "a|a.wav|happy")},
        description=kit.YAML + "media_root: gone\n",
    )
    assert faults_of(directory) == [
        "corpus.yaml:4: expected media_root to be a folder; found gone. Correct media_root, or put the "
        "media there."
    ]


def test_traces_of_a_space_that_is_not_the_first(folder, kit) -> None:
    text = kit.YAML + "  affect: {kind: trace, column: t, names: [v], rate: 10}\n"
    directory = folder(
        {
            "train.tsv": kit.tsv("id|text|emotion|t", "a|x|happy|t.csv", "b|x|sad|none.csv"),
            "t.csv": "v\n0.5\nx\n",
        },
        description=text,
    )
    assert faults_of(directory) == [
        "t.csv:3: expected 1 number separated by commas; found 'x'. Correct the line.",
        "train.tsv:3: expected a trace file; found no such file: none.csv. Correct the path or add the file.",
    ]


def test_no_corpus(tmp_path: Path) -> None:
    report = check(tmp_path)
    assert len(report.faults) == 1
    assert report.splits == {}


def stored(folder, kit, store, *rows: str, **options):
    rows = rows or ("a|store:w2v|happy", "b|store:w2v|sad")
    directory = folder({"train.tsv": kit.tsv("id|audio|emotion", *rows)}, description=STORES)
    return check(directory, open_store=lambda path: store, **options)


def test_a_store_that_fits(folder, kit) -> None:
    report = stored(folder, kit, Store({"a": 20, "b": 30}), decode=True)
    assert report.faults == []
    assert report.splits["train"].seconds == pytest.approx(5.0)


CASES = [
    (
        Store({"a": 1}),
        (),
        "expected features of the 2 clips of train that have audio; found none for 1: b. Extract the "
        "features again, or "
        "empty those cells.",
    ),
    (
        Store({"a": 1, "b": 1, "z": 1}),
        (),
        "expected ids of the corpus; found others: z. Extract the features again.",
    ),
    (
        Store({}),
        (),
        "expected features of the 2 clips of train that have audio; found none for 2: a, b. Extract the "
        "features again, "
        "or empty those cells.",
    ),
]


@pytest.mark.parametrize(("store", "rows", "fault"), CASES)
def test_a_store_that_does_not_fit(folder, kit, store: Store, rows: tuple[str, ...], fault: str) -> None:
    (found,) = stored(folder, kit, store, *rows).faults
    assert found.endswith(f"/corpus/w2v: {fault}")


def test_clips_of_rows_at_fault_are_not_blamed_on_the_store(folder, kit) -> None:
    directory = folder(
        {"train.tsv": kit.tsv("id|audio|emotion", "a|store:w2v|sad", "b|store:w2v")}, description=STORES
    )
    (fault,) = check(directory, open_store=lambda path: Store({"a": 1, "b": 1})).faults
    assert "train.tsv:3: expected 3 cells" in fault


def test_a_store_of_another_modality(folder, kit) -> None:
    store = Store({"a": 1, "b": 1})
    store.modality = "video"
    (found,) = stored(folder, kit, store).faults
    assert found.endswith(
        "/corpus/w2v: expected a store made from audio; found video. Correct 'modality' in corpus.yaml."
    )


def test_a_store_that_does_not_open(folder, kit) -> None:
    def fail(path: Path) -> Store:
        raise InputError(f"{path.name} is foreign")

    directory = folder({"train.tsv": kit.tsv("id|audio|emotion", "a|store:w2v|sad")}, description=STORES)
    assert check(directory, open_store=fail).faults == ["w2v is foreign"]


def test_stored_vectors_are_read_when_decoding(folder, kit) -> None:
    store = Store({"a": 1, "b": 1}, broken="b")
    assert stored(folder, kit, store).faults == []
    assert stored(folder, kit, store, decode=True).faults == ["b is broken"]


def test_clips_that_extraction_left_out_are_a_remark(folder, kit) -> None:
    report = stored(folder, kit, Store({"a": 1}, skipped={"b": "truncated"}))
    assert report.faults == []
    assert report.remarks[0] == "the store 'w2v' left out clips when it was made: b"


def test_ids_of_clips_that_the_labels_leave_out_are_known(folder, kit) -> None:
    assert stored(folder, kit, Store({"a": 1, "b": 1}), "a|store:w2v|sad", "b|store:w2v|xxx").faults == []


def test_a_store_of_other_splits_is_a_remark(folder, kit) -> None:
    directory = folder(
        {
            "train.tsv": kit.tsv("id|audio|emotion", "a|a.wav|sad"),
            "test.tsv": kit.tsv("id|audio|emotion", "b|a.wav|sad"),
        },
        description=STORES,
    )
    kit.wav(directory / "a.wav")
    report = check(directory, open_store=lambda path: Store({"a": 1}))
    assert report.faults == []
    assert report.remarks[0] == "the store 'w2v' holds no clip of test"


def test_several_processes_find_the_same(folder, kit) -> None:
    rows = [f"c{i}|{'a' if i % 3 else 'none'}.wav|sad" for i in range(20)]
    directory = folder({"train.tsv": kit.tsv("id|audio|emotion", *rows)})
    kit.wav(directory / "a.wav")
    one, two = check(directory), check(directory, jobs=2)
    assert one == two
    assert len(one.faults) == 7


def test_a_worker_that_dies(folder, kit, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = folder({"train.tsv": kit.tsv("id|text|emotion", "a|x|sad")})
    monkeypatch.setattr(module, "inspect_clip", _die)
    with pytest.raises(InputError) as caught:
        check(directory, jobs=2)
    assert str(caught.value) == (
        "mmer check: expected 2 worker processes; found one that was killed, or that a decoder crashed. Run "
        "with "
        "--jobs 1 to see at which clip, or with fewer jobs if memory ran out."
    )


def _die(task: object, **options: object) -> None:
    os._exit(1)
