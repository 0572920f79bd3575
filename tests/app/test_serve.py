"""What the server gives, without a browser: health, headers; and where it listens."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from app.assemble import Library
from app.serve import create_app, listen, serve
from app.settings import Settings
from index.errors import OnRecordError
from tests.fakes import assemble_fakes
from tests.fixtures.shelf import Shelf

HEARING = "Ann Lee: Is it safe?\nBob Ray: The harbour was closed in March.\n"

pytestmark = pytest.mark.usefixtures("fakes")


@pytest.fixture
def hearing(shelf: Shelf) -> Shelf:
    shelf.build(shelf.write("hearing.txt", HEARING))
    return shelf


@pytest.fixture
def library(hearing: Shelf, settings_for: Callable[..., Settings]) -> Library:
    return Library.open(settings_for(hearing.index))


@pytest.fixture
def client(library: Library) -> TestClient:
    return TestClient(create_app(library), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def always(stocked: Shelf) -> Iterator[TestClient]:
    """A client of a server over an index that nobody changes."""
    with pytest.MonkeyPatch.context() as patch:
        assemble_fakes(patch.setattr)
        settings = Settings(index=stocked.index, explicit=True)
        yield TestClient(create_app(Library.open(settings)))


# --- Health and headers -------------------------------------------------------------------------


def test_health(always: TestClient) -> None:
    response = always.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/", "/healthz", "/q/q_0", "/config", "/gradio_api/queue/join"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_no_other_origin_is_let_in(always: TestClient, path: str, origin: str) -> None:
    asks = {"Access-Control-Request-Method": "POST"}
    for response in (
        always.get(path, headers={"Origin": origin}),
        always.post(path, headers={"Origin": origin}),
        always.options(path, headers={"Origin": origin, **asks}),
    ):
        assert "access-control-allow-origin" not in response.headers


def test_two_servers_can_stand_in_one_process(always: TestClient, client: TestClient) -> None:
    for one in (always, client, always):
        assert one.get("/healthz").json() == {"status": "ok"}


# --- Listening ------------------------------------------------------------------------------------


def test_any_free_port_is_had_with_0() -> None:
    with listen("127.0.0.1", 0) as first, listen("127.0.0.1", 0) as second:
        ports = {first.getsockname()[1], second.getsockname()[1]}
    assert len(ports) == 2
    assert 0 not in ports


def test_what_is_sent_does_not_wait_for_an_ack() -> None:
    """asyncio turns Nagle's algorithm off where the listener says that it speaks TCP."""

    async def at_once() -> bool:
        listener, loop = listen("127.0.0.1", 0), asyncio.get_running_loop()
        found: asyncio.Future[int] = loop.create_future()

        class Accepting(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                given = transport.get_extra_info("socket")
                found.set_result(given.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                transport.close()

        async with await loop.create_server(Accepting, sock=listener):
            with socket.create_connection(listener.getsockname()):
                return bool(await found)

    assert asyncio.run(at_once())


def test_a_taken_port_is_told() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(OnRecordError) as error:
            listen("127.0.0.1", port)
    assert str(error.value) == f"port {port} is taken; give another one with --port, or 0 for any."


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_is_none_is_told(port: int) -> None:
    with pytest.raises(OnRecordError, match=re.escape(f"127.0.0.1:{port}: cannot listen there (")):
        listen("127.0.0.1", port)


def has_ipv6() -> bool:
    try:
        listen("::1", 0).close()
    except OnRecordError:
        return False
    return True


@pytest.mark.parametrize(("host", "written"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_it_says_where_it_is(
    library: Library, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    host: str, written: str,
) -> None:  # fmt: skip
    if ":" in host and not has_ipv6():
        pytest.skip("no IPv6 here")
    ports: list[int] = []

    def run(_: object, sockets: list[socket.socket]) -> None:
        ports.append(sockets[0].getsockname()[1])
        sockets[0].close()
        raise KeyboardInterrupt

    monkeypatch.setattr("uvicorn.Server.run", run)
    serve(library, host, 0)
    assert capsys.readouterr().out == (
        f"On Record is at http://{written}:{ports[0]}/ (Ctrl+C stops it).\n"
    )


@pytest.mark.parametrize(
    ("url", "base"),
    [("", "http://127.0.0.1:8123"), ("https://wiki.example/qa/", "https://wiki.example/qa")],
)
def test_links_begin_where_it_is_unless_it_is_said_where_people_reach_it(
    library: Library, url: str, base: str
) -> None:
    library.settings = replace(library.settings, url=url)
    (quote, *_) = library.ask("Was the harbour closed?").quotes
    client = TestClient(create_app(library, address="http://127.0.0.1:8123"))
    cited = client.get(f"/q/{quote.id}.md").text
    assert f"(<{base}/q/{quote.id}>)" in cited
