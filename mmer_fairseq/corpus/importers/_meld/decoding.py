"""Which clips can be decoded to their end: in parallel, and where a stopped run left off."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from mmer_fairseq.corpus.clip import Clip
from mmer_fairseq.corpus.clip_faults import inspect_clip
from mmer_fairseq.corpus.write import writing
from mmer_fairseq.errors import InputError

#: Clips from which on a progress bar is worth its line.
_MANY = 100


@dataclass(frozen=True)
class Verdict:
    """What decoding said of one clip: its length in seconds (0: not known), and modality → its fault."""

    seconds: float
    faults: Mapping[str, str]


def decode_clips(
    clips: Mapping[str, tuple[Path, str]], modalities: Collection[str], jobs: int, memory: Path
) -> dict[str, Verdict]:
    """Decode each clip to its end, picture and sound apart.

    Args:
        clips: id → its file, and ``path:line`` of its row.
        modalities: ``audio``, ``video`` or both.
        jobs: processes.
        memory: file of what is known so far; it makes a stopped run go on, and the caller removes it.

    Raises:
        InputError: a worker process died, or ``memory`` cannot be written.
    """
    known = _remembered(memory)
    keys = {clip: _key(path, modalities) for clip, (path, _) in clips.items()}
    verdicts = {clip: known[keys[clip]] for clip in clips if keys[clip] in known}
    todo = [(clip, str(path), where) for clip, (path, where) in clips.items() if clip not in verdicts]
    if verdicts and todo:
        print(f"{len(verdicts)} clips were decoded before; going on with {len(todo)}")
    found = _parallel(partial(_decode, modalities=tuple(modalities)), todo, jobs)
    bar = tqdm(
        found, total=len(todo), unit="clip", desc="decoding", leave=False, disable=len(todo) < _MANY or None
    )
    with writing(memory):
        memory.parent.mkdir(parents=True, exist_ok=True)
        file = open(memory, "a", encoding="utf-8")  # noqa: SIM115
    with file:
        for clip, verdict in bar:
            verdicts[clip] = verdict
            file.write(json.dumps([keys[clip], verdict.seconds, dict(verdict.faults)]) + "\n")
            file.flush()
    return {clip: verdicts[clip] for clip in clips}


def _key(path: Path, modalities: Collection[str]) -> str:
    stat = path.stat()
    return f"{path}|{stat.st_size}|{stat.st_mtime_ns}|{','.join(sorted(modalities))}"


def _remembered(memory: Path) -> dict[str, Verdict]:
    try:
        lines = memory.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError):
        return {}
    known = {}
    for line in lines:
        try:
            key, seconds, faults = json.loads(line)
        except ValueError:  # the last line of a run that was killed
            continue
        known[key] = Verdict(seconds, faults)
    return known


def _decode(task: tuple[str, str, str], modalities: tuple[str, ...]) -> tuple[str, Verdict]:
    clip, path, where = task
    faults, seconds = {}, 0.0
    for modality in modalities:
        one = Clip(clip, {modality: path}, False, None, None, "", "", "", 0, where, "")
        finding = inspect_clip((one, []), decode=True, text_form="words")
        if finding.faults:
            faults[modality] = finding.faults[0]
        seconds = max(seconds, finding.seconds)
    return clip, Verdict(seconds, faults)


def _parallel(
    look: partial[tuple[str, Verdict]], tasks: list[tuple[str, str, str]], jobs: int
) -> Iterator[tuple[str, Verdict]]:
    if jobs <= 1 or len(tasks) <= 1:
        yield from map(look, tasks)
        return
    # spawned, not forked: torch and libav have threads of their own
    with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(look, tasks, chunksize=4)
        except BrokenProcessPool as error:
            raise InputError.of(
                where="mmer import meld",
                expected=f"{jobs} processes that decode",
                found="one that was killed, or that a decoder crashed",
                remedy="run it again with --jobs 1 to see at which clip, or with fewer jobs if memory ran out; what is "
                "decoded is kept",
            ) from error


def check_share(verdicts: Iterable[Verdict], total: int, root: Path) -> None:
    """Many damaged clips are no damage: an archive was not unpacked whole, or a decoder is missing.

    Raises:
        InputError: more than half of the clips have a fault, of two clips or more.
    """
    bad = [verdict for verdict in verdicts if verdict.faults]
    if total > 1 and 2 * len(bad) > total:
        raise InputError.of(
            where=root,
            expected="most of the clips to be whole",
            found=f"{len(bad)} of {total} with faults, such as: {next(iter(bad[0].faults.values()))}",
            remedy="unpack the archives anew, or pass --no-decode to take all clips as they are",
        )
