"""The ``mmer`` command itself."""

from __future__ import annotations

import importlib

import pytest

from mmer_fairseq.cli.main import commands, main


def test_every_command_has_help_flags_and_a_run(capsys):
    for name, path in commands().items():
        module = importlib.import_module(path)
        assert module.HELP, name
        assert not module.HELP.endswith("."), name
        with pytest.raises(SystemExit) as stop:
            main([name, "--help"])
        assert stop.value.code == 0
        assert f"usage: mmer {name}" in capsys.readouterr().out


def test_help_lists_every_command_with_its_purpose(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert {"check", "convert", "extract", "import", "plot", "tokenizer"} <= set(commands())
    for path in commands().values():
        assert importlib.import_module(path).HELP.split()[0] in shown


def test_a_user_fault_is_one_line_and_status_2(capsys, tmp_path):
    assert main(["tokenizer", str(tmp_path / "nowhere")]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert "nowhere" in shown
    assert "Traceback" not in shown


def test_unknown_command_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["trian"])
    assert stop.value.code == 2
    assert "invalid choice: 'trian'" in capsys.readouterr().err
