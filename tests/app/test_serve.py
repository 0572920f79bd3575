"""What the server gives, without a browser: permalinks, health, headers; and where it listens."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from app.answer import Quote
from app.assemble import Library
from app.serve import create_app, listen, serve
from app.settings import Settings
from index.errors import OnRecordError
from tests.fakes import assemble_fakes
from tests.fixtures.shelf import Shelf

ATTACK = "<script>alert('bridge')</script> & \"more\""
HEARING = f"""\
[00:00:01] Ann Lee <b>: Is it safe?
[00:00:02] Ann Lee: The engineers wrote {ATTACK} on the bridge in red paint. Nobody minded.
[00:00:09] Bob Ray: The harbour was closed in March.
"""

pytestmark = pytest.mark.usefixtures("fakes")


@pytest.fixture
def hearing(shelf: Shelf) -> Shelf:
    shelf.build(shelf.write("hearing <i>.txt", HEARING))
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


@pytest.fixture
def painted(library: Library) -> Quote:
    """The quote with the attack in it."""
    (quote, *_) = library.ask("What did the engineers wrote in red paint?").quotes
    assert ATTACK in quote.text
    return quote


# --- A quote's page ---------------------------------------------------------------------------


def test_a_quotes_page_marks_the_answer(client: TestClient, library: Library) -> None:
    (quote,) = library.ask("Was the harbour closed?").quotes
    response = client.get(f"/q/{quote.id}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "<q>The <mark>harbour was closed</mark> in March.</q>" in response.text
    assert f"characters {quote.start:,}-{quote.end:,}" in response.text
    assert "<cite>Bob Ray · Hearing &lt;i&gt;</cite>" in response.text
    assert "The transcript stands as it was when these words were cited." in response.text


def test_no_word_of_a_transcript_is_markup(client: TestClient, painted: Quote) -> None:
    page = client.get(f"/q/{painted.id}").text
    assert "&lt;script&gt;alert(&#x27;bridge&#x27;)&lt;/script&gt; &amp; &quot;more&quot;" in page
    assert "<script" not in page
    assert "<b>" not in page
    assert "<i>" not in page


def test_the_page_shows_what_stands_around_the_quote(client: TestClient, painted: Quote) -> None:
    page = client.get(f"/q/{painted.id}").text
    assert "Is it safe?\n[00:00:02] Ann Lee: <q>" in page
    assert "</q> Nobody minded.\n[00:00:09] Bob Ray:" in page


@pytest.mark.parametrize("quote_id", ["q_0123456789abcdef", "<script>", "%3Cscript%3E", "%ff", "q"])
def test_an_unknown_quote_is_not_found(always: TestClient, quote_id: str) -> None:
    response = always.get(f"/q/{quote_id}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "This index has never handed out a quote of this id." in response.text
    assert "<script" not in response.text


def test_old_words_stand_when_the_transcript_has_changed(
    client: TestClient, hearing: Shelf, painted: Quote
) -> None:
    hearing.write("hearing <i>.txt", HEARING.replace("red paint", "blue ink"))
    hearing.build()
    response = client.get(f"/q/{painted.id}")
    assert response.status_code == 200
    assert "red paint" in response.text
    assert "blue ink" not in response.text
    assert "The transcript has changed or is gone since" in response.text
    hearing.write("hearing <i>.txt", HEARING)
    hearing.build()
    assert "The transcript stands as it was" in client.get(f"/q/{painted.id}").text


def test_an_outage_is_not_a_missing_quote(
    client: TestClient, hearing: Shelf, painted: Quote
) -> None:
    (hearing.index / "manifest.json").write_text("{")
    assert client.get(f"/q/{painted.id}").status_code >= 500


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
