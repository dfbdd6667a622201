"""One clip of a corpus: what every later step knows about it before any medium is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Tuple, Union

MODALITIES = ("text", "audio", "video", "physio")

# What a split file can say of a clip besides its labels.
CLIP_COLUMNS = ("id", *MODALITIES, "start", "end", "speaker", "dialogue", "turn", "rate")

STORE_PREFIX = "store:"

Label = Union[int, Tuple[float, ...], str]


@dataclass(frozen=True)
class Clip:
    """A row of a split.

    Attributes:
        id: unique in the whole corpus.
        media: modality → absolute path of its file, the words of a transcript, or ``store:NAME[,NAME…]``
            where the modality exists only as stored features. A modality that is not a key is missing.
        text_is_path: ``media["text"]`` names a file.
        start: seconds into the medium where the clip begins (None: its beginning).
        end: seconds into the medium where the clip ends (None: its end).
        speaker: '' where the corpus does not say.
        dialogue: '' where the corpus does not say.
        turn: position in the dialogue, an integer written as text; '' where the corpus does not say.
        label: class index; one float per name (multilabel, score); path of the trace file (trace).
        where: ``path:line`` of the row, for messages.
        split: name of the split.
        rate: steps a second, in Hz, of this clip's trace and of the numbered pictures that are its video
            (None: as the label space says; see ``LabelSpace.rate_of`` and ``RawOptions.picture_rate``).
        own_pictures: a folder of numbered pictures holds this clip alone and counts from its beginning (see
            :attr:`picture_span`).
    """

    id: str
    media: Mapping[str, str]
    text_is_path: bool
    start: float | None
    end: float | None
    speaker: str
    dialogue: str
    turn: str
    label: Label
    where: str
    split: str
    rate: float | None = None
    own_pictures: bool = False

    @property
    def picture_span(self) -> tuple[float | None, float | None]:
        """``start`` and ``end`` as they crop a folder of numbered pictures: (None, None) where it is the clip."""
        return (None, None) if self.own_pictures else (self.start, self.end)

    def has(self, modality: str) -> bool:
        """Whether the clip has this modality, as a file, as words or in a store."""
        return modality in self.media

    def stores(self, modality: str) -> tuple[str, ...]:
        """Names of the stores that are the only source of this modality ('()' where there is a medium)."""
        cell = self.media.get(modality, "")
        if not cell.startswith(STORE_PREFIX) or (modality == "text" and len(cell.split()) > 1):
            return ()
        return tuple(name for name in cell[len(STORE_PREFIX) :].split(",") if name)
