"""Loading weights into a model: what does not fit is said in words; an output layer may start afresh."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mmer_fairseq.errors import InputError

logger = logging.getLogger(__name__)

_SHOWN = 3


def check_state(module: nn.Module, state: Mapping[str, Any], where: object) -> None:
    """Compare a state dict with a module before loading it.

    Args:
        module: what it is meant for.
        state: name → tensor.
        where: the file it came from, for the message.

    Raises:
        InputError: names are missing or unknown, or shapes differ; the first few of each are named.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in state]
    unknown = [name for name in state if name not in own]
    reshaped = [
        f"{name} {_shape(state[name])} in place of {_shape(tensor)}"
        for name, tensor in own.items()
        if name in state and _shape(state[name]) != _shape(tensor)
    ]
    kinds = (("missing", missing), ("unknown", unknown), ("of another shape", reshaped))
    found = [f"{len(names)} {kind} ({_first(names)})" for kind, names in kinds if names]
    if found:
        raise InputError.of(
            where=where,
            expected=f"the {len(own)} tensors of this {type(module).__name__}",
            found="; ".join(found),
            remedy="give the flags (architecture, sizes, modalities, encoders) that it was trained with",
        )


class CheckedLoading(nn.Module):
    """Base of every model: readable errors for foreign weights, and output layers that may start afresh.

    As with fairseq's RoBERTa, an output layer of another size than the checkpoint's keeps its initial
    weights, so that a model can be fine-tuned on other labels, unless ``load_checkpoint_heads`` asks for the
    checkpoint's. Such a model refuses to predict before it has been trained.

    A frozen encoder that came from a file of its own (``frozen`` and ``checkpoint`` are set) may be absent from
    the weights: a model trained on its stored features then runs behind the encoder itself.

    Attributes:
        output_layers: names of the linear layers that give the outputs.
        load_checkpoint_heads: require the checkpoint's output layers.
    """

    output_layers: tuple[str, ...] = ()
    load_checkpoint_heads: bool = False
    _guards: tuple[Any, ...] = ()

    def load_state_dict(  # type: ignore[override]
        self, state_dict: Mapping[str, Any], strict: bool = True, **kwargs: Any
    ) -> Any:
        """Load weights; the arguments are fairseq's.

        Raises:
            InputError: they do not fit (:func:`check_state`), or a required output layer has another size.
        """
        state = dict(state_dict)
        for handle in self._guards:
            handle.remove()
        for layer in self.output_layers:
            self._settle_output(layer, state)
        self._keep_frozen(state)
        if strict:
            check_state(self, state, "checkpoint")
        return super().load_state_dict(state, strict=strict, **kwargs)

    def _keep_frozen(self, state: dict[str, Any]) -> None:
        for name, part in self.named_modules():
            file = getattr(part, "checkpoint", None)
            if (
                file
                and getattr(part, "frozen", False)
                and not any(key.startswith(f"{name}.") for key in state)
            ):
                state.update({f"{name}.{key}": x for key, x in part.state_dict().items()})
                logger.info("%s keeps the frozen weights of %s", name, file)

    def _settle_output(self, layer: str, state: dict[str, Any]) -> None:
        ours = {f"{layer}.{name}": x for name, x in self.get_submodule(layer).state_dict().items()}
        theirs = {name: state[name] for name in ours if isinstance(state.get(name), Tensor)}
        # Only the number of outputs may differ: another width below it means another network.
        if len(theirs) < len(ours) or any(theirs[name].shape[1:] != ours[name].shape[1:] for name in ours):
            return
        sizes = [len(next(iter(tensors.values()))) for tensors in (theirs, ours)]
        if sizes[0] == sizes[1]:
            return
        if self.load_checkpoint_heads:
            raise InputError.of(
                where="--load-checkpoint-heads",
                expected=f"a checkpoint whose output layer {layer} has {sizes[1]} outputs",
                found=sizes[0],
                remedy="leave the flag out to train a new one, or choose the labels it was trained on",
            )
        state.update(ours)
        logger.warning(
            "%s starts from its initial weights: %d outputs in the checkpoint, %d needed", layer, *sizes
        )
        self._refuse_untrained(layer, *sizes)

    def _refuse_untrained(self, layer: str, theirs: int, ours: int) -> None:
        def guard(model: nn.Module, *_: Any) -> None:
            if not model.training:
                raise InputError.of(
                    where=f"checkpoint, {layer}",
                    expected=f"an output layer trained for {ours} outputs",
                    found=f"one for {theirs}",
                    remedy="train on these labels first (fairseq-train --finetune-from-model), or choose the "
                    "labels it was trained on",
                )
            handle.remove()

        handle = self.register_forward_pre_hook(guard)
        self._guards = (*self._guards, handle)


def _shape(value: object) -> object:
    return tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__


def _first(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
