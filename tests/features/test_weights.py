"""A store says where its encoder lies, also after it was moved."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.features.extract import extract
from mmer_fairseq.features.store import FeatureStore
from mmer_fairseq.features.weights import absolute, there, to_remember


def run(folder: Path, weights: Path) -> Path:
    return extract(
        Corpus.load(folder), modality="audio", encoder=f"wav2vec:{weights}", name="w2v", progress=False
    )


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("wav2vec:/elsewhere/w.pt", "wav2vec:/elsewhere/w.pt"),
        ("wav2vec2:/corpus/models/w.pt@4", "wav2vec2:../../models/w.pt@4"),
        ("wav2vec:/corpus/sub/../models/w.pt", "wav2vec:../../models/w.pt"),
        ("wav2vec:/corpus/../w.pt", "wav2vec:/corpus/../w.pt"),
        ("wav2vec:/corpus2/w.pt", "wav2vec:/corpus2/w.pt"),
        ("mel_pieces:log", "mel_pieces:log"),
        ("opensmile", "opensmile"),
    ],
)
def test_paths_in_the_corpus_are_relative_to_the_store(words, kept):
    corpus, store = Path("/corpus"), Path("/corpus/features/w2v")
    assert to_remember(words, corpus, store) == kept
    moved = absolute(kept, Path("/new/features/w2v"))
    assert moved == (words if kept == words else kept.replace("../..", "/new"))


def test_whether_it_is_there(tmp_path):
    (tmp_path / "w.pt").touch()
    assert all(map(there, [f"wav2vec2:{tmp_path}/w.pt", f"wav2vec2:{tmp_path}/w.pt@4", "mel_pieces:log"]))
    assert not any(map(there, [f"wav2vec2:{tmp_path}/gone.pt", f"wav2vec2:{tmp_path}/gone.pt@4"]))


def test_a_moved_corpus_knows_its_encoder(tmp_path, speech, wav2vec):
    speech(tmp_path / "c", 5)
    (tmp_path / "c/models").mkdir()
    shutil.copy(wav2vec, tmp_path / "c/models/w.pt")
    store = FeatureStore.open(run(tmp_path / "c", tmp_path / "c/models/w.pt"))
    assert store.meta["weights"] == f"wav2vec:{tmp_path}/c/models/w.pt"
    (tmp_path / "c").rename(tmp_path / "d")
    store = FeatureStore.open(tmp_path / "d/features/w2v")
    assert store.meta["weights"] == f"wav2vec:{tmp_path}/d/models/w.pt"


def test_another_path_is_the_same_encoder(tmp_path, speech, wav2vec):
    speech(tmp_path / "c", 40)
    old, new = tmp_path / "old.pt", tmp_path / "new.pt"
    shutil.copy(wav2vec, old)
    shutil.copy(wav2vec, new)
    folder = run(tmp_path / "c", old)

    def known() -> str:
        return FeatureStore.open(folder).meta["weights"]

    shards = [file.read_bytes() for file in sorted(folder.glob("shard-*"))]
    (folder / "shard-00001.safetensors").unlink()
    (folder / "store.json").unlink()
    run(tmp_path / "c", new)  # goes on with what the old one began
    assert known() == f"wav2vec:{new}"
    assert shards == [file.read_bytes() for file in sorted(folder.glob("shard-*"))]
    run(tmp_path / "c", old)  # the known one is there: nothing changes
    assert known() == f"wav2vec:{new}"
    new.unlink()
    run(tmp_path / "c", old)
    assert known() == f"wav2vec:{old}"


def test_stores_of_earlier_versions(tmp_path, speech, wav2vec):
    speech(tmp_path / "c", 5)
    folder = run(tmp_path / "c", wav2vec)
    content = json.loads((folder / "store.json").read_text())
    assert content.pop("weights") == f"wav2vec:{wav2vec}"
    (folder / "store.json").write_text(json.dumps(content))
    assert FeatureStore.open(folder).meta["weights"] == ""
    run(tmp_path / "c", wav2vec)  # it learns where its encoder is
    assert FeatureStore.open(folder).meta["weights"] == f"wav2vec:{wav2vec}"
