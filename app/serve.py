"""`onrecord serve`: the chat page and the permalinks of its quotes, in one process."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from app.assemble import Library
from index.errors import OnRecordError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

FRAMABLE = re.compile(r"/embed(/.*)?|/q/[^/]+/card")
HEADERS = {
    # Nobody else's page may frame these, guess at their types, or learn what was asked.
    "Content-Security-Policy": "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_app(library: Library) -> FastAPI:
    """The page at /, a quote at /q/{id}, what other pages embed at /embed, and /healthz."""
    from fastapi import FastAPI
    from fastapi.middleware.cors import CORSMiddleware

    from app.chat import mount
    from app.page import embed, quotes

    app = FastAPI(title="On Record", openapi_url=None)
    # With a CORS middleware in place Gradio leaves out its own, which lets in any origin.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=library.settings.cors_origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
    )

    @app.middleware("http")
    async def with_headers(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        if FRAMABLE.fullmatch(request.url.path):
            ancestors = " ".join(["'self'", *library.settings.frame_origins])
            response.headers["Content-Security-Policy"] = f"frame-ancestors {ancestors}"
        return response

    @app.get("/healthz")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    app.include_router(quotes.router(library, library.settings))
    app.include_router(embed.router(library.settings))
    mount(app, library)
    return app


def serve(library: Library, host: str, port: int) -> None:
    """Serve until interrupted. Raises OnRecordError where the address cannot be had."""
    listener = listen(host, port)
    port = listener.getsockname()[1]
    import uvicorn

    app = create_app(library)
    shown = f"[{host}]" if ":" in host else host
    print(f"On Record is at http://{shown}:{port}/ (Ctrl+C stops it).", flush=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises OnRecordError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
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
