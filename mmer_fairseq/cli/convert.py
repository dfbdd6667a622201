"""``mmer convert``: a checkpoint of an original repository → one that fairseq's commands load."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmer_fairseq.checkpoints import encoders, fairseq_form, sse_ft
from mmer_fairseq.encoders.safe_pickle import load_pickle
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.state import check_state

HELP = "bring in a checkpoint of an original repository"

EPILOG = """The weights of the frozen encoders are left out: name the published encoders, or features that
they extracted, to train or validate. With --keep-encoders they are written beside NEW, as NEW.roberta.pt,
NEW.wav2vec.pt and NEW.fabnet.pt, and NEW uses them.

  mmer convert --from sse-ft checkpoint_best.pt sse_ft.pt
  fairseq-validate CORPUS --user-dir mmer_fairseq --task emotion_prediction --path sse_ft.pt \\
      --features text=roberta,audio=wav2vec,video=fabnet"""

logger = logging.getLogger(__name__)

_WHAT = "a checkpoint of the original SSE-FT (fairseq 0.8), with 'args' and 'model'"
_FORMS = {"text": "tokens", "audio": "samples", "video": "frames"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer convert``."""
    parser.add_argument("--from", dest="system", required=True, choices=["sse-ft"], help="whose it is")
    parser.add_argument("old", metavar="OLD", type=Path, help="the original's checkpoint")
    parser.add_argument("new", metavar="NEW", type=Path, help="file to write")
    parser.add_argument("--keep-encoders", action="store_true", help="also write its frozen encoders")
    parser.add_argument("--data", metavar="DIR", help="corpus to note in NEW (default: the original's)")
    parser.add_argument(
        "--features", metavar="MODALITY=NAME,…", help="stored features to note in NEW, see fairseq-train"
    )


def run(args: argparse.Namespace) -> int:
    """Convert one checkpoint and say what was done with each part of it."""
    fairseq_form.refuse_existing(args.new)
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
    flags = _complete(sse_ft.model_flags(sizes, settings), task_flags)
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


def _complete(model: Mapping[str, Any], task: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The three configurations with the default of every field that is not given."""
    import mmer_fairseq  # fairseq takes seconds to import: not before the file is known to be good

    mmer_fairseq.register()
    from mmer_fairseq.criterions.emotion_prediction_cri import EmotionPredictionCriterionConfig
    from mmer_fairseq.models.sse_ft import SSEFTConfig
    from mmer_fairseq.tasks.emotion_prediction import EmotionPredictionConfig

    return {
        "model_flags": {**asdict(SSEFTConfig()), **model},
        "task_flags": {**asdict(EmotionPredictionConfig()), "data": "", **task},
        "criterion_flags": {
            **asdict(EmotionPredictionCriterionConfig()),
            "_name": "emotion_prediction_cri",
        },
    }


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
