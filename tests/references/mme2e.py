"""References of MME2E, MESM and the late-fusion baselines: JSON, case → {"logits": shape, first numbers, sums}.

Weights and inputs are not stored: they follow from names and shapes (:mod:`references.fill`). The name says the sizes:

    mme2e modalities=tav trans_dim=32 layers=2 heads=2 img_lens=[2, 1] spec_lens=[1, 2] text_cls=x((B,768),1)
        faces=127.5+75*x((sum(img_lens),48,48,3),2) specs=x((sum(spec_lens),1,128,32),3)**2
    mme2e_sparse threshold=0.8 … (the same), the original's scrambled first stage included
    lf_rnn layers=1 video_lens=[5, 3] audio_lens=[7, 2] video=x((sum(video_lens),35),11)
        audio=x((sum(audio_lens),144),12) text=x((2,6,300),13)
    lf_transformer layers=2 … (the same)
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from references.case import Case
from references.fill import fill, inputs
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "benchmarks")]

from plain_mme2e import DEVIATION, MEAN, PlainLateFusion, PlainMME2E  # noqa: E402

from mmer_fairseq.checkpoints.mme2e import LETTERS, sizes_of, to_network  # noqa: E402
from mmer_fairseq.errors import InputError  # noqa: E402
from mmer_fairseq.networks.late_fusion import LFRNN, LFTransformer  # noqa: E402
from mmer_fairseq.networks.mme2e import MME2E  # noqa: E402
from mmer_fairseq.networks.mme2e_sparse import MESM  # noqa: E402

FACE, PIECE = (3, 48, 48), (1, 128, 32)
_SYSTEM = re.compile(r"(mme2e|mme2e_sparse|lf_rnn|lf_transformer) ")
_INPUT = re.compile(r"(\w+)=(?:[\d.]+\+[\d.]+\*)?x\(\(([^()]*(?:\(\w+\))?[^()]*)\),(\d+)\)")
_LIST = re.compile(r"(\w+_lens)=\[([\d, ]+)\]")
_SIZE = re.compile(r"\b(modalities|threshold|trans_dim|layers|heads|classes)=([\w.]+)")
#: Single precision differs by what it was summed with.
TOLERANCES = {"mme2e": 1e-4, "mme2e_sparse": 1e-4, "lf_rnn": 1e-9, "lf_transformer": 1e-9}


def accepts(path: Path) -> bool:
    """Whether this file is meant for these systems."""
    return path.suffix == ".json" and path.name.startswith("mme2e")


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
        system = _SYSTEM.match(name)
        stored = expected.get("logits") if isinstance(expected, dict) else None
        if not system or not isinstance(stored, dict) or not {"shape", "data", "sum", "sumsq"} <= set(stored):
            raise _wrong(
                path, '"mme2e modalities=tav …": {"logits": {"shape", "data", "sum", "sumsq"}}', name[:200]
            )
        ours = run(name, path).double()
        shown = ours.flatten()[: len(stored["data"])]
        if list(ours.shape) != stored["shape"]:
            shown = shown[:0]  # counts as an infinite difference
        pairs = {"logits": (shown, torch.tensor(stored["data"], dtype=torch.float64))}
        for label, ours_sum in (("sum", ours.sum()), ("sumsq", ours.square().sum())):
            scale = max(ours.numel(), float(ours.abs().sum()))  # sums of many numbers add up their rounding
            pairs[label] = (ours_sum / scale, torch.tensor(stored[label], dtype=torch.float64) / scale)
        yield Case(f"{path.stem} {name}", pairs, TOLERANCES[system[1]])


@torch.no_grad()
def run(name: str, where: object) -> Tensor:
    """Our logits for a case, with rebuilt weights.

    Args:
        name: of the case.
        where: the file, for messages.

    Raises:
        InputError: the name is of another form.
    """
    system = name.split(" ")[0]
    lists = {key: [int(part) for part in text.split(",")] for key, text in _LIST.findall(name)}
    sizes = dict(_SIZE.findall(name))
    shapes = {label: _shape(shape, lists) for label, shape, _ in _INPUT.findall(name)}
    given = {label: inputs(shapes[label], int(k)) for label, _, k in _INPUT.findall(name)}
    wanted = {"text", "audio", "video"} if system.startswith("lf_") else {"text_cls", "faces", "specs"}
    if set(given) != wanted or len(lists) != 2:
        raise _wrong(where, f"inputs {', '.join(sorted(wanted))} and the lengths of two", repr(name))
    return (late_fusion if system.startswith("lf_") else end_to_end)(system, sizes, lists, given, where)


def end_to_end(
    system: str, sizes: dict[str, str], lists: dict[str, list[int]], given: dict[str, Tensor], where: object
) -> Tensor:
    """MME2E and MESM, in single precision as the original."""
    letters, heads = sizes.get("modalities", "tav"), int(sizes.get("heads", 4))
    threshold = float(sizes.get("threshold", 0.9)) if system == "mme2e_sparse" else None
    plain = PlainMME2E(
        modalities=letters, dim=int(sizes["trans_dim"]), layers=int(sizes["layers"]), heads=heads,
        outputs=int(sizes.get("classes", 6)), text=given["text_cls"].shape[1], threshold=threshold,
    )  # fmt: skip
    state = fill(plain).state_dict()
    found = sizes_of(state, where)
    assert found.system == system
    modalities = tuple(LETTERS[letter] for letter in letters)
    dims = {"text": found.dims["text"], "video": 6912, "audio": 4096}
    flags: dict[str, Any] = {
        "dims": {m: dims[m] for m in modalities},
        "outputs": found.outputs,
        "images": {"video": FACE, "audio": PIECE},
        "trans_dim": found.trans_dim,
        "layers": found.layers,
        "heads": heads,
    }
    network: MME2E = (
        MME2E(**flags) if threshold is None else MESM(threshold=threshold, original_behaviour=True, **flags)
    )
    network.load_state_dict(to_network(state, modalities, where))
    return network.eval()(*batch(given, lists))["logits"]


def batch(
    given: dict[str, Tensor], lists: dict[str, list[int]]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Streams and lengths of a case of MME2E: faces normalised by channel, and pieces, as rows."""
    faces = 127.5 + 75 * given["faces"].float()
    faces = ((faces - torch.tensor(MEAN)) / torch.tensor(DEVIATION)).permute(0, 3, 1, 2).flatten(1)
    pieces = (given["specs"] ** 2).float().flatten(1)
    text = given["text_cls"].float()[:, None]
    streams = {
        "text": text,
        "video": _padded(faces, lists["img_lens"]),
        "audio": _padded(pieces, lists["spec_lens"]),
    }
    lengths = {
        "text": torch.ones(len(text), dtype=torch.long),
        "video": torch.tensor(lists["img_lens"]),
        "audio": torch.tensor(lists["spec_lens"]),
    }
    return streams, lengths


