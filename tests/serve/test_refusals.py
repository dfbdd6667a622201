"""What the server does not do: foreign files, foreign pages, too much, other people's clips."""

from __future__ import annotations

import http.client
import json
import socket
import stat
import threading
import time

import av
import numpy as np
import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.serve import safety
from mmer_fairseq.serve.guard import is_loopback
from mmer_fairseq.serve.uploads import FullError, Uploads


def said(answer):
    return json.loads(answer.body)["error"]


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile /etc/passwd\n"
SESSION = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"
MANIFEST = (
    '<?xml version="1.0"?><MPD profiles="urn:mpeg:dash:profile:isoff-live:2011">'
    "<BaseURL>/etc/passwd</BaseURL></MPD>"
)


@pytest.mark.parametrize(
    "text", [PLAYLIST, CONCAT, SESSION, MANIFEST], ids=["m3u8", "ffconcat", "sdp", "dash"]
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.aac", "a.wav"])
def test_a_list_of_other_files_is_no_medium(client, text, name):
    answer = client.upload(text.encode(), name)
    assert answer.status == 422
    assert "found text (by its first bytes)" in said(answer)
    assert b"root:" not in answer.body
    assert len(client.pages.uploads) == 0


@pytest.mark.parametrize(
    "text", [PLAYLIST, CONCAT, SESSION, MANIFEST], ids=["m3u8", "ffconcat", "sdp", "dash"]
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_nor_is_one_with_a_byte_that_no_text_has(client, text, name):
    answer = client.upload(text.encode() + b"\x00\x01\xff", name)
    assert answer.status == 422
    assert said(answer) == (
        f"{name}: expected a sound or a video, by its first bytes; found bytes of no known kind. Choose another file."
    )


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"#!AMR\n", "a.amr"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x01\x00", "a.aac"),
        (b"\xff\xf1", "a.aac"),
        (b"GIF8", "a.mp4"),
        (b"FLV\x01", "a.flv"),
    ],
)
def test_one_that_begins_like_a_medium_is_read_as_that(serving, head, name, monkeypatch):
    opened = []
    real = av.open

    def watched(*args, **options):
        container = real(*args, **options)
        opened.append(container.format.name)
        return container

    monkeypatch.setattr(av, "open", watched)
    with serving() as client:
        for text in (MANIFEST, SESSION, CONCAT, PLAYLIST):
            for between, behind in ((b"\n", b"\x00\xff"), (b"", b"")):
                answer = client.upload(head + between + text.encode() + behind, name)
                assert answer.status in (200, 422)
                assert b"root:" not in answer.body
    assert {part for each in opened for part in each.split(",")} <= set(safety.DEMUXERS.split(","))


def test_libav_refuses_what_is_not_on_the_list(tmp_path):
    """The second line: the list of demuxers is one that libav knows and obeys."""
    (tmp_path / "other.mp4").write_bytes(b"")
    file = tmp_path / "a.mp4"
    file.write_text(f"ffconcat version 1.0\nfile '{tmp_path}/other.mp4'\n")
    with pytest.raises(InputError) as error:
        safety._check_demuxer(file, "a.mp4", 3600.0)
    assert str(error.value).startswith(
        "a.mp4: expected a sound or a video of a common kind; found one that cannot be"
    )
    assert "concat" not in safety.DEMUXERS
    assert "hls" not in safety.DEMUXERS


def test_bad_files_are_told_in_the_users_words(client):
    noise = np.random.default_rng(0).integers(128, 255, 5000, dtype=np.uint8).tobytes()
    cases = {
        "noise.mp4": (
            noise,
            "noise.mp4: expected a sound or a video, by its first bytes; found bytes of no known kind.",
        ),
        "words.mp4": (
            b"just some words\n",
            "words.mp4: expected an MP4 or QuickTime file (its name ends in .mp4); found text (by its first bytes). "
            "The file is wrongly named: name the right file.",
        ),
        "a.exe": (
            b"MZ",
            "a.exe: expected a video, a sound, a text (.txt) or subtitles (.vtt, .srt); found a name that",
        ),
        "../../etc/passwd": (
            b"x",
            "passwd: expected a video, a sound, a text (.txt) or subtitles (.vtt, .srt); found a",
        ),
        "list.m3u8": (b"#EXTM3U", "list.m3u8: expected a video"),
    }
    for name, (data, message) in cases.items():
        answer = client.upload(data, name)
        assert answer.status == 422
        assert said(answer).startswith(message), said(answer)
        assert "/tmp" not in said(answer)
    empty = client.upload(b"", "a.mp4")
    assert (empty.status, said(empty)) == (400, "The file is empty (0 bytes); choose another file.")
    assert len(client.pages.uploads) == 0
    assert list(client.pages.uploads.root.iterdir()) == []


