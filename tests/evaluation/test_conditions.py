"""Which conditions there are."""

from __future__ import annotations

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.evaluation.conditions import check_levels, plan_conditions

RAW = {"text": "tokens", "audio": "samples", "video": "frames"}
LEVELS = {"snr": [20, 0, 20], "blur": [1], "occlusion": []}


def test_all_subsets_then_all_levels():
    conditions, notes = plan_conditions(RAW, LEVELS)
    assert [condition.name for condition in conditions] == [
        "text + audio + video",
        "text + audio",
        "text + video",
        "audio + video",
        "text",
        "audio",
        "video",
        "audio: noise at 20 dB",
        "audio: noise at 0 dB",
        "video: blur of 1 px",
    ]
    assert all(condition.kept == tuple(RAW) for condition in conditions[7:])
    assert notes == []


def test_no_noise_on_stored_features_and_it_is_said_once():
    forms = {"audio": "samples", "video": "features"}
    conditions, notes = plan_conditions(forms, {"snr": [5], "blur": [1], "occlusion": [0.5]})
    assert [condition.kind for condition in conditions] == ["subset"] * 3 + ["snr"]
    assert notes == ["video: stored features are read, to which no noise can be added; this needs its media"]


def test_modalities_that_are_not_there_are_no_matter():
    conditions, notes = plan_conditions({"text": "tokens"}, LEVELS)
    assert [condition.name for condition in conditions] == ["text"]
    assert notes == []


@pytest.mark.parametrize(
    ("kind", "level", "message"),
    [
        (
            "snr",
            101,
            "--snr: expected numbers from -100 to 100 (dB); found 101. Correct it, or leave it out.",
        ),
        ("snr", float("nan"), "--snr: expected numbers from -100 to 100 (dB); found nan. "),
        ("blur", 0, "--blur: expected numbers from 0.1 to 100 (pixels); found 0. "),
        (
            "occlusion",
            1.5,
            "--occlusion: expected numbers from 0.001 to 1 (of the picture's area); found 1.5. ",
        ),
        ("occlusion", -0.1, "found -0.1. "),
    ],
)
def test_levels_out_of_range(kind, level, message):
    with pytest.raises(InputError) as error:
        check_levels({kind: [1, level]})
    assert message in str(error.value)
