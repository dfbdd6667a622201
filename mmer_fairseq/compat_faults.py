"""What fairseq answers with a traceback, or with silence, gets a message; called by ``compat``.

Why: a damaged or foreign checkpoint ends in torch's own frames; ``--restore-file`` that names no file trains from
scratch without a word, one of other labels or another vocabulary goes on as if they were the same; and numbers and
paths of fairseq's own flags are used unseen. Can go: when fairseq checks all this.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Callable

import torch

from mmer_fairseq.encoders.safe_pickle import load_pickle
from mmer_fairseq.errors import InputError

logger = logging.getLogger(__name__)

WHAT = "a checkpoint that fairseq-train wrote with --user-dir mmer_fairseq"
_AGAIN = "name another one, or delete it to train anew"

#: fairseq's section and flag → the lowest value that means something.
_LOWEST = {
    ("dataset", "batch_size"): 1,
    ("dataset", "batch_size_valid"): 1,
    ("dataset", "max_tokens"): 1,
    ("dataset", "num_workers"): 0,
    ("optimization", "update_freq"): 1,
}

#: While fairseq-train takes over a checkpoint: its task, its checkpoint flags, and the path once it is known.
_restoring: dict[str, Any] = {}


def check_flags(cfg: Any, command: str) -> None:
    """Refuse what fairseq's own flags say wrongly, before anything is read.

    Args:
        cfg: the whole configuration.
        command: ``train``, ``validate`` or ``""``.

    Raises:
        InputError: naming the flag.
    """
    for (section, name), lowest in _LOWEST.items():
        value = _value(cfg, section, name)
        for number in value if hasattr(value, "__iter__") else [value]:
            if number is not None and number < lowest:
                raise InputError.of(
                    where="--" + name.replace("_", "-"),
                    expected=f"{lowest} or more",
                    found=number,
                    remedy="correct it or leave the flag out",
                )
    if all(_value(cfg, "dataset", name, 0) is None for name in ("max_tokens", "batch_size")):
        raise InputError.of(
            where="--batch-size",
            expected="the number of clips in a batch, or --max-tokens",
            found="neither",
            remedy="add --batch-size 8",
        )
    gpu = torch.cuda.is_available() and not _value(cfg, "common", "cpu")
    for flag in ("fp16", "bf16"):
        if _value(cfg, "common", flag) and not gpu:
            raise InputError.of(
                where=f"--{flag}", expected="a GPU", found="none in use", remedy=f"leave --{flag} out"
            )
    run, log = _value(cfg, "checkpoint", "save_dir"), _value(cfg, "common", "log_file")
    if command == "train" and run and not _value(cfg, "checkpoint", "no_save"):
        with _writing("--save-dir", run):
            os.makedirs(run, exist_ok=True)
    if log:
        with _writing("--log-file", log), open(log, "a"):
            pass


def _value(cfg: Any, section: str, name: str, otherwise: Any = None) -> Any:
    """A setting; ``otherwise`` where this fairseq has none of the name."""
    return getattr(getattr(cfg, section, None), name, otherwise)


def check_selection(checkpoint: Any, higher_is_better: dict[str, Any]) -> None:
    """Check ``--best-checkpoint-metric`` and its direction.

    Args:
        checkpoint: fairseq's checkpoint configuration.
        higher_is_better: the metrics that will be there; ``None`` where the direction is unknown.

    Raises:
        InputError: the metric does not exist, or the best checkpoint would be the worst one.
    """
    name, maximise = checkpoint.best_checkpoint_metric, checkpoint.maximize_best_checkpoint_metric
    if name not in higher_is_better:
        raise InputError.of(
            where="--best-checkpoint-metric",
            expected=f"one of {', '.join(higher_is_better)}",
            found=repr(name),
            remedy="name one of these metrics",
        )
    wanted = higher_is_better[name]
    if wanted is not None and wanted != maximise:
        raise InputError.of(
            where=f"--best-checkpoint-metric {name}",
            expected=f"a {'higher' if wanted else 'lower'} value to be the better one",
            found=f"--maximize-best-checkpoint-metric {'given' if maximise else 'not given'}",
            remedy=f"{'add' if wanted else 'leave out'} --maximize-best-checkpoint-metric",
        )


def is_nan(value: Any) -> bool:
    """Whether a metric, a number or fairseq's meter of some, is no number; None: it was not measured."""
    value = getattr(value, "avg", value)
    return value is not None and math.isnan(float(value))


