"""The sound of a whole file, block by block; what cannot be decoded is passed over and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.medium import open_medium
from mmer_fairseq.media.sound_sources import Block, file_blocks, read_tensor, tensor_blocks, track_blocks
from mmer_fairseq.media.stopping import check
from mmer_fairseq.media.wholeness import examine

#: Seconds that are passed over where sound cannot be decoded; after so many times in a row twice as many each time.
STEP = 1.0
PATIENCE = 10
#: Sound is handed on in pieces of so many samples at most.
_PIECE = 1 << 15

#: Told of a stretch, in seconds, that cannot be read, and why.
Hole = Callable[[float, float, InputError], None]


def sound_blocks(path: str, seconds: float, hole: Hole) -> Iterator[Block]:
    """Decode the sound of a file.

    Args:
        path: of a sound or a video.
        seconds: how long it is.
        hole: told of each stretch that cannot be read; silence stands for it.

    Yields:
        (rate in Hz, float32 [samples]), without a gap.
    """
    begin, step, failures = 0.0, STEP, 0
    rate = 16000
    while begin < seconds:
        reached = begin
        try:
            for rate, block in _from(path, begin):
                for at in range(0, len(block), _PIECE):
                    check()
                    yield rate, block[at : at + _PIECE]
                reached += len(block) / rate
            return
        except InputError as error:
            failures = 1 if reached > begin else failures + 1
            step = STEP * 2.0 ** max(0, failures - PATIENCE)
            begin = reached + step
            hole(reached, min(begin, seconds), error)
            for _ in range(round(step)):
                check()
                yield rate, np.zeros(rate, dtype=np.float32)


def _from(path: str, begin: float) -> Iterator[Block]:
    start = begin or None
    if path.lower().endswith(".pt"):
        read_tensor(path)
        yield from tensor_blocks(path, start, None, None)
    elif examine(path).medium == "sound":
        yield from file_blocks(path, path, start, None)
    else:
        with open_medium(path) as medium:
            yield from track_blocks(medium, start, None)
