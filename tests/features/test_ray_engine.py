"""Extraction over Ray: the store that one process writes, whoever dies on the way."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmer_fairseq.cli import extract as command
from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.errors import InputError
from mmer_fairseq.features import ray_engine, same_files
from mmer_fairseq.features.extract import extract
from mmer_fairseq.features.local_engine import LocalEngine
from mmer_fairseq.features.ray_engine import RayEngine
from mmer_fairseq.features.store import FeatureStore

#: A job whose encoder ends processes. The file ``kills`` lists its victims: ``worker`` is any process that encodes,
#: ``machine`` one on the second machine together with that machine (its parent, Ray's "raylet"), a number the process
#: with that number. Nobody is killed before one shard is there, and nothing more is encoded before all are dead.
FATAL = """
import os, signal, time
from dataclasses import dataclass
from pathlib import Path
from mmer_fairseq.features.work import Job

HERE = Path(__file__).parent

@dataclass(frozen=True)
class Fatal(Job):
    def encoder(self):
        encoder = super().encoder()
        encoder.register_forward_pre_hook(lambda *_: strike(self.plan.folder))
        return encoder

def strike(folder):
    if not list(folder.glob("shard-*")):
        return
    while True:
        victims = (HERE / "kills").read_text().split()
        dead = list(HERE.glob("dead-*"))
        if len(dead) == len(victims):
            return
        victim = victims[len(dead)]
        if victim == "machine" and os.getppid() == int((HERE / "head").read_text()):
            time.sleep(0.05)
            continue
        try:
            (HERE / f"dead-{len(dead)}").touch(exist_ok=False)
        except FileExistsError:
            continue
        if victim != "worker":
            os.kill(os.getppid() if victim == "machine" else int(victim), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def run(corpus: Corpus, wav2vec: Path, name: str = "w2v", **changes) -> Path:
    settings = {"modality": "audio", "encoder": f"wav2vec:{wav2vec}", "progress": False, **changes}
    return extract(corpus, name=name, **settings)


def contents(folder: Path) -> dict[str, bytes]:
    """Every byte of a store."""
    return {file.name: file.read_bytes() for file in sorted(folder.glob("[!.]*"))}


@pytest.fixture(scope="module")
def noises(tmp_path_factory, speech, wav2vec) -> Path:
    """A corpus of four shards, extracted by one process into ``local``: there is work for two until two are dead."""
    folder = tmp_path_factory.mktemp("noises") / "c"
    run(speech(folder, 120), wav2vec, "local")
    return folder


@pytest.fixture(scope="module")
def fatal(tmp_path_factory):
    """The module :data:`FATAL`, which workers can import, too."""
    folder = tmp_path_factory.mktemp("fatal")
    (folder / "fatal_job.py").write_text(FATAL)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", str(folder))
        import fatal_job

        yield fatal_job


@pytest.fixture(scope="module")
def cluster(fatal):
    """A cluster of two "machines" with one core each, both of them this one."""
    pytest.importorskip("ray")
    ray_engine._ray()
    from ray.cluster_utils import Cluster

    each = {"num_cpus": 1, "object_store_memory": 100 << 20}
    made = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **each})
    made.add_node(**each)
    head = made.head_node.all_processes["raylet"][0].process.pid
    Path(fatal.__file__).with_name("head").write_text(str(head))
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def joined(cluster):
    """This process is of the cluster; its workers, which import torch for seconds, serve several tests."""
    import ray

    with ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR"):
        yield


def kills(fatal, *victims: object) -> None:
    folder = Path(fatal.__file__).parent
    for dead in folder.glob("dead-*"):
        dead.unlink()
    (folder / "kills").write_text(" ".join(map(str, victims)))


