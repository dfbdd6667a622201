"""The work-arounds, one by one; what needs whole runs is tested in tests/tasks."""

from __future__ import annotations

import argparse
import functools
import math
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

import mmer_fairseq
from mmer_fairseq import compat
from mmer_fairseq.errors import InputError

mmer_fairseq.register()


def settings(metric: str, maximise: bool) -> SimpleNamespace:
    return SimpleNamespace(best_checkpoint_metric=metric, maximize_best_checkpoint_metric=maximise)


def test_metric_that_does_not_exist_is_refused_with_the_names_that_do():
    with pytest.raises(InputError, match=r"expected one of loss, uar; found 'acc'\. Name one of these"):
        compat.check_selection(settings("acc", True), {"loss": False, "uar": True})


@pytest.mark.parametrize(
    ("metric", "maximise", "remedy"), [("uar", False, "Add"), ("loss", True, "Leave out")]
)
def test_selecting_the_worst_checkpoint_is_refused(metric, maximise, remedy):
    with pytest.raises(InputError, match=f"{remedy} --maximize-best-checkpoint-metric"):
        compat.check_selection(settings(metric, maximise), {"loss": False, "uar": True})


def test_right_direction_is_accepted():
    compat.check_selection(settings("uar", True), {"loss": False, "uar": True})
    compat.check_selection(settings("anything", True), {"anything": None})


@pytest.mark.parametrize("value", [math.nan, torch.tensor(math.nan), 0.5, None])
def test_a_metric_that_is_no_number_is_told(value, caplog):
    compat.warn_of_no_best(settings("auc", True), {"auc": value})
    told = "--best-checkpoint-metric auc: expected a number; found NaN on the validation split"
    assert (told in caplog.text) == (value is not None and value != 0.5)


def test_validation_statistics_check_the_metric():
    import fairseq_cli.train as program

    cfg = SimpleNamespace(checkpoint=settings("acc", True))
    with pytest.raises(InputError, match="expected one of loss, uar"):
        program.get_valid_stats(cfg, None, {"loss": 1.0, "uar": 0.5}, True)


def test_early_stopping_counts_are_kept_for_the_checkpoint_and_taken_from_it():
    import fairseq_cli.train as program

    checkpoint = SimpleNamespace(patience=2, maximize_best_checkpoint_metric=True)
    cfg = SimpleNamespace(checkpoint=checkpoint)
    compat.EARLY_STOP.clear()
    vars(program.should_stop_early).clear()
    assert not program.should_stop_early(cfg, 0.5)
    assert not program.should_stop_early(cfg, 0.4)
    assert compat.EARLY_STOP == {"best": 0.5, "num_runs": 1}
    kept = dict(compat.EARLY_STOP)
    vars(program.should_stop_early).clear()  # a new process
    compat.EARLY_STOP.clear()
    compat.EARLY_STOP.update(kept)
    assert program.should_stop_early(cfg, 0.3)
    compat.EARLY_STOP.clear()
    vars(program.should_stop_early).clear()


@pytest.mark.parametrize(
    ("flags", "kept"), [({}, 3), ({"reset_meters": True}, 0), ({"reset_optimizer": True}, 0)]
)
def test_early_stopping_counts_travel_in_the_checkpoint_unless_a_run_begins_anew(flags, kept, monkeypatch):
    monkeypatch.setattr(compat, "EARLY_STOP", {"best": 0.5, "num_runs": 3})
    saved = compat._with_early_stop(lambda trainer: {"extra_state": {"metrics": []}})(None)
    monkeypatch.setattr(compat, "EARLY_STOP", {})

    def read(trainer, file, reset_optimizer, *rest, reset_meters):
        return saved["extra_state"] if file == "last.pt" else None

    load = compat._restoring_early_stop(read)
    assert load(None, "none.pt") is None
    assert load(None, "last.pt", **flags)["metrics"] == []
    assert compat.EARLY_STOP.get("num_runs", 0) == kept


