"""Nothing leaves this machine: neither these tests nor the program, which answers all the same."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

from app.assemble import seeds_folder
from tests.conftest import ROOT
from tests.fixtures.shelf import Shelf

ELSEWHERE = "203.0.113.7"  # an address for documentation (RFC 5737): nobody is there
# Ends the process, which no `except` can hide, as soon as it looks beyond this machine.
GUARDED = """
import os, sys

def guard(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        address = (args[0],)
    else:
        return
    here = (None, "", "127.0.0.1", "::1", "localhost")
    if isinstance(address, tuple) and address[0] not in here:
        os.write(2, f"{event} {address}".encode())
        os._exit(99)

sys.addaudithook(guard)
"""
COMMAND = "from app.cli import main\nsys.exit(main(sys.argv[1:]))"
PAGE = """
import threading, time, urllib.request
from pathlib import Path
from tests.fakes import assemble_fakes
from app.assemble import Library
from app.settings import Settings
assemble_fakes()
from app.serve import create_app, listen
import uvicorn

library = Library.open(Settings(Path(sys.argv[1]), explicit=True))
listener = listen("127.0.0.1", 0)
server = uvicorn.Server(uvicorn.Config(create_app(library), log_level="error"))
thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
thread.start()
page = urllib.request.urlopen(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=30)
print(page.status)
time.sleep(0.5)  # what a thread of its own may be about to look up
server.should_exit = True
thread.join()
"""


def guarded(code: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run code in a process that may not look beyond this machine."""
    command = [sys.executable, "-c", GUARDED + code, *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


# --- The tests --------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_no_test_reaches_another_machine() -> None:
    with pytest.raises(SocketConnectBlockedError):
        socket.create_connection((ELSEWHERE, 80), timeout=1)


def test_a_test_reaches_this_machine() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as client,
    ):
        assert client.getpeername() == server.getsockname()


@pytest.mark.parametrize(
    "attempt",
    [
        f"socket.create_connection(('{ELSEWHERE}', 80), timeout=1)",
        "socket.getaddrinfo('example.org', 80)",
        "socket.gethostbyname('example.org')",
        f"socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('{ELSEWHERE}', 53))",
        "__import__('urllib.request').request.urlopen('http://example.org')",
    ],
)
def test_the_guard_guards(attempt: str) -> None:
    done = guarded(f"import socket\ntry: {attempt}\nexcept BaseException: pass")
    assert done.returncode == 99
    assert done.stderr.startswith("socket.")


# --- The program ------------------------------------------------------------------------------


@pytest.mark.model
def test_the_commands_answer_without_a_network(tmp_path: Path) -> None:
    index = tmp_path / "index"
    done = guarded(COMMAND, "index", seeds_folder(), "--index", index)
    assert (done.returncode, done.stderr) == (0, "")
    assert "added    trump-putin-call\n" in done.stdout

    done = guarded(COMMAND, "ask", "Why was Amnesty banned?", "--json", "--index", index)
    assert (done.returncode, done.stderr) == (0, "")
    quote = json.loads(done.stdout)["quotes"][0]
    assert "citing its support for Ukraine" in quote["text"]

    done = guarded(COMMAND, "check", "--index", index)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_is_served_without_a_network(shelf: Shelf) -> None:
    shelf.write("meeting.txt", "Ada: Is the bridge on the agenda?\nBen: It is.\n")
    shelf.build_all()
    done = guarded(PAGE, shelf.index)
    assert (done.returncode, done.stdout) == (0, "200\n"), done.stderr
