"""Writing pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.plots.canvas import new_figure, save


@pytest.mark.parametrize(("ending", "head"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")])
def test_formats(tmp_path: Path, ending: str, head: bytes) -> None:
    path = tmp_path / "deep" / f"x{ending}"
    for _ in range(2):  # the second time over the first
        save(new_figure(2, 1), path)
        assert path.read_bytes().startswith(head)
    assert list(path.parent.iterdir()) == [path]


def test_the_size_is_in_inches(tmp_path: Path) -> None:
    from matplotlib.image import imread

    save(new_figure(2, 1), tmp_path / "x.png")
    assert imread(tmp_path / "x.png").shape[:2] == (150, 300)


def test_another_ending(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        save(new_figure(2, 1), tmp_path / "x.doc")
    assert str(error.value) == (
        f"{tmp_path / 'x.doc'}: expected a file name ending in .png, .pdf, .svg; found '.doc'. "
        "Change the ending of --out."
    )


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "x.png").mkdir()
    for path in (tmp_path / "file" / "x.png", tmp_path / "x.png"):
        with pytest.raises(
            InputError, match=r"x\.png: expected a place to write to; found .* Change --out\."
        ):
            save(new_figure(2, 1), path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "x.png"]
