"""The films of ``compose.py``, as one fixture."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

_SPEC = importlib.util.spec_from_file_location("speaker_compose", Path(__file__).with_name("compose.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
_compose = importlib.util.module_from_spec(_SPEC)
sys.modules["speaker_compose"] = _compose  # dataclasses look their module up
_SPEC.loader.exec_module(_compose)


def given(scene, every: int = 5) -> dict:
    """Boxes of the people in some pictures, a pixel off and in no order, as a detector gives them."""
    rng = np.random.default_rng(0)
    return {
        k: [tuple(np.array(box) + rng.normal(0, 1.0, 4)) for box in scene.boxes[k].values()]
        for k in range(0, len(scene.times), every)
    }


def right(scene, found) -> bool:
    """Whether the boxes are the speaker's in nine pictures of ten; nobody's, if the speaker is off-screen."""
    if scene.speaker is None:
        return found.identity == 0
    good = 0
    for truth, box in zip(scene.boxes, found.boxes):
        x0, y0, x1, y1 = truth[scene.speaker]
        good += bool(x0 < (box[0] + box[2]) / 2 < x1 and y0 < (box[1] + box[3]) / 2 < y1)
    return good >= 0.9 * len(scene.boxes)


class Kit:
    """What the tests of this folder share."""

    rate = _compose.RATE
    compose = staticmethod(_compose.compose)
    draw = staticmethod(_compose.draw)
    look = staticmethod(_compose.look)
    given = staticmethod(given)
    right = staticmethod(right)


@pytest.fixture(scope="session")
def films() -> Kit:
    return Kit()
