"""``mmer faces --speaker``: every clip of a corpus, then a corpus whose video is the speakers' faces."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from mmer_fairseq.corpus.faults import count
from mmer_fairseq.corpus.write import replace_file
from mmer_fairseq.faces.clip_faces import Moment, Task, finished
from mmer_fairseq.faces.detectors import DETECTORS
from mmer_fairseq.faces.new_corpus import write_face_corpus
from mmer_fairseq.faces.run import FOLDER, Outcome, Start, crops, do_clips, tell, told
from mmer_fairseq.faces.settings import Settings, alone, settle
from mmer_fairseq.faces.speaker.boxes import read_boxes
from mmer_fairseq.faces.speaker.clip import AnalysisJob, CropJob, kept, moments_of
from mmer_fairseq.faces.speaker.embed import embedder
from mmer_fairseq.faces.speaker.find import Analysis, Speaker
from mmer_fairseq.faces.speaker.match import Entry, Verdict, judge, load_gallery
from mmer_fairseq.faces.speaker.sheet import Line, write_sheets

#: Folder of the new corpus with what was found out about everybody, one file a clip.
ANALYSES = "speaker"
TABLE, UNSURE_TABLE = "speakers.tsv", "unsure.tsv"
COLUMNS = ("clip", "track", "identity", "confidence", "unsure", "reason")


@dataclass
class SpeakerOutcome(Outcome):
    """What was found.

    Attributes:
        verdicts: clip id → who speaks.
        sheets: pictures of all clips.
    """

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    sheets: list[Path] = field(default_factory=list)


def find_speakers(
    directory: str | Path,
    out: str | Path,
    settings: Settings,
    *,
    splits: Optional[Sequence[str]] = None,
    labels: Optional[Sequence[str]] = None,
    workers: int = 1,
    device: str = "cpu",
    skip_bad: int = 0,
    progress: bool = True,
) -> SpeakerOutcome:
    """Find the speaker of every clip that has a video, and write a corpus that refers to crops of the speaker's face.

    Arguments, the new corpus and going on after a kill: as :func:`~mmer_fairseq.faces.run.find_faces`. Beside its
    manifest, ``faces/`` holds ``speakers.tsv`` (clip, track, identity, confidence, unsure, reason), ``unsure.tsv``
    (those of it that somebody should look at, the least certain first) and ``contact-sheet.png``.

    Raises:
        InputError: as there; a boxes file, gallery or embedder that cannot be read.
    """
    settings.check()
    speaker = settings.speaker
    assert speaker is not None
    table = read_boxes(speaker.boxes) if speaker.boxes else None
    embed = embedder(speaker.embed, device)
    gallery = {}
    if speaker.gallery:
        detector = (
            None if table is not None else DETECTORS[settings.detector].build(settings.min_face, device)
        )
        gallery = load_gallery(speaker.gallery, detector, embed, settings.detect_size)
    start = Start.load(directory, out, settings, splits, labels)
    tasks, folder = start.tasks, start.folder
    with alone(folder):
        settle(folder, settings)
        outcome = SpeakerOutcome(start.out, len(tasks))
        files = {task.clip.id: f"{task.folder.name}.json" for task in tasks}
        job = AnalysisJob(settings, device, start.out / ANALYSES, files, table)
        analyses = _analyses(job, tasks, workers, skip_bad, outcome, progress)
        tasks = [task for task in tasks if task.clip.id in analyses]
        outcome.verdicts = _verdicts(tasks, analyses, embed.apart, settings, gallery)
        done = _crops(settings, tasks, analyses, outcome, workers, progress)
        tell(folder, tasks, done, settings, outcome)
        _tables(folder, tasks, outcome.verdicts)
        outcome.sheets = _sheets(folder, tasks, outcome.verdicts)
        write_face_corpus(start.source, start.out, crops(tasks, done))
    return outcome


def _analyses(
    job: AnalysisJob, tasks: Sequence[Task], workers: int, skip_bad: int, outcome: Outcome, progress: bool
) -> dict[str, Analysis]:
    """Clip id → what was found out, of all clips that can be read."""
    done = {}
    for again in (False, True):
        todo = []
        for task in tasks:
            analysis = kept(job.folder / job.names[task.clip.id], task)
            if analysis is not None:
                done[task.clip.id] = analysis
            elif task.clip.id not in outcome.skipped:
                todo.append(task)
        if not again:
            do_clips(job, todo, workers, skip_bad, outcome, progress, about="people")
    return done


def _verdicts(
    tasks: Sequence[Task],
    analyses: Mapping[str, Analysis],
    apart: float,
    settings: Settings,
    gallery: dict,
) -> dict[str, Verdict]:
    speaker = settings.speaker
    assert speaker is not None
    dialogues: dict[tuple[str, str], list[Entry]] = {}
    for task in tasks:
        clip = task.clip
        key = ("dialogue", clip.dialogue) if clip.dialogue else ("clip", clip.id)
        dialogues.setdefault(key, []).append(Entry(clip.id, clip.speaker, analyses[clip.id]))
    verdicts = {}
    for entries in dialogues.values():
        verdicts.update(
            judge(entries, apart=apart, cluster=speaker.cluster, gallery=gallery, unsure=speaker.unsure)
        )
    return verdicts


def _crops(
    settings: Settings,
    tasks: Sequence[Task],
    analyses: Mapping[str, Analysis],
    outcome: SpeakerOutcome,
    workers: int,
    progress: bool,
) -> dict[str, list[Moment]]:
    """Cut the chosen faces that are not there yet; clip id → its moments."""
    assert settings.speaker is not None
    wanted = {}
    for task in tasks:
        found = outcome.verdicts[task.clip.id].speaker
        best = settings.speaker.off_screen == "best"
        boxes, ids = (found.guess, found.guess_tracks) if best else (found.boxes, found.tracks)
        wanted[task.clip.id] = moments_of(task, boxes, analyses[task.clip.id], ids, found.confidence)
    job = CropJob(settings, "cpu", wanted)
    todo = [task for task in tasks if not _there(task, wanted[task.clip.id], settings)]
    do_clips(job, todo, workers, len(tasks), outcome, progress, about=FOLDER)
    return {task.clip.id: finished(task) or [] for task in tasks}


def _there(task: Task, wanted: Sequence[Moment], settings: Settings) -> bool:
    """Whether the folder of a clip holds just these crops."""
    there = finished(task)
    if there is None or len(there) != len(wanted):
        return False
    return all(
        (a.box, a.track, a.score) == (b.box, b.track, b.score)
        or (b.box is None and settings.fallback == "centre" and a.track == 0)
        for a, b in zip(there, wanted)
    )


def _row(clip_id: str, verdict: Verdict) -> list[str]:
    found = verdict.speaker
    return [
        clip_id,
        ",".join(map(str, found.tracks)),
        verdict.person,
        f"{found.confidence:.3f}",
        "yes" if found.unsure else "no",
        found.reason,
    ]


def _tables(folder: Path, tasks: Sequence[Task], verdicts: Mapping[str, Verdict]) -> None:
    rows = [_row(task.clip.id, verdicts[task.clip.id]) for task in tasks]
    unsure = sorted((row for row in rows if row[4] == "yes"), key=lambda row: float(row[3]))
    for name, some in ((TABLE, rows), (UNSURE_TABLE, unsure)):
        lines = ["\t".join(row) for row in [list(COLUMNS), *some]]
        replace_file(folder / name, "\n".join(lines) + "\n")


def _sheets(folder: Path, tasks: Sequence[Task], verdicts: Mapping[str, Verdict]) -> list[Path]:
    lines = []
    for task in tasks:
        found = verdicts[task.clip.id].speaker
        about = [
            f"{verdicts[task.clip.id].person or 'nobody'}, confidence {found.confidence:.2f}",
            found.reason,
        ]
        lines.append(Line(task.clip.id, task.folder, about, found.unsure))
    lines.sort(key=lambda line: not line.unsure)
    return write_sheets(folder, lines)


def told_speakers(outcome: SpeakerOutcome) -> str:
    """The outcome in a few lines."""
    speakers: list[Speaker] = [verdict.speaker for verdict in outcome.verdicts.values()]
    nobody = sum(found.reason == "off-screen" for found in speakers)
    unsure = sum(found.unsure for found in speakers)
    lines = [
        told(outcome),
        f"speaker off-screen in {count(nobody, 'clip')}, unsure of {count(unsure, 'clip')}: "
        f"{os.path.join(outcome.out, FOLDER, UNSURE_TABLE)}",
    ]
    if outcome.sheets:
        lines.append(f"to look at: {outcome.sheets[0]}")
    return "\n".join(lines)
