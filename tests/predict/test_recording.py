"""Files of all kinds through a small model: what is cut, what is missing, what cannot be read."""

from __future__ import annotations

import json
import shutil

import av
import numpy as np
import pytest
import soundfile

from mmer_fairseq import load
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.errors import InputError
from mmer_fairseq.predict.cutting import Options

CUES = "WEBVTT\n\n00:04.000 --> 00:08.000\nthe day is wonderful\n\n00:20.000 --> 00:26.000\nno\n"


@pytest.fixture(scope="module")
def predictor(small):
    return load(small)


@pytest.fixture(scope="module")
def video(twelve):
    clip = Corpus.load(twelve).clips("test")[0]
    return clip


def test_a_short_file_is_one_clip_with_the_numbers_of_a_row(predictor, video):
    recording = predictor.open(video.media["video"])
    (segment,) = recording.segments()
    alone = predictor.clip(video=video.media["video"], audio=video.media["video"])
    assert set(recording.missing) == {"text"}
    assert recording.about == "as one clip"
    assert segment.scores == pytest.approx(alone.scores, abs=1e-6)
    assert (segment.start, segment.end) == (0.0, recording.seconds)


def test_words_beside_a_file_are_read(predictor, video, tmp_path):
    shutil.copy(video.media["audio"], tmp_path / "a.wav")
    (tmp_path / "a.txt").write_text(video.media["text"])
    (segment,) = predictor(tmp_path / "a.wav")
    row = predictor.clip(text=video.media["text"], audio=video.media["audio"])
    assert segment.scores == pytest.approx(row.scores, abs=1e-6)
    assert segment.missing == ("video",)


def test_a_long_sound_is_cut_where_somebody_speaks(predictor, talk):
    recording = predictor.open(talk, speech="energy")
    found = [(s.start, s.end) for s in recording.segments()]
    assert np.abs(np.array(found) - [(4, 8), (20, 26)]).max() < 0.4
    assert recording.missing == {
        "text": "no subtitles are given, and talk.vtt, .srt or .txt is not beside the file",
        "video": "the file has no picture",
    }


def test_windows_cover_a_file(predictor, talk):
    spans = [(s.start, s.end) for s in predictor(talk, window=15.0)]
    assert spans == [(0.0, 15.0), (15.0, 30.0), (30.0, 40.0)]
    spans = [(s.start, s.end) for s in predictor(talk, window=20.0, hop=10.0)]
    assert spans == [(0.0, 20.0), (10.0, 30.0), (20.0, 40.0)]


def test_subtitles_are_segments_with_words(predictor, talk, tmp_path):
    (tmp_path / "talk.vtt").write_text(CUES)
    segments = predictor(talk, subtitles=str(tmp_path / "talk.vtt"))
    assert [(s.start, s.end, s.text) for s in segments] == [(4, 8, "the day is wonderful"), (20, 26, "no")]
    row = predictor.clip(text="no", audio=talk, start=20.0, end=26.0)
    assert segments[1].scores == pytest.approx(row.scores, abs=1e-6)


def test_subtitles_alone(predictor, tmp_path):
    (tmp_path / "talk.vtt").write_text(CUES)
    segments = predictor(tmp_path / "talk.vtt")
    assert [s.text for s in segments] == ["the day is wonderful", "no"]
    assert segments[0].scores == pytest.approx(predictor.clip(text="the day is wonderful").scores)


def test_a_text_is_an_utterance_a_line(predictor, tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    assert [s.text for s in predictor(tmp_path / "a.txt")] == ["one", "two"]
    assert [s.text for s in predictor(tmp_path / "a.txt", whole=True)] == ["one two"]


def test_a_text_without_times_is_not_divided(predictor, talk, tmp_path):
    shutil.copy(talk, tmp_path / "talk.wav")
    (tmp_path / "talk.txt").write_text("so many words")
    recording = predictor.open(tmp_path / "talk.wav")
    assert recording.missing["text"] == (
        "talk.txt has no times; give subtitles, or take the file as one clip with --whole"
    )
    assert len(list(recording.segments())) == 2


def test_a_long_video_without_sound(predictor, tmp_path, film):
    recording = predictor.open(film(tmp_path / "a.mp4", 35))
    segments = list(recording.segments())
    assert recording.about == "windows of 10 s, as there is no sound"
    assert [s.start for s in segments] == [0, 10, 20, 30]
    assert all(s.missing == ("text", "audio") for s in segments)


def test_nothing_that_the_model_takes(small, tmp_path):
    (tmp_path / "a.txt").write_text("words\n")
    predictor = load(small, modalities=["audio"])
    with pytest.raises(InputError) as error:
        predictor(tmp_path / "a.txt")
    assert str(error.value) == (
        f"{tmp_path}/a.txt: expected something that the model takes (text, audio, video); found text: left out by "
        "--modalities; video: left out by --modalities; audio: the file is text. "
        "Name another file, or another checkpoint."
    )


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", r"an empty file \(0 bytes\)"),
        (b"no film at all\n" * 9, "text"),
        (b"\x00" * 64, "nothing but zero bytes"),
    ],
)
def test_broken_files(predictor, tmp_path, content, found):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.mp4: expected .*; found {found}"):
        predictor(tmp_path / "a.mp4")


