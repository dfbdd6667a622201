"""Backbones whose weights come from a file, from their publisher, or from nowhere yet."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.encoders.fairseq_checkpoint import load_exactly
from mmer_fairseq.encoders.safe_pickle import load_pickle, load_safetensors
from mmer_fairseq.errors import InputError

logger = logging.getLogger(__name__)

#: What stands in place of a path for weights that are not trained yet.
RANDOM = "random"

#: Names under which a file may keep its tensors, besides none: a training run of fairseq, others.
_WRAPPERS = ("model", "net", "state_dict")


class Backbone(Encoder):
    """An encoder whose weights, or some of them, may be untrained.

    Args:
        dim: D, the width of the output.
        untrained: which part has initial weights ('' : none, all come from a file or a publisher).
        others: as :class:`Encoder`'s.
    """

    def __init__(self, dim: int, *, untrained: str = "", **others: Any) -> None:
        super().__init__(dim, **others)
        self.untrained = untrained

    @property
    def fingerprint(self) -> str:
        """As :class:`Encoder`'s; of initial weights, a sha256 of the weights themselves."""
        if not self.untrained:
            return super().fingerprint
        digest = hashlib.sha256()
        for name, tensor in self.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest() + self.variant


@dataclass(frozen=True)
class Weights:
    """Tensors of a file, or of a publisher.

    Attributes:
        where: the file, or what the user wrote.
        what: what it should hold, for messages ("R(2+1)D-18").
        modality: of the stream, which tells two encoders of one training run apart.
        state: all tensors by name, without the ``module.`` of parallel training.
        path: the file, None if there is none.
    """

    where: str
    what: str
    modality: str
    state: Mapping[str, Tensor]
    path: Path | None = None

    def prefix(self, anchor: str) -> str | None:
        """What stands before a tensor's name ('' : nothing); None: no such tensor.

        Raises:
            InputError: it is there several times, and none belongs to the modality.
        """
        found = [name[: -len(anchor)] for name in self.state if f".{name}".endswith(f".{anchor}")]
        if len(found) > 1:
            own = [name for name in found if name.startswith(f"encoders.encoder.{self.modality}.")]
            if len(own) != 1:
                raise InputError.of(
                    where=self.where,
                    expected=f"one {self.what}, or one of the modality {self.modality}",
                    found=f"{len(found)}, at {', '.join(name or 'the top' for name in sorted(found)[:4])}",
                    remedy="save the tensors of one of them alone",
                )
            found = own
        return found[0] if found else None

    def load(self, module: nn.Module, prefix: str, change: Mapping[str, Tensor] | None = None) -> None:
        """Load the tensors under a prefix; those whose first name the module does not have are left.

        Args:
            module: every tensor of it must be there and fit.
            prefix: what stands before its names.
            change: tensors to take in place of those of the file.

        Raises:
            InputError: naming the tensors that are missing or do not fit.
        """
        parts = {name.split(".")[0] for name in module.state_dict()}
        inner = {name[len(prefix) :]: x for name, x in self.state.items() if name.startswith(prefix)}
        own = {name: x for name, x in inner.items() if name.split(".")[0] in parts}
        load_exactly(module, {**own, **(change or {})}, Path(self.where), prefix)

    def foreign(self, anchor: str) -> InputError:
        """The error for a file that holds something else."""
        return InputError.of(
            where=self.where,
            expected=f"weights of {self.what}, among them '{anchor}'",
            found=", ".join(sorted(self.state)[:3]) + (", …" if len(self.state) > 3 else "") or "no tensors",
            remedy="name the right file",
        )


def read_weights(path: str, what: str, modality: str) -> Weights:
    """Read tensors from a file, safely.

    Args:
        path: of ``torch.save`` or safetensors: tensors by name, alone or under 'model' (a training run of ours or
            fairseq's), 'net' or 'state_dict'.
        what: what it should be, for messages.
        modality: of the stream.

    Raises:
        InputError: it cannot be read, or holds no tensors by name.
    """
    file = Path(path)
    expected = f"weights of {what}"
    again = "copy it again"
    if file.suffix == ".safetensors":
        content = load_safetensors(file, expected, again)
    else:
        content = load_pickle(file, expected, again)
    state = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), content)
    if not state or not all(isinstance(x, Tensor) for x in state.values()):
        raise InputError.of(
            where=path,
            expected=f"{expected}, tensors by name",
            found=f"a dictionary with {sorted(map(str, content))[:8]}",
            remedy="name the right file",
        )
    tensors = {re.sub(r"(^|\.)module\.", r"\1", str(name)): x for name, x in state.items()}
    return Weights(path, what, modality, tensors, file)


def download(word: str, what: str, modality: str, fetch: Callable[[], Mapping[str, Tensor]]) -> Weights:
    """Weights that torchvision publishes, from its cache or the network.

    Args:
        word: what the user wrote.
        what: the network, for messages.
        modality: of the stream.
        fetch: torchvision's own loader.

    Raises:
        InputError: they cannot be had.
    """
    logger.info("%s: torchvision's weights, downloaded unless they are in its cache", word)
    try:
        return Weights(word, what, modality, dict(fetch()))
    except (OSError, RuntimeError) as error:  # no network; a broken file
        raise InputError.of(
            where=word,
            expected=f"torchvision's weights of {what}, in its cache or from the network",
            found=f"{type(error).__name__}: {error}",
            remedy="check the connection, or name a file of weights",
        ) from error


def need_training(spec: StreamSpec, encoder: Backbone, where: str, remedy: str) -> None:
    """Refuse an encoder of which a part is untrained, unless the user has said that it is to be trained.

    Args:
        spec: its stream.
        encoder: built.
        where: the file.
        remedy: where trained weights of that part are.

    Raises:
        InputError: it would be frozen.
    """
    if encoder.untrained and spec.frozen is not False:
        raise InputError.of(
            where=where,
            expected=f"trained weights of {encoder.untrained}, which a frozen encoder needs",
            found="none",
            remedy=f"{remedy}, or train it with the model (--finetune {spec.modality})",
        )
