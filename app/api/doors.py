"""The doors: one ASGI middleware that every request to the server passes, the chat page's too.

Who may come in (Host, Origin, API keys, a trusted proxy's user header), how much they may bring
and how long it may take, and the headers of what goes out. What is refused is a problem+json.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.api.keys import Keys
from app.api.problems import BROKEN, Problem
from index.errors import OnRecordError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from app.settings import Settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # methods that change nothing

# These need no key, and tell nothing: that the server runs, and the component, which a page loads
# by an address alone and which sends the key itself.
OPEN = frozenset({"/healthz", "/on-record-ask.js"})
FRAMABLE = re.compile(r"/embed(/.*)?|/q/[^/]+/card")

SMALL, LARGE = 256 * 1024, 4 * 1024 * 1024  # bytes of a body
# A batch is many questions, and the chat page sends its whole conversation along.
MAY_BE_LARGE = re.compile(r"/api/v1/batch|/gradio_api/.*")
SLOW = 15.0  # seconds in which a body must be there

# Gradio makes its page with inline scripts and styles, and calls what it has put together at
# run time; docs/security.md says what this leaves open. Inline event handlers are not among it.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; script-src-attr 'none'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'self'; "
    "form-action 'none'"
)
DATA_POLICY = "default-src 'none'"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), display-capture=(), geolocation=(), microphone=(), midi=(), payment=(), "
        "usb=(), clipboard-write=(self)"
    ),
}
# Gradio would believe these of anybody, and build the page's own address from them.
FORWARDED = frozenset(
    {b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-for", b"forwarded",
     b"x-gradio-server"}
)  # fmt: skip

log = logging.getLogger(__name__)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def needs_access(settings: Settings) -> bool:
    """Whether a request must show a key, or come from a proxy with a user's name."""
    return bool(settings.proxies) or Keys(settings.index).exist()


@dataclass(slots=True)
class Bucket:
    """A token bucket: `rate` requests a minute, and as many at once after a minute's rest."""

    rate: int
    level: float = field(init=False)
    since: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.level = self.rate

    def take(self) -> float:
        """Take one; 0 where it was there, else the seconds until it is."""
        now = time.monotonic()
        self.level = min(self.rate, self.level + (now - self.since) * self.rate / 60)
        self.since = now
        if self.level >= 1:
            self.level -= 1
            return 0.0
        return (1 - self.level) * 60 / self.rate


