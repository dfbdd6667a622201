"""Other people: their pages, their clips, their turn."""

from __future__ import annotations

import stat
import threading

import pytest

from mmer_fairseq.serve.guard import is_loopback


def test_other_ids_and_paths_are_unknown(client, films):
    id = client.take(films("a.mp4", 12))
    assert len(id) == 32
    for path in (
        "/api/uploads/x/media",
        f"/api/uploads/{id[:-1]}/media",
        "/api/uploads/../media",
        "/api/uploads/%2e%2e%2f%2e%2e%2fetc%2fpasswd/media",
        f"/api/uploads/{id}/results/../tsv",
        f"/api/uploads/{id}/results/..%2f..%2fetc/passwd",
        f"/api/uploads/{id}/upload.mp4",
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/%2e%2e/errors.py",
        "/static//etc/passwd",
        "/etc/passwd",
        "//etc/passwd",
        "/static/",
        "/api/uploads",
    ):
        answer = client.ask("GET", path)
        assert answer.status in (404, 405), path
        assert b"root:" not in answer.body
        assert b"import" not in answer.body


def test_what_a_page_cannot_ask(client, films):
    path = f"/api/uploads/{client.take(films('a.mp4', 12))}/predict"
    for wish in (
        b"no",
        b"[]",
        b'{"without": ["smell"]}',
        b'{"window": 0.001}',
        b'{"text": 3}',
        b'{"window": "2"}',
    ):
        assert client.ask("POST", path, wish).status == 400
    assert client.ask("POST", path, b" " * 300_000).status == 413


@pytest.mark.parametrize("wish", ['{"window": 1' + "0" * 400 + "}", '{"text": "\\ud800"}'])
def test_wishes_that_no_page_makes(client, films, wish):
    id = client.take(films("a.mp4", 12))
    assert client.ask("POST", f"/api/uploads/{id}/predict", wish.encode()).status == 400


def test_faces_lie_in_the_folder_of_the_upload(client, films, monkeypatch):
    from mmer_fairseq.faces import clip_faces

    real, folders = clip_faces.find, []

    def find(task, *rest):
        folders.append(task.folder)
        return real(task, *rest)

    monkeypatch.setattr(clip_faces, "find", find)
    monkeypatch.setattr(client.pages.work, "faces", "centre")
    id = client.take(films("a.mp4", 12))
    assert client.predict(id)[-1]["type"] == "done"
    assert folders
    assert all(client.pages.uploads.get(id).folder in folder.parents for folder in folders)


def test_the_folder_is_private(client):
    root = client.pages.uploads.root
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert root.name.startswith("mmer-serve-")


def test_only_its_own_name_and_page(client, films):
    ask = client.ask
    assert ask("GET", "/", Host="evil.example").status == 400
    assert ask("GET", "/api/model", Host=f"localhost:{client.port}").status == 200
    assert ask("GET", "/", Host="192.168.1.5").status == 400
    own = f"http://127.0.0.1:{client.port}"
    data = films("a.mp4", 12).read_bytes()
    path = "/api/uploads?name=a.mp4"
    assert ask("POST", path, data, Origin="http://evil.example").status == 403
    assert ask("POST", path, data, Origin="null").status == 403
    assert ask("POST", path, data, **{"Sec-Fetch-Site": "cross-site"}).status == 403
    assert ask("POST", path, data, Origin=own).status == 200


def test_headers(client):
    for path in ("/", "/api/model", "/static/app.js", "/nothing"):
        headers = client.ask("GET", path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'; media-src 'self' blob:;")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["permissions-policy"].startswith("camera=(self), microphone=(self)")
        assert "server" not in headers


def test_a_page_has_no_inline_script(client):
    page = client.ask("GET", "/").body.decode()
    assert page.count("<script") == 1
    assert '<script type="module" src="/static/app.js"></script>' in page
    assert " onclick" not in page
    assert "style=" not in page


def test_a_page_that_is_left_may_say_so_without_an_origin(client, films):
    id = client.take(films("a.mp4", 12))
    path = f"/api/uploads/{id}/remove"
    assert client.ask("POST", path, Origin="null", Sec_Fetch_Site="cross-site").status == 403
    assert client.ask("POST", path, Origin="null").status == 403
    assert client.ask("POST", path, Origin="null", Sec_Fetch_Site="same-origin").status == 204


def test_addresses():
    assert [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "192.168.1.2", "box")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip


def test_two_users_wait_for_each_other(serving, films, slowly):
    slowly(0.15)
    with serving() as client:
        ids = [client.take(films(name, 12)) for name in ("a.mp4", "second.mp4")]
        first = client.start(ids[0], window=2)
        first.until("segment")
        second = client.start(ids[1], window=2)
        assert second.until("queue")["before"] == 1
        assert first.until("done")["count"] == 6
        assert second.until("done")["count"] == 6
        first.close()
        second.close()


def test_each_gets_his_own(serving, predictor, films):
    files = [films(name, 12) for name in ("a.mp4", "second.mp4")]
    found = {}
    with serving(parallel=2) as client:
        ids = [client.take(file) for file in files]

        def work(k):
            found[k] = client.predict(ids[k], window=1)

        threads = [threading.Thread(target=work, args=(k,)) for k in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for k, file in enumerate(files):
            scores = [event["segment"]["scores"] for event in found[k] if event["type"] == "segment"]
            assert scores == [pytest.approx(s.scores, abs=1e-6) for s in predictor(file, window=1.0)]
        run = found[0][0]["run"]
        assert client.ask("GET", f"/api/uploads/{ids[0]}/results/{run}/json").status == 200
        assert client.ask("GET", f"/api/uploads/{ids[1]}/results/{run}/json").status == 404


def test_who_goes_away_stops_the_work(serving, films, slowly, until, monkeypatch):
    slowly(0.3)
    with serving() as client:
        id = client.take(films("a.mp4", 12))
        listener = client.start(id, window=1)
        listener.until("segment")
        (run,) = client.pages.uploads.get(id).runs.values()
        listener.close()
        until(lambda: client.pages.work.idle)
        assert run.events[-1] == {"type": "stopped", "message": ""}
        assert sum(event["type"] == "segment" for event in run.events) < 8
        monkeypatch.undo()
        assert client.predict(id, window=1)[-1]["type"] == "done"


def test_removal_in_the_midst(serving, films, slowly, until):
    slowly(0.2)
    with serving() as client:
        id = client.take(films("a.mp4", 12))
        listener = client.start(id, window=1)
        listener.until("segment")
        assert client.ask("POST", f"/api/uploads/{id}/remove").status == 204
        until(lambda: not client.files())
        listener.close()


def test_a_fault_of_ours_is_not_shown(serving, films, monkeypatch, caplog):
    from mmer_fairseq.predict.recording import Recording

    def segments(self):
        raise RuntimeError(f"secret {self.path}")
        yield

    monkeypatch.setattr(Recording, "segments", segments)
    with serving() as client:
        events = client.predict(client.take(films("a.mp4", 12)))
    assert events[-1] == {"type": "error", "message": "Something went wrong; the server's console says what."}
    assert "secret" in caplog.text
