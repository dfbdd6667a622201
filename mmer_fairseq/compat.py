"""Every work-around for a fairseq or torch version: one function each, why it is there, when it can go.

Applied once by :func:`apply`, when fairseq imports the user-dir, before it reads its command line.
"""

from __future__ import annotations

import argparse
import functools
import logging
import math
import os
import re
import shutil
import sys
import warnings
from typing import Any, Callable

import torch
import torch.distributed as dist

from mmer_fairseq import compat_faults, compat_logs
from mmer_fairseq.compat_faults import check_selection, is_nan, warn_of_no_best, without_nan
from mmer_fairseq.errors import InputError

logger = logging.getLogger(__name__)

#: The command that runs (``train``, ``validate`` or ``""``) and its whole configuration, once fairseq has read it.
RUN: dict[str, Any] = {"command": "", "cfg": None}

#: fairseq's early-stopping counters, which checkpoints keep.
EARLY_STOP: dict[str, Any] = {}

_applied = False


def apply() -> None:
    """Apply all work-arounds, once a process."""
    global _applied
    if _applied:
        return
    _applied = True
    readable_errors()
    allow_namespace_in_checkpoints()
    quiet_known_warnings()
    one_model_under_torchrun()
    ddp_without_gpu()
    gather_of_any_size()
    broadcast_of_any_object()
    atomic_checkpoint_copy()
    compat_faults.readable_checkpoint_faults()
    checked_and_resumable_selection()
    compat_logs.exact_numbers_in_logs()
    compat_logs.log_file_opened_once()


def readable_errors() -> None:
    """A fault in the user's input ends a run with its message alone, no traceback.

    Why: the message names file, line and remedy; fifty lines of fairseq's frames above it hide it. torch wraps
    an error of a data-loader worker or a spawned process in text, hence the search in the message. The other
    processes of that run lose their connection, which is no error of theirs. hydra prints
    errors itself unless told to pass them on (hydra 1.0 even fails to, from Python 3.10 on).
    Can go: when fairseq reports user errors itself.
    """
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    previous = sys.excepthook
    marker = f"{InputError.__module__}.{InputError.__qualname__}: "

    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        text = str(error)
        if issubclass(kind, InputError) or marker in text:
            print(f"error: {text.rsplit(marker, 1)[-1].strip()}", file=sys.stderr)
        elif issubclass(kind, RuntimeError) and re.search("Connection (closed|reset) by peer", text):
            print(
                f"stopped: another process of this run ended first, see its message ({text})", file=sys.stderr
            )
        else:
            previous(kind, error, trace)

    sys.excepthook = hook


def allow_namespace_in_checkpoints() -> None:
    """Let torch's safe loading accept the ``argparse.Namespace`` of old fairseq checkpoints.

    Why: torch >= 2.6 refuses every class it does not know, and a Namespace only holds values. Unsafe loading is
    never used. Can go: never, old checkpoints stay.
    """
    torch.serialization.add_safe_globals([argparse.Namespace])


def quiet_known_warnings() -> None:
    """Hide warnings about fairseq's own code that a user can do nothing about.

    Why: it asks for pinned memory on machines without an accelerator, and calls hydra and torch in ways that they
    have deprecated; twenty lines of that hide what matters. Can go: when fairseq follows their new ways.
    """
    for message in (
        ".*pin_memory.*no accelerator",
        ".*torch.cuda.amp.autocast",
        ".*deprecated keyword in package header",
        "(?s).*validated against ConfigStore schema",
        "(?s).*strict flag in the compose API",
        ".*experimental.compose",
    ):
        warnings.filterwarnings("ignore", message=message)


def _torchrun_world_size() -> int:
    needed = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK")
    return int(os.environ["WORLD_SIZE"]) if all(key in os.environ for key in needed) else 1