def without_nan(save_checkpoint: Callable[..., Any]) -> Callable[..., Any]:
    """fairseq's ``save_checkpoint``, for which an epoch whose metric is NaN was not validated.

    Why: as no number is larger than NaN, fairseq would forget the best epoch so far, and the next one take its place.
    """

    def saved(cfg: Any, trainer: Any, epoch_itr: Any, val_loss: Any) -> Any:
        return save_checkpoint(cfg, trainer, epoch_itr, None if is_nan(val_loss) else val_loss)

    return saved


def warn_of_no_best(checkpoint: Any, stats: Mapping[str, Any]) -> None:
    """Say when an epoch cannot be the best one, as its metric is no number."""
    name = checkpoint.best_checkpoint_metric
    if is_nan(stats[name]):
        logger.warning(
            f"--best-checkpoint-metric {name}: expected a number; found NaN on the validation split, so that this "
            "epoch cannot be the best one. If it stays so there is no checkpoint_best.pt: name another metric, or add "
            "clips to the split (an AUC needs some with and some without a label)"
        )


@contextlib.contextmanager
def _writing(flag: str, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError.of(
            where=f"{flag} {path}",
            expected="a place that can be written to",
            found=error.strerror or type(error).__name__,
            remedy="make its folder, or name another one",
        ) from error


def readable_checkpoint_faults() -> None:
    """Put the checks around fairseq's three ways to a checkpoint."""
    from fairseq import checkpoint_utils

    checkpoint_utils.load_checkpoint_to_cpu = _checked_read(checkpoint_utils.load_checkpoint_to_cpu)
    checkpoint_utils.load_checkpoint = _checked_restore(checkpoint_utils.load_checkpoint)
    checkpoint_utils.load_model_ensemble_and_task = _checked_ensemble(
        checkpoint_utils.load_model_ensemble_and_task
    )


def check_file(path: str | None, flag: str) -> None:
    """Refuse a path under which there is no file.

    Raises:
        InputError: naming the flag and the path.
    """
    if path is None or not (os.path.isfile(path) or "://" in path):
        found = "a folder" if os.path.isdir(path or "") else "no such file" if path else "nothing"
        raise InputError.of(
            where=f"{flag} {path}" if path else flag, expected=WHAT, found=found, remedy="name the file"
        )


def _checked_read(original: Callable[..., Any]) -> Callable[..., Any]:
    def load_checkpoint_to_cpu(path: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        _restoring["path"] = path
        try:
            state: dict[str, Any] = original(path, *args, **kwargs)
        except Exception as error:  # anything, where bytes are not what the reader takes them for
            content = load_pickle(Path(path), WHAT, _AGAIN)  # says what is wrong with the file
            if _is_foreign(content):
                raise _foreign(path, content) from error
            raise
        if _is_foreign(state):
            raise _foreign(path, state)
        _check_arch(path, state)
        if "task" in _restoring:
            flags = _restoring["flags"]
            fine_tuning = flags.reset_optimizer or path == flags.finetune_from_model
            _restoring["task"].continue_from(state.get("task_state") or {}, fine_tuning=fine_tuning)
        return state

    return load_checkpoint_to_cpu


def _checked_restore(original: Callable[..., Any]) -> Callable[..., Any]:
    def load_checkpoint(cfg: Any, trainer: Any, **kwargs: Any) -> Any:
        _check_flags(cfg, trainer.checkpoint_suffix)
        task = trainer.task if hasattr(trainer.task, "continue_from") else None
        _restoring.update({"flags": cfg} if task is None else {"flags": cfg, "task": task})
        try:
            return original(cfg, trainer, **kwargs)
        except AssertionError as error:
            raise InputError.of(
                where=_restoring.get("path", "checkpoint"),
                expected="a checkpoint of the same criterion and --optimizer",
                found=str(error),
                remedy="give those of its run, or add --reset-optimizer",
            ) from error
        except Exception as error:
            inner = error.__context__  # fairseq hides what was wrong behind "Cannot load model parameters"
            if isinstance(inner, InputError) and not isinstance(error, InputError):
                raise _located(inner) from error
            raise
        finally:
            _restoring.clear()

    return load_checkpoint


def _checked_ensemble(original: Callable[..., Any]) -> Callable[..., Any]:
    def load_model_ensemble_and_task(filenames: Any, *args: Any, **kwargs: Any) -> Any:
        for path in filenames:
            check_file(path, "--path")
        try:
            return original(filenames, *args, **kwargs)
        except InputError as error:
            raise _located(error) from error
        finally:
            _restoring.clear()

    return load_model_ensemble_and_task


def _check_flags(cfg: Any, suffix: str) -> None:
    named = cfg.restore_file not in ("checkpoint_last.pt", "None", "")  # "None": the original's command lines
    resets = [
        name
        for name in ("optimizer", "lr_scheduler", "meters", "dataloader")
        if getattr(cfg, f"reset_{name}")
    ]
    if cfg.finetune_from_model and (named or resets):
        found = f"--restore-file {cfg.restore_file}" if named else f"--reset-{resets[0].replace('_', '-')}"
        raise InputError.of(
            where="--finetune-from-model",
            expected="neither --restore-file nor --reset-… beside it",
            found=found,
            remedy="leave one of them out",
        )
    if named and not suffix:
        check_file(cfg.restore_file, "--restore-file")
    elif cfg.finetune_from_model and not os.path.isfile(os.path.join(cfg.save_dir, "checkpoint_last.pt")):
        check_file(cfg.finetune_from_model, "--finetune-from-model")


def _located(error: InputError) -> InputError:
    """The model's own message, which calls the file ``checkpoint``, with the file's path."""
    text, path = str(error), _restoring.get("path")
    if path and text.startswith("checkpoint: "):
        return InputError(f"{path}{text[len('checkpoint') :]}")
    return error


def _is_foreign(state: Mapping[str, Any]) -> bool:
    from fairseq.tasks import TASK_REGISTRY

    task = TASK_REGISTRY.get(_name_in(state, "task"))
    return _is_original(state) or not getattr(task, "__module__", "").startswith("mmer_fairseq.")


def _name_in(content: Any, section: str) -> Any:
    """Name of the task or model in a checkpoint's configuration; None where there is none."""
    for key in ("cfg", section, "_name"):
        content = content.get(key) if hasattr(content, "get") else None
    return content


def _check_arch(path: str, state: Mapping[str, Any]) -> None:
    from fairseq.models import ARCH_MODEL_REGISTRY

    name = _name_in(state, "model")
    if name and name not in ARCH_MODEL_REGISTRY:
        raise InputError.of(
            where=path,
            expected="a model that is registered",
            found=f"'{name}', which is not",
            remedy="name the folder of its file in the environment variable MMER_MODELS",
        )


def _is_original(state: Mapping[str, Any]) -> bool:
    """Whether this is a checkpoint of the original SSE-FT, whose task has the same name as ours."""
    model = state.get("model")
    return isinstance(model, Mapping) and any(
        str(name).startswith(("decoder.sentence_encoder.SE_embeddings", "decoder.sentence_encoder.layers_"))
        for name in model
    )


def _foreign(path: str, content: Mapping[str, Any]) -> InputError:
    name = _name_in(content, "model") or getattr(content.get("args"), "arch", None)
    keys = ", ".join(map(str, list(content)[:6])) or "nothing"
    found = f"one of the model {name}" if name else f"a file with {keys}"
    remedy = "name one; `mmer convert` brings in those of the original repositories"
    if _is_original(content):
        found = "one of SSE-FT, as its original repository writes it"
        remedy = f"run `mmer convert --from sse-ft {path} NEW.pt`"
    return InputError.of(where=path, expected=WHAT, found=found, remedy=remedy)
