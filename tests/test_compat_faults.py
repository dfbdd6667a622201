"""What fairseq answers with a traceback or with silence gets a message."""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import mmer_fairseq
from mmer_fairseq import compat_faults
from mmer_fairseq.errors import InputError

mmer_fairseq.register()

WHAT = "expected a checkpoint that fairseq-train wrote with --user-dir mmer_fairseq"


def settings(tmp_path: Path, **changes: Any) -> SimpleNamespace:
    """fairseq's configuration, as far as it is looked at."""
    values = {
        "batch_size": 8, "batch_size_valid": 8, "max_tokens": None, "num_workers": 1, "update_freq": [1],
        "fp16": False, "bf16": False, "cpu": True, "log_file": None, "no_save": False,
        "save_dir": str(tmp_path / "run"),
        **changes,
    }  # fmt: skip
    sections = ("dataset", "optimization", "common", "checkpoint")
    return SimpleNamespace(**{section: SimpleNamespace(**values) for section in sections})


def test_right_flags_pass_and_make_the_folder_of_the_run(tmp_path):
    compat_faults.check_flags(settings(tmp_path), "validate")
    assert not (tmp_path / "run").exists()
    compat_faults.check_flags(settings(tmp_path), "train")
    assert (tmp_path / "run").is_dir()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"batch_size": 0}, "--batch-size: expected 1 or more; found 0. Correct it or leave the flag out."),
        ({"num_workers": -1}, "--num-workers: expected 0 or more; found -1."),
        ({"update_freq": [2, 0]}, "--update-freq: expected 1 or more; found 0."),
        ({"max_tokens": 0}, "--max-tokens: expected 1 or more; found 0."),
        (
            {"batch_size": None},
            "--batch-size: expected the number of clips in a batch, or --max-tokens; found",
        ),
        ({"fp16": True}, "--fp16: expected a GPU; found none in use. Leave --fp16 out."),
        ({"bf16": True}, "--bf16: expected a GPU; found none in use. Leave --bf16 out."),
        ({"save_dir": "FILE/run"}, "--save-dir FILE/run: expected a place that can be written to; found"),
        ({"log_file": "FILE/log"}, "--log-file FILE/log: expected a place that can be written to; found"),
        ({"log_file": "."}, "--log-file .: expected a place that can be written to; found Is a directory"),
    ],
)
def test_wrong_flags_of_fairseqs_own(tmp_path, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").touch()
    with pytest.raises(InputError) as error:
        compat_faults.check_flags(settings(tmp_path, **flags), "train")
    assert str(error.value).startswith(message)


def content(name: str = "robertaEMO_small", task: str = "emotion_prediction", **more: Any) -> dict[str, Any]:
    """A checkpoint as fairseq writes it."""
    return {
        "args": None,
        "cfg": {"model": {"_name": name}, "task": {"_name": task}, "criterion": {"_name": "x"}},
        "model": {"w": torch.ones(2)},
        "optimizer_history": [
            {"criterion_name": "x", "optimizer_name": "y", "lr_scheduler_state": {}, "num_updates": 1}
        ],
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0}, "val_loss": None},
        "last_optimizer_state": None,
        "task_state": {"streams": {}},
        **more,
    }


class Runs:
    """Unpickling it would run something."""

    def __reduce__(self):
        return print, ("it ran",)


def original() -> dict[str, Any]:
    args = argparse.Namespace(arch="robertEMO_large", task="emotion_prediction")
    return {"args": args, "model": {"decoder.sentence_encoder.layers_ta.0.fc1.weight": torch.ones(1)}}


def cut(path: Path) -> None:
    torch.save(content(), path)
    path.write_bytes(path.read_bytes()[:500])


def saved(value: Any) -> Callable[[Path], None]:
    return lambda path: torch.save(value, path)


