"""fairseq's published checkpoints: their configuration, old and new, and their weights."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mmer_fairseq.encoders.safe_pickle import load_pickle
from mmer_fairseq.errors import InputError, optional

#: Where a fine-tuned wav2vec 2.0 or HuBERT keeps the model it started from.
_INNER = "w2v_encoder.w2v_model."


@dataclass(frozen=True)
class FairseqCheckpoint:
    """What a checkpoint says.

    Attributes:
        path: its file.
        name: fairseq's name of the model or architecture.
        model: settings of the model.
        task: settings of the task it was trained on.
        state: its tensors by name.
        variant: what decides its output besides the file, for the fingerprint; '' if nothing does.
    """

    path: Path
    name: str
    model: Mapping[str, Any]
    task: Mapping[str, Any]
    state: Mapping[str, Tensor]
    variant: str = ""

    def config(self, dataclass_type: type, **fixed: Any) -> Any:
        """The model's settings as fairseq's own configuration object.

        Args:
            dataclass_type: fairseq's FairseqDataclass of that model.
            fixed: settings that do not come from the checkpoint.
        """
        config = dataclass_type()
        for field in dataclasses.fields(dataclass_type):
            value = fixed.get(field.name, self.model.get(field.name, getattr(config, field.name)))
            if isinstance(value, str) and value.startswith("${"):  # points into settings we do not have
                value = 0
            setattr(config, field.name, value)
        return config

    def load(self, module: nn.Module, prefix: str) -> None:
        """Load the tensors under a prefix into a module; every one must be there and fit.

        Raises:
            InputError: naming the first tensors that are missing, unknown or of another shape.
        """
        part = {name[len(prefix) :]: x for name, x in self.state.items() if name.startswith(prefix)}
        load_exactly(module, part, self.path, prefix)

    def refuse(self, condition: object, found: str) -> None:
        """Raise an InputError if a variant is not one whose output can be made independent of the batch."""
        if condition:
            raise InputError.of(
                where=self.path,
                expected=f"the published form of {self.name}",
                found=f"a variant with {found}",
                remedy="use another checkpoint",
            )


def read_fairseq(path: str, what: str, names: tuple[str, ...]) -> FairseqCheckpoint:
    """Read a checkpoint of fairseq, safely.

    Args:
        path: the file.
        what: "wav2vec 1.0", for messages.
        names: the model's names in fairseq; one that starts with any of them is accepted.

    Raises:
        InputError: not a readable checkpoint of fairseq, or one of another model.
    """
    expected = f"a {what} checkpoint of fairseq"
    return fairseq_content(Path(path), load_pickle(Path(path), expected), expected, names)


def fairseq_content(
    file: Path, content: Mapping[str, Any], expected: str, names: tuple[str, ...]
) -> FairseqCheckpoint:
    """What a file that was read already says. See :func:`read_fairseq`.

    Args:
        file: where it is from.
        content: what it holds.
        expected: what it should be, for messages.
        names: the model's names in fairseq.

    Raises:
        InputError: not the content of a checkpoint of fairseq, or of another model's.
    """
    state = content.get("model")
    settings = content.get("cfg") or content.get("args")
    if not (isinstance(state, dict) and settings and all(isinstance(x, Tensor) for x in state.values())):
        raise InputError.of(
            where=file,
            expected=f"{expected}, with 'model' and 'args' or 'cfg'",
            found=f"a dictionary with {sorted(map(str, content))[:8]}",
            remedy="name the fairseq form of the checkpoint (other libraries publish other forms)",
        )
    model, task = _settings(settings)
    if any(name.startswith(_INNER) for name in state) and model.get("w2v_args"):
        model, _ = _settings(model["w2v_args"])
        state = {name[len(_INNER) :]: x for name, x in state.items() if name.startswith(_INNER)}
    name = str(model.get("_name") or model.get("arch"))
    if not name.startswith(names):
        raise InputError.of(
            where=file,
            expected=expected,
            found=f"a fairseq checkpoint of the model '{name}'",
            remedy="name the right file, or the encoder that it belongs to",
        )
    return FairseqCheckpoint(file, name, model, task, state)


def _settings(settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(model, task) of the old flat ``args`` or the newer nested ``cfg``."""
    flat = _plain(settings)
    if "model" in flat and not isinstance(settings, argparse.Namespace):
        return _plain(flat["model"]), _plain(flat.get("task"))
    return flat, flat


def _plain(settings: Any) -> dict[str, Any]:
    if isinstance(settings, argparse.Namespace):
        return vars(settings)
    if isinstance(settings, dict):
        return settings
    if settings is None:
        return {}
    from omegaconf import OmegaConf  # only a checkpoint that holds one brings us here

    content = OmegaConf.to_container(settings, resolve=False)
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def load_exactly(module: nn.Module, state: Mapping[str, Tensor], path: Path, prefix: str = "") -> None:
    """``load_state_dict`` with every tensor present, known and of the right shape.

    Raises:
        InputError: naming the tensors that are not.
    """
    own = module.state_dict()
    optional = {name for name in own if name.endswith("num_batches_tracked")}  # younger than some checkpoints
    missing = sorted(own.keys() - state.keys() - optional)
    unknown = sorted(state.keys() - own.keys())
    shapes = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in sorted(own.keys() & state.keys())
        if state[name].shape != own[name].shape
    ]
    for fault, names in (("no", missing), ("also", unknown), ("", shapes)):
        if names:
            shown = ", ".join(f"{prefix}{name}" for name in names[:3]) + (" …" if len(names) > 3 else "")
            raise InputError.of(
                where=path,
                expected="the tensors of the model that its settings describe",
                found=f"{fault} {shown}".strip(),
                remedy="download the checkpoint again, or use one of the published form",
            )
    module.load_state_dict({**own, **state})


def fairseq_module(name: str) -> Any:
    """Import a module of fairseq.

    Raises:
        InputError: fairseq is not installed.
    """
    with quiet_fairseq():
        return optional(
            name,
            where=name,
            expected="fairseq, to read its checkpoint",
            remedy="install mmer_fairseq again, with its requirements",
        )


@contextmanager
def quiet_fairseq() -> Iterator[None]:
    """fairseq calls what torch means to remove, and advertises packages: its users cannot help it."""
    disabled = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        with warnings.catch_warnings():
            for kind in (FutureWarning, DeprecationWarning, UserWarning):
                warnings.simplefilter("ignore", kind)
            yield
    finally:
        logging.disable(disabled)