@pytest.mark.parametrize(
    ("maximise", "values"), [(True, (0.9, math.nan, 0.5)), (False, (0.5, math.nan, 0.9))]
)
def test_an_epoch_without_a_number_does_not_forget_the_best_one(tmp_path, monkeypatch, maximise, values):
    import fairseq_cli.train as program
    from fairseq import checkpoint_utils
    from fairseq.dataclass.configs import CheckpointConfig

    cfg = CheckpointConfig(
        save_dir=str(tmp_path),
        maximize_best_checkpoint_metric=maximise,
        no_epoch_checkpoints=True,
        patience=2,
    )
    trainer = SimpleNamespace(
        data_parallel_rank=0,
        task=None,
        checkpoint_suffix="",
        should_save_checkpoint_on_current_rank=True,
        consolidate_optimizer=lambda: None,
        get_num_updates=lambda: 1,
        save_checkpoint=lambda file, extra: Path(file).write_text(str(extra["val_loss"])),
    )
    # set and taken away: what earlier tests left there comes back after this one
    monkeypatch.setattr(checkpoint_utils.save_checkpoint, "best", values[0], raising=False)
    monkeypatch.delattr(checkpoint_utils.save_checkpoint, "best")
    compat.EARLY_STOP.clear()
    vars(program.should_stop_early).clear()
    stops = []
    for epoch, value in enumerate(values, 1):
        itr = SimpleNamespace(epoch=epoch, end_of_epoch=lambda: True, state_dict=lambda: {})
        stops.append(program.should_stop_early(SimpleNamespace(checkpoint=cfg), value))
        checkpoint_utils.save_checkpoint(cfg, trainer, itr, value)
    assert (tmp_path / "checkpoint_best.pt").read_text() == str(values[0])
    assert (tmp_path / "checkpoint_last.pt").read_text() == str(values[-1])
    assert stops == [False, False, True]  # neither of the others is an improvement
    compat.EARLY_STOP.clear()
    vars(program.should_stop_early).clear()


def test_a_run_may_begin_with_epochs_without_a_number():
    import fairseq_cli.train as program

    cfg = SimpleNamespace(checkpoint=SimpleNamespace(patience=2, maximize_best_checkpoint_metric=True))
    compat.EARLY_STOP.clear()
    vars(program.should_stop_early).clear()
    assert [program.should_stop_early(cfg, value) for value in (math.nan, math.nan, 0.1, 0.2)] == [False] * 4
    compat.EARLY_STOP.clear()
    vars(program.should_stop_early).clear()