def late_fusion(
    system: str, sizes: dict[str, str], lists: dict[str, list[int]], given: dict[str, Tensor], where: object
) -> Tensor:
    """LF-RNN and LF-Transformer, in double precision as the original."""
    letters = sizes.get("modalities", "tav")
    widths = [given[m].shape[-1] for m in ("text", "audio", "video")]
    layers = 0 if system == "lf_rnn" else int(sizes["layers"])
    plain = PlainLateFusion(
        modalities=letters, dims=widths, layers=layers, outputs=int(sizes.get("classes", 6))
    )
    state = fill(plain.double()).state_dict()
    found = sizes_of(state, where)
    assert found.system == system
    network = (
        LFRNN(dims=found.dims, outputs=found.outputs, original_behaviour=True)
        if system == "lf_rnn"
        else LFTransformer(
            dims=found.dims, outputs=found.outputs, layers=found.layers, original_behaviour=True
        )
    )
    network.double().load_state_dict(to_network(state, tuple(found.dims), where))
    streams = {
        "text": given["text"],
        "audio": _padded(given["audio"], lists["audio_lens"]),
        "video": _padded(given["video"], lists["video_lens"]),
    }
    lengths = {
        "text": torch.full((len(given["text"]),), given["text"].shape[1]),
        "audio": torch.tensor(lists["audio_lens"]),
        "video": torch.tensor(lists["video_lens"]),
    }
    return network.eval()(streams, lengths)["logits"]


def _padded(x: Tensor, lens: Sequence[int]) -> Tensor:
    return pad_sequence(list(x.split(list(lens))), batch_first=True)


def _shape(text: str, lists: dict[str, list[int]]) -> tuple[int, ...]:
    """``sum(img_lens),48,48,3`` or ``B,768``, B the number of clips."""
    clips = len(next(iter(lists.values())))
    sums = {f"sum({key})": sum(values) for key, values in lists.items()} | {"B": clips}
    return tuple(sums[part] if part in sums else int(part) for part in text.split(",") if part)


def _wrong(path: object, expected: str, found: object) -> InputError:
    return InputError.of(where=path, expected=expected, found=found, remedy="make the reference file again")
