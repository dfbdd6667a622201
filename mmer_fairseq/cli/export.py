"""``mmer export``: a checkpoint → ONNX or ``torch.export``, and what is needed to prepare its inputs."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mmer_fairseq.errors import InputError

HELP = "write a checkpoint as ONNX or torch.export"
EPILOG = """The exported model takes, for each modality M, the stream M [batch, M_steps, …] and M_lengths [batch]
(0: the clip has no such modality), of any sizes, and gives logits. Beside it lie a .json that says how streams
are prepared, and the tokenizer. In Python: mmer_fairseq.export.OnnxModel(FOLDER)."""
FORMATS = ("onnx", "torch-export", "both")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("--path", required=True, metavar="CKPT", help="checkpoint of fairseq-train")
    parser.add_argument(
        "--out", required=True, metavar="FOLDER|FILE", help="folder, or a file that ends in .onnx or .pt2"
    )
    parser.add_argument("--format", choices=FORMATS, default="onnx", help="default: %(default)s")
    parser.add_argument(
        "--features-only",
        action="store_true",
        help="leave the encoders out: the exported model takes what mmer extract makes with them",
    )
    parser.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare with the checkpoint on clips of noise of several lengths, and write nothing where a logit "
        "differs by more than 1e-4 (default: on)",
    )
    parser.add_argument(
        "--data", metavar="DIR", help="corpus folder, for checkpoints that do not remember their streams"
    )


def run(args: argparse.Namespace) -> int:
    """Export, and say what was written.

    Raises:
        InputError: no checkpoint of this plugin; it cannot be exported, or its numbers differ.
    """
    from mmer_fairseq.encoders.base import file_sha256
    from mmer_fairseq.export import export

    model, streams, facts, files = _loaded(args.path, args.data)
    facts["checkpoint"] = {"file": Path(args.path).name, "sha256": file_sha256(Path(args.path))}
    found = export(
        model,
        streams,
        args.out,
        kind=args.format,
        features_only=args.features_only,
        facts=facts,
        files=files,
        check=args.check,
    )
    difference = found["difference"]
    how = "not checked" if difference is None else f"largest difference of a logit {difference:.1e}"
    print(f"wrote {args.out}: {args.format}, {', '.join(found['modalities'])}; {how}")
    return 0


def _loaded(path: str, data: str | None) -> tuple[Any, dict[str, Any], dict[str, Any], dict[str, bytes]]:
    """Model, streams, what the .json says of them, and the tokenizer's files."""
    import mmer_fairseq
    from mmer_fairseq import compat_faults
    from mmer_fairseq.encoders.base import StreamSpec

    compat_faults.check_file(path, "--path")
    mmer_fairseq.register()
    from fairseq import checkpoint_utils, models

    state = checkpoint_utils.load_checkpoint_to_cpu(path)
    known = state.get("task_state") or {}
    reading = known.get("reading")
    files: dict[str, bytes] = {}
    if reading is None or data is not None:
        return (*_with_corpus(path, state, data), files)
    from mmer_fairseq.data.reading import label_space

    labels = label_space(reading)
    _check_context(reading.get("context"))
    streams = {
        m: StreamSpec(**{k: v for k, v in spec.items() if k != "fingerprint"})
        for m, spec in known["streams"].items()
    }
    task = SimpleNamespace(
        streams=streams,
        labels=labels,
        num_outputs=int(reading["outputs"]),
        over_time=bool(reading["windows"]),
    )
    model = models.build_model(state["cfg"].model, task)
    model.load_state_dict(state["model"], strict=True, model_cfg=state["cfg"].model)
    facts = _facts(state, labels, reading["objective"], known.get("thresholds"))
    facts["windows"] = reading["windows"]
    facts["reading"] = {}
    for m, own in reading["streams"].items():
        own = dict(own)
        tokenizer = own.pop("tokenizer", None)
        if tokenizer is not None:
            contents = {name: bytes(x.numpy().tobytes()) for name, x in tokenizer["files"].items()}
            files.update(contents)
            own["tokenizer"] = {"kind": tokenizer["kind"], "files": sorted(contents)}
        facts["reading"][m] = own
    return model, streams, facts, files


def _with_corpus(path: str, state: Mapping[str, Any], data: str | None) -> tuple[Any, Any, Any]:
    from fairseq import checkpoint_utils

    folder = data or str(state["cfg"].task.data)
    if not Path(folder).is_dir():
        raise InputError.of(
            where=path,
            expected="a checkpoint that remembers its streams, or the corpus that it was trained on",
            found=f"one that does not, and no folder {folder}",
            remedy="name the corpus: --data DIR",
        )
    found, _, task = checkpoint_utils.load_model_ensemble_and_task([path], arg_overrides={"data": folder})
    _check_context(getattr(task.cfg, "context", 0))
    facts = _facts(state, task.labels, task.objective, task.thresholds)
    facts["windows"] = None if task.windows is None else dataclasses.asdict(task.windows)
    return found[0], dict(task.streams), facts


def _check_context(context: Any) -> None:
    if context:
        raise InputError.of(
            where="--path",
            expected="a checkpoint that reads each text by itself",
            found="one that was trained with --context, which reads whole dialogues",
            remedy="train without --context to export",
        )


def _facts(state: Mapping[str, Any], labels: Any, objective: str, thresholds: Any) -> dict[str, Any]:
    return {
        "architecture": str(getattr(state["cfg"].model, "_name", "")),
        "labels": {key: getattr(labels, key) for key in ("name", "kind", "names", "range", "rate")},
        "objective": objective,
        "thresholds": (thresholds or {}).get("values"),
    }