class Doors:
    """The middleware. `host` is where the server listens; None where the app is only called.

    With `shut`, nobody comes in without access, whatever became of the keys since.
    """

    def __init__(
        self, app: ASGIApp, *, settings: Settings, host: str | None = None, shut: bool = False
    ) -> None:
        from starlette.middleware.cors import CORSMiddleware

        self._app = app
        # Browsers of other sites reach the API alone, and no cookie or login goes along.
        self._api = CORSMiddleware(
            self._enter,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match"],
            expose_headers=["ETag", "Retry-After"],
        )
        self._settings = settings
        self._shut = shut
        self._keys = Keys(settings.index)
        self._buckets: dict[str, Bucket] = {}
        url = urlsplit(settings.url)
        self._scheme, self._netloc = url.scheme, url.netloc.lower()
        self._prefix = url.path.rstrip("/")
        self._any_host = host is None
        self._any_address = host in WILDCARDS
        self._hosts = LOOPBACK | {_bare(self._netloc), _bracketed(host or "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":  # nothing here speaks it
            await send({"type": "websocket.close", "code": 1008})
            return
        # Where a proxy has taken the sub-path off, it is put back: ASGI wants it in the path.
        path = scope["path"].removeprefix(self._prefix) or "/"
        path = scope["path"] if not path.startswith("/") else path
        scope = {**scope, "root_path": self._prefix, "path": self._prefix + path}
        if _headers(scope).get("host", "").lower() == self._netloc:
            scope["scheme"] = self._scheme
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in FORWARDED]

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._outgoing(path, message["headers"])}
            await send(message)

        enter = self._api if path.startswith("/api/") else self._enter
        await enter(scope, receive, reply)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, for those who may come in; what goes wrong before it answers is a problem."""
        started = False

        async def reply(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        path = scope["path"].removeprefix(self._prefix)
        headers = _headers(scope)
        try:
            self._check(scope, path, headers)
            await self._app(scope, await _body(path, headers, scope["method"], receive), reply)
        except Exception as error:
            if started:
                raise
            await _problem_of(error, scope).response()(scope, receive, reply)

    # --- Coming in ------------------------------------------------------------------------

    def _check(self, scope: Scope, path: str, headers: Mapping[str, str]) -> None:
        """Raises Problem for whoever may not come in."""
        host = headers.get("host", "").lower()
        if not self._is_ours(host):
            raise Problem(
                421,
                "The server does not answer to this host name; have ONRECORD_URL name the address "
                "at which people reach it.",
            )
        origin = headers.get("origin", "").lower()
        if origin and scope["method"] not in SAFE and not self._may_post(origin, host, path):
            raise Problem(
                403,
                "Pages of this origin may not send anything here; ONRECORD_CORS_ORIGINS lists "
                "those that may call the API.",
            )
        needed = self._shut or needs_access(self._settings)
        if needed and path not in OPEN:
            self._identify(scope, headers)

    def _is_ours(self, host: str) -> bool:
        """Against DNS rebinding: a page of another name must not reach us by its own."""
        name = _bare(host)
        if self._any_host or name in self._hosts:
            return True
        # An address cannot be rebound; where we listen on all of them, each is ours.
        return self._any_address and bool(re.fullmatch(r"[\d.]+|\[[\da-f:.]+\]", name))

    def _may_post(self, origin: str, host: str, path: str) -> bool:
        """Against forged requests: what changes something comes from our own pages."""
        own = urlsplit(origin).netloc == host or origin == f"{self._scheme}://{self._netloc}"
        return own or (path.startswith("/api/") and origin in self._settings.cors_origins)

    def _identify(self, scope: Scope, headers: Mapping[str, str]) -> None:
        if self._comes_through_a_proxy(scope) and self._user(scope):
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = self._keys.find(token.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise Problem(
                401,
                "This needs an API key that is valid, sent as `Authorization: Bearer KEY`.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        bucket = self._buckets.setdefault(key.sha256, Bucket(self._settings.rate))
        wait = bucket.take()
        if wait:
            raise Problem(
                429,
                f"This key is good for {self._settings.rate:,} requests a minute; wait a moment.",
                headers={"Retry-After": str(int(wait) + 1)},
            )

    def _comes_through_a_proxy(self, scope: Scope) -> bool:
        """By the address of the connection itself: what headers say of it can be forged."""
        try:
            peer = ipaddress.ip_address(scope["client"][0])
        except (TypeError, ValueError):
            return False
        if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped:
            peer = peer.ipv4_mapped
        return any(peer in network for network in self._settings.proxies)

    def _user(self, scope: Scope) -> str:
        """Whom the proxy names; nobody where there are two of the header, since one is forged."""
        name = (self._settings.user_header or "").encode()
        values = [value.decode("latin-1").strip() for key, value in scope["headers"] if key == name]
        return values[0] if len(values) == 1 else ""

    # --- Going out ------------------------------------------------------------------------

    def _outgoing(self, path: str, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """A response's headers with ours. A route's own policy stands, but who frames it is ours
        to say.
        """
        from starlette.datastructures import MutableHeaders

        sent = MutableHeaders(raw=[*headers])
        framable = FRAMABLE.fullmatch(path)
        data = "json" in sent.get("content-type", "") or "content-type" not in sent
        policy = sent.get("content-security-policy") or (DATA_POLICY if data else PAGE_POLICY)
        ancestors = " ".join(["'self'", *self._settings.frame_origins]) if framable else "'none'"
        sent["Content-Security-Policy"] = f"{policy}; frame-ancestors {ancestors}"
        if not framable:
            sent["X-Frame-Options"] = "DENY"
        sent.update(HEADERS)
        return sent.raw


async def _body(path: str, headers: Mapping[str, str], method: str, receive: Receive) -> Receive:
    """The body, whole, as something to receive it from. Raises Problem where it is too large
    or too slow: nobody who dawdles holds anything but a connection.
    """
    if method in SAFE:
        return receive
    most = LARGE if MAY_BE_LARGE.fullmatch(path) else SMALL
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > most:
        raise _too_large(most)
    body = bytearray()
    more = True
    try:
        async with asyncio.timeout(SLOW):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem(400, "The connection was closed before the body was there.")
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > most:
                    raise _too_large(most)
    except TimeoutError:
        raise Problem(
            408,
            f"The body was not here within {SLOW:.0f} seconds; send it again.",
            headers={"Connection": "close"},
        ) from None
    whole: list[Message] = [{"type": "http.request", "body": bytes(body)}]

    async def replay() -> Message:
        return whole.pop() if whole else await receive()

    return replay


def _problem_of(error: Exception, scope: Scope) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, OnRecordError):
        return Problem.of(error)
    log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
    return Problem(500, BROKEN)


def _headers(scope: Scope) -> dict[str, str]:
    """By name in lower case; of two with one name, the last."""
    return {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}


def _bare(netloc: str) -> str:
    """A host without its port."""
    return re.sub(r":\d*$", "", netloc)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host.lower()


def _too_large(most: int) -> Problem:
    return Problem(
        413,
        f"The body is larger than the {most // 1024:,} kB that are taken here; send less.",
        headers={"Connection": "close"},
    )
