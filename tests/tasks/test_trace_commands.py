"""Traces through fairseq's commands and ``mmer traces``: what is exported has the CCC that is reported."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq.corpus import Corpus, register_features
from mmer_fairseq.features.store import FeatureStore
from mmer_fairseq.features.write import write_store

REPO = Path(__file__).resolve().parents[2]
DIMENSIONS = ("valence", "arousal")


def ccc(x: np.ndarray, y: np.ndarray) -> float:
    return float(2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))


def make(toy: Path, folder: Path) -> None:
    """Traces of the toy corpus with holes, and noisy features of them: valence in the face, arousal in the voice."""
    shutil.copytree(toy, folder, ignore=shutil.ignore_patterns(".mmer"))
    corpus = Corpus.load(folder, labels="affect")
    random = np.random.default_rng(2)
    clips = [clip for split in corpus.splits for clip in corpus.clips(split)]
    for modality, column, rate in (("video", 0, 10), ("audio", 1, 20)):
        items = []
        for clip in clips:
            trace = np.nan_to_num(corpus.label_space.target(clip).numpy()[:, column])
            trace = np.repeat(trace, rate // 10)
            mixed = np.outer(trace, [1, -1, 0.5]) + random.normal(0, 0.3, (len(trace), 3))
            items.append((clip.id, mixed.astype("f4")))
        write_store(folder / "features" / f"{modality}-s", items, modality=modality, rate=float(rate))
        register_features(
            folder, name=f"{modality}-s", path=folder / "features" / f"{modality}-s", modality=modality
        )


def training(data: Path, out: Path, *more: object) -> list[object]:
    return [
        "fairseq-train", data, "--user-dir", REPO / "mmer_fairseq", "--task", "emotion_prediction",
        "--criterion", "emotion_prediction_cri", "--arch", "jmt_small", "--labels", "affect",
        "--features", "video=video-s,audio=audio-s", "--seq-length", 8, "--subseq-length", 2, "--dilation", 1,
        "--batch-size", 16, "--optimizer", "adam", "--lr", 0.003, "--max-epoch", 3, "--clip-norm", 1,
        "--best-checkpoint-metric", "ccc", "--maximize-best-checkpoint-metric", "--cpu", "--num-workers", 0,
        "--save-dir", out / "run", "--no-epoch-checkpoints", "--no-progress-bar", *more,
    ]  # fmt: skip


def validating(data: Path, checkpoint: Path, *more: object) -> list[object]:
    return [
        "fairseq-validate", data, "--user-dir", REPO / "mmer_fairseq", "--task", "emotion_prediction",
        "--path", checkpoint, "--valid-subset", "test", "--cpu", "--num-workers", 0, "--log-format", "json", *more,
    ]  # fmt: skip


def forget(data: Path, clip: str) -> None:
    """Take both modalities of a clip away."""
    for name in ("video-s", "audio-s"):
        store = FeatureStore.open(data / "features" / name)
        items = [(each, store.get(each)) for each in store.ids() if each != clip]
        modality, rate = store.modality, store.rate
        write_store(store.path, items, modality=modality, rate=rate, overwrite=True)
    path = data / "test.tsv"
    header, *rows = [line.split("\t") for line in path.read_text().splitlines()]
    for row in rows:
        if row[0] == clip:
            row[header.index("audio")] = row[header.index("video")] = ""
            row[header.index("text")] = row[header.index("text")] or "words"
    path.write_text("\n".join("\t".join(row) for row in [header, *rows]) + "\n")


@pytest.fixture(scope="module")
def trained(toy, command, tmp_path_factory) -> tuple[Path, Path]:
    """(corpus, best checkpoint)."""
    folder = tmp_path_factory.mktemp("traces")
    make(toy, folder / "data")
    command(training(folder / "data", folder))
    return folder / "data", folder / "run" / "checkpoint_best.pt"


def logged(text: str) -> dict[str, float]:
    line = re.findall(r"\{[^{}]*\"(?:valid|test)_ccc\"[^{}]*\}|\{[^{}]*\"ccc\"[^{}]*\}", text)[-1]
    return {
        key.rpartition("test_")[2]: float(value) for key, value in json.loads(line).items() if key != "epoch"
    }


def columns(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Dimension → predictions and labels of all labelled steps in a table of ``--save-predictions``."""
    header, *rows = [line.split("\t") for line in path.read_text().splitlines()]
    targets = [row[header.index("target")].split("|") for row in rows]
    found = {}
    for k, name in enumerate(DIMENSIONS):
        score = [float(row[header.index(f"score_{name}")]) for row in rows]
        target = [float(t[k]) if t[k] else np.nan for t in targets]
        known = ~np.isnan(target)
        found[name] = np.array(score)[known], np.array(target)[known]
    return found