def test_a_file_that_was_cut_off(predictor, tmp_path, bursts, film):
    film(tmp_path / "a.mp4", 4)
    content = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="truncated"):
        predictor(tmp_path / "a.mp4")


def test_damage_in_the_middle_is_said_and_passed_over(predictor, tmp_path, bursts, film):
    path = film(tmp_path / "a.mp4", 60, bursts(60.0, [(k, k + 3.0) for k in range(0, 60, 5)]))
    with av.open(str(path)) as container:
        sound = next(s for s in container.streams if s.type == "audio")
        places = [(p.pos, p.size) for p in container.demux(sound) if p.pts and 25 < p.pts * p.time_base < 32]
    content = bytearray(path.read_bytes())
    random = np.random.default_rng(1)
    for at, size in places:
        content[at : at + size] = random.integers(0, 255, size, dtype=np.uint8).tobytes()
    path.write_bytes(content)
    recording = predictor.open(path, speech="energy")
    segments = list(recording.segments())
    starts = [s.start for s in segments]
    assert starts == sorted(starts)
    lost = [s for s in segments if "audio" in s.missing]
    assert lost
    assert all(s.start > 24 and s.end < 35 for s in lost)
    assert all("audio cannot be read from" in s.notes[0] and s.scores for s in lost)
    assert any(s.start > 40 and "audio" not in s.missing for s in segments)
    assert recording.notes[0].startswith("no sound can be read from 2")


def test_silence_counts_as_missing(predictor, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(32000), 16000)
    (segment,) = predictor(tmp_path / "a.wav", whole=True)
    assert segment.scores == {}
    assert segment.label == ""
    assert "silence: all samples of 2.00 s are equal" in segment.notes[0]


def test_one_way_to_cut():
    with pytest.raises(InputError) as error:
        Options(window=2.0, whole=True)
    assert str(error.value) == (
        "--window and --whole: expected one way to cut the file; found 2. Leave the others out."
    )
    with pytest.raises(InputError) as error:
        Options(hop=1.0)
    assert str(error.value) == "--hop: expected --window beside it; found none. Add --window SECONDS."
    with pytest.raises(InputError, match="--window: expected 0 seconds or more; found -1"):
        Options(window=-1.0)


def test_faces_are_cut_out_as_asked(predictor, video):
    (whole,) = predictor(video.media["video"], faces="none")
    (centre,) = predictor(video.media["video"], faces="centre")
    assert whole.scores != centre.scores
    assert "video" not in centre.missing
    with pytest.raises(
        InputError,
        match=r"--faces: expected one of auto, none, mtcnn, haar, .*centre; found 'nose'. Write one",
    ):
        predictor(video.media["video"], faces="nose")


def test_faces_lie_where_they_are_told_to(predictor, video, tmp_path, monkeypatch):
    from mmer_fairseq.faces import clip_faces

    real, folders = clip_faces.find, []

    def find(task, *rest):
        folders.append(task.folder.parent)
        return real(task, *rest)

    monkeypatch.setattr(clip_faces, "find", find)
    predictor(video.media["video"], faces="centre", folder=str(tmp_path))
    assert folders == [tmp_path]
    assert list(tmp_path.iterdir()) == []


def test_faces_as_the_training_corpus_had_them(predictor, video, monkeypatch):
    (centre,) = predictor(video.media["video"], faces="centre")
    settings = {"detector": "centre", "rate": 5.0, "size": 16, "fallback": "none", "unknown": 1}
    monkeypatch.setattr(predictor, "faces", settings)
    (recorded,) = predictor(video.media["video"])
    assert recorded.scores == pytest.approx(centre.scores)