def test_without_the_package(noises, wav2vec, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    words = [str(noises), "--modality", "audio", "--encoder", f"wav2vec:{wav2vec}", "--name", "x"]
    assert main(["extract", *words, "--engine", "ray"]) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1] == (
        "error: --engine ray: expected the package ray; found none that can be imported (import of ray halted; None in "
        "sys.modules). Install it: pip install 'mmer_fairseq[ray]'."
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--ray-address", "auto"],
            "--ray-address: expected --engine ray with it; found --engine local. Write both, or neither.",
        ),
        (
            ["--engine", "ray", "--device", "cuda:1"],
            "--device: expected 'cpu' or 'cuda' with --engine ray, which gives each worker a GPU of its own; found "
            "'cuda:1'. Write one of them.",
        ),
        (
            ["--engine", "ray", "--ray-address", "127.0.0.1:1"],
            "--ray-address 127.0.0.1:1: expected 'auto' on a machine of a Ray cluster, or HOST:PORT of its head, with "
            "the Ray version of this machine; found [Errno 111] Connection refused. Start it with: ray start --head "
            "--port 6379.",
        ),
    ],
)
def test_bad_flags(noises, wav2vec, capsys, words, message):
    if "127.0.0.1:1" in words:
        pytest.importorskip("ray")
    own = [str(noises), "--modality", "audio", "--encoder", f"wav2vec:{wav2vec}", "--name", "bad"]
    assert main(["extract", *own, *words]) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1] == f"error: {message}"


@pytest.mark.parametrize(
    ("words", "environment", "engine"),
    [
        ("--workers 3", "", LocalEngine(3)),
        ("--engine ray --workers 3", "", RayEngine(3)),
        ("--engine ray", "", RayEngine(min(os.cpu_count() or 1, 4))),
        ("--engine ray --ray-address auto", "", RayEngine(0, "auto")),
        ("--engine ray", "first:6379", RayEngine(0, "first:6379")),
        ("--engine ray --ray-address auto --workers 3", "first:6379", RayEngine(3, "auto")),
    ],
)
def test_flags_choose_the_engine(monkeypatch, words, environment, engine):
    monkeypatch.setenv("RAY_ADDRESS", environment)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    flags = ["c", "--modality", "audio", "--encoder", "x", "--name", "x", *words.split()]
    assert command._engine(parser.parse_args(flags)) == engine


def test_every_machine_must_see_the_same_files(tmp_path, speech, wav2vec, monkeypatch):
    jobs = []

    class Engine(RayEngine):
        def make(self, job, numbers, encoder, report):
            jobs.append(job)
            raise InputError("enough")

    corpus = speech(tmp_path / "c", 5)
    weights = tmp_path / "w.pt"
    weights.write_bytes(wav2vec.read_bytes())
    with pytest.raises(InputError, match="enough"):
        run(corpus, weights, engine=Engine())
    (job,) = jobs
    medium = same_files.witness(job)
    assert medium == str(tmp_path / "c/wav/clip0.wav")
    assert same_files.checked_encoder(job, medium).dim == 24
    monkeypatch.setattr("socket.gethostname", lambda: "node7")
    same = "expected the same on every machine of the cluster, under the same path; found "
    remedy = "Put the corpus, its media and the encoder on a disk that all machines share."

    def message() -> str:
        with pytest.raises(InputError) as error:
            same_files.checked_encoder(job, medium)
        return str(error.value)

    content = torch.load(weights, weights_only=False)
    content["model"]["feature_aggregator.conv_layers.0.1.weight"] += 1
    torch.save(content, weights)
    assert message() == f"wav2vec:{weights}: {same}another encoder (its checksum differs) on node7. {remedy}"
    weights.unlink()
    assert message().startswith(f"on the machine node7: {weights}: expected ")
    Path(medium).unlink()
    assert message() == f"{medium}: {same}no such file on node7. {remedy}"
    folder = tmp_path / "c/features/w2v"
    (folder / "plan.json").write_text("{}")
    assert message() == f"{folder}: {same}another folder than this extraction's on node7. {remedy}"
    (folder / "plan.json").unlink()
    assert message().startswith(f"{folder}: {same}[Errno 2] No such file or directory: ")