@pytest.mark.parametrize(("batch", "processes"), [(1, 1), (7, 1), (64, 1), (5, 2)])
def test_validation_reports_the_ccc_of_what_it_exports(batch, processes, trained, command, tmp_path):
    data, checkpoint = trained
    words = validating(data, checkpoint, "--batch-size", batch, "--save-predictions", tmp_path / "p.tsv")
    if processes == 2:
        program = Path(sys.executable).parent / "fairseq-validate"
        words = ["torchrun", "--nproc-per-node", 2, "--master-port", 29631, program, *words[1:]]
    done = command(words)
    values = logged(done.stdout + done.stderr)
    exported = columns(tmp_path / "p.tsv")
    for name in DIMENSIONS:
        assert values[f"ccc_{name}"] == pytest.approx(ccc(*exported[name]), abs=1e-6)
        x, y = exported[name]
        assert values[f"rmse_{name}"] == pytest.approx(np.sqrt(((x - y) ** 2).mean()), abs=1e-6)
        assert values[f"pearson_{name}"] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-6)
    steps = [line.split("\t")[:3] for line in (tmp_path / "p.tsv").read_text().splitlines()[1:]]
    corpus = Corpus.load(data, labels="affect")
    expected = [
        [clip.id, "test", str(step)]
        for clip in corpus.clips("test")
        for step in range(len(corpus.label_space.target(clip)))
    ]
    assert steps == expected


def test_a_clip_without_anything_is_scored_the_same_in_any_batch(trained, command, tmp_path):
    shutil.copytree(trained[0], tmp_path / "data")
    clip = Corpus.load(trained[0], labels="affect").clips("test")[0]
    forget(tmp_path / "data", clip.id)
    found = []
    for batch in (1, 3, 64):
        words = validating(tmp_path / "data", trained[1], "--batch-size", batch)
        done = command([*words, "--save-predictions", tmp_path / f"{batch}.tsv"])
        found.append(logged(done.stdout + done.stderr)["ccc"])
        exported = columns(tmp_path / f"{batch}.tsv")
        assert found[-1] == pytest.approx(np.mean([ccc(*exported[name]) for name in DIMENSIONS]), abs=1e-6)
    assert found[1:] == pytest.approx(found[:1] * 2, abs=1e-6)
    words = ["mmer", "traces", tmp_path / "data", "--path", trained[1], "--cpu", "--batch-size", 1]
    done = command([*words, "--out", tmp_path / "t"])
    shown = re.search(r"as predicted +CCC +\S+ +\S+ +(\d\.\d+)", done.stdout)
    assert float(shown[1]) == pytest.approx(found[0], abs=6e-4)
    command(["mmer", "robustness", tmp_path / "data", "--path", trained[1], "--cpu", "--batch-size", 3])