def test_a_trace_has_every_step(made, video, twelve):
    flags = (
        "--labels",
        "affect",
        "--seq-length",
        "12",
        "--subseq-length",
        "3",
        "--dilation",
        "1",
        "--frame-size",
        "16",
    )
    predictor = load(made("trace_of_a_file", "jmt_small", *flags))
    path = video.media["video"]
    recording = predictor.open(path)
    segments = list(recording.segments())
    steps = round(recording.seconds * 10)
    assert len(segments) == -(-steps // 12)
    row = predictor.clip(audio=path, video=path, steps=steps)
    trace = np.concatenate([s.trace for s in segments])
    assert np.abs(trace - row.trace).max() < 1e-6
    assert [s.start for s in segments] == pytest.approx([k * 1.2 for k in range(len(segments))])
    with pytest.raises(
        InputError, match=r"expected a sound or a video as it is: .*; found --window\. Leave it out"
    ):
        predictor(path, window=2.0)


def test_a_dialogue_is_read_as_one(made, tmp_path):
    predictor = load(
        made("context", "facialmmt_small", "--frame-rate", "5", "--frame-size", "16", "--context", "64")
    )
    (tmp_path / "a.txt").write_text("the day is wonderful\nno\n")
    segments = predictor(tmp_path / "a.txt")
    row = predictor.clip(text="no", before=["the day is wonderful"])
    assert segments[1].scores == pytest.approx(row.scores, abs=1e-6)
    assert segments[1].scores != pytest.approx(predictor.clip(text="no").scores, abs=1e-6)


def test_segments_are_plain_values(predictor, talk):
    segment = predictor(talk, window=40.0)[0]
    assert json.loads(json.dumps(segment.about()))["start"] == 0.0


def test_what_is_left_out_does_not_change_the_cuts(predictor, talk, tmp_path, film):
    whole = film(tmp_path / "a.mp4", 4, np.zeros(4 * 16000))
    words = tmp_path / "a.vtt"
    words.write_text("WEBVTT\n\n00:00.000 --> 00:01.500\nno\n\n00:02.000 --> 00:03.000\nyes\n")
    every = predictor(whole)
    some = predictor.open(whole, without=("text", "audio"))
    segments = list(some.segments())
    assert some.missing == {"text": "left out", "audio": "left out"}
    assert [(s.start, s.end) for s in segments] == [(s.start, s.end) for s in every]
    assert [s.missing for s in segments] == [("text", "audio")] * 2
    alone = predictor.clip(video=whole, start=2.0, end=3.0)
    assert segments[1].scores == pytest.approx(alone.scores, abs=1e-6)
    assert predictor.open(talk, without=("video",)).missing["video"] == "the file has no picture"


def test_words_beside_a_file_can_be_passed_over(predictor, talk, tmp_path):
    shutil.copy(talk, tmp_path / "talk.wav")
    (tmp_path / "talk.vtt").write_text(CUES)
    recording = predictor.open(tmp_path / "talk.wav", beside=False)
    assert recording.missing["text"] == "no words and no subtitles are given"


def test_a_long_subtitle_is_cut_in_pieces(predictor, talk, tmp_path):
    cues = "WEBVTT\n\n00:01.000 --> 00:03.000\nyes\n\n00:04.000 --> 01:00:00.000\none two three four five\n"
    (tmp_path / "a.vtt").write_text(cues)
    recording = predictor.open(talk, subtitles=str(tmp_path / "a.vtt"))
    assert recording.about == "segments of the subtitles, those of more than 30 s in pieces"
    found = [(s.start, s.end, s.text) for s in recording.segments()]
    assert found == [(1, 3, "yes"), (4, 22, "one two"), (22, 40, "three four five")]
    recording = predictor.open(talk, subtitles=str(tmp_path / "a.vtt"), longest=5.0)
    found = [(s.start, s.end, s.text, s.missing) for s in recording.segments()][1:]
    assert [each[0] for each in found] == pytest.approx([4 + 4.5 * k for k in range(8)])
    assert " ".join(each[2] for each in found).split() == ["one", "two", "three", "four", "five"]
    assert max(end - start for start, end, _, _ in found) <= 5.0
    assert found[0][2:] == ("", ("text", "video"))
    recording = predictor.open(talk, subtitles=str(tmp_path / "a.vtt"), longest=36.0)
    assert recording.about == "segments of the subtitles"
    assert len(list(recording.segments())) == 2
