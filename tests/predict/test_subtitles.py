"""Words with times, as people write them."""

from __future__ import annotations

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.predict.subtitles import Cue, read_subtitles, read_text


def written(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_webvtt(tmp_path):
    text = (
        "WEBVTT\n\nNOTE nothing\n\nfirst\n00:01.000 --> 00:02.500 align:start\n<v Ann>Good &amp; well,\n<i>you</i>?\n"
        "\n01:00:03.000 --> 01:00:04.000\nno\n\n00:00:00.500 --> 00:00:00.900\n\n"
    )
    assert read_subtitles(written(tmp_path, "a.vtt", text)) == [
        Cue(1.0, 2.5, "Good & well, you?"),
        Cue(3603.0, 3604.0, "no"),
    ]


def test_subrip_with_windows_line_ends_and_no_last_one(tmp_path):
    text = "1\r\n00:00:01,000 --> 00:00:02,000\r\n{\\an8}one\r\n\r\n2\r\n00:00:02,000 --> 00:00:03,250\r\ntwo"
    assert read_subtitles(written(tmp_path, "a.srt", text)) == [Cue(1.0, 2.0, "one"), Cue(2.0, 3.25, "two")]


def test_a_time_that_runs_backwards(tmp_path):
    path = written(tmp_path, "a.srt", "1\n00:00:02,000 --> 00:00:01,000\none\n")
    with pytest.raises(InputError) as error:
        read_subtitles(path)
    assert str(error.value) == (
        f"{path}:2: expected two rising times: 00:00:01.000 --> 00:00:03.500; "
        "found '00:00:02,000 --> 00:00:01,000'. Correct the line."
    )


def test_no_subtitles(tmp_path):
    path = written(tmp_path, "a.vtt", "WEBVTT\n")
    with pytest.raises(InputError) as error:
        read_subtitles(path)
    assert str(error.value) == (
        f"{path}: expected subtitles: 00:00:01.000 --> 00:00:03.500, then the words; found none. "
        "Name a WebVTT or SubRip file."
    )


def test_text_by_line_and_whole(tmp_path):
    path = written(tmp_path, "a.txt", "one  two\n\nthree\n")
    assert [cue.text for cue in read_text(path, whole=False)] == ["one two", "three"]
    assert [cue.text for cue in read_text(path, whole=True)] == ["one two three"]


def test_a_line_of_beginnings_is_read_at_once(tmp_path):
    path = tmp_path / "a.vtt"
    path.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\n" + "<" * 3900 + "yes\n")
    assert read_subtitles(path)[0].text.endswith("<yes")
    path.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\n" + "<" * 5000 + "\n")
    with pytest.raises(InputError) as error:
        read_subtitles(path)
    assert str(error.value) == (
        f"{path}:4: expected a line of at most 4000 characters; found 5000. Divide the line, or check that these are "
        "subtitles."
    )