def test_traces_are_written_smoothed_and_drawn(trained, command, tmp_path):
    data, checkpoint = trained
    words = ["mmer", "traces", data, "--path", checkpoint, "--cpu", "--out", tmp_path / "t"]
    done = command([*words, "--smooth"])
    corpus = Corpus.load(data, labels="affect")
    clip = corpus.clips("test")[0]
    rows = (tmp_path / "t" / f"{clip.id}.csv").read_text().splitlines()
    assert rows[0] == "step,seconds,valence,arousal,valence_label,arousal_label"
    assert len(rows) == 1 + len(corpus.label_space.target(clip))
    assert rows[2].startswith("1,0.1000,")
    widths = json.loads((tmp_path / "t" / "smoothing.json").read_text())
    assert widths["chosen on"] == "valid"
    assert set(widths["widths in steps"]) == set(DIMENSIONS)
    assert re.search(r"smoothed +CCC +\d\.\d{3}  +\d\.\d{3}  +\d\.\d{3}", done.stdout)
    assert (tmp_path / "t" / "traces.png").stat().st_size > 20000
    both = [
        np.genfromtxt(tmp_path / "t" / f"{c.id}.csv", delimiter=",", names=True) for c in corpus.clips("test")
    ]
    x, y = (np.concatenate([table[name] for table in both]) for name in ("valence", "valence_label"))
    shown = re.search(r"smoothed +CCC +(\d\.\d+)", done.stdout)
    assert float(shown[1]) == pytest.approx(ccc(x[~np.isnan(y)], y[~np.isnan(y)]), abs=6e-4)


def test_clips_to_draw_must_be_there(trained, command, tmp_path):
    data, checkpoint = trained
    words = ["mmer", "traces", data, "--path", checkpoint, "--cpu", "--out", tmp_path / "t", "--clips", "a,b"]
    done = command(words, ok=False)
    assert done.returncode == 2
    assert (
        "--clips: expected ids of clips in test; found a, b. Correct the ids, or choose another"
        in done.stderr
    )


def test_the_form_of_the_challenge(trained, command, tmp_path):
    data, checkpoint = trained
    words = ["mmer", "traces", data, "--path", checkpoint, "--cpu", "--form", "aff-wild2", "--draw", 0]
    command([*words, "--out", tmp_path / "t"])
    assert [file.name for file in (tmp_path / "t").iterdir()] == ["predictions.txt"]
    header, *rows = (tmp_path / "t" / "predictions.txt").read_text().splitlines()
    assert header == "image_location,valence,arousal"
    corpus = Corpus.load(data, labels="affect")
    lengths = [len(corpus.label_space.target(clip)) for clip in corpus.clips("test")]
    assert len(rows) == sum(lengths)
    assert re.fullmatch(
        re.escape(corpus.clips("test")[0].id) + r"/00001\.jpg,-?[01]\.\d{5},-?[01]\.\d{5}", rows[0]
    )
    assert all(-1 <= float(cell) <= 1 for row in rows for cell in row.split(",")[1:])


def test_both_streams_together_beat_each_alone(trained, command, tmp_path):
    """Valence is in one stream and arousal in the other."""
    data, checkpoint = trained
    found = {}
    for modalities in ("video,audio", "video", "audio"):
        words = validating(data, checkpoint, "--batch-size", 64, "--modalities", modalities)
        done = command(words)
        found[modalities] = logged(done.stdout + done.stderr)["ccc"]
    assert found["video,audio"] > max(found["video"], found["audio"])


def test_a_model_of_whole_clips_has_no_traces(toy, command, tmp_path):
    words = training(toy, tmp_path, "--modalities", "audio", "--max-epoch", 1)
    for flag in ("--labels", "--features", "--seq-length", "--subseq-length", "--dilation"):
        at = words.index(flag)
        del words[at : at + 2]
    words[words.index("ccc")] = "uar"
    command([*words, "--labels", "emotion"])
    done = command(
        ["mmer", "traces", toy, "--path", tmp_path / "run" / "checkpoint_best.pt", "--cpu"], ok=False
    )
    assert done.returncode == 2
    assert (
        "--path: expected a checkpoint that was trained on traces; found one for emotion (classes). Name another "
        "checkpoint, or choose a label space of traces with --labels." in done.stderr
    )


def test_a_clip_model_refuses_traces(toy, command, tmp_path):
    words = training(toy, tmp_path, "--modalities", "audio")
    at = words.index("--features")
    del words[at : at + 2]
    words[words.index("jmt_small")] = "auxformer_small"
    done = command(words, ok=False)
    assert done.returncode
    assert (
        "expected a trace model for labels over time, a clip model for labels of whole clips" in done.stderr
    )