def one_model_under_torchrun() -> None:
    """``torchrun --nproc-per-node N … fairseq-train --cpu`` trains one model, data-parallel over gloo.

    Why: fairseq-fixed keeps a world size of 1 there and trains N models that overwrite each other; fairseq 0.12.2
    divides by the number of GPUs, which is 0. The same happens with one GPU a node. Also remembers command and whole
    configuration, which tasks never see, in the processes that fairseq spawns too. Can go: when fairseq takes its
    world size from torchrun.
    """
    from fairseq.distributed import utils as distributed_utils

    original = distributed_utils.call_main

    def call_main(cfg: Any, main: Callable[..., None], **kwargs: Any) -> None:
        module = sys.modules.get(main.__module__)
        command = {"fairseq_cli.train": "train", "fairseq_cli.validate": "validate"}.get(
            _real_name(module), ""
        )
        world = _torchrun_world_size()
        settings = cfg.distributed_training
        if world > 1 and settings.distributed_init_method is None:
            on_gpu = torch.cuda.is_available() and not cfg.common.cpu
            settings.distributed_init_method = "env://"
            settings.distributed_world_size = world
            settings.distributed_rank = int(os.environ["RANK"])
            settings.distributed_no_spawn = True
            settings.device_id = int(os.environ.get("LOCAL_RANK", 0)) if on_gpu else 0
            if not on_gpu:
                settings.distributed_backend = "gloo"
        original(cfg, functools.partial(_remember_and_run, command, main), **kwargs)

    distributed_utils.call_main = call_main


def _remember_and_run(command: str, main: Callable[..., None], cfg: Any, **kwargs: Any) -> None:
    RUN.update(command=command, cfg=cfg)
    compat_faults.check_flags(cfg, command)
    main(cfg, **kwargs)


def train_subset() -> str:
    """Name of the split that is trained on (``--train-subset``)."""
    cfg = RUN["cfg"]
    return str(cfg.dataset.train_subset) if cfg is not None else "train"


def seed() -> int:
    """The run's ``--seed``."""
    cfg = RUN["cfg"]
    return int(cfg.common.seed) if cfg is not None else 1


def validation_cut_short() -> bool:
    """Whether the user asked for fewer validation steps than there are (``--max-valid-steps``)."""
    cfg = RUN["cfg"]
    return cfg is not None and cfg.dataset.max_valid_steps is not None


def _real_name(module: Any) -> str:
    """The module's import name, also when it runs as ``__main__`` (``python -m fairseq_cli.train``)."""
    spec = getattr(module, "__spec__", None)
    return spec.name if spec is not None else getattr(module, "__name__", "")


def connect_hydra(task_cfg: Any) -> None:
    """``fairseq-hydra-train``: learn the whole configuration; under torchrun, start again as one model.

    Why: it reads its configuration before it imports the user-dir, too late for :func:`one_model_under_torchrun`.
    Can go: with that function.

    Args:
        task_cfg: the task's part of the configuration, which knows the whole it belongs to.
    """
    import fairseq_cli.train as program
    from fairseq.distributed import utils as distributed_utils
    from hydra.core.hydra_config import HydraConfig

    if RUN["cfg"] is not None or not HydraConfig.initialized():
        return
    RUN.update(command="train", cfg=task_cfg._get_root())
    compat_faults.check_flags(RUN["cfg"], "train")
    if _torchrun_world_size() > 1 and not dist.is_initialized():
        program.logger.handlers.clear()  # --log-file, which is opened again
        distributed_utils.call_main(RUN["cfg"], program.main)
        sys.exit()


def ddp_without_gpu() -> None:
    """Let fairseq's default ``--ddp-backend`` wrap a model that lives on the CPU or leaves parameters unused.

    Why: fairseq always passes ``device_ids``, which torch refuses for a CPU module; and a batch in which a
    modality is missing everywhere leaves that encoder without gradient, which torch must be told to look for.
    Can go: when fairseq passes ``device_ids=None`` on the CPU.
    """
    from fairseq.models import distributed_fairseq_model as room

    original = room.DistributedDataParallel

    def wrap(
        module: torch.nn.Module, device_ids: Any = None, output_device: Any = None, **kwargs: Any
    ) -> Any:
        if next(module.parameters()).device.type == "cpu":
            device_ids = output_device = None
        kwargs["find_unused_parameters"] = True
        return original(module=module, device_ids=device_ids, output_device=output_device, **kwargs)

    room.DistributedDataParallel = wrap


