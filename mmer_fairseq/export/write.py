"""Writing an exported model: the graph, its check, and what a user must know to prepare its inputs."""

from __future__ import annotations

import copy
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.export import Dim, ExportedProgram

from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.errors import InputError
from mmer_fairseq.export.graph import Graph
from mmer_fairseq.export.inputs import Batch, Input, inputs_of, noise, stretched, trial_batches
from mmer_fairseq.export.runner import MODEL, OnnxModel, needs
from mmer_fairseq.modules.selection import SparseCNN

#: Form → steps that a graph is made with; any others run, too.
_TRACED = {"tokens": 6, "samples": 3000, "frames": 3, "series": 40, "features": 6}
FORMATS = {"onnx": (".onnx",), "torch-export": (".pt2",), "both": (".onnx", ".pt2")}
#: Largest difference of a logit from the checkpoint's; of logits above 1, the share of the largest.
TOLERANCE = 1e-4


def export(
    model: Any,
    specs: Mapping[str, StreamSpec],
    out: str | Path,
    *,
    kind: str = "onnx",
    features_only: bool = False,
    facts: Mapping[str, Any] | None = None,
    files: Mapping[str, bytes] | None = None,
    check: bool = True,
) -> dict[str, Any]:
    """Write a model.

    Args:
        model: a fusion model of ours.
        specs: modality → its stream.
        out: folder, or a file that ends in .onnx or .pt2.
        kind: one of :data:`FORMATS`.
        features_only: leave encoders out; the exported model takes what they give.
        facts: more for the .json.
        files: name → contents to write beside it, such as the tokenizer.
        check: compare with the model first, on clips of several lengths.

    Returns:
        What the .json holds; ``difference`` is the largest one found (None: not checked).

    Raises:
        InputError: the model cannot be exported or nothing can be written; its numbers differ; a package is missing.
    """
    endings = FORMATS[kind]
    if ".onnx" in endings:
        for package in ("onnx", "onnxscript", *(["onnxruntime"] if check else [])):
            needs(package)
    folder, name = _target(Path(out), endings)
    model = copy.deepcopy(model).float().cpu().eval()
    graph = Graph(model, features_only)
    inputs = inputs_of(graph, model, specs)
    found: dict[str, Any] = {
        "format": 1,
        "modalities": list(inputs),
        "inputs": {m: own.described(m) for m, own in inputs.items()},
        "output": "logits",
        "features_only": features_only,
        "opset": None,
        "difference": None,
        "files": {},
        **(facts or {}),
    }
    with tempfile.TemporaryDirectory() as work, torch.no_grad(), _quiet():
        made = Path(work)
        program = _exported(graph, inputs)
        if ".pt2" in endings:
            torch.export.save(program, made / f"{name}.pt2")
        if ".onnx" in endings:
            found["opset"] = _write_onnx(program, inputs, made / f"{name}.onnx")
        _write_json(found, made / f"{name}.json")
        if check:
            found["difference"] = _checked(graph, model, features_only, inputs, made, name, program, endings)
            _write_json(found, made / f"{name}.json")
        contents = {path.name: path.read_bytes() for path in sorted(made.iterdir())}
        _write(folder, {**contents, **(files or {})})
    return found


def _target(out: Path, endings: Sequence[str]) -> tuple[Path, str]:
    if out.suffix in (".onnx", ".pt2"):
        if (out.suffix,) != tuple(endings):
            raise InputError.of(
                where="--out",
                expected=" and ".join(endings) + ", as --format says",
                found=out.name,
                remedy="name a folder, or change --format",
            )
        return out.parent, out.stem
    return out, MODEL


