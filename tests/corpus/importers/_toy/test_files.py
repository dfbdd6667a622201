"""One clip on disk: names, sizes, ratings that are missing, and the same bytes every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq.corpus.importers._toy.files import clip_files, write_clip
from mmer_fairseq.corpus.importers._toy.plan import ClipPlan, plan_clips
from mmer_fairseq.corpus.importers._toy.speakers import draw_speakers

SPEAKERS = draw_speakers(np.random.default_rng(0))
PLANS = plan_clips(clips=40, seed=1, missing=0.3)


def write(folder: Path, plan: ClipPlan, size: int = 96) -> dict[str, int]:
    for name in ("media", "traces"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return write_clip(folder, plan, SPEAKERS[plan.speaker], seed=1, size=size)


def test_encoding_twice_gives_the_same_bytes(tmp_path: Path):
    plans = [plan for plan in PLANS if not plan.missing][:3]
    for plan in plans:
        films = set()
        for attempt in range(3):
            write(tmp_path / str(attempt), plan)
            films.add((tmp_path / str(attempt) / "media" / f"{plan.id}.mp4").read_bytes())
        assert len(films) == 1


def test_the_sizes_told_are_the_sizes_on_disk(tmp_path: Path):
    sizes = write(tmp_path, PLANS[0], 32)
    assert sizes == {name: (tmp_path / name).stat().st_size for name in sizes}
    assert {path.name for path in tmp_path.rglob("*.*")} == {Path(name).name for name in sizes}


@pytest.mark.parametrize("lost", ["audio", "video"])
def test_a_missing_modality_has_no_file(tmp_path: Path, lost: str):
    plan = next(plan for plan in PLANS if plan.missing == {lost})
    assert lost not in clip_files(plan)
    assert set(write(tmp_path, plan, 32)) == set(clip_files(plan).values())


def test_the_trace_holds_the_feeling_and_marks_what_nobody_rated(tmp_path: Path):
    plan = next(plan for plan in PLANS if plan.invalid[1])
    write(tmp_path, plan, 32)
    lines = (tmp_path / "traces" / f"{plan.id}.csv").read_text().splitlines()
    assert lines[0] == "valence,arousal"
    values = np.array([[float(cell) for cell in line.split(",")] for line in lines[1:]])
    rated = np.ones(len(values), dtype=bool)
    rated[slice(*plan.invalid)] = False
    assert (values[~rated] == -5).all()
    expected = np.stack(plan.feeling(plan.trace_times()), axis=1)
    np.testing.assert_allclose(values[rated], expected[rated], atol=6e-4)
