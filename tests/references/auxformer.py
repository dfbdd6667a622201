"""References of AuxFormer: JSON, "<v1|v2> <condition>; audio=x(shape,k) video=x(shape,k)" → three logits [B, C].

Weights and inputs are not stored: they follow from names and shapes (:mod:`references.fill`). The condition may
change inputs ("padded: audio[1,15:]=0 …", "audio zeroed") and, as words ``key=value``, sizes: heads, layers, classes,
causal.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from references.case import Case
from references.fill import fill, inputs
from torch import Tensor

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "benchmarks")]

from plain_auxformer import PlainAuxFormer  # noqa: E402

from mmer_fairseq.checkpoints.auxformer import network_of, sizes_of, to_network  # noqa: E402
from mmer_fairseq.errors import InputError  # noqa: E402

OUTPUTS = ("main", "audio", "video")
WIDTHS = {"v1": 130, "v2": 50}
_NAME = re.compile(r"(v[12]) (.*)")
_INPUT = re.compile(r"(audio|video)=x\(\(([\d,]+)\),(\d+)\)")
_BLANK = re.compile(r"(audio|video)\[(\d+),(\d+):\]=0")
_SIZE = re.compile(r"\b(heads|layers|classes|causal)=(\d+)")


def accepts(path: Path) -> bool:
    """Whether this file is meant for AuxFormer."""
    return path.suffix == ".json" and path.name.startswith("auxformer")


def cases(path: Path) -> Iterator[Case]:
    """Run each case of the file.

    Raises:
        InputError: the file or the name of a case is of another form.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _wrong(path, "JSON", str(error)) from error
    for name, expected in content.items():
        match = _NAME.fullmatch(name)
        streams = {m: inputs(_shape(shape), int(k)) for m, shape, k in _INPUT.findall(name)}
        if not match or set(streams) != {"audio", "video"}:
            raise _wrong(path, '"v2 full; audio=x((3,20,1024),0) video=x((3,13,50),1)"', repr(name))
        for m, row, step in _BLANK.findall(name):
            streams[m][int(row), int(step) :] = 0
        for m in streams:
            if f"{m} zeroed" in name:
                streams[m].zero_()
        sizes: dict[str, Any] = {key: int(value) for key, value in _SIZE.findall(name)}
        theirs = [torch.tensor(logits, dtype=torch.float64) for logits in expected]
        ours = run(streams, WIDTHS[match[1]], path, **sizes)
        yield Case(f"{path.stem} {name}", dict(zip(OUTPUTS, zip(ours, theirs))), 1e-9)


@torch.no_grad()
def run(
    streams: dict[str, Tensor], dim: int, where: object, *, heads: int = 10, layers: int = 5, classes: int = 6,
    causal: int = 1,
) -> list[Tensor]:  # fmt: skip
    """The three logits of our network with rebuilt weights, in double precision."""
    state = fill(
        PlainAuxFormer(
            audio_dim=streams["audio"].shape[2], video_dim=streams["video"].shape[2], dim=dim, heads=heads,
            layers=layers, outputs=classes,
        ).double()
    ).state_dict()  # fmt: skip
    network = network_of(sizes_of(state, where), heads, causal=bool(causal)).double().eval()
    network.load_state_dict(to_network(state, where))
    lengths = {m: torch.full((len(x),), x.shape[1]) for m, x in streams.items()}
    output = network(streams, lengths)
    return [output["main"], output["aux"]["audio"], output["aux"]["video"]]


def _shape(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


def _wrong(path: Path, expected: str, found: object) -> InputError:
    return InputError.of(where=path, expected=expected, found=found, remedy="make the reference file again")
