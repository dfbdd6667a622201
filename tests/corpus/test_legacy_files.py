"""Names of splits and ids in the older SSE-FT layout (faults of its files: ``test_legacy.py``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmer_fairseq.corpus.legacy_files import clip_id, read_split, split_names


def test_split_names(tmp_path: Path) -> None:
    for name in ("valid_t.tsv", "label_file_train.csv", "train_a.tsv", "extra_v.tsv", "x.tsv", "_a.tsv"):
        (tmp_path / name).touch()
    assert split_names(tmp_path) == ["train", "valid", "extra"]


@pytest.mark.parametrize(
    ("file", "clip"), [("a.wav", "a"), ("sub/a.b.mp4", "a.b"), ("Ses01F_impro01", "Ses01F_impro01")]
)
def test_clip_id(file: str, clip: str) -> None:
    assert clip_id(file) == clip


def test_read_split(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "valid_a.tsv").write_bytes(b"\xef\xbb\xbfm\r\na.wav\t99\r\nb.wav\r\n")
    (tmp_path / "label_file_valid.csv").write_bytes(b'id,label\r\n"a", neu ,x\r\nb,sad\r\n\r\n')
    split = read_split(tmp_path, "valid", pytest.fail)
    assert split is not None
    assert split.names == {"audio": ["a.wav", "b.wav"]}
    assert split.roots == {"audio": str(tmp_path / "m")}
    assert split.labels == {"a": ("neu", 2), "b": ("sad", 3)}
