"""``mmer convert --from sse-ft``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmer_fairseq.checkpoints import encoders, fairseq_form, sse_ft
from mmer_fairseq.cli._convert_flags import fairseq_flags
from mmer_fairseq.encoders.safe_pickle import load_pickle
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.state import check_state

_WHAT = "a checkpoint of the original SSE-FT (fairseq 0.8), with 'args' and 'model'"
_FORMS = {"text": "tokens", "audio": "samples", "video": "frames"}


def run(args: argparse.Namespace) -> int:
    """Convert one checkpoint and say what was done with each part of it."""
    state, settings = _read(args.old)
    trained, frozen = sse_ft.split_encoders(state)
    sizes = sse_ft.sizes_of(trained, args.old)
    model = sse_ft.to_network(trained, args.old)
    check_state(sse_ft.network_of(sizes, settings["encoder_attention_heads"]), model, args.old)
    model = {f"network.{name}": x for name, x in model.items()}
    task_flags = sse_ft.task_flags(sizes, settings)
    task_flags.update({name: getattr(args, name) for name in ("data", "features") if getattr(args, name)})
    if not args.keep_encoders:  # the network was trained on what its encoders gave, unscaled
        task_flags.update({f"{m}_encoder": "identity" for m in sizes.modalities})
    else:
        files = _write_encoders(sizes.modalities, frozen, args)
        task_flags.update({f"{m}_encoder": f"{encoders.NAMES[m]}:{file}" for m, file in files.items()})
        model.update(_encoder_state(files, sizes.dims, args.old))
    flags = fairseq_flags("sse_ft", sse_ft.model_flags(sizes, settings), task_flags)
    fairseq_form.save(fairseq_form.checkpoint(model, **flags), args.new)
    print(
        f"{args.new}: {', '.join(sizes.modalities)}; {sizes.layers} layers, {sizes.cross_layers} cross-modal "
        f"layers, {settings['encoder_attention_heads']} heads, {sizes.outputs} outputs"
    )
    for modality, part in frozen.items():
        kept = "kept" if args.keep_encoders and modality in sizes.modalities else "left out"
        print(f"  {encoders.NAMES[modality]} ({modality}, {len(part)} tensors): {kept}")
    return 0


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The checkpoint's tensors and arguments."""
    content = load_pickle(path, _WHAT)
    state, args = content.get("model"), content.get("args")
    settings = vars(args) if isinstance(args, argparse.Namespace) else args
    if not isinstance(state, Mapping) or not isinstance(settings, Mapping):
        raise _wrong(path, _WHAT, f"a dictionary with {', '.join(map(str, list(content)[:8])) or 'nothing'}")
    state = {str(name): x for name, x in state.items() if isinstance(x, Tensor)}
    if not isinstance(settings.get("encoder_attention_heads"), int):
        raise _wrong(path, "'args' with encoder_attention_heads", "none")
    broken = [name for name, x in state.items() if x.is_floating_point() and not torch.isfinite(x).all()]
    if broken:
        raise _wrong(path, "finite weights", f"NaN or infinity in {', '.join(broken[:3])}")
    return state, dict(settings)


def _write_encoders(
    modalities: tuple[str, ...], frozen: Mapping[str, Mapping[str, Tensor]], args: argparse.Namespace
) -> dict[str, Path]:
    """Write the encoders of the modalities in use beside NEW; modality → file."""
    missing = [sse_ft.ENCODERS[m] + "*" for m in modalities if m not in frozen]
    if missing:
        raise InputError.of(
            where=args.old,
            expected="the weights of its frozen encoders",
            found=f"no {', '.join(missing)}",
            remedy="leave out --keep-encoders",
        )
    contents = {m: encoders.published_form(m, frozen[m], args.old) for m in modalities}
    files = {m: args.new.with_name(f"{args.new.stem}.{encoders.NAMES[m]}.pt").absolute() for m in modalities}
    for file in files.values():
        fairseq_form.refuse_existing(file)
    for modality, file in files.items():
        fairseq_form.save(contents[modality], file)
    return files


def _encoder_state(files: Mapping[str, Path], dims: Mapping[str, int], old: Path) -> dict[str, Tensor]:
    """The encoders' part of the model, built as fairseq-train will build it; no file stays if that fails."""
    from mmer_fairseq.encoders.base import StreamSpec
    from mmer_fairseq.encoders.streams import StreamEncoders

    specs = {
        m: StreamSpec(modality=m, form=_FORMS[m], encoder=f"{encoders.NAMES[m]}:{file}")
        for m, file in files.items()
    }
    try:
        built = StreamEncoders(specs, dims)
        for modality, encoder in built.encoder.items():
            if encoder.dim != dims[modality]:
                found = f"a {encoders.NAMES[modality]} of width {encoder.dim}"
                raise _wrong(old, f"an encoder of {modality} of width {dims[modality]}", found)
    except InputError:
        for file in files.values():
            file.unlink()
        raise
    return {f"encoders.{name}": x for name, x in built.state_dict().items()}


def _wrong(path: Path, expected: str, found: str) -> InputError:
    return InputError.of(
        where=path,
        expected=expected,
        found=found,
        remedy="name a checkpoint that the original SSE-FT repository wrote",
    )
