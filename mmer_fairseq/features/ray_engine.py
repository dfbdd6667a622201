"""Extraction over a Ray cluster: shards are tasks of one core (or GPU), on whatever machine has room for them.

A task writes its shard under a temporary name and then renames it, so one whose worker died is simply made again. The
corpus and the encoder lie on a disk that all machines have under the same path; every worker looks for them before it
begins.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mmer_fairseq.encoders import Encoder
from mmer_fairseq.errors import InputError, optional
from mmer_fairseq.features.same_files import checked_encoder, witness
from mmer_fairseq.features.work import Job, make_shard
from mmer_fairseq.workers import Report, failures_reported, one_thread, passed_on

logger = logging.getLogger(__name__)

#: How often the worker of one shard may die.
DEATHS = 3
#: Bytes of memory that a Ray of our own shares between processes: it passes on one job, and short reports.
_SHARED = 128 << 20
#: Seconds to wait for an answer of the cluster's head.
_PATIENCE = 10.0
#: Ray tells nobody that it runs, does not repeat what we say of workers that died, and warns of no future version.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "1",  # without it the next one has no effect
    "RAY_DEDUP_LOGS_SKIP_REGEX": "died or was killed|marked dead",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True)
class RayEngine:
    """Workers of a Ray cluster.

    Attributes:
        workers: tasks at once (0: as many as there is room for).
        address: ``auto`` or ``HOST:PORT`` of a cluster ('': the environment's ``RAY_ADDRESS``; without it, a Ray of our
            own on this machine). A Ray that this process has begun before is used as it is.
    """

    workers: int = 0
    address: str = ""

    def check_device(self, device: str) -> None:
        """Ray says which GPU a worker gets (InputError)."""
        if device not in ("cpu", "cuda"):
            raise InputError.of(
                where="--device",
                expected="'cpu' or 'cuda' with --engine ray, which gives each worker a GPU of its own",
                found=repr(device),
                remedy="write one of them",
            )

    def make(self, job: Job, numbers: Sequence[int], encoder: Encoder, report: Report) -> None:
        """See ``work.Engine``."""
        ray = _ray()
        gpus = int(job.device == "cuda")
        running: dict[Any, int] = {}
        with self._connected(ray), _cancelled(ray, running):
            if gpus and not ray.cluster_resources().get("GPU"):
                raise InputError.of(
                    where="--device cuda",
                    expected="a Ray cluster with GPUs",
                    found="none",
                    remedy="start Ray on a machine with one, or leave --device out",
                )
            # retries are ours: Ray's own do not end where memory runs out, and do not say what they repeat
            task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_made)
            shared = [ray.put(job), witness(job)]
            todo, deaths = deque(numbers), Counter[int]()
            while todo or running:
                room = self.workers or max(2 * int(ray.cluster_resources().get("CPU", 0)), 1)
                while todo and len(running) < room:
                    number = todo.popleft()
                    running[task.remote(shared, number)] = number
                for done in ray.wait(list(running), timeout=_PATIENCE)[0]:
                    number = running.pop(done)
                    try:
                        news = ray.get(done)
                    except ray.exceptions.RayTaskError:
                        raise
                    except ray.exceptions.RayError as error:  # the worker, its machine or its answer is gone
                        deaths[number] += 1
                        _check_deaths(job, number, deaths[number], error)
                        todo.append(number)
                        continue
                    for kind, about in news:
                        passed_on(kind, about, report)

    @contextlib.contextmanager
    def _connected(self, ray: Any) -> Iterator[None]:
        if ray.is_initialized():
            yield
            return
        address = self.address or os.environ.get("RAY_ADDRESS", "")
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if not address or address == "local":
            # "local": not the cluster that happens to run here; and no question to the network which address we have
            quiet.update(num_cpus=self.workers or None, include_dashboard=False, _node_ip_address="127.0.0.1")
            quiet.update(object_store_memory=_SHARED)
        elif address != "auto":
            _check_head(address)
        try:
            ray.init(address=address or "local", **quiet)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            raise _unreachable(address or "local", str(error)) from error
        try:
            yield
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _cancelled(ray: Any, running: dict[Any, int]) -> Iterator[None]:
    """Nothing goes on behind an extraction that failed."""
    try:
        yield
    finally:
        for task in running:
            # without force a worker is interrupted where it stands, may be in an import, and used again as it is
            ray.cancel(task, force=True)


def _ray() -> Any:
    os.environ.update(_QUIET)
    remedy = "install it: pip install 'mmer_fairseq[ray]'"
    return optional("ray", where="--engine ray", expected="the package ray", remedy=remedy)


def _check_head(address: str) -> None:
    """Ask before Ray does, which waits for minutes and then ends the process."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except (OSError, ValueError, OverflowError) as error:
        raise _unreachable(address, str(error)) from error


def _unreachable(address: str, found: str) -> InputError:
    return InputError.of(
        where=f"--ray-address {address}",
        expected="'auto' on a machine of a Ray cluster, or HOST:PORT of its head, with the Ray version of this machine",
        found=found.strip() or "none",
        remedy="start it with: ray start --head --port 6379",
    )


def _check_deaths(job: Job, number: int, deaths: int, error: Exception) -> None:
    clips = ", ".join(clip.id for clip in job.plan.shards[number])
    how = type(error).__name__
    logger.warning("a worker died (%s, %d of %d) at the clips %s", how, deaths, DEATHS, clips)
    if deaths >= DEATHS:
        raise InputError.of(
            where=job.plan.folder,
            expected=f"a worker that survives the clips {clips}",
            found=f"{deaths} that died at them, the last by {how} (often: out of memory)",
            remedy="look at these clips, or give a worker more memory with fewer --workers; what is finished is kept",
        ) from error


#: Of this worker process: which job it knows, the job and its encoder, which took longest to get.
_KNOWN: dict[Any, tuple[Job, Encoder]] = {}


def _made(shared: list[Any], number: int) -> list[tuple[str, Any]]:
    """In a worker: make a shard and say what happened."""
    news: list[tuple[str, Any]] = []

    def report(kind: str, about: Any) -> None:
        news.append((kind, about))

    with failures_reported(report), one_thread():
        if shared[0] not in _KNOWN:
            import ray

            _KNOWN.clear()
            job = ray.get(shared[0])
            _KNOWN[shared[0]] = job, checked_encoder(job, shared[1])
        job, encoder = _KNOWN[shared[0]]
        make_shard(job, number, encoder, report)
    return news
