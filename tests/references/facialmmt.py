"""References of FacialMMT: JSON, case → output → {"shape", "data" (the first numbers), "sum", "sumsq"}.

Weights and inputs are not stored: they follow from names and shapes (:mod:`references.fill`). The name says the sizes:

    multimodal plm=roberta-large audio_layers=5 vision_layers=2 crossmodal_layers=2 La=20 Lv=16
        hidden=x((3,512,1024),1) sep_positions=[[6, 15], …] target_utterance=[1, …] audio=x((3,20,768),2)
        audio_lens=[20, …] vision=x((3,16,519),3) vision_lens=[16, …]
    unimodal_v vision_layers=2 Lv=16 vision=x((3,16,512),5) vision_lens=[16, 12, 8]
    swin images=x((2,3,224,224),6)

and, where they are not those of the paper, dim, heads, ffn and classes (dim, window, depths of four stages for swin).
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

from plain_facialmmt import PlainFacialMMT, PlainSwinFace, PlainUnimodal  # noqa: E402

from mmer_fairseq.checkpoints import facialmmt, swin_face  # noqa: E402
from mmer_fairseq.errors import InputError  # noqa: E402
from mmer_fairseq.modules.dialogue import utterance_spans, utterance_steps  # noqa: E402
from mmer_fairseq.modules.swin_face import SwinFace  # noqa: E402
from mmer_fairseq.networks.facialmmt import FacialMMT  # noqa: E402

#: The originals ran in single precision.
TOLERANCE = 1e-5
TEXT_STEPS = 38
_INPUT = re.compile(r"(\w+)=x\(\(([\d,]+)\),(\d+)\)")
_LIST = re.compile(r"(\w+)=(\[[\d, \[\]]+\])")
_SIZE = re.compile(r"\b(\w+)=(\d+)\b")
_WANTED = {"multimodal": {"hidden", "audio", "vision"}, "unimodal_v": {"vision"}, "swin": {"images"}}


def accepts(path: Path) -> bool:
    """Whether this file is meant for FacialMMT."""
    return path.suffix == ".json" and path.name.startswith("facialmmt")


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
        pairs = {}
        for output, stored in expected.items():
            if output not in ours or not {"shape", "data", "sum", "sumsq"} <= set(stored):
                raise _wrong(path, f'{", ".join(ours)}: {{"shape", "data", "sum", "sumsq"}}', output)
            y = ours[output].double()
            shown = y.flatten()[: len(stored["data"])]
            if list(y.shape) != stored["shape"]:
                shown = shown[:0]  # counts as an infinite difference
            pairs[output] = (shown, torch.tensor(stored["data"], dtype=torch.float64))
            for label, total in (("sum", y.sum()), ("sumsq", y.square().sum())):
                scale = max(y.numel(), float(y.abs().sum()))  # sums of many numbers add up their rounding
                pairs[f"{output} {label}"] = (
                    total / scale,
                    torch.tensor(stored[label], dtype=torch.float64) / scale,
                )
        yield Case(f"{path.stem} {name}", pairs, TOLERANCE)


@torch.no_grad()
def run(name: str, where: object) -> dict[str, Tensor]:
    """Our outputs for a case, with rebuilt weights.

    Args:
        name: of the case.
        where: the file, for messages.

    Raises:
        InputError: the name is of another form.
    """
    system = name.split(" ")[0]
    given = {label: inputs(_shape(shape), int(k)).float() for label, shape, k in _INPUT.findall(name)}
    lists = {label: json.loads(text) for label, text in _LIST.findall(name)}
    if set(given) != _WANTED.get(system):
        raise _wrong(where, "multimodal, unimodal_v or swin, and its inputs", repr(name[:200]))
    sizes: dict[str, Any] = {key: int(value) for key, value in _SIZE.findall(name)}
    if system == "swin":
        return _swin(given["images"], sizes, lists, where)
    lengths = {m: torch.tensor(lists[f"{m}_lens"]) for m in ("audio", "vision") if m in given}
    shared = {
        "dim": sizes.get("dim", 768),
        "heads": sizes.get("heads", 12),
        "inside": sizes.get("ffn", 3072),
        "outputs": sizes.get("classes", 7),
    }
    if system == "unimodal_v":
        vision = given["vision"]
        plain: Any = PlainUnimodal(
            width=vision.shape[2], layers=sizes["vision_layers"], steps=sizes["Lv"], **shared
        )
        return _network(plain, {"video": vision}, {"video": lengths["vision"]}, shared["heads"], where)
    widths = [given[m].shape[2] for m in ("hidden", "audio", "vision")]
    plain = PlainFacialMMT(
        widths=widths,
        audio_layers=sizes["audio_layers"],
        vision_layers=sizes["vision_layers"],
        crossing_layers=sizes["crossmodal_layers"],
        steps=(TEXT_STEPS, sizes["La"], sizes["Lv"]),
        **shared,
    )
    layout = "roberta" if "plm=roberta" in name else "bert"
    starts, counts = utterance_spans(torch.tensor(lists["sep_positions"]), layout)
    rows = torch.arange(len(starts))
    wanted = torch.tensor(lists["target_utterance"])
    text, counts = utterance_steps(
        given["hidden"], rows, starts[rows, wanted], counts[rows, wanted], TEXT_STEPS
    )
    return _network(
        plain,
        {"text": text, "audio": given["audio"], "video": given["vision"]},
        {"text": counts, "audio": lengths["audio"], "video": lengths["vision"]},
        shared["heads"],
        where,
    )


def _network(
    plain: torch.nn.Module, streams: dict[str, Tensor], lengths: dict[str, Tensor], heads: int, where: object
) -> dict[str, Tensor]:
    state = fill(plain).state_dict()
    told = facialmmt.sizes_of(state, where).arguments()
    network = FacialMMT(
        heads=heads,
        ta_heads=heads,
        tav_heads=heads,
        text_steps=TEXT_STEPS,
        original_behaviour=True,
        **told,
    )
    network.load_state_dict(facialmmt.to_network(state, where))
    return {"logits": network.eval()(streams, lengths)["logits"]}


def _swin(
    images: Tensor, sizes: dict[str, Any], lists: dict[str, list[int]], where: object
) -> dict[str, Tensor]:
    plain = PlainSwinFace(
        size=images.shape[2],
        dim=sizes.get("dim", 96),
        depths=lists.get("depths", [2, 2, 6, 2]),
        window=sizes.get("window", 7),
        outputs=sizes.get("classes", 7),
    )
    state = swin_face.backbone_of(fill(plain).state_dict())
    network = SwinFace(**swin_face.arguments_of(state, where))
    network.load_state_dict(swin_face.to_network(state, where))
    network.eval()
    features = network.features(images)
    return {"features": features, "logits": network(images)}


def _shape(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


def _wrong(path: object, expected: str, found: object) -> InputError:
    return InputError.of(where=path, expected=expected, found=found, remedy="make the reference file again")
