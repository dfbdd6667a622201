"""What the server answers: files in, predictions out."""

from __future__ import annotations

import csv
import io
import json

import pytest

from mmer_fairseq import load

CUES = "WEBVTT\n\n00:01.000 --> 00:03.000\nthe day is wonderful\n\n00:04.000 --> 00:06.000\nno\n"


def segments(events):
    return [event["segment"] for event in events if event["type"] == "segment"]


def test_the_page_and_its_parts(client):
    page = client.ask("GET", "/")
    assert page.status == 200
    assert b"<h1>Emotion timeline</h1>" in page.body
    for name in (
        "style.css",
        "app.js",
        "net.js",
        "panels.js",
        "player.js",
        "recorder.js",
        "scores.js",
        "timeline.js",
    ):
        part = client.ask("GET", f"/static/{name}")
        assert part.status == 200
        assert part.body
    assert b"http://" not in page.body
    assert b"https://" not in page.body


def test_the_model_is_described(client, predictor):
    about = json.loads(client.ask("GET", "/api/model").body)
    assert about["name"] == "small.pt"
    assert about["names"] == list(predictor.labels.names)
    assert [m["name"] for m in about["modalities"]] == ["text", "audio", "video"]
    assert (about["max_bytes"], about["max_minutes"]) == (500_000_000, 60)


def test_numbers_are_those_of_the_predictor(client, predictor, films):
    file = films("a.mp4", 12)
    id = client.take(file)
    events = client.predict(id, window=2)
    wanted = predictor(file, window=2.0)
    assert [event["type"] for event in events if event["type"] not in ("queue", "beat")] == [
        "run", "start", *["segment"] * 6, "done",
    ]  # fmt: skip
    for found, segment in zip(segments(events), wanted):
        assert found["scores"] == pytest.approx(segment.scores, abs=1e-6)
        assert (found["start"], found["end"], found["label"]) == (segment.start, segment.end, segment.label)


def test_downloads(client, predictor, films):
    file = films("a.mp4", 12)
    id = client.take(file, "my talk.mp4")
    events = client.predict(id, window=2)
    run = events[0]["run"]
    got = {
        kind: client.ask("GET", f"/api/uploads/{id}/results/{run}/{kind}")
        for kind in ("tsv", "json", "vtt", "png")
    }
    assert {answer.status for answer in got.values()} == {200}
    assert "my%20talk-emotion.tsv" in got["tsv"].headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(got["tsv"].body.decode()), delimiter="\t"))
    for row, segment in zip(rows, predictor(file, window=2.0)):
        for name, score in segment.scores.items():
            assert float(row[f"score_{name}"]) == pytest.approx(score, abs=1e-6)
    plain = json.loads(got["json"].body)
    assert (plain["file"], plain["checkpoint"]) == ("my talk.mp4", "small.pt")
    assert len(plain["segments"]) == len(rows) == 6
    assert got["vtt"].body.startswith(b"WEBVTT")
    assert got["png"].body.startswith(b"\x89PNG")
    root = str(client.pages.uploads.root).encode()
    assert not any(root in answer.body for answer in got.values())
    assert client.ask("GET", f"/api/uploads/{id}/results/{run}/exe").status == 404
    assert client.ask("GET", f"/api/uploads/{id}/results/other/tsv").status == 404


def test_a_switch_predicts_without_and_is_told_again(client, predictor, films):
    file = films("a.mp4", 12)
    id = client.take(file)
    events = client.predict(id, window=2, without=["video"])
    wanted = predictor(file, window=2.0, without=("video",))
    assert [s["scores"] for s in segments(events)] == [pytest.approx(s.scores, abs=1e-6) for s in wanted]
    assert events[-1]["type"] == "done"
    again = client.predict(id, window=2, without=["video"])
    assert again[0]["run"] == events[0]["run"]
    assert segments(again) == segments(events)


def test_nothing_left(client, films):
    id = client.take(films("silent.mp4", 4, sound=False))
    error = client.predict(id, without=["video"])[-1]
    assert error == {
        "type": "error",
        "message": "silent.mp4: expected something that the model takes (text, audio, video); found text: no words and "
        "no subtitles are given; audio: the file has no sound; video: left out. Name another "
        "file, or another checkpoint.",
    }


def test_a_silent_film(client, films):
    id = client.take(films("silent.mp4", 4, sound=False))
    events = client.predict(id)
    start = next(event for event in events if event["type"] == "start")
    assert start["missing"] == {
        "text": "no words and no subtitles are given", "audio": "the file has no sound",
    }  # fmt: skip
    assert segments(events)[0]["missing"] == ["text", "audio"]


