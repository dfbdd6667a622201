"""Files in fairseq's form."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mmer_fairseq.checkpoints.fairseq_form import checkpoint, save
from mmer_fairseq.errors import InputError

CONTENT = checkpoint(
    {"w": torch.ones(2)},
    model_flags={"_name": "m"},
    task_flags={"_name": "t", "data": "here"},
    criterion_flags={"_name": "c"},
)


def test_it_is_read_back_safely(tmp_path: Path):
    save(CONTENT, tmp_path / "new.pt")
    found = torch.load(tmp_path / "new.pt", weights_only=True)
    assert found["cfg"]["model"] == {"_name": "m"}
    assert found["cfg"]["task"] == {"_name": "t", "data": "here"}
    assert found["cfg"]["criterion"] == {"_name": "c"}
    assert found["model"]["w"].tolist() == [1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["new.pt"]


def test_nothing_is_overwritten(tmp_path: Path):
    (tmp_path / "new.pt").write_text("precious")
    with pytest.raises(InputError) as error:
        save(CONTENT, tmp_path / "new.pt")
    assert "expected a new file; found one that exists. Delete it or name another." in str(error.value)
    assert (tmp_path / "new.pt").read_text() == "precious"


def test_a_missing_folder(tmp_path: Path):
    with pytest.raises(InputError) as error:
        save(CONTENT, tmp_path / "no" / "new.pt")
    assert "expected a place to write to; found " in str(error.value)
    assert "Name a file in an existing folder with enough space." in str(error.value)
