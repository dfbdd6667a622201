"""Arrays in memory → a corpus."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.check import check
from mmer_fairseq.corpus.importers.arrays import Labels, import_arrays
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.store import FeatureStore

N = 4


def given(**changes):
    noise = np.random.default_rng(0)
    arguments = {
        "ids": [f"c{i}" for i in range(N)],
        "labels": Labels(["sad", "happy", "sad", "happy"], name="emotion"),
        "splits": ["train", "train", "valid", "test"],
        "features": {
            "egemaps": ("audio", noise.normal(size=(N, 5)).astype(np.float32)),
            "lld": ("audio", [None, *(noise.normal(size=(i + 1, 3)) for i in range(3))]),
            "au": ("video", noise.normal(size=(N, 6, 2))),
        },
        "lengths": {"au": [6, 0, 3, 1]},
        "rates": {"au": 25.0},
    }
    return {**arguments, **changes}


def test_a_corpus_that_checks_without_faults(tmp_path: Path) -> None:
    folder = import_arrays(
        tmp_path / "new",
        **given(
            texts=["so it is", "", "a\tb\nc", "x"],
            speakers=np.array([1, 1, 2, 3]),
            dialogues=["d", "d", "e", "f"],
            turns=np.arange(N),
            licence="MIT",
            link="https://example.org",
        ),
    )
    assert check(folder, open_store=FeatureStore.open, decode=True).faults == []
    corpus = Corpus.load(folder)
    assert (corpus.name, corpus.description.licence) == ("new", "MIT")
    first, second = corpus.clips("train")
    assert first.media == {"text": "so it is", "audio": "store:egemaps", "video": "store:au"}
    assert second.media == {"audio": "store:egemaps,lld"}
    assert (first.speaker, first.dialogue, second.turn) == ("1", "d", "1")
    assert corpus.clips("valid")[0].media["text"] == "a b c"
    store = FeatureStore.open(corpus.features["au"].path)
    assert [store.length(clip) for clip in store.ids()] == [6, 3, 1]
    assert store.rate == 25.0
    np.testing.assert_array_equal(
        store.get("c2").numpy(), given()["features"]["au"][1][2, :3].astype(np.float32)
    )


def test_several_label_spaces(tmp_path: Path) -> None:
    labels = [
        Labels([0, 1, 1, 0], name="emotion", names=("sad", "happy")),
        Labels([0.5, -0.5, 0.0, 1.0], kind="score", name="s", range=(-1.0, 1.0)),
        Labels(
            [np.full((5, 2), i / 10) for i in range(N)], kind="trace", name="t", names=("v", "a"), rate=5.0
        ),
    ]
    folder = import_arrays(tmp_path / "new", **given(labels=labels))
    assert check(folder).faults == []
    corpus = Corpus.load(folder, labels="t")
    target = corpus.label_space.target(corpus.clips("test")[0])
    np.testing.assert_allclose(target.numpy(), np.full((5, 2), 0.3), rtol=1e-6)


def test_texts_alone_name_their_features(tmp_path: Path) -> None:
    folder = import_arrays(
        tmp_path / "new", **given(features={"glove": ("text", np.zeros((N, 2)))}, lengths=None)
    )
    assert Corpus.load(folder).clips("train")[0].media == {"text": "store:glove"}


def test_clips_without_a_label(tmp_path: Path) -> None:
    labels = Labels([0.5, math.nan, 0.1, 0.2], kind="score", name="s")
    with pytest.raises(InputError) as caught:
        import_arrays(tmp_path / "new", **given(labels=labels))
    assert str(caught.value) == (
        "labels 's': expected a label for every clip; found none (empty or NaN) for c1. Add them, or leave "
        "these clips "
        "out with --drop-unlabelled (drop_unlabelled=True)."
    )
    folder = import_arrays(tmp_path / "new", **given(labels=labels), drop_unlabelled=True)
    corpus = Corpus.load(folder)
    assert [clip.id for split in corpus.splits for clip in corpus.clips(split)] == ["c0", "c2", "c3"]
    assert check(folder, open_store=FeatureStore.open).faults == []


def test_no_labels_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^labels: expected clips with labels; found none"):
        import_arrays(tmp_path / "new", **given(labels=Labels([""] * N)), drop_unlabelled=True)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"splits": ["train"]},
            "splits: expected one entry for each of the 4 ids; found 1. Give all arrays the same",
        ),
        (
            {"texts": ["x"] * 5},
            "text: expected one entry for each of the 4 ids; found 5. Give all arrays the same",
        ),
        (
            {"features": {"f": ("audio", np.zeros((3, 2)))}, "lengths": None},
            "features 'f': expected one entry for each of the 4 ids; found 3. Give all arrays the same",
        ),
        (
            {"turns": ["one"] * N},
            "DIR/train.tsv:2: expected turn to be a whole number, 0 or more; found 'one'.",
        ),
        ({"splits": ["a b"] * N}, "DIR/a b.tsv: expected a split name of letters"),
        ({"dtype": "int8"}, "--dtype: expected "),
    ],
)
def test_faults_leave_nothing_behind(tmp_path: Path, changes, fault: str) -> None:
    with pytest.raises(InputError) as caught:
        import_arrays(tmp_path / "new", **given(**changes))
    assert str(caught.value).replace(f"{tmp_path}/new", "DIR").startswith(fault)
    assert list(tmp_path.iterdir()) == []


def test_an_id_twice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'c0' twice"):
        import_arrays(tmp_path / "new", **given(ids=["c0", "c0", "c1", "c2"]))


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError) as caught:
        import_arrays(tmp_path, **given())
    assert str(caught.value) == (
        f"{tmp_path}: expected a folder that does not exist or is empty; found one with files in it. Choose "
        f"another folder "
        "or remove it."
    )


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    assert Corpus.load(import_arrays(tmp_path / "a", **given())).splits == ("train", "valid", "test")
    (tmp_path / "b").mkdir()
    assert Corpus.load(import_arrays(tmp_path / "b", **given())).splits == ("train", "valid", "test")