def test_checkpoint_copy_never_leaves_half_a_file(tmp_path, monkeypatch):
    from fairseq import checkpoint_utils

    source, target = tmp_path / "a.pt", tmp_path / "b.pt"
    source.write_bytes(b"new" * 1000)
    target.write_bytes(b"old")

    def killed(src, dst):
        (tmp_path / "b.pt.partial").write_bytes(b"new")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(compat.shutil, "copyfile", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoint_utils.PathManager.copy(str(source), str(target), overwrite=True)
    assert target.read_bytes() == b"old"
    assert checkpoint_utils.PathManager.copy(str(source), str(target), overwrite=True)
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("words", [["--data", "DIR"], ["--data=DIR"], ["DIR"]])
def test_corpus_is_named_with_a_flag_or_by_position(words, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["fairseq-train", *words])
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    compat.accept_data_flag(parser)
    assert parser.parse_args(words).data == "DIR"


@pytest.fixture
def fresh(monkeypatch) -> None:
    """As if no command ran yet; the flags are taken as they are."""
    monkeypatch.setattr(compat, "RUN", {"command": "", "cfg": None})
    monkeypatch.setattr(compat.compat_faults, "check_flags", lambda cfg, command: None)


def test_under_hydra_the_whole_configuration_is_learnt_from_the_tasks_part(fresh, monkeypatch):
    whole = OmegaConf.create(
        {"common": {"seed": 7}, "dataset": {"train_subset": "all"}, "task": {"data": "DIR"}}
    )
    compat.connect_hydra(whole.task)
    assert compat.seed() == 1  # not under hydra
    monkeypatch.setattr(HydraConfig, "initialized", staticmethod(lambda: True))
    compat.connect_hydra(whole.task)
    assert (compat.RUN["command"], compat.seed(), compat.train_subset()) == ("train", 7, "all")


def test_torchrun_that_hydra_did_not_see_starts_again_as_one_model(fresh, monkeypatch):
    import fairseq_cli.train as program
    from fairseq.distributed import utils as distributed_utils

    started = []
    monkeypatch.setattr(HydraConfig, "initialized", staticmethod(lambda: True))
    monkeypatch.setattr(distributed_utils, "call_main", lambda cfg, main: started.append((cfg, main)))
    for key, value in [
        ("MASTER_ADDR", "localhost"),
        ("MASTER_PORT", "1"),
        ("WORLD_SIZE", "2"),
        ("RANK", "0"),
    ]:
        monkeypatch.setenv(key, value)
    whole = OmegaConf.create({"task": {"data": "DIR"}})
    with pytest.raises(SystemExit) as stopped:
        compat.connect_hydra(whole.task)
    assert not stopped.value.code
    assert started == [(whole, program.main)]


def test_processes_that_fairseq_spawns_know_the_command_and_the_configuration(fresh):
    main = pickle.loads(pickle.dumps(functools.partial(compat._remember_and_run, "validate", dict)))
    main({"seed": 7})
    assert compat.RUN == {"command": "validate", "cfg": {"seed": 7}}


def test_a_checkpoint_reaches_every_process_of_a_resumed_run(tmp_path):
    code = (
        "import sys, fairseq, mmer_fairseq, torch, torch.distributed as dist\n"
        "from fairseq.distributed import utils\n"
        "from omegaconf import OmegaConf\n"
        "rank, meet = int(sys.argv[1]), sys.argv[2]\n"
        "dist.init_process_group('gloo', init_method='file://' + meet, rank=rank, world_size=2)\n"
        "state = {'cfg': OmegaConf.create({'seed': 7}), 'weight': torch.arange(6.0)} if rank == 0 else None\n"
        "state = utils.broadcast_object(state, 0, dist.group.WORLD, torch.device('cpu'))\n"
        "print(state['cfg'].seed, state['weight'].tolist())\n"
        "dist.destroy_process_group()\n"
    )
    words = [[sys.executable, "-c", code, str(rank), str(tmp_path / "meet")] for rank in (0, 1)]
    running = [subprocess.Popen(each, stdout=subprocess.PIPE, text=True) for each in words]
    shown = [process.communicate(timeout=120)[0].strip().splitlines()[-1] for process in running]
    assert shown == ["7 [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]"] * 2


def test_hydra_passes_user_faults_on():
    assert os.environ["HYDRA_FULL_ERROR"] == "1"


def test_user_faults_end_a_program_with_the_message_alone():
    code = (
        "import fairseq, mmer_fairseq\n"
        "from mmer_fairseq.errors import InputError\n"
        "raise InputError.of(where='x.tsv:3', expected='a', found='b', remedy='mend it')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == "error: x.tsv:3: expected a; found b. Mend it."
    assert "Traceback" not in done.stderr


def test_faults_in_a_data_loader_worker_lose_torchs_wrapping():
    code = (
        "import fairseq, mmer_fairseq, sys\n"
        "from mmer_fairseq.errors import InputError\n"
        "text = 'Caught in worker.\\nTraceback\\nmmer_fairseq.errors.InputError: x: expected a; found b. Mend.'\n"
        "raise InputError(text)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip().splitlines()[-1] == "error: x: expected a; found b. Mend."


def test_a_process_whose_others_ended_points_at_their_message():
    code = (
        "import fairseq, mmer_fairseq\n"
        "raise RuntimeError('[gloo/pair.cc:5] Connection closed by peer [127.0.0.1]:33185')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("stopped: another process of this run ended first, see its message ([gloo")
    assert "Traceback" not in done.stderr


def test_old_namespaces_load_safely_and_other_classes_do_not(tmp_path):
    torch.save({"args": argparse.Namespace(a=1)}, tmp_path / "old.pt")
    assert torch.load(tmp_path / "old.pt", weights_only=True)["args"].a == 1
    torch.save({"args": subprocess.CompletedProcess([], 0)}, tmp_path / "foreign.pt")
    with pytest.raises(Exception, match="CompletedProcess"):
        torch.load(tmp_path / "foreign.pt", weights_only=True)


def test_everything_of_ours_is_registered_under_its_name():
    from fairseq.criterions import CRITERION_REGISTRY
    from fairseq.tasks import TASK_REGISTRY

    assert TASK_REGISTRY["emotion_prediction"].__module__ == "mmer_fairseq.tasks.emotion_prediction"
    assert (
        CRITERION_REGISTRY["emotion_prediction_cri"].__module__
        == "mmer_fairseq.criterions.emotion_prediction_cri"
    )


def test_without_fairseq_the_package_stays_plain():
    code = "import sys, mmer_fairseq.networks, mmer_fairseq.metrics; print('fairseq' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