def test_a_truncated_film(client, films):
    whole = films("a.mp4", 12).read_bytes()
    answer = client.upload(whole[: len(whole) // 2], "half.mp4")
    assert answer.status == 422
    assert said(answer).startswith("half.mp4: expected")
    assert "truncated" in said(answer)


def test_a_huge_picture(tmp_path, monkeypatch, films):
    monkeypatch.setattr(safety, "PIXELS", 500)
    with pytest.raises(InputError, match="found 32 × 32"):
        safety.inspect(films("a.mp4", 12), "a.mp4", 60)


def test_too_large_is_refused_while_it_comes(serving, films):
    with serving(max_mb=0.05) as client:
        answer = client.upload(b"\x00" * 60_000, "a.mp4")
        assert (answer.status, said(answer)) == (
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
        assert list(client.pages.uploads.root.iterdir()) == []


def test_an_upload_that_breaks_off_leaves_nothing(client):
    connection = socket.create_connection(("127.0.0.1", client.port), timeout=20)
    connection.sendall(
        b"POST /api/uploads?name=a.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
        + b"\x00" * 1000
    )
    until = time.monotonic() + 10
    while not len(client.pages.uploads) and time.monotonic() < until:
        time.sleep(0.01)
    assert len(client.pages.uploads) == 1
    connection.close()
    while list(client.pages.uploads.root.iterdir()) and time.monotonic() < until:
        time.sleep(0.05)
    assert list(client.pages.uploads.root.iterdir()) == []


def test_too_long(serving, films):
    with serving(max_minutes=0.1) as client:
        answer = client.upload(films("a.mp4", 12))
        assert said(answer) == (
            "a.mp4: expected a recording of at most 0.1 minutes; found 0.2 minutes. "
            "Cut it, or start the server with a higher --max-minutes."
        )


def test_too_many(serving, films):
    with serving(max_uploads=1) as client:
        id = client.take(films("a.mp4", 12))
        full = client.upload(films("a.mp4", 12))
        assert (full.status, said(full)) == (
            503, "The server holds as many files as it may; try again in some minutes.",
        )  # fmt: skip
        assert client.ask("POST", f"/api/uploads/{id}/remove").status == 204
        assert client.upload(films("a.mp4", 12)).status == 200


def test_an_unused_file_expires(serving, films):
    with serving(keep=0.005) as client:
        id = client.take(films("a.mp4", 12))
        time.sleep(0.5)
        gone = client.ask("GET", f"/api/uploads/{id}/media")
        assert (gone.status, said(gone)) == (404, "This file is no longer on the server; give it again.")
        assert list(client.pages.uploads.root.iterdir()) == []


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
        started = [_start(client, id, window=window) for window in (0, 1, 2, 5)]
        full = client.ask("POST", f"/api/uploads/{id}/predict", {"window": 10})
        assert (full.status, said(full)) == (429, "Too much is asked of this file at once.")
        for connection, answer in started:
            answer.close()
            connection.close()


def _start(client, id, **wish):
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
    connection.request("POST", f"/api/uploads/{id}/predict", json.dumps(wish).encode())
    return connection, connection.getresponse()


def _until(answer, kind):
    while True:
        line = answer.readline()
        assert line, f"ended before {kind}"
        event = json.loads(line)
        if event["type"] == kind:
            return event


def test_two_users_wait_for_each_other(serving, films, slowly):
    slowly(0.15)
    with serving() as client:
        ids = [client.take(films(name, 12)) for name in ("a.mp4", "second.mp4")]
        one, first = _start(client, ids[0], window=2)
        _until(first, "segment")
        two, second = _start(client, ids[1], window=2)
        assert _until(second, "queue")["before"] == 1
        assert _until(first, "done")["count"] == 6
        assert _until(second, "done")["count"] == 6
        one.close()
        two.close()


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


def test_who_goes_away_stops_the_work(serving, films, slowly, monkeypatch):
    slowly(0.3)
    with serving() as client:
        id = client.take(films("a.mp4", 12))
        connection, answer = _start(client, id, window=1)
        _until(answer, "segment")
        (run,) = client.pages.uploads.get(id).runs.values()
        answer.close()
        connection.close()
        until = time.monotonic() + 10
        while not client.pages.work.idle and time.monotonic() < until:
            time.sleep(0.02)
        assert client.pages.work.idle
        assert run.events[-1] == {"type": "stopped", "message": ""}
        assert sum(event["type"] == "segment" for event in run.events) < 8
        monkeypatch.undo()
        assert client.predict(id, window=1)[-1]["type"] == "done"


def test_removal_in_the_midst(serving, films, slowly):
    slowly(0.2)
    with serving() as client:
        id = client.take(films("a.mp4", 12))
        connection, answer = _start(client, id, window=1)
        _until(answer, "segment")
        assert client.ask("POST", f"/api/uploads/{id}/remove").status == 204
        until = time.monotonic() + 10
        while list(client.pages.uploads.root.iterdir()) and time.monotonic() < until:
            time.sleep(0.05)
        assert list(client.pages.uploads.root.iterdir()) == []
        connection.close()


def test_time_is_limited(serving, films, slowly):
    slowly(0.3)
    with serving(timeout=0.5) as client:
        events = client.predict(client.take(films("a.mp4", 12)), window=1)
        assert events[-1] == {
            "type": "stopped",
            "message": "Stopped after 0.5 seconds, the limit of one prediction (--timeout).",
        }


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


def test_names_and_messages():
    assert safety.shown_name("..\\..\\a\x00b\n.mp4") == "ab.mp4"
    assert safety.shown_name("/etc/passwd") == "passwd"
    assert safety.shown_name("..") == "upload"
    assert len(safety.shown_name("x" * 1000 + ".mp4")) == 150
    assert (
        safety.scrub("no /home/me/models/bpe.json there, text/audio", {}) == "no bpe.json there, text/audio"
    )
    assert safety.scrub("in /tmp/x/upload.mp4: bad", {"/tmp/x/upload.mp4": "talk.mp4"}) == "in talk.mp4: bad"


def test_addresses():
    assert [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "192.168.1.2", "box")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip


def test_the_table_is_full():
    uploads = Uploads(1, 60)
    uploads.add("a.mp4", ".mp4")
    with pytest.raises(FullError):
        uploads.add("b.mp4", ".mp4")
    uploads.close()
    assert not uploads.root.exists()


def late_packet(path, seconds):
    """Sound of a tenth of a second, and another tenth at ``seconds``; no header says so."""
    with av.open(str(path), "w", format="matroska") as container:
        track = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        for at in (0, seconds):
            frame = av.AudioFrame.from_ndarray(np.ones((1, 4800), "<i2"), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48000, at * 48000
            container.mux(track.encode(frame))
        container.mux(track.encode())
    return path


def test_a_film_that_is_longer_than_it_says(tmp_path):
    with pytest.raises(InputError) as error:
        safety.inspect(late_packet(tmp_path / "a.mka", 4000), "mine.mka", 60)
    assert "mine.mka: expected a recording of at most 60 minutes; found 66.7 minutes" in str(error.value)
    safety.inspect(late_packet(tmp_path / "b.mka", 400), "mine.mka", 60)


def test_a_gap_comes_in_pieces(tmp_path):
    from mmer_fairseq.media.medium import open_medium
    from mmer_fairseq.media.sound_sources import track_blocks

    with open_medium(late_packet(tmp_path / "a.mka", 60)) as medium:
        lengths = [len(block) for _, block in track_blocks(medium, None, None)]
    assert sum(lengths) == 48000 * 60 + 4800
    assert max(lengths) == 1 << 20


def test_texts_of_very_many_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(safety, "LINES", 3)
    (tmp_path / "a.txt").write_text("yes\n" * 4)
    with pytest.raises(InputError) as error:
        safety.inspect(tmp_path / "a.txt", "mine.txt", 60)
    assert str(error.value) == "mine.txt: expected at most 3 lines; found 4. Divide the file."


def test_packing_anew_does_not_fill_the_disk(tmp_path, monkeypatch):
    from mmer_fairseq.serve import playing

    class Packet:
        size, dts = 1 << 22, None
        stream = None

    file = late_packet(tmp_path / "a.mka", 1)
    content = file.read_bytes()
    opened = av.open

    def swollen(name, *mode, **options):
        container = opened(name, *mode, **options)
        if mode:
            return container

        class Source:
            duration, format, streams = None, container.format, container.streams

            def __enter__(self):
                return self

            def __exit__(self, *_):
                container.close()

            def demux(self):
                yield Packet()

        return Source()

    monkeypatch.setattr(av, "open", swollen)
    assert playing.repack(file) is False
    assert file.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == ["a.mka"]


def test_a_page_that_is_left_may_say_so_without_an_origin(client, films):
    id = client.take(films("a.mp4", 12))
    path = f"/api/uploads/{id}/remove"
    assert client.ask("POST", path, Origin="null", Sec_Fetch_Site="cross-site").status == 403
    assert client.ask("POST", path, Origin="null").status == 403
    assert client.ask("POST", path, Origin="null", Sec_Fetch_Site="same-origin").status == 204


def test_what_is_asked_for_and_dropped_does_not_count(serving, films, slowly):
    with serving() as client:
        id = client.take(films("a.mp4", 12))
        for window in (1, 2, 5, 10, 1, 2):
            connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)
            connection.request("POST", f"/api/uploads/{id}/predict", json.dumps({"window": window}))
            answer = connection.getresponse()
            assert answer.status == 200
            answer.fp.readline()
            connection.close()
            until = time.monotonic() + 10
            runs = client.pages.uploads.get(id).runs
            while not all(run.cancelled or run.ended for run in runs.values()) and time.monotonic() < until:
                time.sleep(0.02)


@pytest.mark.parametrize("wish", ['{"window": 1' + "0" * 400 + "}", '{"text": "\\ud800"}'])
def test_wishes_that_no_page_makes(client, films, wish):
    id = client.take(films("a.mp4", 12))
    assert client.ask("POST", f"/api/uploads/{id}/predict", wish.encode()).status == 400


def test_messages_name_no_folder_of_this_machine():
    import tempfile

    text = f"cannot be made: {tempfile.gettempdir()}/my dir/x.pt (they were at /srv/models/a(b.pt)"
    assert safety.scrub(text, {}) == "cannot be made: my dir/x.pt"
