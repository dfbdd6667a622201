"""``mmer faces``: every clip of a corpus, then a corpus whose video is faces."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from mmer_fairseq.corpus import Clip
from mmer_fairseq.corpus.description import FILE
from mmer_fairseq.corpus.faults import count, some
from mmer_fairseq.corpus.write import replace_file
from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.clip_faces import Moment, Task, counts, finished
from mmer_fairseq.faces.follow import NONE
from mmer_fairseq.faces.new_corpus import Source, check_out, write_face_corpus
from mmer_fairseq.faces.settings import PLAN, RATE, Settings, alone, folder_names, settle
from mmer_fairseq.faces.work import Job, work_on

logger = logging.getLogger(__name__)

FOLDER = "faces"
MANIFEST = "manifest.tsv"
SUMMARY = "summary.json"
COLUMNS = (
    "clip",
    "picture",
    "clip_seconds",
    "medium_seconds",
    "how",
    "x0",
    "y0",
    "x1",
    "y1",
    "score",
    "track",
    "detector",
)


@dataclass
class Outcome:
    """What was found.

    Attributes:
        out: folder of the new corpus.
        clips: that have a video.
        pictures: ``found``, ``held``, ``fallback``, ``none`` → how many pictures.
        without: ids of the clips in which a detector found no face; they have no picture, unless there is a fallback.
        skipped: clip id → why its video cannot be read.
    """

    out: Path
    clips: int
    pictures: Counter[str] = field(default_factory=Counter)
    without: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def find_faces(
    directory: str | Path,
    out: str | Path,
    settings: Settings,
    *,
    splits: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    workers: int = 1,
    device: str = "cpu",
    skip_bad: int = 0,
    progress: bool = True,
) -> Outcome:
    """Find, follow and crop the faces of every clip that has a video, and write a corpus that refers to the crops.

    A killed run goes on where it stopped when it is started again: a finished clip is never done twice. The result
    does not depend on the number of workers.

    Args:
        directory: the corpus, which stays as it is.
        out: folder of the new corpus: ``corpus.yaml`` and split files with the same labels, other media where they
            lie, and the crops in ``faces/<clip>/00001.jpg`` … with ``faces/manifest.tsv``.
        settings: how.
        splits: which ones (default: all).
        labels: label spaces of the new corpus (default: all). Pictures have the rate of its traces.
        workers: processes, each with one thread.
        device: where the detector runs, as torch names it.
        skip_bad: clips that may go without picture because their video is broken.
        progress: show a bar.

    Raises:
        InputError: something asked for does not exist or fit; a video is broken (naming file and line); more than
            ``skip_bad`` are; the folder holds something else, or faces found otherwise.
    """
    settings.check()
    start = Start.load(directory, out, settings, splits, labels)
    sides = start.source.sides()
    tasks = [replace(task, side=sides.get(task.clip.id, "")) for task in start.tasks]
    with alone(start.folder):
        settle(start.folder, settings)
        outcome = Outcome(start.out, len(tasks))
        done = _all(Job(settings, device), tasks, workers, skip_bad, outcome, progress)
        tell(start.folder, tasks, done, settings, outcome)
        write_face_corpus(start.source, start.out, crops(tasks, done))
    return outcome


@dataclass(frozen=True)
class Start:
    """What a run works on.

    Attributes:
        source: the old corpus.
        out: folder of the new one.
        tasks: its clips with a video.
    """

    source: Source
    out: Path
    tasks: list[Task]

    @property
    def folder(self) -> Path:
        """Where the crops go."""
        return self.out / FOLDER

    @classmethod
    def load(
        cls,
        directory: str | Path,
        out: str | Path,
        settings: Settings,
        splits: Sequence[str] | None,
        labels: Sequence[str] | None,
    ) -> Start:
        """Find out what there is to do; arguments and errors as :func:`find_faces`."""
        source = Source.load(directory, splits, labels)
        target = check_out(out, source, FOLDER, PLAN)
        clips = source.with_video
        if not clips:
            raise InputError.of(
                where=source.corpus.directory,
                expected="clips with video as a medium",
                found="none",
                remedy="name a corpus that has some",
            )
        names = folder_names(clip.id for clip in clips)
        folders = [target / FOLDER / names[clip.id] for clip in clips]
        tasks = [task_of(clip, folder, source, settings) for clip, folder in zip(clips, folders)]
        return cls(source, target, tasks)


def task_of(clip: Clip, folder: Path, source: Source, settings: Settings) -> Task:
    """What a worker needs to know of a clip.

    Raises:
        InputError: a rate is asked for that its trace does not have.
    """
    trace_rate = source.trace_rate(clip)
    if settings.rate and trace_rate and abs(settings.rate - trace_rate) > 1e-6 * trace_rate:
        raise InputError.of(
            where=clip.where,
            expected=f"pictures at the rate of the clip's trace, {trace_rate:g} Hz: the column 'rate' is of both",
            found=f"--rate {settings.rate:g}",
            remedy="leave out --rate and --img-interval, or name the label spaces without traces with --labels",
        )
    rate = settings.rate or trace_rate or RATE
    return Task(clip, folder, rate, source.picture_rate(clip))


def _all(
    job: Job, tasks: Sequence[Task], workers: int, skip_bad: int, outcome: Outcome, progress: bool
) -> dict[str, list[Moment]]:
    """Clip id → its moments, of all clips that can be read."""
    done: dict[str, list[Moment]] = {}
    todo = []
    for task in tasks:
        moments = finished(task)
        if moments is None:
            todo.append(task)
        else:
            done[task.clip.id] = moments
    if done:
        logger.info("%d of %d clips are there already", len(done), len(tasks))
    do_clips(job, todo, workers, skip_bad, outcome, progress, about=FOLDER, done=len(done))
    for task in todo:
        moments = finished(task)
        if moments is not None:
            done[task.clip.id] = moments
    return done


def do_clips(
    job: Job,
    tasks: Sequence[Task],
    workers: int,
    skip_bad: int,
    outcome: Outcome,
    progress: bool,
    *,
    about: str,
    done: int = 0,
) -> None:
    """Do the clips behind a bar, of which ``done`` were there before, and count those that cannot be read.

    Raises:
        InputError: more than ``skip_bad`` cannot.
    """
    total = done + len(tasks)
    bar = tqdm(total=total, initial=done, unit="clip", desc=about, disable=None if progress else True)

    def report(index: int, fault: str) -> None:
        bar.update(1)
        if fault:
            outcome.skipped[tasks[index].clip.id] = fault
            logger.warning("left out: %s", fault)
            _check_skipped(outcome.skipped, skip_bad)

    with bar:
        if tasks:
            work_on(job, tasks, workers, report)


def crops(tasks: Sequence[Task], done: Mapping[str, list[Moment]]) -> dict[str, tuple[Path, float]]:
    """Clip id → folder of its pictures and their rate in Hz, of the clips that have some."""
    return {
        task.clip.id: (task.folder, task.rate)
        for task in tasks
        if any(moment.how != NONE for moment in done.get(task.clip.id, ()))
    }


def _check_skipped(skipped: dict[str, str], skip_bad: int) -> None:
    """Stop where more clips than allowed cannot be read.

    Raises:
        InputError: naming them.
    """
    if len(skipped) <= skip_bad:
        return
    if skip_bad == 0:
        raise InputError(next(iter(skipped.values())))
    listed = "\n  ".join(skipped.values())
    raise InputError.of(
        where="--skip-bad",
        expected=f"at most {skip_bad} clips whose video cannot be read",
        found=f"{len(skipped)}:\n  {listed}\n",
        remedy="repair them, or allow more",
    )


def tell(
    folder: Path, tasks: Sequence[Task], done: dict[str, list[Moment]], settings: Settings, outcome: Outcome
) -> None:
    """Write the manifest and the summary, and count."""
    detector = " ".join(filter(None, (settings.detector, settings.version)))
    lines = ["\t".join(COLUMNS)]
    for task in tasks:
        moments = done.get(task.clip.id)
        if moments is None:
            continue
        found = counts(moments)
        outcome.pictures.update(found)
        if not found["found"] and settings.detector != "centre":
            outcome.without.append(task.clip.id)
        begin = task.source["start"] or 0.0
        for moment in moments:
            seconds = (moment.number - 1) / task.rate
            box = [""] * 4 if moment.box is None else [f"{x:g}" for x in moment.box]
            score = "" if moment.score is None else f"{moment.score:g}"
            row = [task.clip.id, str(moment.number), f"{seconds:.3f}", f"{begin + seconds:.3f}", moment.how]
            lines.append("\t".join([*row, *box, score, str(moment.track or ""), detector]))
    replace_file(folder / MANIFEST, "\n".join(lines) + "\n")
    about = {
        "detector": settings.detector,
        "version": settings.version,
        "instead_of": settings.instead_of,
        "clips": outcome.clips,
        "pictures": dict(sorted(outcome.pictures.items())),
        "without_a_face": outcome.without,
        "not_readable": outcome.skipped,
    }
    replace_file(folder / SUMMARY, json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def told(outcome: Outcome) -> str:
    """The outcome in a few lines."""
    pictures = outcome.pictures
    total = sum(pictures.values())
    kinds = ", ".join(f"{pictures[kind]} {word}" for kind, word in _WORDS.items() if pictures[kind])
    lines = [
        f"{outcome.out / FILE}: {count(outcome.clips, 'clip')} with a video, {count(total, 'picture')}: {kinds}"
    ]
    if outcome.without:
        lines.append(f"no face found in {count(len(outcome.without), 'clip')}: {some(outcome.without)}")
    if outcome.skipped:
        lines.append(f"not readable: {len(outcome.skipped)}")
        lines += [f"  {clip_id}: {why}" for clip_id, why in outcome.skipped.items()]
    lines.append(f"boxes, tracks and scores: {outcome.out / FOLDER / MANIFEST}")
    return "\n".join(lines)


_WORDS = {
    "found": "with a face",
    "held": "with the box before (a gap)",
    "fallback": "of the middle",
    "none": "without a face",
}
