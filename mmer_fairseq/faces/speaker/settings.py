"""How the speaker of a clip is found, as flags say it and as it is kept on disk."""

from __future__ import annotations

from dataclasses import dataclass

from mmer_fairseq.errors import InputError

TRACKERS = ("hungarian", "greedy")
LIPS = ("shape", "motion")
CLUSTERS = ("agglomerative", "none")
OFF_SCREEN = ("none", "best")

#: Pictures a second in which lips are read, in Hz, or the nearest multiple of the crops' rate.
LIP_RATE = 25.0


@dataclass(frozen=True)
class SpeakerSettings:
    """All that decides who is taken for the speaker.

    Attributes:
        helper: ``blobs``: drawn faces are found as well; ``none``.
        boxes: file of boxes in place of a detector ('': none).
        tracker: joins faces to tracks: ``hungarian`` or ``greedy``.
        lips: what of a mouth is compared with the voice: ``shape`` or ``motion``.
        embed: what tells people apart: ``centre`` or ``facenet:PATH``.
        cluster: tracks to people: ``agglomerative``, within a clip and over the clips of a dialogue, or ``none``.
        gallery: folder of known people ('': none).
        unsure: confidence below which a clip is listed, 0 … 1.
        off_screen: where nobody's mouth agrees: ``none`` (no picture) or ``best`` (the best guess, as FacialMMT does).
        looks: pictures a second that the detector gets, in Hz.
    """

    helper: str = "none"
    boxes: str = ""
    tracker: str = TRACKERS[0]
    lips: str = LIPS[0]
    embed: str = "centre"
    cluster: str = CLUSTERS[0]
    gallery: str = ""
    unsure: float = 0.8
    off_screen: str = OFF_SCREEN[0]
    looks: float = 5.0

    def check(self) -> None:
        """Refuse what cannot be done.

        Raises:
            InputError: naming the flag.
        """
        words = (
            ("--tracker", self.tracker, TRACKERS),
            ("--lips", self.lips, LIPS),
            ("--cluster", self.cluster, CLUSTERS),
            ("--off-screen", self.off_screen, OFF_SCREEN),
        )
        for flag, word, known in words:
            if word not in known:
                raise InputError.of(
                    where=flag, expected=" or ".join(known), found=repr(word), remedy="write one of them"
                )
        if not 0 <= self.unsure <= 1:
            raise InputError.of(
                where="--unsure",
                expected="a probability from 0 to 1",
                found=f"{self.unsure:g}",
                remedy="correct it",
            )
        if not 0 < self.looks <= 100:
            raise InputError.of(
                where="--looks",
                expected="above 0 and up to 100 pictures a second",
                found=f"{self.looks:g}",
                remedy="correct it",
            )
