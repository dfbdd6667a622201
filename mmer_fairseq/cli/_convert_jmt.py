"""``mmer convert --from jmt``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmer_fairseq.checkpoints import fairseq_form, jmt
from mmer_fairseq.cli._convert_flags import fairseq_flags
from mmer_fairseq.encoders.safe_pickle import load_pickle
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.state import check_state
from mmer_fairseq.networks.jmt import JMT

_FUSION, _PRETRAINER = "fusion_w", "backbone_pretrainer_w"
#: What joins two backbones of one modality: file → modality.
_INTRA = {
    "transformer_audio_modality_fusion": "audio",
    "fc_layer_for_audio_concat": "audio",
    "transformer_visio_modality_fusion": "video",
    "fc_layer_for_video_concat": "video",
}
_FILES = (_FUSION, _PRETRAINER, *_INTRA, *jmt.BACKBONES, jmt.FLATTEN, jmt.ALL_BACKBONES)
#: Settings of the network → flags of the model.
_FLAGS = {
    **{n: n for n in ("goal", "joint_modalities", "output_format", "intra_modal_fusion", "head_dim")},
    **{
        "dim": "embed_dim",
        "heads": "num_heads",
        "layers": "num_layers",
        "original_behaviour": "original_behaviour",
    },
}
_REMEDY = "name the folder SavedWeights of one run of the original JMT repository"


def run(args: argparse.Namespace) -> int:
    """Convert one run and say what was done with each part of it."""
    states = _read(args.old)
    convert = _pretrainer if _PRETRAINER in states else _fusion
    settings, model, remarks = convert(states, args)
    network = JMT(**settings, over_time=True)
    check_state(network, {name[8:]: x for name, x in model.items() if name.startswith("network.")}, args.old)
    found = jmt.backbones(states)
    files = {name: args.new.with_name(f"{args.new.stem}.{name}.pt") for name in found}
    for file in files.values():
        fairseq_form.refuse_existing(file)
    task: dict[str, Any] = {"modalities": ",".join(network.modalities)}
    task.update({f"{m}_encoder": "identity" for m in network.modalities})
    task.update({name: getattr(args, name) for name in ("data", "features") if getattr(args, name)})
    flags = fairseq_flags(
        "jmt", {"_name": "jmt", **{_FLAGS[n]: x for n, x in settings.items() if n in _FLAGS}}, task
    )
    fairseq_form.save(fairseq_form.checkpoint(model, **flags), args.new)
    for name, file in files.items():
        state, unused = found[name]
        fairseq_form.save(state, file)
        remarks.append(
            f"{file}: {len(state)} tensors" + (f", {unused} that nothing uses left out" if unused else "")
        )
    print(
        f"{args.new}: {', '.join(network.modalities)}; {network.goal}, {_variant(network)}"
        f"{settings.get('layers', 1)} layers of width {network.dim}, "
        f"{args.heads} heads, valence and arousal over time"
    )
    for remark in remarks:
        print(f"  {remark}")
    return 0


def _fusion(
    states: Mapping[str, Mapping[str, Tensor]], args: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, Tensor], list[str]]:
    """The settings of a fusion's network, the state dict of a model, and what there is to say."""
    where = args.old
    if _FUSION not in states:
        raise _wrong(
            where, f"{_FUSION}.pt or {_PRETRAINER}.pt", f"{', '.join(f'{n}.pt' for n in states) or 'neither'}"
        )
    sizes = jmt.sizes_of(states[_FUSION], where)
    weights = jmt.fusion_to_network(states[_FUSION], where)
    unused, remarks = jmt.left_out(states[_FUSION]), []
    parts: dict[str, tuple[int, int]] = {}
    how, layers = set(), [sizes.layers]
    for name, modality in _INTRA.items():
        if name not in states:
            continue
        if modality in parts:
            raise _wrong(where, f"one file that joins the backbones of {modality}", "two")
        fusion, parts[modality] = jmt.parts_of(states[name], modality, where)
        how.add(fusion)
        weights.update(jmt.intra_to_network(states[name], modality, where))
        unused.update({f"{name}.{key}": count for key, count in jmt.left_out(states[name], modality).items()})
        if fusion == "encoder_plus_self_attention":
            layers.append(jmt.layers_of(states[name], "final_visual_encoder"))
        remarks.append(
            f"{modality}: two feature stores, {parts[modality][0]} and {parts[modality][1]} wide ({fusion})"
        )
        if name == "transformer_audio_modality_fusion":
            remarks.append(
                f"the original's program saves {name}.pt as it was before training: compare its results"
            )
    if len(how) > 1:
        raise _wrong(where, "one kind of fusion for both modalities", " and ".join(sorted(how)))
    remarks += [f"left out, nothing uses it: {name} ({count:,} numbers)" for name, count in unused.items()]
    _check_heads(args.heads, sizes.dim)
    settings = {
        "streams": ("video", "audio"),
        "outputs": 2,
        "parts": parts,
        "joint_modalities": sizes.joint_modalities,
        "output_format": sizes.output_format,
        "intra_modal_fusion": next(iter(how), None),
        "dim": sizes.dim,
        "head_dim": sizes.head_dim,
        "heads": args.heads,
        "layers": max(layers),
        "original_behaviour": sizes.joint_modalities == "NONE",
    }
    return settings, {f"network.{name}": x for name, x in weights.items()}, remarks


