"""The cluster's scripts: two "machines" that are both this one train one model, are killed, and go on."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

REPO = Path(__file__).resolve().parents[2]
CLUSTER = REPO / "examples" / "cluster"
SCRIPTS = sorted(CLUSTER.glob("*.s[hb]*"))
#: Six batches of four clips, of which each of two processes takes three: three updates an epoch, two epochs.
FLAGS = ["--cpu", "--modalities", "text", "--max-epoch", "2", "--num-workers", "0", "--log-interval", "1",
         "--dropout", "0", "--attention-dropout", "0", "--pooler-dropout", "0"]  # fmt: skip
SIZES = {"BATCH": "8", "BATCH_SIZE": "4", "SAVE_EVERY": "2"}
#: Every process says what the first one says; with HOLD, training waits behind its first checkpoint to be killed.
OBSERVED = """
import logging, os, time
of_fairseq, replace = logging.Logger.setLevel, os.replace
logging.Logger.setLevel = lambda self, level: of_fairseq(self, logging.INFO if self is logging.root else level)

def replace_and_wait(source, target, **more):
    replace(source, target, **more)
    if str(target).endswith("checkpoint_last.pt"):
        open(os.environ["HOLD"], "w").close()
        time.sleep(300)

if "HOLD" in os.environ:
    os.replace = replace_and_wait
"""


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("observed")
    (folder / "sitecustomize.py").write_text(OBSERVED)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **SIZES, "PATH": path, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}


def begin(words: list[object], log: Path, environment: dict[str, str]) -> subprocess.Popen:
    with open(log, "w") as file:
        return subprocess.Popen(
            ["bash", *map(str, words)], cwd=REPO, env=environment, stdout=file, stderr=file
        )


def machines(corpus: Path, run: Path, environment: dict[str, str], *more: str, nodes: int = 2) -> list:
    """``torchrun.sh`` on so many machines."""
    run.mkdir(exist_ok=True)
    port = free_port()
    own = {
        "OUT": str(run),
        "NNODES": str(nodes),
        "NPROC": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    words = [CLUSTER / "torchrun.sh", corpus, *FLAGS, *more]
    ranks = [str(rank) for rank in range(nodes)]
    return [begin(words, run / f"{rank}.txt", {**environment, **own, "NODE_RANK": rank}) for rank in ranks]


def ended(processes: list[subprocess.Popen], run: Path) -> None:
    codes = [process.wait(timeout=120) for process in processes]
    assert codes == [0] * len(codes), "\n".join(file.read_text()[-2000:] for file in run.glob("*.txt"))


def until_held(environment: dict[str, str], processes: list[subprocess.Popen]) -> None:
    deadline = time.monotonic() + 120
    while not Path(environment["HOLD"]).exists():
        assert all(process.poll() is None for process in processes), "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def logged(text: str, tag: str) -> list[dict[str, float]]:
    """The numbers of each epoch."""
    lines = re.findall(rf"\| {tag} \| (\{{.*)$", text, flags=re.MULTILINE)
    return [{key: float(value) for key, value in json.loads(line).items()} for line in lines]


def learnt(epochs: list[dict[str, float]]) -> list[tuple[float, float]]:
    return [(epoch["train_loss"], epoch["train_num_updates"]) for epoch in epochs]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoint_last.pt", weights_only=True)["model"]


def equal(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.fixture(scope="module")
def whole(toy, environment, tmp_path_factory) -> Path:
    """A run of two machines that nobody interrupts."""
    run = tmp_path_factory.mktemp("cluster") / "whole"
    ended(machines(toy, run, environment), run)
    return run


@pytest.mark.slow
def test_two_machines_train_one_model(toy, whole, command):
    outputs = [(whole / f"{rank}.txt").read_text() for rank in (0, 1)]
    first, second = (learnt(logged(output, "train")) for output in outputs)
    assert first == second
    assert [updates for _, updates in first] == [3, 6]
    assert "distributed_world_size': 2" in outputs[0]
    names = {file.name for file in whole.glob("*.pt")}
    assert names == {"checkpoint_best.pt", "checkpoint_last.pt", "checkpoint_2_4.pt"}
    words = ["--user-dir", "mmer_fairseq", "--task", "emotion_prediction", "--cpu", "--batch-size", "8"]
    words += ["--no-progress-bar", "--log-format", "json", "--path", str(whole / "checkpoint_last.pt")]
    alone = logged(command(["fairseq-validate", toy, *words]).stdout, "valid")[-1]
    together = logged(outputs[0], "valid")[-1]
    assert alone["valid_clips"] == 8
    for name in ("valid_loss", "valid_accuracy", "valid_uar", "valid_weighted_f1", "valid_clips"):
        assert together[name] == pytest.approx(alone[name], abs=1e-5)


@pytest.mark.slow
def test_one_process_makes_the_same_updates(toy, whole, environment, tmp_path):
    run = tmp_path / "run"
    ended(machines(toy, run, environment, nodes=1), run)
    alone, together = (learnt(logged((out / "0.txt").read_text(), "train")) for out in (run, whole))
    assert "'update_freq': [2]" in (run / "0.txt").read_text()
    assert alone == [pytest.approx(epoch, abs=1e-3) for epoch in together]


#: What SLURM's programs do, on one machine: two machines, a task on each.
SRUN = """#!/usr/bin/env bash
while [[ $1 == -* ]]; do shift; done
for rank in 0 1; do
	SLURM_PROCID=$rank SLURM_NODEID=$rank SLURM_LOCALID=0 "$@" >>"$OUT/$rank.txt" 2>&1 &
