"""The clips of a run, done in this process or in several."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.clip_faces import Task, find, save
from mmer_fairseq.faces.detectors import DETECTORS, Detector
from mmer_fairseq.faces.settings import Settings
from mmer_fairseq.workers import Report as News
from mmer_fairseq.workers import start_method, work

#: Called with (index of the task, '' or why its video cannot be read).
Report = Callable[[int, str], None]


@dataclass(frozen=True)
class Job:
    """What all workers need to know."""

    settings: Settings
    device: str = "cpu"

    def detector(self) -> Detector:
        return DETECTORS[self.settings.detector].build(self.settings.min_face, self.device)

    def begin(self) -> Callable[[Task], str]:
        """What a worker does with each clip: called once in its process; '' or why the video cannot be read."""
        detector = self.detector()
        return lambda task: do(self, task, detector)


def do(job: Job, task: Task, detector: Detector) -> str:
    """Find and save the faces of a clip; why its video cannot be read, or ''."""
    try:
        moments, crops = find(task, job.settings, detector)
    except InputError as error:
        return str(error)
    save(task, moments, crops)
    return ""


def work_on(job: Job, tasks: Sequence[Task], workers: int, report: Report) -> None:
    """Do the clips: in this process, or in several that each take the next one.

    Raises:
        InputError: a worker cannot write or have the detector, or died.
    """
    work(
        functools.partial(_begin, job, tasks),
        range(len(tasks)),
        min(workers, len(tasks)),
        lambda _, done: report(*done),
        method=start_method(job.device),
        where="mmer faces",
    )


def _begin(job: Job, tasks: Sequence[Task], news: News) -> Callable[[int], None]:
    each = job.begin()
    return lambda index: news("clip", (index, each(tasks[index])))