def close_workers(iterator: Any) -> None:
    """End the data-loading processes of an epoch that is over.

    Why: fairseq keeps them alive and leaves them to the garbage collector, which closes their queues before it asks
    them to stop: five seconds lost for each epoch and validation. Can go: when fairseq stops them itself, or
    lets ``persistent_workers`` be off in both packages.

    Args:
        iterator: an ``EpochBatchIterator`` that is not used any more, or None.
    """
    inner: Any = getattr(getattr(iterator, "dataloader", None), "_iterator", None)
    if inner is not None and hasattr(inner, "_shutdown_workers"):
        inner._shutdown_workers()


def gather_of_any_size() -> None:
    """Gather Python objects over processes with torch's own function.

    Why: fairseq's needs a GPU and refuses more than 16 KiB, which the sums of a few dozen batches exceed.
    Can go: when fairseq uses ``all_gather_object``.
    """
    from fairseq.distributed import utils as distributed_utils

    def all_gather_list(data: Any, group: Any = None, max_size: int = 0) -> list[Any]:
        from fairseq import utils

        group = distributed_utils.get_global_group() if group is None else group
        gathered: list[Any] = [None] * dist.get_world_size(group)
        dist.all_gather_object(gathered, utils.move_to_cpu(data), group=group)
        return gathered

    distributed_utils.all_gather_list = all_gather_list


def broadcast_of_any_object() -> None:
    """Hand a checkpoint's settings to the other processes of a resumed run with torch's own function.

    Why: fairseq reads what its first process sent with ``torch.load``, which refuses the settings' class from torch 2.6
    on. Can go: when fairseq uses ``broadcast_object_list``.
    """
    from fairseq.distributed import utils as distributed_utils

    def broadcast(obj: Any, src_rank: int, group: Any, dist_device: torch.device) -> Any:
        box = [obj]
        dist.broadcast_object_list(box, src=src_rank, group=group, device=dist_device)
        return box[0]

    distributed_utils._broadcast_object_slow = broadcast


def atomic_checkpoint_copy() -> None:
    """``checkpoint_last.pt`` is either the old file or the new one, whenever the process is killed.

    Why: fairseq writes the first checkpoint of a step atomically but copies it to the other names in place.
    Can go: when fairseq copies to a temporary name first.
    """
    from fairseq import checkpoint_utils

    class AtomicPathManager(checkpoint_utils.PathManager):  # type: ignore[name-defined, misc]
        @staticmethod
        def copy(src_path: str, dst_path: str, overwrite: bool = False) -> bool:
            partial = f"{dst_path}.partial"
            shutil.copyfile(src_path, partial)
            os.replace(partial, dst_path)
            return True

    checkpoint_utils.PathManager = AtomicPathManager


def _train_modules() -> list[Any]:
    """fairseq's training program: the imported module and, under ``python -m``, the one that runs."""
    import fairseq_cli.train as imported

    running = sys.modules.get("__main__")
    same = running is not None and _real_name(running) == "fairseq_cli.train" and hasattr(running, "validate")
    return [imported, running] if same else [imported]


