"""Identities over the clips of a dialogue, and who of them the corpus or a gallery of known people says is speaking."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.clip_faces import detect
from mmer_fairseq.faces.detectors import Detector
from mmer_fairseq.faces.speaker.cluster import identities
from mmer_fairseq.faces.speaker.embed import Embedder
from mmer_fairseq.faces.speaker.find import Analysis, Speaker, decide
from mmer_fairseq.faces.speaker.lips import LARGE, square

# How much more likely, as a log, the person is who the gallery says is the speaker of the clip.
_NAMED = 3.0

# Votes of other clips count at most so much, and this many are taken to have been cast for each person at the start.
_MOST, _START = 2.5, 0.5

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


@dataclass(frozen=True)
class Entry:
    """A clip of a dialogue.

    Attributes:
        id: of the clip.
        speaker: as the corpus says ('': it does not).
        analysis: of the clip.
    """

    id: str
    speaker: str
    analysis: Analysis


@dataclass(frozen=True)
class Verdict:
    """Who speaks in a clip.

    Attributes:
        speaker: the choice.
        person: name from the gallery, or ``person 1`` … of the dialogue; '' where nobody was chosen.
    """

    speaker: Speaker
    person: str


def load_gallery(
    folder: str | Path, detector: Detector | None, embed: Embedder, shorter: int
) -> dict[str, np.ndarray]:
    """Read pictures of known people.

    Args:
        folder: one folder a person, named as in the corpus's column ``speaker``, with one picture or more.
        detector: finds the face, the largest of a picture; where it finds none, the whole picture is taken.
        embed: makes the vectors.
        shorter: pixels of the shorter side that the detector gets, at most.

    Returns:
        Name → float32 [D], of length 1.

    Raises:
        InputError: no such folder, nobody in it, or a picture that cannot be read.
    """
    from PIL import Image

    people: dict[str, np.ndarray] = {}
    root = Path(folder)
    for place in sorted(root.iterdir()) if root.is_dir() else []:
        vectors = []
        files = sorted(place.iterdir()) if place.is_dir() else []
        for file in (each for each in files if each.suffix.lower() in _PICTURES):
            try:
                with Image.open(file) as opened:
                    picture = np.asarray(opened.convert("RGB"))
            except (OSError, ValueError) as error:
                raise InputError.of(
                    where=file,
                    expected="a picture",
                    found=str(error),
                    remedy="remove it, or convert it again",
                ) from error
            faces = detect([picture], detector, shorter)[0] if detector is not None else []
            boxes = [face.box for face in faces] or [
                (0.0, 0.0, float(picture.shape[1]), float(picture.shape[0]))
            ]
            box = max(boxes, key=lambda b: (b[2] - b[0]) * (b[3] - b[1]))
            vectors.append(embed(square(Image.fromarray(picture), box, LARGE)[None]))
        if vectors:
            mean = np.mean(vectors, axis=0)
            people[place.name] = (mean / (np.linalg.norm(mean) + 1e-9)).astype(np.float32)
    if not people:
        raise InputError.of(
            where=f"--gallery {folder}",
            expected="one folder a person, with pictures of the face",
            found="no picture in any" if root.is_dir() else "no such folder",
            remedy="correct the path",
        )
    return people


def names_of(
    vectors: Mapping[int, np.ndarray], gallery: Mapping[str, np.ndarray], apart: float
) -> dict[int, str]:
    """Identity → who of the gallery it is, the nearest pairs first, each name once; strangers have none."""
    from scipy.optimize import linear_sum_assignment

    if not vectors or not gallery:
        return {}
    people, names = list(vectors), list(gallery)
    distance = 1.0 - np.stack([vectors[p] for p in people]) @ np.stack([gallery[n] for n in names]).T
    rows, columns = linear_sum_assignment(np.minimum(distance, apart))
    return {people[r]: names[c] for r, c in zip(rows, columns) if distance[r, c] < apart}


def judge(
    entries: Sequence[Entry],
    *,
    apart: float,
    cluster: str = "agglomerative",
    gallery: Mapping[str, np.ndarray] | None = None,
    unsure: float = 0.8,
) -> dict[str, Verdict]:
    """Choose the speaker of every clip of one dialogue.

    Args:
        entries: its clips; one clip, where it is alone.
        apart: see :func:`~mmer_fairseq.faces.speaker.cluster.identities`.
        cluster: how.
        gallery: of :func:`load_gallery`.
        unsure: least confidence of a clip that is not unsure.

    Returns:
        Clip id → verdict. Where the corpus names the speakers, the clips of one speaker vote for the identity that
        is this speaker (a clip never for itself), and the gallery says so where it knows the name.
    """
    members = [member for entry in entries for member in entry.analysis.members(entry.id)]
    numbers = iter(identities(members, apart, cluster))
    who = {entry.id: [next(numbers) for _ in entry.analysis.tracks] for entry in entries}
    vectors: dict[int, list[np.ndarray]] = defaultdict(list)
    for entry in entries:
        for identity, vector in zip(who[entry.id], entry.analysis.vectors):
            vectors[identity].append(vector)
    means = {i: np.mean(some, axis=0) for i, some in vectors.items()}
    means = {i: mean / (np.linalg.norm(mean) + 1e-9) for i, mean in means.items()}
    names = names_of(means, gallery or {}, apart)
    alone = {entry.id: decide(entry.analysis, who[entry.id], unsure=unsure) for entry in entries}
    result = {}
    for entry in entries:
        known = _votes(entry, entries, alone, set(who[entry.id]))
        for identity in set(who[entry.id]):
            if entry.speaker and entry.speaker in (gallery or {}):
                right = names.get(identity) == entry.speaker
                known[identity] = known.get(identity, 0.0) + (_NAMED if right else 0.0)
        found = (
            decide(entry.analysis, who[entry.id], unsure=unsure, known=known) if known else alone[entry.id]
        )
        person = names.get(found.identity, f"person {found.identity}") if found.identity else ""
        other = entry.speaker in (gallery or {}) and found.identity and person != entry.speaker
        if other and not found.unsure:
            found.unsure, found.reason = True, "gallery disagrees"
        result[entry.id] = Verdict(found, person)
    return result


def _votes(
    entry: Entry, entries: Sequence[Entry], alone: Mapping[str, Speaker], here: set[int]
) -> dict[int, float]:
    """Identity of a clip → log of how much likelier the dialogue's other clips make it than an even chance."""
    votes: dict[int, float] = defaultdict(float)
    for other in entries:
        if other.id != entry.id and other.speaker == entry.speaker != "" and alone[other.id].identity:
            votes[alone[other.id].identity] += alone[other.id].confidence
    total = sum(votes.values())
    if total < 1.0:
        return {}
    even = math.log((total + _START * len(here)) / max(len(here), 1))
    return {i: float(np.clip(math.log(votes[i] + _START) - even, -_MOST, _MOST)) for i in here}
