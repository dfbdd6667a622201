"""Flags that no corpus is needed to judge."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from mmer_fairseq.data.flags import RANGES, check_modalities, check_numbers, comma_list, name_unused
from mmer_fairseq.errors import InputError

FLAGS = {
    "features": None,
    "freeze": None,
    "finetune": None,
    **{f"{m}_encoder": None for m in ("text", "audio", "video", "physio")},
    "sample_rate": 16000,
    "max_sample_size": None,
    "min_sample_size": None,
    "speed_perturbation": 0.0,
    "picture_augmentation": None,
    "frame_rate": 0.0,
    "frame_size": 0,
    "max_frames": 300,
    "max_text_tokens": 512,
    "physio_rate": 0.0,
}


def flags(**changes) -> SimpleNamespace:
    return SimpleNamespace(**{**FLAGS, **changes})


def test_lists_are_separated_by_commas():
    assert comma_list(" text, audio,,") == ["text", "audio"]
    assert comma_list(None) == comma_list("") == []


def test_names_that_are_no_modality():
    check_modalities(["text", "physio"], "--freeze")
    with pytest.raises(InputError) as error:
        check_modalities(["text", "vidio"], "--freeze")
    assert str(error.value) == (
        "--freeze: expected modalities out of text, audio, video, physio; found 'vidio'. Correct the name."
    )


def test_the_defaults_are_in_range():
    check_numbers(flags())


@pytest.mark.parametrize("name", RANGES)
def test_numbers_out_of_range(name):
    low, high = RANGES[name]
    check_numbers(flags(**{name: low}))
    for value in [low - 1] + ([] if high is None else [high + 1]):
        with pytest.raises(InputError, match=f"--{name.replace('_', '-')}: expected .*; found {value}"):
            check_numbers(flags(**{name: value}))


def test_a_least_size_above_the_largest():
    check_numbers(flags(min_sample_size=5, max_sample_size=5))
    with pytest.raises(InputError) as error:
        check_numbers(flags(min_sample_size=9, max_sample_size=5))
    assert str(error.value) == (
        "--min-sample-size: expected at most --max-sample-size (5); found 9. Correct one of the two."
    )


def test_what_has_no_effect_is_said(caplog):
    given = flags(features="audio=w,text=r", video_encoder="frames", freeze="video", finetune="audio")
    with caplog.at_level(logging.WARNING):
        name_unused(given, ["text"])
    assert [record.getMessage() for record in caplog.records] == [
        "--features has no effect on audio: this run reads text",
        "--finetune has no effect on audio: this run reads text",
        "--video-encoder has no effect on video: this run reads text",
        "--freeze has no effect on video: this run reads text",
    ]


def test_an_augmentation_that_there_is_not_is_refused_whatever_is_read():
    with pytest.raises(InputError, match="--picture-augmentation: expected each at most once"):
        check_numbers(flags(picture_augmentation="flp"))
