"""Data that the whole suite shares: made once a run, by whichever process comes first."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

REPO = Path(__file__).resolve().parent.parent


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make) -> Path:
    """A folder that ``make(folder)`` fills, shared by the parallel test processes."""
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent
    folder = base / name
    with FileLock(str(folder) + ".lock"):
        if not (base / f"{name}.made").exists():
            make(folder)
            (base / f"{name}.made").touch()
    return folder


def _toy(folder: Path) -> None:
    from mmer_fairseq.cli.main import main
    from mmer_fairseq.corpus.importers.toy import write_toy_corpus

    write_toy_corpus(folder, clips=40, seed=3)
    assert main(["tokenizer", str(folder)]) == 0


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded corpus, 40 clips, with its tokenizer. Read-only by agreement."""
    return made_once(tmp_path_factory, "toy", _toy)


def _twelve(toy: Path) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        import numpy as np

        from mmer_fairseq.corpus import Corpus, register_features
        from mmer_fairseq.features.store import write_store

        # other tests write into .mmer meanwhile
        ignored = shutil.ignore_patterns(".mmer")
        shutil.copytree(toy, folder, copy_function=os.link, ignore=ignored)
        for split, clips in (("train", 6), ("valid", 3), ("test", 3)):
            lines = (toy / f"{split}.tsv").read_text().splitlines()[: clips + 1]
            (folder / f"{split}.tsv").unlink()
            (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n")
        corpus = Corpus.load(folder)
        random = np.random.default_rng(0)
        ids = [clip.id for split in corpus.splits for clip in corpus.clips(split)]
        items = [(clip, random.normal(size=(5, 3)).astype("f4")) for clip in ids]
        write_store(folder / "features" / "w", items, modality="audio", rate=4.0)
        register_features(folder, name="w", path=folder / "features" / "w", modality="audio")

    return make


@pytest.fixture(scope="session")
def twelve(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve clips of the toy corpus, with a feature store ``w`` of their sound. Read-only by agreement."""
    return made_once(tmp_path_factory, "twelve", _twelve(toy))


@pytest.fixture(scope="session")
def command():
    """Run a program of the environment (``fairseq-train`` …) as a user would, from the repository's root."""

    def run(words: Sequence[object], *, ok: bool = True, cwd: Path = REPO, **environment: str):
        program = Path(sys.executable).parent / str(words[0])
        done = subprocess.run(
            [str(program), *map(str, words[1:])],
            cwd=cwd,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            capture_output=True,
            text=True,
            timeout=600,
        )
        if ok:
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done

    return run


@pytest.fixture(scope="session")
def fresh_checkpoint():
    """``fresh_checkpoint(file, corpus, arch, *flags)``: a checkpoint with fresh weights, as fairseq-train writes it.

    ``data``: where it says that its corpus is; ``seed``: of the weights; ``change``: called with model and task state.
    """
    import warnings

    import torch
    from omegaconf import OmegaConf

    import mmer_fairseq
    from mmer_fairseq.checkpoints.fairseq_form import checkpoint

    mmer_fairseq.register()
    from fairseq import options, tasks
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf

    def write(
        file: Path,
        corpus: Path,
        arch: str,
        *flags: str,
        data: str = "/nowhere/corpus",
        seed: int = 3,
        change: Callable[[Any, dict], None] = lambda model, state: None,
    ) -> Path:
        words = [
            str(corpus),
            "--task",
            "emotion_prediction",
            "--arch",
            arch,
            "--criterion",
            "emotion_prediction_cri",
        ]
        parser = options.get_training_parser()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fairseq calls hydra in deprecated ways
            cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, [*words, *flags]))
        task = tasks.setup_task(cfg.task)
        torch.manual_seed(seed)
        model = task.build_model(cfg.model)
        plain = OmegaConf.to_container(cfg, enum_to_str=True)
        plain["task"]["data"] = data
        parts = {f"{part}_flags": plain[part] for part in ("model", "task", "criterion")}
        state = task.state_dict()
        change(model, state)
        torch.save({**checkpoint(model.state_dict(), **parts), "task_state": state}, file)
        return file

    return write
