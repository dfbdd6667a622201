"""Stop, and the time limit, reach into what a prediction is at: the search for speech, words, decoding, drawing."""

from __future__ import annotations

import dataclasses
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from mmer_fairseq import load
from mmer_fairseq.serve import app
from mmer_fairseq.serve.uploads import RUNS

LATE = {
    "type": "stopped",
    "message": "Stopped after 0.5 seconds, the limit of one prediction (--timeout).",
}


@pytest.fixture
def endless(monkeypatch):
    """The sound in which speech is searched never ends, and is silent."""
    from mmer_fairseq.predict import hearing

    def blocks(path, begin):
        while True:
            time.sleep(0.01)
            yield 16000, np.zeros(1600, dtype="f4")

    monkeypatch.setattr(hearing, "_from", blocks)


@pytest.fixture
def silence(tmp_path):
    """A sound that is longer than one segment."""
    soundfile.write(tmp_path / "long.wav", np.zeros(40 * 8000), 8000)
    return tmp_path / "long.wav"


def test_the_search_for_speech_is_late(serving, endless, silence):
    with serving(timeout=0.5) as client:
        assert client.predict(client.take(silence))[-1] == LATE


def test_the_search_for_speech_is_stopped(serving, endless, silence, until):
    with serving() as client:
        id = client.take(silence)
        listener = client.start(id)
        listener.until("start")
        (run,) = client.pages.uploads.get(id).runs.values()
        listener.close()
        until(lambda: client.pages.work.idle)
        assert run.events[-1] == {"type": "stopped", "message": ""}


def test_a_segment_is_stopped_while_it_is_decoded(serving, films, monkeypatch):
    from mmer_fairseq.media.medium import Medium

    real = Medium._reach

    def slow(self, packet):
        time.sleep(0.05)
        real(self, packet)

    with serving(timeout=0.5) as client:
        id = client.take(films("a.mp4", 12))
        monkeypatch.setattr(Medium, "_reach", slow)
        began = time.monotonic()
        assert client.predict(id)[-1] == LATE
        assert time.monotonic() - began < 5  # the packets of the film take longer
        monkeypatch.undo()
        assert client.predict(id)[-1]["type"] == "done"


def test_a_long_dialogue_is_late_before_its_first_segment(serving, written, tmp_path, monkeypatch):
    from mmer_fairseq.data.sources import RawSource

    model = ("facialmmt_small", "--frame-rate", "5", "--frame-size", "16", "--context", "64")
    other = load(written(tmp_path / "context.pt", "emotion", *model))
    real = RawSource.read

    def slow(self, clip, *, random=None):
        time.sleep(0.01)
        return real(self, clip, random=random)

    monkeypatch.setattr(RawSource, "read", slow)
    (tmp_path / "a.txt").write_text("yes\n" * 2000)
    with serving(other, timeout=0.5) as client:
        events = client.predict(client.take(tmp_path / "a.txt"))
    assert [event["type"] for event in events if event["type"] not in ("queue", "beat")] == [
        "run", "start", "stopped",
    ]  # fmt: skip
    assert events[-1] == LATE


@pytest.fixture
def unseekable(monkeypatch):
    """The pictures for the timeline's faces are never reached."""
    from mmer_fairseq.media.medium import Medium
    from mmer_fairseq.predict import key_frames

    def search(path, time_of_it, rate):
        while True:
            time.sleep(0.01)
            Medium._reach(None, SimpleNamespace(pts=None))

    monkeypatch.setattr(key_frames, "_picture", search)


def test_drawing_is_late(client, films, unseekable, monkeypatch):
    id = client.take(films("a.mp4", 12))
    path = f"/api/uploads/{id}/results/{client.predict(id, window=2)[0]['run']}/png"
    monkeypatch.setattr(client.pages, "settings", dataclasses.replace(client.pages.settings, timeout=0.5))
    late = client.ask("GET", path)
    assert (late.status, late.error) == (
        422,
        "a.mp4: expected a picture that is drawn in 0.5 seconds, as a prediction is (--timeout); found one that takes "
        "longer. Take one of the tables.",
    )
    monkeypatch.setattr(client.pages, "settings", dataclasses.replace(client.pages.settings, timeout=600))
    assert client.ask("GET", path).error.startswith("a.mp4: expected a picture")  # it is not tried again


def test_who_waits_for_a_drawing_holds_nobody_up(client, films, unseekable, until):
    id = client.take(films("a.mp4", 12))
    path = f"/api/uploads/{id}/results/{client.predict(id, window=2)[0]['run']}/png"
    said = []
    waiting = [threading.Thread(target=lambda: said.append(client.ask("GET", path))) for _ in range(45)]
    for thread in waiting:  # more than the server has threads
        thread.start()
    until(lambda: client.pages.uploads.get(id).busy)
    other = client.take(films("second.mp4", 12))
    assert client.predict(other)[-1]["type"] == "done"
    assert said == []
    assert client.ask("POST", f"/api/uploads/{id}/remove").status == 204  # which ends the drawing
    for thread in waiting:
        thread.join(20)
    assert {answer.status for answer in said} <= {422, 404}
    assert {answer.error for answer in said if answer.status == 422} == {REMOVED}
    assert len(said) == 45


REMOVED = "a.mp4: expected a result that the server still holds; found one that was removed. Predict again."


def test_a_result_that_is_removed_while_it_is_drawn(client, films, monkeypatch):
    from mmer_fairseq.plots import canvas

    id = client.take(films("a.mp4", 12))
    path = f"/api/uploads/{id}/results/{client.predict(id, window=2)[0]['run']}/png"
    upload = client.pages.uploads.get(id)
    (run,) = upload.runs.values()
    real = canvas.save

    def late(figure, file):
        for other in range(RUNS):
            upload.keep(other, SimpleNamespace(ended=True, folder=file.parent / "none", cancel=lambda: None))
        assert not file.parent.exists()
        real(figure, file)
        assert file.exists()

    monkeypatch.setattr(canvas, "save", late)
    assert client.ask("GET", path).error == REMOVED
    assert not run.folder.exists()


def test_looking_through_a_file_is_late(client, films, monkeypatch):
    monkeypatch.setattr(app, "_LOOK", 0.0)
    held = len(client.pages.uploads)
    answer = client.upload(films("a.mp4", 12))
    assert (answer.status, answer.error) == (
        422,
        "a.mp4: expected a file that can be looked through in 0 seconds; found one that takes longer. Convert it, or "
        "cut it in parts.",
    )
    assert len(client.pages.uploads) == held