def test_broken_clips_are_counted_and_named_as_by_one_process(tmp_path, speech, wav2vec, joined, caplog):
    import ray

    corpus = speech(tmp_path / "c", 40)
    for clip_id in ("clip3", "clip36"):
        (corpus.directory / "wav" / f"{clip_id}.wav").write_bytes(b"no sound")
    texts = []
    for name, engine in (("one", None), ("two", RayEngine())):
        with pytest.raises(InputError, match=r"at most 1 clips that cannot be read .*; found 2:") as error:
            run(corpus, wav2vec, f"few-{name}", engine=engine, skip_bad=1, batch_size=4)
        texts.append(sorted(str(error.value).replace(f"few-{name}", "few").splitlines()))
        store = run(corpus, wav2vec, name, engine=engine, skip_bad=2, batch_size=4)
    assert ray.is_initialized()  # it was not begun by the engine, which so does not end it
    assert texts[0] == texts[1]
    assert contents(store) == contents(store.parent / "one")
    assert set(FeatureStore.open(store).meta["skipped"]) == {"clip3", "clip36"}
    assert caplog.text.count("left out: ") == 8


def test_deaths_make_no_difference(noises, wav2vec, joined, fatal, monkeypatch, caplog):
    monkeypatch.setattr("mmer_fairseq.features.extract.Job", fatal.Fatal)
    features = noises / "features"
    monkeypatch.setattr(ray_engine, "DEATHS", 1)
    kills(fatal, "worker")
    with pytest.raises(InputError) as error:
        run(Corpus.load(noises), wav2vec, "never", engine=RayEngine())
    monkeypatch.setattr(ray_engine, "DEATHS", 3)
    kills(fatal, "worker", "machine")
    folder = run(Corpus.load(noises), wav2vec, engine=RayEngine())
    named = str(error.value).split("clips ")[1].split(";")[0]
    assert str(error.value) == (
        f"{features}/never: expected a worker that survives the clips {named}; found 1 that died at them, the last by "
        "WorkerCrashedError (often: out of memory). Look at these clips, or give a worker more memory with fewer "
        "--workers; what is finished is kept."
    )
    assert len(named.split(", ")) in (12, 32)
    assert set(named.split(", ")) < set(FeatureStore.open(features / "local").ids())
    assert len(list(Path(fatal.__file__).parent.glob("dead-*"))) == 2
    assert re.search(
        r"a worker died \((WorkerCrashed|NodeDied)Error, 1 of 3\) at the clips clip", caplog.text
    )
    assert len(contents(folder)) == 6  # four shards, store.json, plan.json
    assert contents(folder) == contents(features / "local")
    assert not list(folder.glob(".shard*"))


DRIVER = """
import os, sys
import fatal_job
import mmer_fairseq.features.extract as room
from mmer_fairseq.cli.main import main

room.Job = fatal_job.Fatal
(fatal_job.HERE / "kills").write_text(str(os.getpid()))
sys.exit(main(["extract", *sys.argv[1:]]))
"""


# last: a process that had a Ray of its own cannot join a cluster afterwards
def test_killed_and_run_again(noises, wav2vec, cluster, fatal, monkeypatch, caplog, capfd):
    import ray

    ray.shutdown()
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    kills(fatal)
    words = [str(noises), "--modality", "audio", "--encoder", f"wav2vec:{wav2vec}", "--name", "again"]
    words += ["--engine", "ray", "--workers", "2"]
    joined = [sys.executable, "-c", DRIVER, *words, "--ray-address", cluster.address]
    killed = subprocess.run(joined, capture_output=True, text=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    folder = noises / "features" / "again"
    assert not (folder / "store.json").exists()
    caplog.set_level("INFO")
    capfd.readouterr()  # the cluster may still have spoken of the lost machine
    assert main(["extract", *words]) == 0  # in a Ray of its own
    assert re.search(r"(12|32|44|64|76|96) of 108 clips are there already", caplog.text)
    assert contents(folder) == contents(folder.parent / "local")
    shown = capfd.readouterr()
    assert shown.out.startswith(f"{folder}: 108 clips, ")
    assert "ray" not in shown.err.lower()
