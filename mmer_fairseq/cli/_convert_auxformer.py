"""``mmer convert --from auxformer``."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from mmer_fairseq.checkpoints import auxformer, fairseq_form
from mmer_fairseq.checkpoints.pickled_modules import TORCH, state_of, without_wrapper
from mmer_fairseq.cli._convert_flags import fairseq_flags
from mmer_fairseq.encoders.plain_pickle import load_arrays
from mmer_fairseq.encoders.safe_pickle import load_pickle
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.state import check_state

#: Classes of its repository that a saved model of v1 holds.
_CLASSES = (
    "src.models.AUXFORMER",
    "modules.transformer.TransformerEncoder",
    "modules.transformer.TransformerEncoderLayer",
    "modules.position_embedding.SinusoidalPositionalEmbedding",
    "modules.multihead_attention.MultiheadAttention",
)
_STATISTICS = "train_norm_stat.pkl"


def run(args: argparse.Namespace) -> int:
    """Convert one checkpoint and say what was done with each part of it."""
    state = _read(args.old)
    sizes = auxformer.sizes_of(state, args.old)
    weights = auxformer.to_network(state, args.old)
    if args.heads < 1 or sizes.dim % args.heads:
        raise InputError.of(
            where="--heads",
            expected=f"a number that divides the file's width of {sizes.dim}",
            found=args.heads,
            remedy="give the number of heads that it was trained with",
        )
    network = auxformer.network_of(sizes, args.heads, causal=not args.no_attention_mask)
    check_state(network, weights, args.old)
    model = {f"network.{name}": x for name, x in weights.items()}
    task = {"modalities": "audio,video", "audio_encoder": "identity", "video_encoder": "identity"}
    statistics = _statistics(args, sizes.video_dim)
    if statistics is not None:
        task["video_encoder"] = "standardise"
        model.update({f"encoders.encoder.video.{name}": x for name, x in statistics.items()})
    task.update({name: getattr(args, name) for name in ("data", "features") if getattr(args, name)})
    flags = {
        "_name": "auxformer",
        "audio_dim": sizes.audio_dim,
        "video_dim": sizes.video_dim,
        "encoder_embed_dim": sizes.dim,
        "encoder_layers": sizes.layers,
        "encoder_attention_heads": args.heads,
        "no_attention_mask": args.no_attention_mask,
        "original_behaviour": True,
    }
    content = fairseq_form.checkpoint(model, **fairseq_flags("auxformer", flags, task))
    fairseq_form.save(content, args.new)
    print(
        f"{args.new}: audio {sizes.audio_dim}, video {sizes.video_dim} wide; {sizes.layers} layers of width "
        f"{sizes.dim}, {args.heads} heads, {sizes.outputs} outputs, with the original's behaviour"
    )
    if statistics is not None:
        print("  picture features are normalised by the statistics of its training")
    return 0


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a state dict or of a pickled model."""
    content = load_pickle(path, auxformer.WHAT, objects=(*_CLASSES, *TORCH))
    state = content if isinstance(content, dict) else state_of(content, path)
    state = without_wrapper({str(name): x for name, x in state.items() if isinstance(x, Tensor)})
    broken = [
        name
        for name, x in state.items()
        if x.is_floating_point() and "_float_tensor" not in name and not torch.isfinite(x).all()
    ]
    if broken:
        raise InputError.of(
            where=path,
            expected="finite weights",
            found=f"NaN or infinity in {', '.join(broken[:3])}",
            remedy="name a checkpoint that the original AuxFormer repository wrote",
        )
    return state


def _statistics(args: argparse.Namespace, width: int) -> dict[str, Tensor] | None:
    """What the original normalised picture features with; None where there is no such file."""
    path = args.statistics or args.old.with_name(_STATISTICS)
    if not args.statistics and not path.exists():
        return None
    what = f"AuxFormer's {_STATISTICS}: mean and deviation of the sound, then {width} of each of the picture"
    values = [torch.as_tensor(array).double().flatten() for array in load_arrays(path, what)]
    if [len(x) for x in values] != [1, 1, width, width] or not all(bool(x.isfinite().all()) for x in values):
        raise InputError.of(
            where=path,
            expected=what,
            found=f"arrays of {', '.join(str(len(x)) for x in values) or 'no'} numbers, or NaN",
            remedy="name the file that belongs to the checkpoint, or leave --statistics out",
        )
    mean, deviation = float(values[0]), float(values[1])
    print(
        f"  before wav2vec 2.0, the sound had mean {mean:.6g} taken away and was divided by {deviation:.6g}"
    )
    return {
        "mean": values[2].float(),
        "scale": (1.0 / (values[3] + 1e-6)).float(),
        "limit": torch.tensor(float("inf")),
    }