def _pretrainer(
    states: Mapping[str, Mapping[str, Tensor]], args: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, Tensor], list[str]]:
    """The same for the head of a single backbone."""
    where = args.old
    if _FUSION in states:
        raise _wrong(where, f"{_FUSION}.pt or {_PRETRAINER}.pt", "both")
    head_dim, dim = jmt.matrix(states[_PRETRAINER], "regressor.0.weight", where)
    weights = jmt.pretrainer_to_network(states[_PRETRAINER], where)
    model = {f"network.{name}": x for name, x in weights.items()}
    joined = [name for name in _INTRA if name in states]
    beside = {name.partition("_")[0] for name in jmt.backbones(states)} | {_INTRA[name] for name in joined}
    told = {args.modality} if args.modality else {"video" if name == "vision" else name for name in beside}
    if len(told) != 1:
        raise InputError.of(
            where=where,
            expected="backbones of one modality beside the pretrained head",
            found=" and ".join(sorted(told)) or "none",
            remedy="add --modality video or --modality audio",
        )
    modality, remarks = told.pop(), []
    for name in joined:
        if _INTRA[name] != modality or "fc_layer.weight" not in states[name]:
            raise _wrong(
                where, f"at most a linear layer for {modality} beside a pretrained head", f"{name}.pt"
            )
        width = jmt.matrix(states[name], "fc_layer.weight", where)[1]
        for leaf in ("weight", "bias"):
            model[f"encoders.projection.{modality}.{leaf}"] = states[name][f"fc_layer.{leaf}"]
        remarks.append(f"{modality}: features {width} wide, projected to {dim}")
    _check_heads(args.heads, dim)
    settings = {
        "streams": (modality,),
        "outputs": jmt.matrix(states[_PRETRAINER], "regressor.3.weight", where)[0],
        "goal": "pretraining",
        "dim": dim,
        "head_dim": head_dim,
        "heads": args.heads,
    }
    return settings, model, remarks


def _read(old: Path) -> dict[str, dict[str, Tensor]]:
    """Name of each file without ``.pt`` → its tensors; a file alone is named by what it holds."""
    if old.is_dir():
        paths = {name: old / f"{name}.pt" for name in _FILES if (old / f"{name}.pt").is_file()}
        return {name: _tensors(path) for name, path in paths.items()}
    state = _tensors(old)
    return {_PRETRAINER if "regressor.0.weight" in state else _FUSION: state}


def _tensors(path: Path) -> dict[str, Tensor]:
    content = load_pickle(path, jmt.WHAT)
    if not isinstance(content, Mapping) or not all(isinstance(x, Tensor) for x in content.values()):
        raise _wrong(path, "tensors by name, as the original saves them", f"a saved {type(content).__name__}")
    state = jmt.without_wrappers({str(name): x for name, x in content.items()})
    broken = [name for name, x in state.items() if x.is_floating_point() and not torch.isfinite(x).all()]
    if broken:
        raise _wrong(path, "finite weights", f"NaN or infinity in {', '.join(broken[:3])}")
    return state


def _variant(network: JMT) -> str:
    if network.goal == "pretraining":
        return ""
    output = f"/{network.output_format}" if network.joint_modalities == "TRANSFORMER" else ""
    return f"{network.joint_modalities}{output}, "


def _check_heads(heads: int, dim: int) -> None:
    if heads < 1 or dim % heads:
        raise InputError.of(
            where="--heads",
            expected=f"a number that divides the file's width of {dim}",
            found=heads,
            remedy="give the number of heads that it was trained with",
        )


def _wrong(where: Path, expected: str, found: str) -> InputError:
    return InputError.of(where=where, expected=expected, found=found, remedy=_REMEDY)
