"""A model with fresh weights, media, and servers on free ports."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import av
import numpy as np
import pytest

import mmer_fairseq
from mmer_fairseq import load

pytest.importorskip("starlette", reason="needs pip install 'mmer_fairseq[serve]'")
pytest.importorskip("uvicorn", reason="needs pip install 'mmer_fairseq[serve]'")

mmer_fairseq.register()

from mmer_fairseq.serve.server import build_server, listen  # noqa: E402
from mmer_fairseq.serve.settings import Settings  # noqa: E402


@pytest.fixture(scope="session")
def written(twelve: Path, fresh_checkpoint: Any) -> Callable[..., Path]:
    """``written(file, labels, arch, flags…)``: a checkpoint with fresh weights whose corpus is nowhere."""
    small = ("lf_rnn", "--feature-dim", "8", "--frame-rate", "5", "--frame-size", "16")

    def write(file: Path, labels: str, *model: str) -> Path:
        def sharpen(network: Any, state: Any) -> None:
            if not model:
                for weight in network.parameters():  # fresh weights say nearly the same of everything
                    weight.data *= 4

        arch, *flags = model or small
        return fresh_checkpoint(file, twelve, arch, "--labels", labels, *flags, seed=5, change=sharpen)

    return write


@pytest.fixture(scope="session")
def small(written: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one of four emotions."""
    return written(tmp_path_factory.mktemp("serve") / "small.pt", "emotion")


@pytest.fixture(scope="session")
def predictor(small: Path) -> Any:
    return load(small)


def bursts(seconds: float, rate: int = 16000) -> np.ndarray:
    """A warbling tone for two of every three seconds: float32 [samples]."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(size=len(time)) * 0.002
    pitch = 220 + 110 * (time // 3 % 4)
    speaks = time % 3 < 2
    return (
        noise + speaks * 0.3 * np.sin(2 * np.pi * pitch * time) * (1 + np.sin(8 * np.pi * time)) / 2
    ).astype("f4")


def film(
    path: Path,
    seconds: int,
    *,
    sound: bool = True,
    rate: int = 5,
    size: int = 32,
    codec: str = "h264",
    texture: int = 0,
) -> Path:
    """A video whose colour changes every two seconds, maybe with grain and with sound at 16 kHz."""
    heard = bursts(seconds) if sound else None
    random = np.random.default_rng(len(path.stem))
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "g": str(2 * rate)} if codec == "h264" else {}
        track = container.add_stream(codec, rate=rate, options=options)
        track.width = track.height = size
        track.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=16000, layout="mono") if heard is not None else None
        for second in range(seconds):
            if second % 2 == 0:
                colour = random.integers(0, 255, 3, dtype=np.uint8)
            for _ in range(rate):
                grain = random.integers(0, texture + 1, (size, size, 3))
                picture = (
                    (np.broadcast_to(colour, (size, size, 3)) // 2 + grain).astype("u1")
                    if texture
                    else (np.broadcast_to(colour, (size, size, 3)).copy())
                )
                container.mux(track.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            if audio is not None:
                samples = (heard[second * 16000 : (second + 1) * 16000] * 32767).astype("<i2")[None]
                frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
                frame.sample_rate, frame.pts = 16000, second * 16000
                container.mux(audio.encode(frame))
        container.mux(track.encode())
        if audio is not None:
            container.mux(audio.encode())
    return path


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``films(name, seconds, …)``: see :func:`film`; made once."""
    folder = tmp_path_factory.mktemp("films")

    def make(name: str, seconds: int, **options: Any) -> Path:
        return folder / name if (folder / name).exists() else film(folder / name, seconds, **options)

    return make


@dataclass
class Answer:
    """What the server says to one request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        return json.loads(self.body)["error"]


@dataclass
class Listener:
    """Somebody who hears of a prediction while it is made."""

    connection: http.client.HTTPConnection
    answer: http.client.HTTPResponse

    def until(self, kind: str) -> dict[str, Any]:
        """The next event of a kind."""
        while True:
            line = self.answer.readline()
            assert line, f"ended before {kind}"
            event = json.loads(line)
            if event["type"] == kind:
                return event

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


@dataclass
class Client:
    """A running server, and a program that asks it."""

    url: str
    port: int
    pages: Any

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request; ``body`` may be bytes or a JSON value. Headers: ``_`` stands for ``-``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, data, named)
        answer = connection.getresponse()
        whole = answer.read()
        connection.close()
        return Answer(answer.status, dict(answer.getheaders()), whole)

    def upload(self, file: Path | bytes, name: str = "") -> Answer:
        data = file if isinstance(file, bytes) else file.read_bytes()
        return self.ask("POST", f"/api/uploads?name={quote(name or file.name)}", data)

    def take(self, file: Path | bytes, name: str = "") -> str:
        """Upload what must be accepted; its id."""
        answer = self.upload(file, name)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)["id"]

    def predict(self, id: str, **wish: Any) -> list[dict[str, Any]]:
        answer = self.ask("POST", f"/api/uploads/{id}/predict", wish)
        assert answer.status == 200, answer.body
        return [json.loads(line) for line in answer.body.splitlines()]

    def start(self, id: str, **wish: Any) -> Listener:
        """Ask for a prediction, and listen to it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", f"/api/uploads/{id}/predict", json.dumps(wish).encode())
        return Listener(connection, connection.getresponse())

    def files(self) -> list[Path]:
        """What lies in the server's folder, without its lock."""
        return [each for each in self.pages.uploads.root.iterdir() if each.is_dir()]


