"""What an extraction is about to do, fixed on disk before it starts: a killed one can be gone on with."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmer_fairseq.corpus import Clip
from mmer_fairseq.corpus.lock import locked
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.index import INDEX, PLAN, Made, shard_name, write_json
from mmer_fairseq.features.write import SHARD_CLIPS


@dataclass(frozen=True)
class Plan:
    """Shard k holds clips k·SHARD_CLIPS … of a fixed list, encoded in fixed batches, whoever does it.

    Attributes:
        folder: of the store.
        made: what the store will hold.
        clips: always in the same order.
        batch_size: clips encoded together.
        root: folder of the corpus; media inside it may move with it.
        shard_clips: clips of a shard.
        steps: of each clip's trace, where there is to be one vector for each of them.
    """

    folder: Path
    made: Made
    clips: Sequence[Clip]
    batch_size: int
    root: Path
    shard_clips: int = SHARD_CLIPS
    steps: Mapping[str, int] | None = None

    @property
    def shards(self) -> list[list[Clip]]:
        """The clips of each shard."""
        size = self.shard_clips
        return [list(self.clips[at : at + size]) for at in range(0, len(self.clips), size)]

    def description(self) -> dict[str, Any]:
        """What must be the same for going on to make sense, as plain JSON."""
        digest = hashlib.sha256()
        for clip in self.clips:
            cell = clip.media[self.made.modality]
            if os.path.isabs(cell):
                cell = os.path.relpath(cell, self.root)
            row: list[Any] = [clip.id, cell, clip.start, clip.end]
            if self.steps is not None:
                row += [clip.rate, self.steps[clip.id]]
            digest.update(json.dumps(row).encode())
        about = {
            "clips": f"{len(self.clips)} clips, list {digest.hexdigest()[:12]}",
            "batch_size": self.batch_size,
        }
        about["shard_clips"] = self.shard_clips
        content = {**asdict(self.made), **about}
        return dict(json.loads(json.dumps(content)))

    def settle(self) -> None:
        """Write the plan, or find that the one on disk is the same.

        Raises:
            InputError: the folder holds something else, or an extraction with other settings.
        """
        file, asked = self.folder / PLAN, self.description()
        if not file.is_file():
            others = [name for name in os.listdir(self.folder) if not name.startswith(".")]
            if others:
                raise InputError.of(
                    where=self.folder,
                    expected="an empty folder, or a store that mmer extract began",
                    found="a store made otherwise" if INDEX in others else f"{sorted(others)[:3]}",
                    remedy="choose another --name, or remove the folder",
                )
            write_json(file, asked)
            return
        try:
            there = json.loads(file.read_text(encoding="utf-8"))
            differ = {key: there.get(key) for key in asked if there.get(key) != asked[key]}
        except (OSError, ValueError, AttributeError) as error:
            raise InputError.of(
                where=file,
                expected="the plan of an extraction",
                found=f"a damaged file ({error})",
                remedy=f"remove the folder {self.folder} and run mmer extract again",
            ) from error
        if differ:
            raise InputError.of(
                where=self.folder,
                expected="a store made with " + ", ".join(f"{key} {asked[key]!r}" for key in differ),
                found="one made with " + ", ".join(f"{key} {value!r}" for key, value in differ.items()),
                remedy="choose another --name, ask for what is there, or remove the folder to start again",
            )

    def clear_partial(self) -> None:
        """Remove what killed processes left half-written. Only for who holds :func:`alone`."""
        for entry in os.listdir(self.folder):
            if entry.startswith((f".{shard_name(0)[:6]}", f".{PLAN}", f".{INDEX}")):
                (self.folder / entry).unlink(missing_ok=True)


def alone(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Let one extraction at a time work on a store.

    Raises:
        InputError: another one is running, or the folder cannot be written.
    """
    return locked(folder, other="extraction into this store", instead="choose another --name")
