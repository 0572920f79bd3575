"""`onrecord serve`: the chat page, the permalinks of its quotes and the API, in one process."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from app.answer import Answer
from app.api.desk import Desk
from app.api.doors import WILDCARDS, Doors, is_loopback, needs_access
from app.assemble import Library
from app.settings import HERE
from index import __version__
from index.errors import OnRecordError, UsageError

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI


class AtTheDesk:
    """The library for the chat page, whose questions stand in the same line as the API's."""

    def __init__(self, library: Library, desk: Desk) -> None:
        self._library = library
        self._desk = desk
        self.transcripts = library.transcripts
        self.transcript = library.transcript
        self.examples = library.examples
        self.rate = library.rate

    def ask(self, question: str, history: Sequence[str], /) -> Answer:
        return self._desk.submit(lambda: self._library.ask(question, history)).result()


def create_app(
    library: Library, *, host: str | None = None, shut: bool = False, address: str = HERE
) -> FastAPI:
    """The page at /, a quote at /q/{id}, what other pages embed at /embed, the API at /api/v1,
    /healthz and /readyz.

    `host` is where it will listen, for the check of the Host header; None leaves that out. With
    `shut`, nobody comes in without a key or by a trusted proxy. Links begin with `address` where
    the settings do not say where people reach it.
    """
    from fastapi import FastAPI
    from fastapi.middleware.cors import CORSMiddleware

    from app.api.openapi import complete
    from app.api.problems import add_handlers
    from app.api.routes import create_router
    from app.chat import mount
    from app.page import embed, quotes

    settings = replace(library.settings, url=library.settings.url or address)
    desk = Desk(settings.workers, settings.waiting)
    # The pages that show an OpenAPI load their scripts from elsewhere: there are none.
    app = FastAPI(
        title="On Record",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    # With a CORS middleware in place Gradio leaves out its own, which lets in any origin.
    app.add_middleware(CORSMiddleware, allow_origins=[])
    app.add_middleware(Doors, settings=settings, host=host, shut=shut)
    add_handlers(app)
    app.include_router(create_router(library, desk))
    complete(app)

    app.include_router(quotes.router(library, settings))
    app.include_router(embed.router(settings))
    mount(app, AtTheDesk(library, desk))
    return app


def serve(library: Library, host: str, port: int, *, open_to_everyone: bool = False) -> None:
    """Serve until interrupted.

    Raises UsageError where others would reach it and nobody is asked who they are, OnRecordError
    where the address cannot be had.
    """
    shut = not is_loopback(host) and not open_to_everyone
    if shut and not needs_access(library.settings):
        raise UsageError(
            f"others can reach {host}, and nobody would be asked who they are. Make a key with "
            "`onrecord keys add NAME`, or name the proxy where people log in "
            "(ONRECORD_USER_HEADER, ONRECORD_PROXIES); --open-to-everyone lets in everybody."
        )
    listener = listen(host, port)
    port = listener.getsockname()[1]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    # Where it listens on every address, none of them is everybody's: this machine's is as good.
    reached = f"http://127.0.0.1:{port}" if host in WILDCARDS else address
    server = create_server(create_app(library, host=host, shut=shut, address=reached))
    print(f"On Record is at {address}/ (Ctrl+C stops it).", flush=True)
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


def create_server(app: FastAPI) -> uvicorn.Server:
    """What serves the app, on the sockets that its `run` is given."""
    import uvicorn

    from app.api.patience import Patient

    # Proxies are trusted by our own list alone, and nothing here speaks WebSocket.
    config = uvicorn.Config(
        app, log_level="warning", http=Patient, ws="none", proxy_headers=False, server_header=False
    )
    return uvicorn.Server(config)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises OnRecordError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, else asyncio leaves Nagle on and answers wait 40 ms for an ack.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise OnRecordError(
                f"port {port} is taken; give another one with --port, or 0 for any."
            ) from None
        raise OnRecordError(f"{host}:{port}: cannot listen there ({error}).") from None
    return listener
