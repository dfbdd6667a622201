"""References of JMT: JSON, name of a case → its outputs: shape, first 64 numbers, sum, sum of squares.

Weights and inputs are not stored: they follow from names and shapes (:mod:`references.fill`). Names:
"fusion TRANSFORMER/SELF_ATTEN heads=4 layers=2 audio=x((3,16,512),0) video=x((3,16,512),1)",
"SingleBackbonePretrainer x((3,16,512),0)", "intra a=x((3,16,512),0) b=x((3,16,768),1)" (the last two may state heads
and layers), and those of backbones, which begin with R2D1, ResNet18 or I3D.

Sums are compared relative to the number and size of what is added: outputs are stored to 12 decimals.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from references.case import Case
from references.fill import fill, inputs
from torch import Tensor

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "benchmarks")]

from plain_jmt import PlainIntra, PlainJMT, PlainPretrainer  # noqa: E402

from mmer_fairseq.checkpoints import jmt as names  # noqa: E402
from mmer_fairseq.errors import InputError  # noqa: E402
from mmer_fairseq.modules.layers import LayerSizes  # noqa: E402
from mmer_fairseq.networks.jmt import JMT, PartsFusion  # noqa: E402

BACKBONES = ("R2D1", "ResNet18", "I3D")
TOLERANCE = 1e-9
_INPUT = re.compile(r"(?:(\w+)=)?x\(\(([\d,]+)\),(\d+)\)")
_SIZE = re.compile(r"\b(heads|layers)=(\d+)")
_FUSION = re.compile(r"fusion (TRANSFORMER|FC|NONE)/(SELF_ATTEN|FC) ")


def accepts(path: Path) -> bool:
    """Whether this file is meant for JMT."""
    return path.suffix == ".json" and path.name.startswith("jmt")


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
        ours = run(name, path)
        if not isinstance(expected, list) or len(expected) != len(ours):
            raise _wrong(
                path, f"{len(ours)} outputs of {name}", f"a {type(expected).__name__} of another length"
            )
        pairs: dict[str, tuple[Tensor, Tensor]] = {}
        for i, (own, theirs) in enumerate(zip(ours, expected)):
            pairs.update({f"output {i}, {what}": pair for what, pair in _pairs(own, theirs, path).items()})
        yield Case(f"{path.stem} {name}", pairs, TOLERANCE)


def _pairs(own: Tensor, theirs: dict, path: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """What is stored of one output, and the same of ours."""
    if not {"shape", "data", "sum", "sumsq"} <= set(theirs):
        raise _wrong(path, "shape, data, sum and sumsq of each output", ", ".join(theirs))
    data, total, squares = (
        torch.tensor(theirs[key], dtype=torch.float64) for key in ("data", "sum", "sumsq")
    )
    own = own.double()
    shapes = torch.tensor(own.shape), torch.tensor(theirs["shape"])
    scale = own.abs().sum().clamp(min=1), own.square().sum().clamp(min=1)
    return {
        "shape": shapes,
        "first numbers": (own.flatten()[: len(data)], data),
        "sum": (own.sum() / scale[0], total / scale[0]),
        "sum of squares": (own.square().sum() / scale[1], squares / scale[1]),
    }


@torch.no_grad()
def run(name: str, path: Path) -> list[Tensor]:
    """Our outputs of one case, in double precision.

    Raises:
        InputError: the name is of another form.
    """
    if name.startswith(BACKBONES):
        found = importlib.import_module("references.jmt_backbones").run(name, path)
        return [found] if isinstance(found, Tensor) else list(found)
    given = [inputs(_shape(shape), int(k)) for _, shape, k in _INPUT.findall(name)]
    called = {label: x for (label, _, _), x in zip(_INPUT.findall(name), given)}
    sizes = {key: int(value) for key, value in _SIZE.findall(name)}
    heads, layers = sizes.get("heads", 1), sizes.get("layers", 1)
    match = _FUSION.match(name)
    if match and set(called) == {"audio", "video"}:
        return fusion(match[1], match[2], called, heads, layers, path)
    if name.startswith("SingleBackbonePretrainer ") and len(given) == 1:
        return pretrainer(given[0], path)
    if name.startswith("intra ") and set(called) == {"a", "b"}:
        return [intra(called["a"], called["b"], heads, layers, path)]
    raise _wrong(
        path, '"fusion TRANSFORMER/FC heads=1 layers=1 audio=x((3,16,512),0) video=…", or others', repr(name)
    )


def fusion(
    joint: str, output: str, streams: dict[str, Tensor], heads: int, layers: int, where: object
) -> list[Tensor]:
    """Valence and arousal; time first where the original leaves them so."""
    dim = streams["audio"].shape[2]
    state = fill(PlainJMT(joint, output, dim=dim, heads=heads, layers=layers).double()).state_dict()
    sizes = names.sizes_of(state, where)
    network = JMT(
        streams=("video", "audio"), outputs=2, dim=sizes.dim, head_dim=sizes.head_dim, heads=heads,
        layers=sizes.layers, joint_modalities=sizes.joint_modalities, output_format=sizes.output_format,
        original_behaviour=True,
    ).double().eval()  # fmt: skip
    network.load_state_dict(names.fusion_to_network(state, where))
    logits = network(streams, _lengths(streams))["logits"]
    if (joint, output) == ("TRANSFORMER", "FC"):
        logits = logits.transpose(0, 1)
    return list(logits.unbind(2))


def pretrainer(x: Tensor, where: object) -> list[Tensor]:
    """Valence and arousal of a single backbone."""
    state = fill(PlainPretrainer(x.shape[2]).double()).state_dict()
    head_dim, dim = names.matrix(state, "regressor.0.weight", where)
    network = (
        JMT(streams=("audio",), outputs=2, goal="pretraining", dim=dim, head_dim=head_dim).double().eval()
    )
    network.load_state_dict(names.pretrainer_to_network(state, where))
    streams = {"audio": x}
    return list(network(streams, _lengths(streams))["logits"].unbind(2))


def intra(a: Tensor, b: Tensor, heads: int, layers: int, where: object) -> Tensor:
    """Two backbones of sound, joined."""
    parts = (a.shape[2], b.shape[2])
    plain = PlainIntra(
        dim=parts[0], heads=heads, layers=layers, other=parts[1] if parts[1] != parts[0] else 768
    )
    state = fill(plain.double()).state_dict()
    modality = "audio" if parts[1] != parts[0] else "video"
    how, parts = names.parts_of(state, modality, where)
    sizes = LayerSizes(ffn_dim=parts[0], heads=heads, dropout=0.0, attention_dropout=0.0, activation="relu")
    layers = names.layers_of(state, "final_visual_encoder")
    module = PartsFusion(parts=parts, dim=parts[0], how=how, sizes=sizes, layers=layers).double().eval()
    renamed = names.intra_to_network(state, modality, where)
    module.load_state_dict({name.split(".", 2)[2]: x for name, x in renamed.items()})
    return module(torch.cat([a, b], dim=2).flatten(0, 1)).view_as(a)


def _lengths(streams: dict[str, Tensor]) -> dict[str, Tensor]:
    return {m: torch.full((len(x),), x.shape[1]) for m, x in streams.items()}


def _shape(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


def _wrong(path: object, expected: str, found: object) -> InputError:
    return InputError.of(where=path, expected=expected, found=found, remedy="make the reference file again")
