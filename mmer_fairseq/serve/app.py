"""The routes. Nothing that a user sends becomes part of a path: ids and names are looked up in tables."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.stopping import StoppedError, stoppable
from mmer_fairseq.predict.files import SUBTITLES, Found
from mmer_fairseq.serve import model, safety
from mmer_fairseq.serve.guard import Guard
from mmer_fairseq.serve.playing import media_type, repack
from mmer_fairseq.serve.settings import Settings
from mmer_fairseq.serve.telling import Telling
from mmer_fairseq.serve.uploads import FullError, Upload, Uploads
from mmer_fairseq.serve.work import Run, Work

if TYPE_CHECKING:
    from mmer_fairseq.predict import Predictor

#: Seconds in which an upload must be looked through; hours of film take some.
_LOOK = 60.0
_STATIC = Path(__file__).parent / "static"
_PAGES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "style.css": ("style.css", "text/css; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
    **{
        f"{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("app", "net", "panels", "player", "recorder", "scores", "timeline", "words")
    },
}
_TABLES = {
    "tsv": "text/tab-separated-values; charset=utf-8",
    "json": "application/json",
    "vtt": "text/vtt; charset=utf-8",
    "png": "image/png",
}
#: Bytes of a request that asks for a prediction.
_ASKED = 200_000
#: Predictions of one upload that run or wait.
_AT_ONCE = 4
#: Seconds without a byte after which an upload is given up.
_STALLED = 60.0
#: Bytes a second, at least, that an upload must come with on the whole.
_SLOWEST = 20_000


class Pages:
    """What the routes share.

    Args:
        predictor: the model.
        settings: limits.
        faces: as ``--faces``.
    """

    def __init__(self, predictor: Predictor, settings: Settings, faces: str) -> None:
        self.predictor, self.settings = predictor, settings
        self.uploads = Uploads(settings.max_uploads, settings.keep * 60)
        self.work = Work(predictor, settings.parallel, settings.timeout, faces)
        self._pen: anyio.CapacityLimiter | None = None  # made where there is an event loop

    def close(self) -> None:
        """Stop the work and remove all files."""
        self.work.close()
        self.uploads.close()

    async def page(self, request: Request) -> Response:
        """The page and its parts."""
        known = _PAGES.get(request.path_params.get("name", ""))
        if known is None:
            raise HTTPException(404, "There is no such page.")
        return FileResponse(_STATIC / known[0], media_type=known[1])

    async def about(self, request: Request) -> Response:
        """The model and the limits."""
        return JSONResponse(model.about(self.predictor, self.settings))

    async def upload(self, request: Request) -> Response:
        """Take a file: the body as it is, its name as ``?name=``."""
        name = safety.shown_name(request.query_params.get("name", ""))
        suffix = safety.suffix_of(name)
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self.settings.max_bytes:
            raise self._too_large()
        upload = self.uploads.add(name, suffix)
        try:
            with upload:
                await self._receive(request, upload.path, self.settings.max_bytes)
                found = await anyio.to_thread.run_sync(self._inspect, upload)
                if await request.is_disconnected():  # nobody will ever know its id
                    raise ClientDisconnect
                upload.found = found
        except BaseException:
            self.uploads.remove(upload.id)
            raise
        return JSONResponse(
            {
                "id": upload.id,
                "name": upload.name,
                "kind": found.kind,
                "seconds": found.seconds,
                "sound": found.sound,
                "picture": found.picture,
            }
        )

    async def words(self, request: Request) -> Response:
        """Take subtitles for an upload; an empty body takes them back."""
        from mmer_fairseq.predict.subtitles import read_subtitles

        upload = self._upload(request)
        name = safety.shown_name(request.query_params.get("name", ""))
        file = upload.folder / f"words-{secrets.token_hex(4)}{safety.suffix_of(name, SUBTITLES)}"
        with upload:
            try:
                await self._receive(request, file, safety.WORDS, empty=True)
                if file.stat().st_size:
                    safety.check_words(file, name)
                    await anyio.to_thread.run_sync(read_subtitles, file)
            except InputError as error:
                file.unlink()
                raise InputError(upload.plainly(str(error)).replace(file.name, name)) from error
            except BaseException:
                file.unlink(missing_ok=True)
                raise
            upload.put_words(file, name)
        return JSONResponse({"name": upload.words_name})

    async def predict(self, request: Request) -> Response:
        """Predict an upload, or tell again what was predicted: a JSON object a line, as they come."""
        upload = self._upload(request)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _ASKED:
                raise HTTPException(413, "That is too much to ask.")
        try:
            wish = model.Wish.of(json.loads(body or b"{}"), self.predictor)
        except (ValueError, AttributeError, TypeError, OverflowError, RecursionError) as error:
            raise HTTPException(400, "The page asked for something that the model does not know.") from error
        run = upload.runs.get(wish)
        if run is None or run.cancelled or (run.ended and not run.whole):
            if sum(not each.ended and not each.cancelled for each in upload.runs.values()) >= _AT_ONCE:
                raise HTTPException(429, "Too much is asked of this file at once.")
            run = Run(upload, wish)
            self.work.add(run)
        upload.keep(wish, run)
        return Telling(self.work, run)

    async def media(self, request: Request) -> Response:
        """The file itself, or the parts of it that a player asks for."""
        upload = self._upload(request)
        return FileResponse(upload.path, media_type=media_type(upload.path.suffix))

    async def result(self, request: Request) -> Response:
        """A table, subtitles or the picture of a prediction that ended well."""
        upload = self._upload(request)
        kind = request.path_params["kind"]
        run = next((r for r in upload.runs.values() if r.id == request.path_params["run"]), None)
        if run is None or not run.whole or kind not in _TABLES:
            raise HTTPException(404, "There is no such result.")
        if kind == "png":
            try:
                # others wait here, not in threads that uploads need
                self._pen = self._pen or anyio.CapacityLimiter(1)
                file = await anyio.to_thread.run_sync(run.picture, self.settings.timeout, limiter=self._pen)
            except InputError as error:
                raise InputError(upload.plainly(str(error))) from error
        else:
            file = run.folder / f"predictions.{kind}"
        name = f"{Path(upload.name).stem}-emotion.{kind}"
        return FileResponse(file, media_type=_TABLES[kind], filename=name)

    async def remove(self, request: Request) -> Response:
        """Forget an upload; the page says so when it is left."""
        self.uploads.remove(self._upload(request).id)
        return Response(status_code=204)

    def _upload(self, request: Request) -> Upload:
        upload = self.uploads.get(request.path_params["id"])
        if upload is None or upload.found is None:
            raise HTTPException(404, "This file is no longer on the server; give it again.")
        return upload

    def _too_large(self) -> HTTPException:
        return HTTPException(
            413, f"The file is larger than {self.settings.max_mb:g} MB, the limit of this server."
        )

    async def _receive(self, request: Request, path: Path, most: int, empty: bool = False) -> None:
        """Write a body to a file; the limit holds while it comes."""
        size, began = 0, time.monotonic()
        chunks = request.stream()
        async with await anyio.open_file(path, "wb") as file:
            while True:
                try:
                    chunk = await asyncio.wait_for(chunks.__anext__(), _STALLED)
                except StopAsyncIteration:
                    break
                except asyncio.TimeoutError as error:
                    raise HTTPException(408, "The upload came to a halt.") from error
                size += len(chunk)
                if size > most:
                    raise self._too_large()
                if time.monotonic() - began > _STALLED + size / _SLOWEST:
                    raise HTTPException(408, "The upload is too slow.")
                await file.write(chunk)
        if not size and not empty:
            raise HTTPException(400, "The file is empty (0 bytes); choose another file.")

    def _inspect(self, upload: Upload) -> Found:
        until = time.monotonic() + _LOOK
        try:
            with stoppable(lambda: upload.gone or time.monotonic() > until):
                found = safety.inspect(upload.path, upload.name, self.settings.max_minutes)
                repack(upload.path)
        except StoppedError as error:
            raise InputError.of(
                where=upload.name,
                expected=f"a file that can be looked through in {_LOOK:g} seconds",
                found="one that takes longer",
                remedy="convert it, or cut it in parts",
            ) from error
        except InputError as error:
            raise InputError(upload.plainly(str(error))) from error
        return found


async def _faulty(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 422)


async def _full(request: Request, error: Exception) -> Response:
    return JSONResponse(
        {"error": "The server holds as many files as it may; try again in some minutes."}, 503
    )


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _left(request: Request, error: Exception) -> Response:
    return Response(status_code=400)


def build(
    predictor: Predictor,
    settings: Settings,
    *,
    faces: str = "auto",
    host: str = "127.0.0.1",
    names: Iterable[str] = (),
) -> Starlette:
    """The whole application; its ``state.pages`` is a :class:`Pages`.

    Args:
        predictor: the model.
        settings: limits.
        faces: as ``--faces``.
        host: that it will listen on.
        names: other names of this machine that users may type.
    """
    pages = Pages(predictor, settings, faces)

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        async def sweep() -> None:
            while True:
                await asyncio.sleep(min(30.0, settings.keep * 15))
                await anyio.to_thread.run_sync(pages.uploads.expire)

        sweeping = asyncio.create_task(sweep())
        yield
        sweeping.cancel()
        await anyio.to_thread.run_sync(pages.close)

    one = "/api/uploads/{id:str}"
    app = Starlette(
        routes=[
            Route("/", pages.page),
            Route("/static/{name:str}", pages.page),
            Route("/api/model", pages.about),
            Route("/api/uploads", pages.upload, methods=["POST"]),
            Route(f"{one}/words", pages.words, methods=["POST"]),
            Route(f"{one}/predict", pages.predict, methods=["POST"]),
            Route(f"{one}/remove", pages.remove, methods=["POST"]),
            Route(f"{one}/media", pages.media),
            Route(f"{one}/results/{{run:str}}/{{kind:str}}", pages.result),
        ],
        middleware=[Middleware(Guard, host=host, names=list(names))],
        exception_handlers={
            InputError: _faulty,
            FullError: _full,
            HTTPException: _refused,
            ClientDisconnect: _left,
        },
        lifespan=life,
    )
    app.state.pages = pages
    return app