FILES = {
    "empty": (lambda path: path.touch(), "found an empty file. Name another one, or delete it to train anew"),
    "text": (lambda path: path.write_text("hello\n" * 9), "found a file that torch cannot read, of 54 bytes"),
    "cut": (cut, "found a torch file that is cut off or damaged, of 500 bytes. Check that it is the right"),
    "tensor": (saved(torch.ones(2)), "found a saved Tensor"),
    "weights": (saved({"w": torch.ones(2)}), "found a file with w. Name one; `mmer convert` brings in"),
    "code": (saved(content(more=Runs())), "found an object of the class '"),
    "published": (
        saved({"args": argparse.Namespace(arch="roberta_large"), "model": {}}),
        "model roberta_large",
    ),
    "another task": (saved(content("wav2vec2", "audio_pretraining")), "found one of the model wav2vec2"),
    "the original": (
        saved(original()),
        "found one of SSE-FT, as its original repository writes it. ",
    ),
    "pickle": (lambda path: path.write_bytes(pickle.dumps({"a": 1}, protocol=2)), "found a file"),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_that_are_no_checkpoint_of_ours(tmp_path, capfd, kind):
    from fairseq import checkpoint_utils

    write, found = FILES[kind]
    path = tmp_path / "x.pt"
    write(path)
    with pytest.raises(InputError) as error:
        checkpoint_utils.load_checkpoint_to_cpu(str(path))
    assert str(error.value).startswith(f"{path}: {WHAT}")
    assert found in str(error.value)
    assert "it ran" not in capfd.readouterr().out
    if kind == "the original":
        assert str(error.value).endswith(f"Run `mmer convert --from sse-ft {path} NEW.pt`.")


def test_a_model_whose_file_is_elsewhere(tmp_path):
    from fairseq import checkpoint_utils

    path = tmp_path / "x.pt"
    cfg = {"task": {"_name": "emotion_prediction"}, "model": {"_name": "her_model"}}
    history = [{"num_updates": 0, "lr_scheduler_state": {}, "optimizer_name": "Adam"}]
    torch.save(
        {
            "cfg": cfg,
            "args": None,
            "model": {},
            "optimizer_history": history,
            "extra_state": {"train_iterator": {"epoch": 1}},
        },
        path,
    )
    with pytest.raises(InputError) as error:
        checkpoint_utils.load_checkpoint_to_cpu(str(path))
    assert str(error.value) == (
        f"{path}: expected a model that is registered; found 'her_model', which is not. Name the folder of its file "
        "in the environment variable MMER_MODELS."
    )


@pytest.mark.parametrize(("path", "found"), [(None, "nothing"), ("no.pt", "no such file"), (".", "a folder")])
def test_validation_without_a_checkpoint(path, found, tmp_path, monkeypatch):
    from fairseq import checkpoint_utils

    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        checkpoint_utils.load_model_ensemble_and_task([path])
    where = f"--path {path}" if path else "--path"
    assert str(error.value) == f"{where}: {WHAT}; found {found}. Name the file."


class Task:
    def __init__(self) -> None:
        self.asked: list[tuple[Any, bool]] = []

    def continue_from(self, state: Any, *, fine_tuning: bool) -> None:
        self.asked.append((state, fine_tuning))


class Trainer:
    """Stands for fairseq's; ``fault`` is what happens when it loads the weights."""

    checkpoint_suffix = ""

    def __init__(self, fault: Exception | None = None) -> None:
        self.task = Task()
        self.fault = fault

    def load_checkpoint(self, path: str, *_: Any, **__: Any) -> Any:
        from fairseq import checkpoint_utils

        if not Path(path).exists():
            return None
        try:
            state = checkpoint_utils.load_checkpoint_to_cpu(path)
            if isinstance(self.fault, InputError):
                raise self.fault
        except InputError as error:
            if error is not self.fault:
                raise
            raise Exception("Cannot load model parameters") from None  # as fairseq does
        if self.fault is not None:
            raise self.fault
        return state["extra_state"]

    def get_train_iterator(self, **_: Any) -> Any:
        return SimpleNamespace(load_state_dict=lambda state: None, epoch=1)

    def lr_step(self, epoch: int) -> None: ...


def restore(tmp_path: Path, trainer: Trainer, **flags: Any) -> Any:
    from fairseq import checkpoint_utils
    from fairseq.dataclass.configs import CheckpointConfig

    cfg = CheckpointConfig(save_dir=str(tmp_path / "run"))
    for name, value in flags.items():
        setattr(cfg, name, value)
    return checkpoint_utils.load_checkpoint(cfg, trainer)


@pytest.mark.parametrize("file", ["None", "checkpoint_last.pt"])
def test_a_first_start_needs_no_checkpoint(tmp_path, file):
    trainer = Trainer()
    restore(tmp_path, trainer, restore_file=file)
    assert trainer.task.asked == []


@pytest.mark.parametrize("flag", ["restore_file", "finetune_from_model"])
def test_a_named_checkpoint_must_be_there(tmp_path, flag):
    with pytest.raises(InputError) as error:
        restore(tmp_path, Trainer(), **{flag: str(tmp_path / "no.pt")})
    where = f"--{flag.replace('_', '-')} {tmp_path / 'no.pt'}"
    assert str(error.value) == f"{where}: {WHAT}; found no such file. Name the file."


@pytest.mark.parametrize(
    ("flags", "fine_tuning"),
    [
        ({"restore_file": "x.pt"}, False),
        ({"restore_file": "x.pt", "reset_optimizer": True}, True),
        ({"finetune_from_model": "x.pt"}, True),
    ],
)
def test_the_task_is_asked_before_its_weights_are_taken(tmp_path, monkeypatch, flags, fine_tuning):
    monkeypatch.chdir(tmp_path)
    torch.save(content(), tmp_path / "x.pt")
    trainer = Trainer()
    restore(tmp_path, trainer, **flags)
    assert trainer.task.asked == [({"streams": {}}, fine_tuning)]


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({"restore_file": "x.pt"}, "--restore-file x.pt"),
        ({"reset_lr_scheduler": True}, "--reset-lr-scheduler"),
    ],
)
def test_flags_that_exclude_one_another(tmp_path, flags, found):
    with pytest.raises(InputError) as error:
        restore(tmp_path, Trainer(), finetune_from_model="y.pt", **flags)
    assert str(error.value) == (
        f"--finetune-from-model: expected neither --restore-file nor --reset-… beside it; found {found}. "
        "Leave one of them out."
    )


def test_weights_that_do_not_fit_are_told_with_the_path(tmp_path):
    torch.save(content(), tmp_path / "x.pt")
    fault = InputError("checkpoint: expected the 3 tensors of this x; found 1 missing (w). Give the flags.")
    with pytest.raises(InputError) as error:
        restore(tmp_path, Trainer(fault), restore_file=str(tmp_path / "x.pt"))
    assert str(error.value) == str(fault).replace("checkpoint", str(tmp_path / "x.pt"), 1)


def test_another_optimizer(tmp_path):
    torch.save(content(), tmp_path / "x.pt")
    with pytest.raises(InputError, match=r"same criterion and --optimizer; found it differs\. Give those"):
        restore(tmp_path, Trainer(AssertionError("it differs")), restore_file=str(tmp_path / "x.pt"))


def test_errors_of_other_kinds_pass(tmp_path):
    torch.save(content(), tmp_path / "x.pt")
    with pytest.raises(RuntimeError, match="a bug"):
        restore(tmp_path, Trainer(RuntimeError("a bug")), restore_file=str(tmp_path / "x.pt"))
