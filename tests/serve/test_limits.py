"""How much the server takes: sizes, lengths, numbers, and time."""

from __future__ import annotations

import socket
import time

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.serve import safety
from mmer_fairseq.serve.uploads import RUNS, FullError, Uploads


def test_too_large_is_refused_while_it_comes(serving, films):
    with serving(max_mb=0.05) as client:
        answer = client.upload(b"\x00" * 60_000, "a.mp4")
        assert (answer.status, answer.error) == (
            413,
            "The file is larger than 0.05 MB, the limit of this server.",
        )
        # no length is announced, and the body never ends
        connection = socket.create_connection(("127.0.0.1", client.port), timeout=20)
        connection.sendall(
            b"POST /api/uploads?name=a.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(6):
            connection.sendall(b"2710\r\n" + b"\x00" * 10_000 + b"\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
        connection.close()
        assert client.files() == []


def test_an_upload_that_breaks_off_leaves_nothing(client, until):
    connection = socket.create_connection(("127.0.0.1", client.port), timeout=20)
    connection.sendall(
        b"POST /api/uploads?name=a.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
        + b"\x00" * 1000
    )
    until(lambda: len(client.pages.uploads) == 1)
    connection.close()
    until(lambda: not client.files())


def test_too_long(serving, films):
    with serving(max_minutes=0.1) as client:
        answer = client.upload(films("a.mp4", 12))
        assert answer.error == (
            "a.mp4: expected a recording of at most 0.1 minutes; found 0.2 minutes. "
            "Cut it, or start the server with a higher --max-minutes."
        )


def test_too_many(serving, films):
    with serving(max_uploads=1) as client:
        id = client.take(films("a.mp4", 12))
        full = client.upload(films("a.mp4", 12))
        assert (full.status, full.error) == (
            503, "The server holds as many files as it may; try again in some minutes.",
        )  # fmt: skip
        assert client.ask("POST", f"/api/uploads/{id}/remove").status == 204
        assert client.upload(films("a.mp4", 12)).status == 200


def test_an_unused_file_expires(serving, films):
    with serving(keep=0.005) as client:
        id = client.take(films("a.mp4", 12))
        time.sleep(0.5)
        gone = client.ask("GET", f"/api/uploads/{id}/media")
        assert (gone.status, gone.error) == (404, "This file is no longer on the server; give it again.")
        assert client.files() == []


def test_words_leave_nothing_but_the_last(client, films):
    id = client.take(films("a.mp4", 12))
    cues = b"WEBVTT\n\n00:01.000 --> 00:03.000\nno\n"
    for body, status in ((cues, 200), (cues, 200), (b"none", 422), (b"x" * 5_000_001, 413), (cues, 200)):
        assert client.ask("POST", f"/api/uploads/{id}/words?name=a.srt", body).status == status
    folder = client.pages.uploads.get(id).folder
    assert len(list(folder.glob("words-*"))) == 1


def test_one_user_cannot_fill_the_queue(serving, films, slowly):
    slowly(0.2)
    with serving() as client:
        id = client.take(films("a.mp4", 12))
        started = [client.start(id, window=window) for window in (0, 1, 2, 5)]
        full = client.ask("POST", f"/api/uploads/{id}/predict", {"window": 10})
        assert (full.status, full.error) == (429, "Too much is asked of this file at once.")
        for listener in started:
            listener.close()


def test_what_is_asked_for_and_dropped_does_not_count(serving, films, slowly, until):
    with serving() as client:
        id = client.take(films("a.mp4", 12))
        for window in (1, 2, 5, 10, 1, 2):
            listener = client.start(id, window=window)
            assert listener.answer.status == 200
            listener.until("run")
            listener.close()
            runs = client.pages.uploads.get(id).runs
            until(lambda runs=runs: all(run.cancelled or run.ended for run in runs.values()))


def test_time_is_limited(serving, films, slowly):
    slowly(0.3)
    with serving(timeout=0.5) as client:
        events = client.predict(client.take(films("a.mp4", 12)), window=1)
        assert events[-1] == {
            "type": "stopped",
            "message": "Stopped after 0.5 seconds, the limit of one prediction (--timeout).",
        }


def test_the_table_is_full():
    uploads = Uploads(1, 60)
    uploads.add("a.mp4", ".mp4")
    with pytest.raises(FullError):
        uploads.add("b.mp4", ".mp4")
    uploads.close()
    assert not uploads.root.exists()


def test_the_newest_results_are_kept(client, films):
    upload = client.take(films("silent.mp4", 4, sound=False))
    wishes = [{"window": window, "text": text} for window in (1, 2, 5, 10) for text in ("", "no", "yes")]
    runs = [client.predict(upload, **wish)[0]["run"] for wish in wishes[:RUNS]]
    assert client.predict(upload, **wishes[0])[0]["run"] == runs[0]  # asked for again: it is the last now
    runs += [client.predict(upload, **wish)[0]["run"] for wish in wishes[RUNS:]]
    there = [client.ask("GET", f"/api/uploads/{upload}/results/{run}/tsv").status == 200 for run in runs]
    lost = len(wishes) - RUNS
    assert there == [True, *[False] * lost, *[True] * (len(wishes) - lost - 1)]
    folder = client.pages.uploads.get(upload).folder
    assert len(list(folder.glob("r*"))) == len(client.pages.uploads.get(upload).runs) == RUNS
    assert client.predict(upload, **wishes[1])[-1]["type"] == "done"


def test_texts_of_very_many_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(safety, "LINES", 3)
    (tmp_path / "a.txt").write_text("yes\n" * 4)
    with pytest.raises(InputError) as error:
        safety.inspect(tmp_path / "a.txt", "mine.txt", 60)
    assert str(error.value) == "mine.txt: expected at most 3 lines; found 4. Divide the file."
