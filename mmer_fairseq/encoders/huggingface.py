"""wav2vec 2.0 as Hugging Face publishes it: its settings and tensors under fairseq's names.

Both libraries have the same layers, so their checkpoints differ in names alone. The ``transformers`` package
is not needed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mmer_fairseq.encoders.fairseq_checkpoint import FairseqCheckpoint, fairseq_content
from mmer_fairseq.encoders.huggingface_config import (
    CONFIG,
    check_model_type,
    from_shapes,
    read_json,
    to_fairseq,
)
from mmer_fairseq.encoders.safe_pickle import load_pickle, load_safetensors
from mmer_fairseq.errors import InputError

logger = logging.getLogger(__name__)

#: Files of weights in a folder of Hugging Face; the first that is there is read.
WEIGHTS = ("model.safetensors", "pytorch_model.bin")

#: What the feature extractor of Hugging Face adds to the variance of a wave; fairseq adds 1e-5.
NORMALIZE_EPS = 1e-7

_FIRST = "feature_extractor.conv_layers.0.conv.weight"
_PARTS = ("feature_extractor.", "feature_projection.", "encoder.")

_LAYER = r"(encoder\.layers\.\d+)"
_RENAMED = [
    (r"(feature_extractor\.conv_layers\.\d+)\.conv\.", r"\1.0."),
    (r"feature_projection\.layer_norm\.", "layer_norm."),
    (r"feature_projection\.projection\.", "post_extract_proj."),
    (r"encoder\.pos_conv_embed\.conv\.parametrizations\.weight\.original0", "encoder.pos_conv.0.weight_g"),
    (r"encoder\.pos_conv_embed\.conv\.parametrizations\.weight\.original1", "encoder.pos_conv.0.weight_v"),
    (r"encoder\.pos_conv_embed\.conv\.", "encoder.pos_conv.0."),
    (_LAYER + r"\.attention\.", r"\1.self_attn."),
    (_LAYER + r"\.layer_norm\.", r"\1.self_attn_layer_norm."),
    (_LAYER + r"\.feed_forward\.intermediate_dense\.", r"\1.fc1."),
    (_LAYER + r"\.feed_forward\.output_dense\.", r"\1.fc2."),
]


def read_wav2vec2(path: str, what: str) -> FairseqCheckpoint:
    """Read a wav2vec 2.0 checkpoint of Hugging Face or of fairseq, whichever it is, safely.

    Args:
        path: a folder with ``config.json`` and ``model.safetensors`` or ``pytorch_model.bin``; or a file: one
            of these two, the tensors of a ``Wav2Vec2Model`` alone, or a checkpoint of fairseq.
        what: "wav2vec 2.0", for messages.

    Raises:
        InputError: none of these, a variant, or settings that tensors alone do not tell.
    """
    place = Path(path)
    if place.is_dir():
        return _of_folder(place, weights_file(place, what), what)
    if place.name in WEIGHTS and (place.parent / CONFIG).is_file():
        return _of_folder(place.parent, place, what)
    expected = f"a {what} checkpoint of fairseq or Hugging Face"
    content = _load(place, expected)
    if _prefix(content) is None:
        return fairseq_content(place, content, expected, ("wav2vec2",))
    state = _inner(content, place)
    config = from_shapes(state, place)
    logger.info(
        "%s: its shapes tell %d layers of width %d; as published, %d heads, and norm layers %s",
        place,
        config["num_hidden_layers"],
        config["hidden_size"],
        config["num_attention_heads"],
        "first" if config["do_stable_layer_norm"] else "last",
    )
    return _checkpoint(place, state, config, {}, place)


def _of_folder(folder: Path, weights: Path, what: str) -> FairseqCheckpoint:
    config = read_json(folder / CONFIG)
    prepared = preparation(folder)
    check_model_type(config, folder / CONFIG, f"a {what}", ("wav2vec2",))
    return _checkpoint(weights, model_tensors(weights, what), config, prepared, folder / CONFIG)


def preparation(folder: Path) -> dict[str, Any]:
    """Settings by which a folder's model wants its wave prepared; {} if it has none.

    Raises:
        InputError: they cannot be read.
    """
    processor = folder / "preprocessor_config.json"
    if processor.is_file():
        return read_json(processor)
    both = (
        folder / "processor_config.json"
    )  # newer versions of transformers write both processors into one file
    inner = read_json(both).get("feature_extractor") if both.is_file() else None
    return inner if isinstance(inner, dict) else {}


def model_tensors(weights: Path, what: str) -> dict[str, Tensor]:
    """The tensors of the model in a folder's file of weights, without those of heads and of pre-training.

    Args:
        weights: the file.
        what: the model, for messages.

    Raises:
        InputError: it cannot be read, or holds another model.
    """
    content = _load(weights, f"the tensors of a {what} model")
    if _prefix(content) is None:
        raise InputError.of(
            where=weights,
            expected=f"the tensors of a {what} model, one of them '{_FIRST}'",
            found=", ".join(sorted(map(str, content))[:3]) or "none",
            remedy="download the folder again",
        )
    return _inner(content, weights)


def _checkpoint(
    file: Path,
    state: Mapping[str, Tensor],
    config: Mapping[str, Any],
    prepared: Mapping[str, Any],
    where: Path,
) -> FairseqCheckpoint:
    """Settings and tensors under fairseq's names.

    Args:
        file: of the weights.
        state: tensors under Hugging Face's names without prefix.
        config: its ``config.json``.
        prepared: its ``preprocessor_config.json``, {} if there is none.
        where: the file of the settings, for messages.
    """
    model = to_fairseq(config, where)
    layer_norm = model["extractor_mode"] == "layer_norm"
    normalize = prepared.get("do_normalize")
    task = {
        "normalize": layer_norm if normalize is None else bool(normalize),
        "normalize_eps": NORMALIZE_EPS,
        "sample_rate": prepared.get("sampling_rate"),
    }
    matters = {key: value for key, value in {**model, **task}.items() if "drop" not in key}
    digest = hashlib.sha256(json.dumps(matters, sort_keys=True).encode()).hexdigest()[:16]
    tensors = {_renamed(name, layer_norm): tensor for name, tensor in state.items()}
    return FairseqCheckpoint(file, "wav2vec2", model, task, tensors, variant=f"+{digest}")


def _renamed(name: str, layer_norm: bool) -> str:
    norm = r"\1.2.1." if layer_norm else r"\1.2."  # fairseq wraps its layer norm in a Sequential
    for pattern, new in (*_RENAMED, (r"(feature_extractor\.conv_layers\.\d+)\.layer_norm\.", norm)):
        if re.match(pattern, name):
            return re.sub(pattern, new, name, count=1)
    return name


def weights_file(folder: Path, what: str) -> Path:
    """The file of weights in a folder of Hugging Face.

    Raises:
        InputError: it has none, or no settings.
    """
    for name in WEIGHTS:
        if (folder / name).is_file() and (folder / CONFIG).is_file():
            return folder / name
    there = sorted(file.name for file in folder.iterdir())
    raise InputError.of(
        where=folder,
        expected=f"a {what} folder of Hugging Face, with {CONFIG} and {' or '.join(WEIGHTS)}",
        found=(", ".join(there[:8]) + (" …" if len(there) > 8 else "")) or "an empty folder",
        remedy="download the missing file, or name the checkpoint file itself",
    )


def _load(file: Path, expected: str) -> dict[str, Any]:
    return load_safetensors(file, expected) if file.suffix == ".safetensors" else load_pickle(file, expected)


def _prefix(content: Mapping[str, Any]) -> str | None:
    """What stands before the names of the model's tensors, 'wav2vec2.' beside a head; None: no such model."""
    names = [str(name) for name in content if str(name).endswith(_FIRST)]
    tensors = all(isinstance(tensor, Tensor) for tensor in content.values())
    return names[0][: -len(_FIRST)] if names and tensors else None


def _inner(content: Mapping[str, Any], file: Path) -> dict[str, Tensor]:
    """The tensors of the model alone; what is left out is named in the log."""
    prefix = _prefix(content) or ""
    state: dict[str, Tensor] = {}
    heads: Counter[str] = Counter()
    for name, tensor in content.items():
        inner = name[len(prefix) :]
        if name.startswith(prefix) and inner.startswith(_PARTS):
            state[inner] = tensor
        elif name.startswith(prefix) and inner.startswith("adapter."):
            raise InputError.of(
                where=file,
                expected="a published form of the model",
                found="a variant with an adapter over its transformer",
                remedy="use another checkpoint",
            )
        elif inner != "masked_spec_embed":  # of pre-training: nothing is masked here
            heads[name.split(".")[0] if not name.startswith(prefix) else inner.split(".")[0]] += 1
    if heads:
        listed = ", ".join(f"{name} ({count} tensors)" for name, count in sorted(heads.items()))
        logger.info("%s: left out, as only the encoder is used: %s", file, listed)
    return state
