"""Servers on loopback for the browser to visit, and what it takes to have a browser."""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PATIENCE = 20_000  # milliseconds, for machines that have other work
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MARKS = [
    pytest.mark.browser,
    pytest.mark.enable_socket,
    pytest.mark.skipif(
        CHROMIUM is None and os.environ.get("ONRECORD_BROWSER") != "required",
        reason="Chromium is not installed",
    ),
]


@contextmanager
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as started:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        launched = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield launched
        launched.close()


def listening() -> socket.socket:
    """A socket on a free port: its address is known before there is an app to serve."""
    return socket.create_server(("127.0.0.1", 0))


def origin(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def serving(app: Any, listener: socket.socket) -> Iterator[None]:
    """Serve an ASGI app there meanwhile."""
    with closing(listener):
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield
        server.should_exit = True
        thread.join(20)


def is_foreign(url: str) -> bool:
    return not re.match(r"https?://127\.0\.0\.1[:/]|data:|blob:|about:", url)
