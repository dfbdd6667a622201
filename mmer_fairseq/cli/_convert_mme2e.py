"""``mmer convert --from mme2e``, ``mesm``, ``lf-rnn`` and ``lf-transformer``."""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mmer_fairseq.checkpoints import fairseq_form, mme2e
from mmer_fairseq.checkpoints.pickled_modules import without_wrapper
from mmer_fairseq.cli._convert_flags import fairseq_flags
from mmer_fairseq.encoders import face_pixels, mel_pieces
from mmer_fairseq.encoders.safe_pickle import load_pickle
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.state import check_state
from mmer_fairseq.networks.late_fusion import LFRNN, LFTransformer
from mmer_fairseq.networks.mme2e import MME2E
from mmer_fairseq.networks.mme2e_sparse import MESM

#: What the user writes → the system as the repository calls it.
SYSTEMS = {"mme2e": "mme2e", "mesm": "mme2e_sparse", "lf-rnn": "lf_rnn", "lf-transformer": "lf_transformer"}
#: Where the user says nothing: the README's heads, the code's threshold.
HEADS, THRESHOLD = 4, 0.9
_IMAGES = {"video": face_pixels.IMAGE, "audio": mel_pieces.IMAGE}
_ENCODERS = {"video": "face_pixels", "audio": "mel_pieces"}
#: Width of a published ALBERT → its heads and layers.
_ALBERT = {768: (12, 12), 1024: (16, 24), 2048: (16, 24)}


def run(args: argparse.Namespace) -> int:
    """Convert one checkpoint and say what was done with each part of it."""
    state, albert, dropped = mme2e.split_text(_read(args.old))
    sizes = mme2e.sizes_of(state, args.old)
    if sizes.system != SYSTEMS[args.system]:
        raise InputError.of(
            where=args.old,
            expected=f"a checkpoint of {args.system}",
            found=f"one of {next(name for name, own in SYSTEMS.items() if own == sizes.system)}",
            remedy="name that in --from",
        )
    baseline = sizes.system.startswith("lf_")
    modalities = _modalities(args, sizes, tuple(sizes.dims) if baseline else tuple(mme2e.LETTERS.values()))
    weights = mme2e.to_network(state, modalities, args.old)
    network, flags = _baseline(sizes, modalities) if baseline else _end_to_end(sizes, modalities, args)
    check_state(network, weights, args.old)
    folder = args.new.with_name(f"{args.new.stem}.albert")
    known = albert and "text" in modalities and sizes.dims["text"] in _ALBERT
    if known:
        fairseq_form.refuse_existing(folder)
    task: dict[str, Any] = {"modalities": ",".join(modalities)}
    task.update(
        {f"{m}_encoder": "identity" if baseline else _ENCODERS.get(m, "identity") for m in modalities}
    )
    stored = {part.partition("=")[0].strip() for part in (args.features or "").split(",")}
    if known and "text" not in stored:
        task["text_encoder"] = f"albert:{folder}"
    task.update({name: getattr(args, name) for name in ("data", "features") if getattr(args, name)})
    model = {f"network.{name}": x for name, x in weights.items()}
    file = "lf" if baseline else "mme2e"
    content = fairseq_form.checkpoint(model, **_flags(file, sizes.system, flags, task))
    fairseq_form.save(content, args.new)
    print(
        f"{args.new}: {sizes.system}, {', '.join(modalities)}, {sizes.outputs} outputs"
        + (", with the original's behaviour" if sizes.system != "mme2e" else "")
    )
    for name in ("trans_nheads", "sparse_threshold"):
        if name in flags:
            print(f"  --{name.replace('_', '-')} {flags[name]:g}, which the tensors do not tell")
    if known:
        _write_albert(albert, folder)
        print(f"  its ALBERT is in {folder}, for --text-encoder albert:{folder}")
        width = sizes.dims["text"]
        print(
            f"  put there spiece.model of the published ALBERT of width {width}: its words are not in the file"
        )
    elif albert and "text" not in modalities:
        print("  left out: its ALBERT, as it does not fuse text")
    elif albert:
        print(
            f"  left out: its ALBERT of width {sizes.dims['text']}, which is no published size "
            f"({', '.join(map(str, _ALBERT))})"
        )
    if dropped:
        parts = sorted({name.split(".")[0] if name.startswith("mtcnn") else name for name in dropped})
        print(f"  left out, {len(dropped)} tensors that nothing reads: {', '.join(parts)}")
    return 0


