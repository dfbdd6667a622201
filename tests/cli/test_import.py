"""``mmer import``: importers are found by their file names."""

from __future__ import annotations

import argparse
import types

import pytest

from mmer_fairseq.cli import import_
from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus import importers


def test_every_importer_has_its_three_parts() -> None:
    found = importers.importers()
    assert {"toy", "arrays"} <= set(found)
    for name, module in found.items():
        assert module.HELP, name
        assert not name.startswith("_")
        module.add_arguments(argparse.ArgumentParser())
        assert callable(module.run)


def test_help_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["import", "--help"])
    assert left.value.code == 0
    printed = capsys.readouterr().out
    assert "arrays" in printed
    assert "toy" in printed


def test_an_unknown_importer(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["import", "nothing"])
    assert left.value.code == 2
    assert "invalid choice: 'nothing'" in capsys.readouterr().err


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (3, 3)])
def test_the_importer_runs_with_its_flags(monkeypatch: pytest.MonkeyPatch, returned, status: int) -> None:
    seen = []
    module = types.SimpleNamespace(
        HELP="a corpus",
        add_arguments=lambda parser: parser.add_argument("--folder"),
        run=lambda args: seen.append(args.folder) or returned,
    )
    monkeypatch.setattr(import_, "importers", lambda: {"some-corpus": module})
    assert main(["import", "some-corpus", "--folder", "x"]) == status
    assert seen == ["x"]
