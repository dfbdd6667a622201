"""Which split chose what: read from the checkpoint, not from what anybody remembers."""

from __future__ import annotations

import argparse
import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.reporting.measures import TITLES

#: In a run's folder: what was chosen outside of the run, by comparing it with others.
NOTED = "choices.json"
EPOCH, THRESHOLDS = "the epoch", "the thresholds"


@dataclass(frozen=True)
class Choice:
    """One thing that was chosen by looking at labels of a split.

    Attributes:
        what: epoch, thresholds or weights.
        how: by which rule, in words.
        split: that was looked at.
        value: what came out, in words.
    """

    what: str
    how: str
    split: str
    value: str = ""


@dataclass(frozen=True)
class Origin:
    """What a checkpoint says of its making.

    Attributes:
        path: of the checkpoint.
        trained_on: the training split.
        choices: what was chosen on other splits.
        seed: of the training run; None: it does not say.
        arch: name of the model.
        data: corpus folder that it was trained on.
        labels: name of the label space; '': the corpus' first.
        modalities: that the model reads.
    """

    path: Path
    trained_on: str
    choices: tuple[Choice, ...]
    seed: int | None
    arch: str
    data: str
    labels: str
    modalities: tuple[str, ...]

    def chosen_on(self, split: str) -> list[Choice]:
        """What was chosen on this split."""
        return [choice for choice in self.choices if choice.split == split]


def read_origin(path: Path) -> Origin:
    """Read how a checkpoint was made; its weights are not loaded.

    Raises:
        InputError: it is no checkpoint of this plugin.
    """
    state = _load(path)
    cfg, task_state = state.get("cfg"), state.get("task_state")
    if not isinstance(cfg, Mapping) or not isinstance(task_state, Mapping) or "labels" not in task_state:
        raise _foreign(path, "a file without the settings of a training run")
    dataset, checkpoint, task = (_part(cfg, name) for name in ("dataset", "checkpoint", "task"))
    choices = []
    if path.name.startswith("checkpoint_best") and not dataset.get("disable_validation"):
        metric = str(checkpoint.get("best_checkpoint_metric", "loss"))
        best = _number(_part(state, "extra_state").get("best"))
        way = "highest" if checkpoint.get("maximize_best_checkpoint_metric") else "lowest"
        split = str(dataset.get("valid_subset", "valid")).split(",")[0].strip()
        how = f"the {way} {TITLES.get(metric, metric)} of all epochs"
        choices.append(Choice(EPOCH, how, split, "" if best is None else f"{best:.3f}"))
    thresholds = task_state.get("thresholds")
    if thresholds:
        names = task_state["labels"]["names"]
        values = ", ".join(f"{name} {value:g}" for name, value in zip(names, thresholds["values"]))
        choices.append(Choice(THRESHOLDS, "the highest F1 of each label", str(thresholds["split"]), values))
    trained_on = str(dataset.get("train_subset", "train"))
    if task_state.get("label_weights"):
        choices.append(
            Choice("the weights of the labels in the loss", "how often each label occurs", trained_on)
        )
    choices += _noted(path.parent / NOTED)
    seed = _part(cfg, "common").get("seed")
    return Origin(
        path,
        trained_on,
        tuple(choices),
        seed if isinstance(seed, int) else None,
        str(_part(cfg, "model").get("_name") or _part(cfg, "model").get("arch") or ""),
        str(task.get("data") or ""),
        str(task_state["labels"].get("name") or ""),
        tuple(task_state.get("streams") or ()),
    )


def note_choice(folder: Path, choice: Choice) -> None:
    """Write beside a run what was chosen by comparing it with others, so that its report says it."""
    (folder / NOTED).write_text(json.dumps([asdict(choice)], indent=1) + "\n", encoding="utf-8")


def _noted(file: Path) -> list[Choice]:
    if not file.exists():
        return []
    try:
        return [Choice(**each) for each in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise InputError.of(
            where=file,
            expected="a list of choices: what, how, split, value",
            found=f"{type(error).__name__}: {error}",
            remedy="write it again with mmer compare, or remove it if nothing was tuned",
        ) from error


def _load(path: Path) -> Mapping[str, Any]:
    try:
        # what is allowed already must stay so: the context takes away all that it was given
        new: list[Any] = (
            [argparse.Namespace] if argparse.Namespace not in torch.serialization.get_safe_globals() else []
        )
        with torch.serialization.safe_globals(new):
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except OSError as error:
        raise _foreign(path, error.strerror or str(error)) from error
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise _foreign(path, str(error).splitlines()[0][:120] if str(error) else "a broken file") from error
    if not isinstance(state, Mapping):
        raise _foreign(path, type(state).__name__)
    return state


def _foreign(path: Path, found: str) -> InputError:
    return InputError.of(
        where=path,
        expected="a checkpoint of fairseq-train with this plugin",
        found=found,
        remedy="move it out of the run's folder, or report on the predictions file alone from another folder",
    )


def _part(cfg: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A section of the settings; newer fairseq writes a dictionary, the command line a Namespace."""
    part = cfg.get(name)
    return part if isinstance(part, Mapping) else vars(part) if isinstance(part, argparse.Namespace) else {}


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