def _read(path: Path) -> dict[str, Tensor]:
    content = load_pickle(path, mme2e.WHAT)
    state = without_wrapper({str(k): x for k, x in content.items()}) if isinstance(content, Mapping) else {}
    wrong = [name for name, x in state.items() if not isinstance(x, Tensor)]
    broken = [
        name
        for name, x in state.items()
        if name not in wrong and x.is_floating_point() and not torch.isfinite(x).all()
    ]
    if wrong or broken or not state:
        raise InputError.of(
            where=path,
            expected=f"{mme2e.WHAT}, finite tensors by name",
            found=f"NaN or infinity in {', '.join(broken[:3])}"
            if broken
            else f"other things, {', '.join(wrong[:3])}"
            if wrong
            else "no tensors",
            remedy="name the file in savings/models, not the one of the same name in savings/stats",
        )
    return state


def _modalities(args: argparse.Namespace, sizes: mme2e.Sizes, there: tuple[str, ...]) -> tuple[str, ...]:
    """Those that it fuses: all that the file has parts of, or as the user says."""
    letters = [letter for letter, m in mme2e.LETTERS.items() if m in there]
    asked = args.mod or ("".join(letters) if sizes.fused == len(letters) else "")
    if not asked or not set(asked) <= set(letters) or len(set(asked)) != sizes.fused:
        raise InputError.of(
            where="--mod",
            expected=f"{sizes.fused} of the letters {', '.join(letters)}: the file has that many fusion weights",
            found=repr(asked) if asked else "none",
            remedy="give the --modalities that it was trained with, which its file name tells",
        )
    return tuple(m for letter, m in mme2e.LETTERS.items() if letter in asked)


def _end_to_end(
    sizes: mme2e.Sizes, modalities: tuple[str, ...], args: argparse.Namespace
) -> tuple[nn.Module, dict[str, Any]]:
    widths = {"text": sizes.dims["text"], "video": 6912, "audio": 4096}
    built: dict[str, Any] = {
        "dims": {m: widths[m] for m in modalities},
        "outputs": sizes.outputs,
        "images": {m: image for m, image in _IMAGES.items() if m in modalities},
        "trans_dim": sizes.trans_dim,
        "layers": sizes.layers,
        "heads": args.heads,
    }
    flags: dict[str, Any] = {
        "trans_dim": sizes.trans_dim,
        "trans_nlayers": sizes.layers,
        "trans_nheads": args.heads,
        "text_dim": sizes.dims["text"],
        "text_pooling": "first",
    }
    if sizes.system == "mme2e":
        return MME2E(**built), flags
    if "text" not in modalities:
        raise InputError.of(
            where="--mod", expected="t among them, which MESM needs", found=args.mod, remedy="correct it"
        )
    threshold = args.sparse_threshold
    if threshold is None:
        named = re.search(r"_st_([0-9.]+)_", args.old.name)
        threshold = float(named[1]) if named else THRESHOLD
    flags.update(sparse_threshold=threshold, original_behaviour=True)
    return MESM(threshold=threshold, original_behaviour=True, **built), flags


def _baseline(sizes: mme2e.Sizes, modalities: tuple[str, ...]) -> tuple[nn.Module, dict[str, Any]]:
    built: dict[str, Any] = {
        "dims": {m: sizes.dims[m] for m in modalities},
        "outputs": sizes.outputs,
        "original_behaviour": True,
    }
    if sizes.system == "lf_rnn":
        return LFRNN(**built), {"original_behaviour": True}
    layers = sizes.layers
    return LFTransformer(layers=layers, **built), {"original_behaviour": True, "trans_nlayers": layers}


def _flags(
    file: str, system: str, flags: Mapping[str, Any], task: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Of all flags of the model, which the first configuration in its file does not have all of."""
    from dataclasses import asdict

    complete = fairseq_flags(file, {}, task)
    from fairseq.models import MODEL_DATACLASS_REGISTRY

    complete["model_flags"] = {**asdict(MODEL_DATACLASS_REGISTRY[system]()), **flags, "_name": system}
    return complete


def _write_albert(albert: Mapping[str, Tensor], folder: Path) -> None:
    """As a folder of Hugging Face, as a whole or not at all."""
    hidden = albert["encoder.embedding_hidden_mapping_in.weight"].shape[0]
    table = albert["embeddings.word_embeddings.weight"]
    inside = next(x for name, x in albert.items() if name.endswith(".ffn.weight"))
    heads, layers = _ALBERT[hidden]
    config = {
        "model_type": "albert",
        "vocab_size": table.shape[0],
        "embedding_size": table.shape[1],
        "hidden_size": hidden,
        "intermediate_size": inside.shape[0],
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "num_hidden_groups": 1,
        "inner_group_num": 1,
        "hidden_act": "gelu_new",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "max_position_embeddings": albert["embeddings.position_embeddings.weight"].shape[0],
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
    }
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    (partial / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    save_file({name: x.contiguous() for name, x in albert.items()}, str(partial / "model.safetensors"))
    partial.rename(folder)