def _exported(graph: Graph, inputs: Mapping[str, Input]) -> ExportedProgram:
    lengths = {}
    for number, (m, own) in enumerate(inputs.items()):
        steps = own.chunk * (2 + number) if own.chunk else _TRACED[own.form] + number
        lengths[m] = [steps, steps, 0]
    batch = noise(inputs, lengths, seed=1)
    clips = Dim("batch")
    steps_of = {
        m: own.chunk * Dim(f"{m}_chunks") if own.chunk else Dim(f"{m}_steps") for m, own in inputs.items()
    }
    shapes = {
        "streams": {m: {0: clips, 1: steps_of[m]} for m in inputs},
        "lengths": {m: {0: clips} for m in inputs},
    }
    return torch.export.export(graph, (), dict(batch), dynamic_shapes=shapes, strict=False)


def _write_onnx(program: ExportedProgram, inputs: Mapping[str, Input], path: Path) -> int:
    """Write it; returns the number of the operator set."""
    made = torch.onnx.export(
        program,
        (),
        input_names=[*inputs, *(f"{m}_lengths" for m in inputs)],
        output_names=["logits"],
        dynamo=True,
        verbose=False,
    )
    assert made is not None
    made.save(str(path), external_data=False)
    return int(made.model.opset_imports[""])


def _checked(
    graph: Graph,
    model: Any,
    features_only: bool,
    inputs: Mapping[str, Input],
    folder: Path,
    name: str,
    program: ExportedProgram,
    endings: Sequence[str],
) -> float:
    """The largest difference from the checkpoint.

    Raises:
        InputError: it is too large.
    """
    runs = {}
    if ".onnx" in endings:
        session = OnnxModel(folder / f"{name}.onnx", threads=1)
        runs[".onnx"] = lambda batch: torch.from_numpy(session(batch))
    if ".pt2" in endings:
        module = program.module()
        runs[".pt2"] = lambda batch: module(**stretched(inputs, batch))
    worst = 0.0
    for batch in trial_batches(inputs):
        expected = reference(model, graph, batch)
        for ending, run in runs.items():
            found = run(batch)
            scale = max(1.0, float(expected.abs().max()))
            same = found.shape == expected.shape and bool(found.isfinite().all())
            difference = float((found - expected).abs().max()) if same else float("inf")
            if difference > TOLERANCE * scale:
                steps = {m: n.tolist() for m, n in batch["lengths"].items()}
                raise InputError.of(
                    where=f"--path, checked as {ending}",
                    expected=f"the checkpoint's logits to {TOLERANCE:g}",
                    found=f"a difference of {difference:.2g} for clips of {steps} steps; nothing was written",
                    remedy=remedy_for(graph),
                )
            worst = max(worst, difference)
    return worst


def remedy_for(graph: Graph) -> str:
    """What to do about a difference."""
    if any(isinstance(own, SparseCNN) and own.threshold < 1 for own in graph.modules()):
        return (
            "add --no-check if it is small: where sites are attended to alike, rounding decides which of them "
            "are kept"
        )
    return "report this as a fault of mmer export, with the architecture and its flags"


def reference(model: Any, graph: Graph, batch: Batch) -> torch.Tensor:
    """What the model itself gives for a batch of the graph's inputs."""
    left_out = [m for m in graph.modalities if m not in graph.encodes]
    if not left_out:
        return model(**batch)["logits"]
    own = copy.copy(model.encoders)
    own._modules = dict(model.encoders._modules)
    own.encoder = torch.nn.ModuleDict(dict(model.encoders.encoder.items()))
    own.chunk = {m: 0 if m in left_out else n for m, n in model.encoders.chunk.items()}
    for m in left_out:
        own.encoder[m] = _Given()
    changed = copy.copy(model)
    changed._modules = {**model._modules, "encoders": own}
    return changed(**batch)["logits"]


class _Given(torch.nn.Module):
    """Stands where an encoder was left out."""

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        real = torch.arange(x.shape[1])[None] < lengths[:, None]
        return x * real[..., None], lengths


def _write_json(found: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, contents in files.items():
            (folder / name).write_bytes(contents)
    except OSError as error:
        raise InputError.of(
            where="--out",
            expected="a folder that can be written to",
            found=f"{folder}: {error.strerror}",
            remedy="name another one",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """torch's exporters tell of their own inner life."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