def checked_and_resumable_selection() -> None:
    """``--best-checkpoint-metric`` with a wrong name says which names there are; ``--patience`` survives a resume.

    Why: fairseq fails with a bare ``KeyError`` after the first epoch, and counts the epochs without improvement
    in memory only, so that a killed and resumed run stops at another epoch; a run that was over (by patience or
    ``--max-update``) trains on when it is started again; an epoch with NaN makes it forget the best one. Can go: when
    fairseq does all four.
    """
    from fairseq import checkpoint_utils
    from fairseq.trainer import Trainer

    Trainer.state_dict = _with_early_stop(Trainer.state_dict)
    Trainer.load_checkpoint = _restoring_early_stop(Trainer.load_checkpoint)
    checkpoint_utils.save_checkpoint = without_nan(checkpoint_utils.save_checkpoint)
    for room in _train_modules():
        room.train = _over_stays_over(room.train)
        room.get_valid_stats = _checked_valid_stats(room.get_valid_stats)
        room.should_stop_early = _kept_early_stop(room.should_stop_early)


def _checked_valid_stats(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_valid_stats(cfg: Any, trainer: Any, stats: dict[str, Any], *rest: Any) -> dict[str, Any]:
        check_selection(cfg.checkpoint, {name: None for name in stats})
        warn_of_no_best(cfg.checkpoint, stats)
        return original(cfg, trainer, stats, *rest)

    return get_valid_stats


def _kept_early_stop(original: Callable[..., Any]) -> Callable[..., Any]:
    def should_stop_early(cfg: Any, valid_loss: Any) -> bool:
        if is_nan(valid_loss):  # no improvement, and less than any number that follows
            valid_loss = -math.inf if cfg.checkpoint.maximize_best_checkpoint_metric else math.inf
        # the original keeps its state on the name it finds in its module, which is now this function
        vars(should_stop_early).update(EARLY_STOP)
        stop = original(cfg, valid_loss)
        EARLY_STOP.update(
            {key: value for key, value in vars(should_stop_early).items() if key != "__wrapped__"}
        )
        return stop

    return should_stop_early


def _with_early_stop(original: Callable[..., Any]) -> Callable[..., Any]:
    def state_dict(trainer: Any) -> dict[str, Any]:
        state = original(trainer)
        state["extra_state"]["early_stop"] = dict(EARLY_STOP)
        return state

    return state_dict


def _restoring_early_stop(original: Callable[..., Any]) -> Callable[..., Any]:
    def load_checkpoint(
        trainer: Any, file: str, reset_optimizer: bool = False, *rest: Any, reset_meters: bool = False
    ) -> Any:
        extra = original(trainer, file, reset_optimizer, *rest, reset_meters=reset_meters)
        if extra and not (reset_optimizer or reset_meters):  # when fairseq keeps its best score, too
            EARLY_STOP.update(extra.get("early_stop", {}))
        return extra

    return load_checkpoint


def _over_stays_over(original: Callable[..., Any]) -> Callable[..., Any]:
    def train(cfg: Any, trainer: Any, task: Any, epoch_itr: Any) -> tuple[list[Any], bool]:
        patience, updates = cfg.checkpoint.patience, cfg.optimization.max_update
        if 0 < patience <= EARLY_STOP.get("num_runs", 0) or 0 < updates <= trainer.get_num_updates():
            logger.info("the checkpoint is of a run that was over: nothing is trained")
            return [None], True
        return original(cfg, trainer, task, epoch_itr)

    return train


def accept_data_flag(parser: argparse.ArgumentParser) -> None:
    """Accept ``--data DIR`` next to fairseq's positional ``DIR``.

    Why: a dataclass field named ``data`` becomes positional, the original's commands say ``--data``. argparse
    cannot take one value in both places on Python 3.9–3.11, so the command line decides which one exists.
    Can go: when fairseq gives that field both forms.
    """
    if not any(word == "--data" or word.startswith("--data=") for word in sys.argv):
        return
    for action in list(parser._actions):
        if action.dest == "data" and not action.option_strings:
            parser._remove_action(action)  # also reached through argument groups, which share the list
            for group in parser._action_groups:
                if action in group._group_actions:
                    group._group_actions.remove(action)
    parser.add_argument("--data", required=True, metavar="DIR", help="corpus folder")