done
trap 'kill -KILL $(jobs -p)' TERM
wait -n && wait -n
"""
SCONTROL = """#!/usr/bin/env bash
if [ "$1" = requeue ]; then echo "$2" >>"$OUT/requeued"; else [ "$*" = "show hostnames here[1-2]" ] && echo "127.0.0.1
here2"; fi
"""


def slurm(folder: Path, run: Path, environment: dict[str, str], **programs: str) -> dict[str, str]:
    """The environment of a SLURM job, with stand-ins for SLURM's programs."""
    folder.mkdir()
    for name, script in programs.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "here[1-2]", "SLURM_NTASKS": "2", "OUT": str(run)}
    job |= {"SLURM_SUBMIT_DIR": str(REPO), "MASTER_PORT": free_port()}
    return {**environment, **job, "PATH": f"{folder}{os.pathsep}{environment['PATH']}"}


def updates(run: Path) -> int:
    state = torch.load(run / "checkpoint_last.pt", weights_only=False)
    return state["optimizer_history"][-1]["num_updates"]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
def test_killed_machines_and_slurm_jobs_go_on(toy, whole, environment, tmp_path):
    run = tmp_path / "run"
    held = {**environment, "HOLD": str(tmp_path / "held")}
    processes = machines(toy, run, held)
    until_held(held, processes)
    ends = [pid for process in processes for pid in (process.pid, *children(process.pid))]
    for pid in ends:  # torchrun's processes are no part of its group
        os.kill(pid, signal.SIGKILL)
    for process in processes:
        process.wait()
    assert len(ends) == 4
    assert updates(run) == 2

    shutil.copy(CLUSTER / "slurm.sbatch", tmp_path / "spooled")  # as SLURM does
    job = slurm(
        tmp_path / "bin", run, {**held, "HOLD": str(tmp_path / "again")}, srun=SRUN, scontrol=SCONTROL
    )
    process = begin([tmp_path / "spooled", toy, *FLAGS], run / "job.txt", job)
    until_held(job, [process])
    os.kill(process.pid, signal.SIGUSR1)
    ended([process], run)
    assert (run / "requeued").read_text() == "7\n"
    assert updates(run) == 3
    assert "Loaded checkpoint" in (run / "0.txt").read_text()

    ended(machines(toy, run, environment), run)
    assert "Loaded checkpoint" in (run / "0.txt").read_text()
    assert (
        learnt(logged((run / "0.txt").read_text(), "train"))
        == learnt(logged((whole / "0.txt").read_text(), "train"))[1:]
    )
    assert equal(run, whole)


@pytest.mark.parametrize("status", [0, 3])
def test_a_slurm_job_that_ends_by_itself_stays_out_of_the_queue(tmp_path, environment, status):
    job = slurm(
        tmp_path / "bin", tmp_path, environment, srun=f"#!/bin/sh\nexit {status}\n", scontrol=SCONTROL
    )
    process = begin([CLUSTER / "slurm.sbatch", "corpus"], tmp_path / "job.txt", job)
    assert process.wait(timeout=60) == status
    assert not (tmp_path / "requeued").exists()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_shell_understands_every_script(script):
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script):
    words = ["shellcheck", "--external-sources", "--source-path", CLUSTER, "--shell", "bash", script]
    done = subprocess.run(words, capture_output=True, text=True, cwd=REPO)
    assert done.returncode == 0, done.stdout


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path, environment):
    own = {"BATCH": "30", "BATCH_SIZE": "4", "NNODES": "4", "NPROC": "2", "OUT": str(tmp_path)}
    words = ["bash", CLUSTER / "torchrun.sh", "corpus"]
    done = subprocess.run(words, cwd=REPO, env={**environment, **own}, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "error: BATCH: expected a multiple of BATCH_SIZE x processes, which is 4 x 8; found 30. Choose another "
        "BATCH_SIZE, or another number of processes.\n"
    )


@pytest.mark.parametrize(
    ("words", "called"),
    [
        (["head"], "ray start --head --port 7000 --include-dashboard=false --disable-usage-stats"),
        (["join", "first:7000"], "ray start --address first:7000 --disable-usage-stats"),
        (["extract", "c", "--name", "x"], "mmer extract c --name x --engine ray --ray-address auto"),
        (["stop"], "ray stop"),
        (
            ["begin"],
            "error: ray_extract.sh: expected head, join, extract or stop; found begin. Write one of them.",
        ),
        (["join"], "usage: ray_extract.sh join HOST:PORT"),
    ],
)
def test_ray_extract(tmp_path, words, called):
    for name in ("ray", "mmer"):
        (tmp_path / name).write_text('#!/usr/bin/env bash\necho "$(basename "$0") $*"\n')
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "PORT": "7000"}
    environment.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        ["bash", CLUSTER / "ray_extract.sh", *words], env=environment, capture_output=True, text=True
    )
    assert called in done.stdout + done.stderr
    assert (done.returncode == 0) == (called.split()[0] in ("ray", "mmer"))


def test_a_machine_that_is_not_counted_is_refused(environment, tmp_path):
    done = subprocess.run(
        ["bash", str(CLUSTER / "torchrun.sh"), str(tmp_path)],
        env={**environment, "NODE_RANK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "error: NODE_RANK: expected 0 to 0, as NNODES is 1; found 1. Set NNODES on every machine.\n"
    )
