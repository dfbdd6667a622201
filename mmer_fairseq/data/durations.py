"""How long each clip's media are, from their headers, remembered beside the corpus between runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from mmer_fairseq.corpus import Clip
from mmer_fairseq.corpus.streams import RawOptions
from mmer_fairseq.data.sources import JoinedSource, RawSource, StoredSource
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.picture_folder import is_picture

#: Speaking rate by which a text counts as a duration: about 200 words a minute.
SECONDS_A_WORD = 0.3
#: Clips from which on a progress bar is worth its lines.
MANY = 500


class Durations:
    """Seconds of a clip's medium; headers are read once and kept in ``.mmer/durations.json`` of the corpus.

    The file is a cache: entries carry size and modification time of the medium, a broken or unwritable file only
    costs the time to read the headers again.
    """

    def __init__(self, directory: str | Path) -> None:
        self.path = Path(directory) / ".mmer" / "durations.json"
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = {}
        self._seconds: dict[str, float] = kept if isinstance(kept, dict) else {}
        self._changed = False

    def __call__(self, source: RawSource | StoredSource | JoinedSource, clip: Clip) -> float:
        """Seconds of this modality of this clip (0 where the source does not need them)."""
        if not isinstance(source, RawSource) or source.modality == "text":
            return 0.0
        medium = clip.media[source.modality]
        if source.modality == "video" and is_picture(medium):  # a corpus may have a million of them
            return source.seconds(clip)
        try:
            stat = os.stat(medium)
        except OSError:
            return source.seconds(clip)  # says what is wrong with the medium
        rate = source.options.picture_rate if os.path.isdir(medium) else ""  # a folder of numbered pictures
        key = f"{source.modality}|{medium}|{clip.start}|{clip.end}|{stat.st_size}|{stat.st_mtime_ns}|{rate}"
        if key not in self._seconds:
            self._seconds[key] = source.seconds(clip)
            self._changed = True
        return self._seconds[key]

    def of_clip(self, source: RawSource | StoredSource | JoinedSource, clip: Clip, steps: int) -> float:
        """How long this modality of this clip lasts, in seconds, for putting clips of similar length together.

        The medium decides where there is one, also when its stored features are read: so both ways of training
        see the clips in the same order.

        Args:
            source: what is read.
            clip: has the modality.
            steps: that the source gives.
        """
        medium = clip.media.get(source.modality)
        if medium and not clip.stores(source.modality):
            if source.modality == "text":
                return SECONDS_A_WORD * len(medium.split())
            try:
                options = source.options if isinstance(source, RawSource) else RawOptions()
                return self(RawSource(source.modality, options), clip)
            except InputError:
                pass  # features whose medium is gone or broken; reading a medium itself says what is wrong
        stored = source.parts[0] if isinstance(source, JoinedSource) else source
        rate = stored.store.rate if isinstance(stored, StoredSource) else 0.0
        return steps / rate if rate else SECONDS_A_WORD * steps

    def save(self) -> None:
        """Write what was learnt, if the corpus folder can be written to."""
        if not self._changed:
            return
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(exist_ok=True)
            partial.write_text(json.dumps(self._seconds), encoding="utf-8")
            os.replace(partial, self.path)
        except OSError:
            return  # a read-only corpus is no fault
        self._changed = False


def with_progress(clips: Iterable[Clip], total: int, what: str) -> Iterable[Clip]:
    """A progress bar over clips, silent for few of them."""
    return tqdm(clips, total=total, desc=what, unit="clip", disable=total < MANY or None, leave=False)
