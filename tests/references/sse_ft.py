"""References of SSE-FT: safetensors with ``state/<original key>``, ``input/*``, ``output/*``, JSON config."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from references.case import Case, tolerance_of
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mmer_fairseq.checkpoints.sse_ft import (
    MODALITIES,
    Sizes,
    network_of,
    sizes_of,
    split_encoders,
    to_network,
)
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.state import check_state
from mmer_fairseq.networks.sse_ft import SSEFT

#: Name of a stored output → name of ours; the pairs are ``<query>2<memory>_r``.
OUTPUTS = {"logits": "logits", "j_text": "text", "j_aud": "audio", "j_vid": "video"} | {
    f"{q}2{k}_r": f"{MODALITIES[q]}_{MODALITIES[k]}" for q in MODALITIES for k in MODALITIES if q != k
}


def accepts(path: Path) -> bool:
    """Whether this file is meant for SSE-FT."""
    return path.suffix == ".safetensors"


def cases(path: Path) -> Iterator[Case]:
    """Run the file's one case.

    Raises:
        InputError: the file cannot be read, or lacks or has too many keys.
    """
    config, tensors = _read(path)
    groups: dict[str, dict[str, Tensor]] = {"state": {}, "input": {}, "output": {}}
    for key, tensor in tensors.items():
        group, _, name = key.partition("/")
        if group not in groups:
            raise _wrong(path, "keys that start with state/, input/ or output/", key)
        groups[group][name] = tensor
    state, _ = split_encoders(groups["state"])
    sizes = sizes_of(state, path)
    _compare_config(path, config, sizes)
    network = network_of(sizes, config["heads"])
    weights = to_network(state, path)
    check_state(network, weights, path)
    network.load_state_dict(weights)
    network.to(next(iter(weights.values())).dtype).eval()
    ours = _run(path, network, groups["input"])
    unknown = [name for name in groups["output"] if ours.get(OUTPUTS.get(name, "")) is None]
    if unknown or "logits" not in groups["output"]:
        raise _wrong(
            path, f"output/logits, and of {', '.join(OUTPUTS)}", ", ".join(groups["output"]) or "none"
        )
    pairs = {name: (ours[OUTPUTS[name]], tensor) for name, tensor in sorted(groups["output"].items())}
    yield Case(path.stem, pairs, tolerance_of(groups["output"]["logits"], path))


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(str(path), framework="pt") as file:
            config = json.loads((file.metadata() or {}).get("config", "null"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no iterator)
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise _wrong(path, "a safetensors file whose metadata 'config' is JSON", str(error)) from error
    if not isinstance(config, dict):
        raise _wrong(path, "metadata 'config' with the sizes", config)
    return config, tensors


def _compare_config(path: Path, config: Mapping[str, Any], sizes: Sizes) -> None:
    """The sizes that the file states must be those of its tensors."""
    letters = "".join(letter for letter, m in MODALITIES.items() if m in sizes.modalities)
    found: dict[str, Any] = {"mods": letters, "classes": sizes.outputs}
    found |= {f"d{m[0]}": dim for m, dim in sizes.dims.items()}
    found |= {f"m{m[0]}": steps for m, steps in sizes.max_positions.items()}
    if sizes.ffn_dim:
        found |= {"ffn": sizes.ffn_dim}
    if letters != "t":
        found |= {"layers": sizes.layers}
    if len(letters) > 1:
        found |= {"cross": sizes.cross_layers}
    stated = dict(config)
    if "mods" in stated:
        mods = "tav" if stated["mods"] == "all" else str(stated["mods"])
        stated["mods"] = "".join(letter for letter in MODALITIES if letter in mods)
    wrong = {key: value for key, value in found.items() if key in stated and stated[key] != value}
    if wrong or not isinstance(config.get("heads"), int):
        expected = f"tensors of the sizes in its config {json.dumps(config)}, with 'heads'"
        raise _wrong(
            path, expected, ", ".join(f"{key} {value}" for key, value in wrong.items()) or "no 'heads'"
        )


@torch.no_grad()
def _run(path: Path, network: SSEFT, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for m in network.modalities:
        for name in (m, f"{m}_lengths"):
            if name not in inputs:
                raise _wrong(path, f"input/{name}", ", ".join(inputs) or "no input")
    streams = {m: inputs[m] for m in network.modalities}
    lengths = {m: inputs[f"{m}_lengths"] for m in network.modalities}
    return {**network.step_zero(streams, lengths), **network(streams, lengths)}


def _wrong(path: Path, expected: str, found: object) -> InputError:
    return InputError.of(where=path, expected=expected, found=found, remedy="make the reference file again")
