"""Who of the people in a clip speaks: pictures and sound in, one face sequence out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmer_fairseq.faces.detectors import Detector
from mmer_fairseq.faces.speaker.cluster import Member, identities
from mmer_fairseq.faces.speaker.embed import Centre, Embedder
from mmer_fairseq.faces.speaker.lips import Cutter, read_lips
from mmer_fairseq.faces.speaker.look import Boxes, given, look_for
from mmer_fairseq.faces.speaker.score import NOBODY, Evidence, agreement, chances
from mmer_fairseq.faces.speaker.tracks import Track, find_cuts, follow_all
from mmer_fairseq.faces.speaker.voice import heard_share, loudness

#: Clips with less confidence are listed as unsure.
UNSURE = 0.8

# Of what a face showed in one shot, so much counts for the same person in the other shots.
_ELSEWHERE = 0.6

# A shot shorter than so many seconds cannot show much: less is asked of a face to be the speaker's in it.
_ENOUGH = 2.0

# Evidence that one mouth moves much and another does not, where there is no voice to compare them with.
_LIVELY = 1.5


@dataclass
class Analysis:
    """All that was found out about a clip, before anybody is chosen.

    Attributes:
        count: pictures.
        cuts: first pictures of the shots but the first one.
        tracks: of all faces.
        evidence: of each track.
        vectors: float32 [D] of each track.
        heard: share of the time with a voice; 0: silence, or no sound.
        sound: whether there was any sound.
    """

    count: int
    cuts: list[int]
    tracks: list[Track]
    evidence: list[Evidence]
    vectors: list[np.ndarray]
    heard: float
    sound: bool

    def members(self, clip: str = "") -> list[Member]:
        """The tracks as :func:`~mmer_fairseq.faces.speaker.cluster.identities` takes them."""
        return [
            Member(vector, (clip, track.shot), track.first, track.last)
            for track, vector in zip(self.tracks, self.vectors)
        ]


@dataclass
class Speaker:
    """The speaker of a clip.

    Attributes:
        boxes: float64 [T, 4], (x0, y0, x1, y1) in pixels; NaN where the speaker is not in the picture.
        tracks: ids of the chosen tracks, at most one a shot.
        identity: of the speaker among the clip's people, from 1; 0: nobody in the picture.
        confidence: probability that the choice is right, 0 … 1, as far as drawn films tell.
        unsure: whether somebody should look at it.
        reason: why it is unsure ('': it is not): ``off-screen``, ``no face``, ``no sound``, ``no voice``, ``two mouths
            agree``, ``weak agreement``.
        people: identity → probability that it speaks; 0: nobody in the picture.
        guess: boxes of the most likely face, as ``boxes``, where the speaker seems to be off-screen; else ``boxes``.
    """

    boxes: np.ndarray
    tracks: list[int]
    identity: int
    confidence: float
    unsure: bool
    reason: str
    people: dict[int, float] = field(default_factory=dict)
    guess: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    guess_tracks: list[int] = field(default_factory=list)


def analyse(
    frames: Iterable[np.ndarray],
    times: np.ndarray,
    *,
    wave: np.ndarray | None,
    rate: int = 16000,
    boxes: Mapping[int, Boxes] | Sequence[Boxes] | None = None,
    detector: Detector | None = None,
    helper: Detector | None = None,
    embed: Embedder | None = None,
    lips: str = "shape",
    tracker: str = "hungarian",
    looks: float = 5.0,
    shorter: int = 360,
) -> Analysis:
    """Find everybody in a clip, and how each mouth agrees with the voice.

    Args:
        frames: T pictures, uint8 [H, W, 3], RGB; an array, a list, or anything that can be gone through several times.
            Some 25 a second show how a mouth moves; fewer than 12 do not.
        times: seconds of each from the beginning of the clip, float [T], evenly spaced.
        wave: the sound from the beginning of the clip, float [samples], one channel; None: there is none, and the
            liveliest mouth is taken, always unsure.
        rate: of the sound, in Hz.
        boxes: of each picture, or index of a picture → boxes (x0, y0, x1, y1) in pixels, in any order; in their place:
        detector: finds the faces of some pictures (see ``mmer_fairseq.faces.detectors``).
        helper: a second detector, for faces that the first does not know.
        embed: vectors that tell people apart (default: the plain one, :class:`Centre`).
        lips: ``shape`` or ``motion``: what of the mouth is compared with the voice.
        tracker: ``hungarian`` or ``greedy``.
        looks: pictures a second that the detector gets.
        shorter: pixels of the shorter side of what the detector gets, at most.

    Raises:
        ValueError: neither boxes nor a detector, or another number of times than pictures.
    """
    times = np.asarray(times, dtype=np.float64)
    cuts, count = find_cuts(frames)
    if count != len(times):
        raise ValueError(f"{count} pictures, {len(times)} times")
    if boxes is not None:
        faces = {index: some for index, some in given(boxes).items() if 0 <= index < count}
        tracks = follow_all(faces, cuts, count, how=tracker)
    elif detector is not None:
        fps = 1.0 / float(np.median(np.diff(times))) if count > 1 else 1.0
        step = max(1, round(fps / looks))
        tracks = look_for(
            frames, cuts, count, detector, step=step, helper=helper, shorter=shorter, tracker=tracker
        )
    else:
        raise ValueError("neither boxes nor a detector")
    cutter = Cutter(tracks)
    if tracks:
        cutter.take(frames)
    sound = wave is not None and len(wave) > 0
    seconds, loud = loudness(np.zeros(1) if wave is None or not sound else wave, rate)
    heard = heard_share(loud) if sound else 0.0
    embed = embed or Centre()
    evidence, vectors = [], []
    for track in tracks:
        crops = cutter.faces(track)
        mouth = read_lips(track, crops)
        if heard:
            evidence.append(agreement(mouth, seconds, loud, times, method=lips))
        else:
            value = float(_LIVELY * np.log(max(mouth.activity, 0.1)))
            evidence.append(Evidence(track.id, value, 0.0, 0.0, 0.0, mouth.activity))
        vectors.append(embed(cutter.large(track)))
    return Analysis(count, cuts, tracks, evidence, vectors, heard, sound)


def decide(
    analysis: Analysis,
    who: Sequence[int],
    *,
    unsure: float = UNSURE,
    known: Mapping[int, float] | None = None,
) -> Speaker:
    """Choose one face a shot.

    Args:
        analysis: of a clip.
        who: identity of each of its tracks.
        unsure: least confidence of a clip that is not listed.
        known: identity → log of how much more likely it is to speak than another one, from other clips or a gallery.
    """
    count, tracks = analysis.count, analysis.tracks
    empty = np.full((count, 4), np.nan)
    if not tracks:
        return Speaker(empty, [], 0, 0.0, True, "no face", {0: 1.0}, empty)
    own = np.array([max(e.value, -2.0) for e in analysis.evidence])
    prior = np.array([(known or {}).get(identity, 0.0) for identity in who])
    people = np.array(who)
    edges = [0, *analysis.cuts, count]
    step = 1.0 / 25
    total, confidence, chosen, guessed = 0.0, 0.0, [], []
    close = False
    belief: dict[int, float] = {}
    for shot in range(len(edges) - 1):
        here = [k for k, track in enumerate(tracks) if track.shot == shot]
        length = edges[shot + 1] - edges[shot]
        if not here:
            continue
        values = [own[k] + _ELSEWHERE * (own[people == people[k]].sum() - own[k]) + prior[k] for k in here]
        nobody = NOBODY * float(np.clip(length * step / _ENOUGH, 0.5, 1.0)) if analysis.heard else -1.0
        share = chances(values, nobody)
        best = int(np.argmax(values))
        total += length
        for k, probability in zip([*[int(people[k]) for k in here], 0], share):
            belief[k] = belief.get(k, 0.0) + float(probability) * length
        guessed.append(here[best])
        if values[best] > nobody:
            chosen.append(here[best])
            confidence += float(share[best]) * length
            rivals = sorted(share[:-1])
            close |= len(rivals) > 1 and rivals[-2] > share[-1]
        else:
            confidence += float(share[-1]) * length
    confidence /= total
    people_now = {identity: value / total for identity, value in sorted(belief.items())}
    guess = _boxes(tracks, guessed, count)
    ids = [tracks[k].id for k in guessed]
    if not chosen:
        return Speaker(empty, [], 0, confidence, True, "off-screen", people_now, guess, ids)
    identity = max(sorted({who[k] for k in chosen}), key=lambda i: people_now[i])
    reason = ""
    if not analysis.heard:
        confidence = min(confidence, 0.5 * unsure)
        reason = "no voice" if analysis.sound else "no sound"
    elif confidence < unsure:
        reason = "two mouths agree" if close else "weak agreement"
    result = _boxes(tracks, chosen, count)
    ids = [tracks[k].id for k in chosen]
    return Speaker(result, ids, identity, confidence, bool(reason), reason, people_now, result, ids)


def _boxes(tracks: Sequence[Track], chosen: Sequence[int], count: int) -> np.ndarray:
    boxes = np.full((count, 4), np.nan)
    for k in chosen:
        boxes[tracks[k].first : tracks[k].last + 1] = tracks[k].boxes
    return boxes


def find_speaker(
    frames: Iterable[np.ndarray],
    times: np.ndarray,
    *,
    embed: Embedder | None = None,
    cluster: str = "agglomerative",
    unsure: float = UNSURE,
    **how: Any,
) -> Speaker:
    """Whose mouth moves with the voice.

    Args:
        frames: as :func:`analyse`, and so are ``times``, ``embed`` and the arguments in ``how``, of which ``wave`` is
            needed, and one of ``boxes`` and ``detector``.
        cluster: ``agglomerative`` or ``none``: whether a person is the same before and after a cut.
        unsure: least confidence of a clip that is not unsure.

    Raises:
        ValueError: neither boxes nor a detector, or another number of times than pictures.

    Example: ``find_speaker(frames, np.arange(len(frames)) / 25, wave=wave, boxes=boxes).boxes[0]`` is the speaker's
    box in the first picture.
    """
    embed = embed or Centre()
    analysis = analyse(frames, times, embed=embed, **how)
    return decide(analysis, identities(analysis.members(), embed.apart, cluster), unsure=unsure)