def test_typed_words(client, predictor, films):
    file = films("a.mp4", 12)
    events = client.predict(client.take(file), text="  the day \n is wonderful ")
    (found,) = segments(events)
    (wanted,) = predictor(file, text="the day is wonderful", whole=True)
    assert found["text"] == "the day is wonderful"
    assert found["scores"] == pytest.approx(wanted.scores, abs=1e-6)


def test_words_without_times_for_a_long_file(client, films):
    id = client.take(films("long.mp4", 130, size=16, rate=1))
    assert client.predict(id, text="so")[-1]["message"] == (
        "long.mp4: expected a recording of at most 120 seconds for words without times; found 130 seconds. "
        "Give the words as subtitles (.vtt or .srt)."
    )


def test_subtitles(client, predictor, films, tmp_path):
    file = films("a.mp4", 12)
    id = client.take(file)
    before = client.predict(id)
    (tmp_path / "a.vtt").write_text(CUES)
    assert client.ask("POST", f"/api/uploads/{id}/words?name=a.vtt", CUES.encode()).status == 200
    events = client.predict(id)
    wanted = predictor(file, subtitles=str(tmp_path / "a.vtt"))
    assert len(segments(before)) == 1
    assert [s["text"] for s in segments(events)] == ["the day is wonderful", "no"]
    assert [s["scores"] for s in segments(events)] == [pytest.approx(s.scores, abs=1e-6) for s in wanted]
    assert client.ask("POST", f"/api/uploads/{id}/words?name=none.vtt", b"").status == 200
    assert segments(client.predict(id)) == segments(before)


def test_subtitles_that_are_none(client, films):
    id = client.take(films("a.mp4", 12))
    answer = client.ask("POST", f"/api/uploads/{id}/words?name=my.vtt", b"hello")
    assert answer.status == 422
    assert answer.error.startswith("my.vtt: expected subtitles: 00:00:01.000 --> ")
    assert client.ask("POST", f"/api/uploads/{id}/words?name=my.txt", b"hello").status == 422


def test_a_text(client, predictor, tmp_path):
    (tmp_path / "a.txt").write_text("the day is wonderful\nno\n")
    answer = client.upload(tmp_path / "a.txt")
    assert json.loads(answer.body)["kind"] == "text"
    events = client.predict(json.loads(answer.body)["id"])
    assert [s["text"] for s in segments(events)] == ["the day is wonderful", "no"]
    assert [s["scores"] for s in segments(events)] == [
        pytest.approx(s.scores, abs=1e-6) for s in predictor(tmp_path / "a.txt")
    ]
    run = events[0]["run"]
    id = json.loads(answer.body)["id"]
    assert client.ask("GET", f"/api/uploads/{id}/results/{run}/png").status == 200


def test_media_in_parts(client, films):
    file = films("a.mp4", 12)
    whole = file.read_bytes()
    path = f"/api/uploads/{client.take(file)}/media"
    answer = client.ask("GET", path)
    assert (answer.status, answer.body) == (200, whole)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["x-content-type-options"] == "nosniff"
    part = client.ask("GET", path, Range="bytes=10-29")
    assert (part.status, part.body) == (206, whole[10:30])
    assert part.headers["content-range"] == f"bytes 10-29/{len(whole)}"


def test_a_live_recording_gets_its_length(client, films, tmp_path):
    import av

    source = films("r.webm", 6, sound=False, codec="libvpx")
    live = tmp_path / "live.webm"
    with (
        av.open(str(source)) as given,
        av.open(str(live), "w", format="webm", options={"live": "1"}) as target,
    ):
        track = target.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = track
                target.mux(packet)
    with av.open(str(live)) as container:
        assert not container.duration
    id = client.take(live)
    copy = tmp_path / "copy.webm"
    copy.write_bytes(client.ask("GET", f"/api/uploads/{id}/media").body)
    with av.open(str(copy)) as container:
        assert container.duration == pytest.approx(6e6, abs=3e5)
    assert segments(client.predict(id))


def test_models_of_other_labels(serving, written, tmp_path, films):
    for labels in ("emotions", "sentiment"):
        other = load(written(tmp_path / f"{labels}.pt", labels))
        with serving(other) as client:
            assert json.loads(client.ask("GET", "/api/model").body)["kind"] in ("multilabel", "score")
            id = client.take(films("a.mp4", 12))
            events = client.predict(id, window=5)
            assert len(segments(events)) == 3
            assert set(segments(events)[0]["scores"]) == set(other.labels.names)
            run = events[0]["run"]
            assert client.ask("GET", f"/api/uploads/{id}/results/{run}/png").status == 200
