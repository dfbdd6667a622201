"""What a checkpoint and a corpus have in common."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.evaluation.trained import Trained


def trained(streams: dict[str, str], sources: set[str]) -> Trained:
    specs = {m: SimpleNamespace(form=form) for m, form in streams.items()}
    task = SimpleNamespace(streams=specs, corpus=SimpleNamespace(directory="data/x"), plan=sources)
    return Trained(task, None, None, SimpleNamespace(sources=sources), "uar", "cpu")


def test_forms_are_those_that_both_have_in_one_order():
    made = trained({"video": "frames", "text": "tokens", "audio": "features"}, {"audio", "video"})
    assert list(made.forms().items()) == [("audio", "features"), ("video", "frames")]


def test_nothing_in_common():
    with pytest.raises(InputError) as error:
        trained({"text": "tokens"}, {"audio"}).forms()
    assert str(error.value) == (
        "data/x: expected a modality that the checkpoint was trained on (text); found audio. "
        "Name another corpus or another checkpoint."
    )