@contextmanager
def running(predictor: Any, **limits: Any) -> Iterator[Client]:
    sock = listen("127.0.0.1", 0)
    server = build_server(predictor, Settings(**limits))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    port = sock.getsockname()[1]
    try:
        yield Client(f"http://127.0.0.1:{port}/", port, server.pages)
    finally:
        server.should_exit = True
        thread.join(20)
        sock.close()
        assert not thread.is_alive()
        assert not server.pages.uploads.root.exists()


@pytest.fixture(scope="session")
def serving(predictor: Any) -> Callable[..., Any]:
    """``with serving(max_mb=1) as client``: a server with these limits."""

    def make(other: Any = None, **limits: Any) -> Any:
        return running(other or predictor, **limits)

    return make


@pytest.fixture(scope="module")
def client(serving: Any) -> Iterator[Client]:
    """A server with the default limits."""
    with serving() as client:
        yield client


_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]
SCREENS = {
    "desktop": {"viewport": {"width": 1440, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real Chromium without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    if not any(found):
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=next(filter(None, found)), args=_FLAGS)
        yield browser
        browser.close()


class Visitor:
    """A page in a browser, and what a user does and sees there. All else is that of the page."""

    DONE = "#status:has-text('Done:'):not(:has-text('to compare'))"

    def __init__(self, page: Any) -> None:
        self.page = page

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)

    def give(self, file: Path, window: int | None = None) -> None:
        """Choose a file and wait for its prediction."""
        self.page.set_input_files("#file", file)
        self.page.wait_for_selector(self.DONE)
        if window is not None:
            self.page.select_option("#window", str(window))
            self.page.wait_for_selector(self.DONE + ":has-text('windows of')")

    def now(self) -> float:
        """The moment that is shown, in seconds."""
        return float(self.page.get_attribute("#timeline", "aria-valuenow"))

    def fits(self) -> None:
        """Nothing sticks out sideways, and what a finger must hit is large enough."""
        width = self.page.viewport_size["width"]
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width
        for element in self.page.query_selector_all("button, a[href], select, .button, input[type=range]"):
            box = element.bounding_box() if element.is_visible() else None
            if box is not None:
                assert box["x"] >= 0, element.inner_text()
                assert box["x"] + box["width"] <= width, element.inner_text()
                assert box["height"] >= 40, element.inner_text()

    def legend(self) -> list[str]:
        """The scores of the moment, as they are written."""
        return [row.inner_text() for row in self.page.query_selector_all("#legend .value")]

    @staticmethod
    def shares(predictor: Any, segment: Any) -> list[str]:
        """The legend that a segment should have."""
        return [f"{int(segment.scores[name] * 100 + 0.5)}\u00a0%" for name in predictor.labels.names]


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """``until(check, seconds)``: wait for it."""

    def wait(check: Callable[[], Any], seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)

    return wait


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """``visit(client, "phone")``: a :class:`Visitor` with its own browser. No page may say an error on its console."""
    contexts, faults = [], []

    def go(client: Client, screen: str = "desktop", **options: Any) -> Any:
        context = browser.new_context(**SCREENS[screen], **options)
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console", lambda message: message.type in ("error", "warning") and faults.append(message.text)
        )
        page.goto(client.url)
        page.wait_for_selector("html[data-ready]")
        return Visitor(page)

    yield go
    for context in contexts:
        context.close()
    # the browser itself says so of every answer that refuses something
    assert [
        fault for fault in faults if not fault.startswith("Failed to load resource: the server responded")
    ] == []


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """``slowly(0.3)``: so many seconds more for each segment."""
    from mmer_fairseq.predict.recording import Recording

    real = Recording.segments

    def slow(seconds: float) -> None:
        def segments(self: Any) -> Any:
            for segment in real(self):
                time.sleep(seconds)
                yield segment

        monkeypatch.setattr(Recording, "segments", segments)

    return slow
