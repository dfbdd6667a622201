"""Which requests are answered at all, and what every answer says to the browser."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

_LOCAL = ("localhost", "127.0.0.1", "::1")
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; media-src 'self' blob:; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses foreign names and pages; adds headers.

    A page elsewhere can make a browser ask for its own name at this machine's address, so the name asked for must be
    one of the server's. On a loopback address these are its own; elsewhere also any bare address, which no page can
    take for its name.

    Args:
        app: behind it.
        host: that the server listens on.
        names: other names of this machine that users may type.
    """

    def __init__(self, app: Any, host: str, names: Iterable[str] = ()) -> None:
        self.app = app
        self.names = {name.lower() for name in (*_LOCAL, host, *names)}
        self.addresses = not is_loopback(host)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def finish(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        headers = Headers(scope=scope)
        if not self._is_mine(headers.get("host", "")):
            answer = JSONResponse({"error": "This server does not go by that name."}, 400)
        elif scope["method"] not in ("GET", "HEAD") and not _is_own_page(headers):
            answer = JSONResponse({"error": "Only the server's own page may ask for that."}, 403)
        else:
            await self.app(scope, receive, finish)
            return
        await answer(scope, receive, finish)

    def _is_mine(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        return name in self.names or (self.addresses and _is_address(name))


def _is_own_page(headers: Headers) -> bool:
    """Browsers say which page asks; programs that are no browser say nothing."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is None:
        return site in (None, "same-origin", "none")
    if (
        origin == "null"
    ):  # a beacon of a page that sends no referrer; no page can write the other header itself
        return site == "same-origin"
    return urlsplit(origin).netloc == headers.get("host")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server there."""
    return host.lower() == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
