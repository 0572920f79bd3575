"""The doors: who comes in, and the headers of all that goes out, on every route there is."""

from __future__ import annotations

import asyncio
import json
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from app.api import doors
from app.api.doors import DATA_POLICY, HEADERS, PAGE_POLICY, Bucket, Doors, is_loopback
from app.api.keys import Key, Keys
from app.assemble import Library
from app.serve import create_app
from app.settings import Settings
from index.errors import IndexFolderError, UsageError
from tests.fakes import assemble_fakes
from tests.fixtures.shelf import Shelf

WIKI, OTHER = "https://wiki.example", "https://other.example:8443"
URL = "https://wiki.example/on-record/"
PAYS = {"question": "Who pays for the lighthouse?"}
Headers = dict[str, str]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(index=tmp_path, explicit=True)


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that answers everything with the body that it was sent."""
    body = await Request(scope, receive).body()
    await Response(body, media_type="text/plain")(scope, receive, send)


@pytest.fixture
def client_of() -> Callable[..., TestClient]:
    """A client that comes from an address, to an app behind doors on another."""

    def made(
        settings: Settings, *, peer: str = "127.0.0.1", host: str = "127.0.0.1", shut: bool = False
    ) -> TestClient:
        app = Doors(hello, settings=settings, host=host, shut=shut)
        return TestClient(app, base_url="http://127.0.0.1:7860", client=(peer, 50_000))

    return made


@pytest.fixture(scope="module")
def app(stocked: Shelf) -> Iterator[Any]:
    """A server over an index that nobody changes, which one wiki may frame and call."""
    with pytest.MonkeyPatch.context() as patch:
        assemble_fakes(patch.setattr)
        settings = Settings(
            index=stocked.index,
            explicit=True,
            frame_origins=(WIKI, OTHER),
            cors_origins=(WIKI,),
        )
        yield create_app(Library.open(settings, record=False), host="127.0.0.1")


@pytest.fixture(scope="module")
def always(app: Any) -> TestClient:
    return TestClient(app, base_url="http://127.0.0.1:7860")


def refusal(response: Any) -> tuple[int, str]:
    """The status and the sentence of a problem."""
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert told["status"] == response.status_code
    assert told["detail"].endswith(".")
    return response.status_code, told["detail"]


# --- Headers, on every route ----------------------------------------------------------------------


def routes(router: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(method, path) of every route of an app, those of apps and routers inside it too."""
    for route in router.routes:
        if hasattr(route, "original_router"):
            yield from routes(route.original_router, prefix)
        elif not hasattr(route, "methods"):
            yield "GET", f"{prefix}{route.path}/x"
            if hasattr(route.app, "routes"):
                yield from routes(route.app, prefix + route.path)
        else:
            path = re.sub(r"\{[^}]*\}", "x", route.path)
            yield from ((method, prefix + path) for method in route.methods)


def start_of(app: Any, method: str, path: str, *headers: tuple[str, str]) -> tuple[int, Headers]:
    """The status and headers that a request is answered with; a stream is not waited for."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 7860),
        "headers": [(b"host", b"127.0.0.1:7860"), *((k.encode(), v.encode()) for k, v in headers)],
    }  # fmt: skip

    async def ask() -> tuple[int, Headers]:
        started = asyncio.get_running_loop().create_future()

        body = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            return body.pop() if body else await asyncio.Event().wait()  # type: ignore[return-value]

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                started.set_result(message)

        task = asyncio.create_task(app(scope, receive, send))
        message = await asyncio.wait_for(started, 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        found = [(k.decode().lower(), v.decode()) for k, v in message["headers"]]
        assert len({name for name, _ in found}) == len(found)
        return message["status"], dict(found)

    return asyncio.run(ask())


def test_every_response_has_every_header(app: Any) -> None:
    """Also those of routes that are still to come: they are looked up in the app itself."""
    found = {*routes(app)}
    assert {"/", "/api/v1/ask", "/healthz", "/q/x", "/page/x", "/gradio_api/queue/data"} <= {
        path for _, path in found
    }
    for method, path in sorted(found | {("GET", "/none"), ("GET", "/q/x/card"), ("GET", "/embed")}):
        status, headers = start_of(app, method, path)
        where = f"{method} {path}: {status}"
        assert {name: headers.get(name.lower()) for name in HEADERS} == HEADERS, where
        policy = headers["content-security-policy"]
        if re.fullmatch(r"/embed(/.*)?|/q/x/card", path):
            assert policy.endswith(f"; frame-ancestors 'self' {WIKI} {OTHER}"), where
            assert "x-frame-options" not in headers, where
        else:
            assert policy.endswith("; frame-ancestors 'none'"), where
            assert headers["x-frame-options"] == "DENY", where
        assert policy.count("frame-ancestors") == 1, where
        assert "default-src 'none'" in policy or "default-src 'self'" in policy, where
        assert "access-control-allow-origin" not in headers, where
        assert "server" not in headers, where


def test_headers_are_what_docs_promise(app: Any) -> None:
    assert HEADERS["X-Content-Type-Options"] == "nosniff"
    assert HEADERS["Referrer-Policy"] == "same-origin"
    assert "microphone=()" in HEADERS["Permissions-Policy"]
    assert "script-src-attr 'none'" in PAGE_POLICY
    assert start_of(app, "GET", "/")[1]["content-security-policy"].startswith(PAGE_POLICY)
    for path in ("/healthz", "/api/v1/index", "/api/v1/none"):
        policy = start_of(app, "GET", path)[1]["content-security-policy"]
        assert policy == f"{DATA_POLICY}; frame-ancestors 'none'"


def test_with_an_empty_list_nobody_else_may_frame(
    settings: Settings, client_of: Callable[..., TestClient]
) -> None:
    response = client_of(settings).get("/q/q_0123456789abcdef/card")
    assert response.headers["content-security-policy"].endswith("; frame-ancestors 'self'")


def test_no_page_of_gradio_is_there_but_the_chats_own(always: TestClient) -> None:
    for path in (
        "/gradio_api/file=/etc/passwd", "/gradio_api/file=https://evil.example/",
        "/gradio_api/proxy=https://evil.example/", "/gradio_api/upload_progress", "/monitoring",
        "/gradio_api/info", "/gradio_api/vibe-code", "/gradio_api/deep_link", "/logout",
    ):  # fmt: skip
        assert always.get(path, follow_redirects=False).status_code == 404, path
    for path in ("/gradio_api/upload", "/login", "/gradio_api/vibe-edit", "/gradio_api/call/x"):
        files = {"files": ("x.txt", b"x")}
        assert always.post(path, files=files).status_code in (404, 405), path


# --- Host and Origin ----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:7860", "[::1]:1", "LOCALHOST"])
def test_our_own_names_are_answered(always: TestClient, host: str) -> None:
    assert always.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:7860", "localhost.evil.example", "10.0.0.1", ""],
)
@pytest.mark.parametrize("path", ["/", "/healthz", "/api/v1/index", "/gradio_api/queue/data"])
def test_another_host_name_is_refused(always: TestClient, host: str, path: str) -> None:
    status, told = refusal(always.get(path, headers={"Host": host}))
    assert status == 421
    assert told.startswith("The server does not answer to this host name")


def test_the_settings_and_the_option_name_hosts(
    settings: Settings, client_of: Callable[..., TestClient]
) -> None:
    client = client_of(replace(settings, url="https://wiki.example:8443/qa"), host="box.example")
    for host, status in (("wiki.example:8443", 200), ("box.example", 200), ("evil.example", 421)):
        assert client.get("/healthz", headers={"Host": host}).status_code == status, host
    everywhere = client_of(settings, host="0.0.0.0")
    for host, status in (("192.0.2.9:7860", 200), ("[2001:db8::1]", 200), ("evil.example", 421)):
        assert everywhere.get("/healthz", headers={"Host": host}).status_code == status, host


@pytest.mark.parametrize(
    "path", ["/api/v1/ask", "/api/v1/feedback", "/gradio_api/queue/join", "/gradio_api/run/predict"]
)
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:8888", "https://wiki.example.evil"]
)
def test_no_page_of_another_origin_sends_anything(
    always: TestClient, path: str, origin: str
) -> None:
    response = always.post(path, json=PAYS, headers={"Origin": origin})
    status, told = refusal(response)
    assert status == 403
    assert told.startswith("Pages of this origin may not send anything here")
    assert "access-control-allow-origin" not in response.headers


def test_our_own_pages_may(always: TestClient) -> None:
    for origin in ("http://127.0.0.1:7860", None):
        headers = {"Origin": origin} if origin else {}
        assert always.post("/api/v1/ask", json=PAYS, headers=headers).status_code == 200


def test_listed_origins_may_call_the_api_and_nothing_else(always: TestClient) -> None:
    origin = {"Origin": WIKI}
    asks = {**origin, "Access-Control-Request-Method": "POST"}
    preflight = always.options("/api/v1/ask", headers=asks)
    assert preflight.headers["access-control-allow-origin"] == WIKI
    response = always.post("/api/v1/ask", json=PAYS, headers=origin)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == WIKI
    assert "origin" in response.headers["vary"].lower()
    for one in (preflight, response):
        assert "access-control-allow-credentials" not in one.headers
    refused = always.post("/api/v1/ask", json={}, headers=origin)  # a wiki may read why
    assert refused.headers["access-control-allow-origin"] == WIKI
    for path in ("/", "/config", "/healthz", "/gradio_api/queue/join"):
        for one in (always.get(path, headers=origin), always.options(path, headers=asks)):
            assert "access-control-allow-origin" not in one.headers, path
    assert always.post("/gradio_api/queue/join", json={}, headers=origin).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", OTHER])
def test_no_other_origin_may_call_the_api(always: TestClient, origin: str) -> None:
    asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for response in (
        always.options("/api/v1/ask", headers=asks),
        always.get("/api/v1/index", headers={"Origin": origin}),
    ):
        assert "access-control-allow-origin" not in response.headers


def test_nobody_is_believed_where_the_page_is(always: TestClient) -> None:
    """Gradio would build the page's own address from these, whoever sends them."""
    for name in ("X-Forwarded-Host", "X-Gradio-Server", "X-Forwarded-Proto", "Forwarded"):
        value = "https" if name.endswith("Proto") else "https://evil.example"
        assert (
            always.get("/config", headers={name: value}).json()["root"] == "http://127.0.0.1:7860"
        )


# --- Under a sub-path -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def beneath(stocked: Shelf) -> Iterator[TestClient]:
    """A client of the server that people reach at URL."""
    with pytest.MonkeyPatch.context() as patch:
        assemble_fakes(patch.setattr)
        settings = Settings(stocked.index, explicit=True, url=URL)
        yield TestClient(create_app(Library.open(settings, record=False), host="127.0.0.1"))


@pytest.mark.parametrize("prefix", ["/on-record", ""])
def test_a_sub_path_is_served_whether_or_not_the_proxy_takes_it_off(
    beneath: TestClient, prefix: str
) -> None:
    host = {"Host": "wiki.example"}
    for path in ("/", "/healthz", "/api/v1/index", "/page/icon.svg", "/theme.css", "/config"):
        assert beneath.get(prefix + path, headers=host).status_code == 200, path
    config = beneath.get(f"{prefix}/config", headers=host).json()
    assert config["root"] == "https://wiki.example/on-record"
    told = beneath.get(f"{prefix}/api/v1/openapi.json", headers=host).json()
    assert told["servers"] == [{"url": "/on-record"}]
    origin = {**host, "Origin": "https://wiki.example"}
    assert beneath.post(f"{prefix}/api/v1/ask", json=PAYS, headers=origin).status_code == 200


# --- Keys -----------------------------------------------------------------------------------------


def bearer(token: str) -> Headers:
    return {"Authorization": f"Bearer {token}"}


def test_without_keys_this_machine_comes_in(
    settings: Settings, client_of: Callable[..., TestClient]
) -> None:
    assert client_of(settings).get("/api/v1/index").status_code == 200


def test_with_keys_everything_but_the_health_needs_one(
    settings: Settings, client_of: Callable[..., TestClient]
) -> None:
    client = client_of(settings)
    token = Keys(settings.index).add("wiki")
    for path in ("/", "/readyz", "/api/v1/index", "/q/q_0/card", "/embed", "/page/icon.svg",
                 "/gradio_api/queue/data", "/api/v1/openapi.json", "/none"):  # fmt: skip
        response = client.get(path)
        assert refusal(response)[0] == 401, path
        assert response.headers["www-authenticate"] == "Bearer"
        assert client.get(path, headers=bearer(token)).status_code != 401, path
    assert client.post("/api/v1/ask", json=PAYS).status_code == 401
    assert client.post("/api/v1/ask", json=PAYS, headers=bearer(token)).status_code == 200
    assert client.get("/healthz").status_code == 200
    assert client.get("/on-record-ask.js").status_code == 200
    assert client.get("/embed").status_code == 401


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Bearer onrecord_x", "Basic {}", "{}", "Bearer {}x",
              "Bearer \xff", "Bearer " + "x" * 5_000]
)  # fmt: skip
def test_what_is_no_key_opens_nothing(
    settings: Settings, client_of: Callable[..., TestClient], value: str
) -> None:
    token = Keys(settings.index).add("wiki")
    headers = {"Authorization": value.format(token).encode("latin-1")}
    assert refusal(client_of(settings).get("/api/v1/index", headers=headers))[0] == 401


def test_a_key_counts_until_it_is_revoked_without_a_restart(
    settings: Settings, client_of: Callable[..., TestClient]
) -> None:
    keys, client = Keys(settings.index), client_of(settings)
    first, second = keys.add("one"), keys.add("two")
    for token in (first, second):
        assert client.get("/api/v1/index", headers=bearer(token)).status_code == 200
    keys.revoke("one")
    assert client.get("/api/v1/index", headers=bearer(first)).status_code == 401
    assert client.get("/api/v1/index", headers=bearer(second)).status_code == 200
    keys.revoke("two")  # the last one: that opens nothing to those without
    assert client.get("/api/v1/index", headers=bearer(second)).status_code == 401
    assert client.get("/api/v1/index").status_code == 401


def test_an_expired_key_opens_nothing(
    settings: Settings, client_of: Callable[..., TestClient]
) -> None:
    keys, client = Keys(settings.index), client_of(settings)
    good, old = keys.add("good", timedelta(hours=1)), keys.add("old", timedelta(hours=-1))
    assert client.get("/api/v1/index", headers=bearer(good)).status_code == 200
    assert client.get("/api/v1/index", headers=bearer(old)).status_code == 401


def test_where_others_reach_it_lost_keys_open_nothing(
    settings: Settings, client_of: Callable[..., TestClient]
) -> None:
    keys = Keys(settings.index)
    token = keys.add("wiki")
    client = client_of(settings, host="0.0.0.0", shut=True)
    assert client.get("/api/v1/index", headers=bearer(token)).status_code == 200
    keys.file.unlink()
    assert client.get("/api/v1/index").status_code == 401
    keys.file.write_text("{")
    assert refusal(client.get("/api/v1/index", headers=bearer(token)))[0] == 503


def test_keys_are_kept_as_hashes_that_only_their_owner_reads(settings: Settings) -> None:
    keys = Keys(settings.index)
    tokens = [keys.add(name) for name in ("one", "two")]
    assert stat.S_IMODE(keys.file.stat().st_mode) == 0o600
    written = keys.file.read_text()
    for token in tokens:
        assert len(token) == len("onrecord_") + 43  # 32 bytes, in base64
        assert token not in written
    assert [key.name for key in Keys(settings.index).all()] == ["one", "two"]
    assert keys.find(tokens[0]) == keys.all()[0]
    keys.revoke("one")
    assert stat.S_IMODE(keys.file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "written",
    ["", "[]", "{}", '{"format": 2, "keys": []}', '{"format": 1, "keys": [{"name": "x"}]}',
     json.dumps({"format": 1, "keys": [{"name": "x", "sha256": "0", "created": "then",
                                        "expires": "soon"}]}),
     '{"format": 1, "keys": [{"name": "x", "sha256": "0", "created": "", '
     '"expires": "2030-01-01T00:00:00"}]}'],
)  # fmt: skip
def test_a_damaged_file_of_keys_is_told(settings: Settings, written: str) -> None:
    keys = Keys(settings.index)
    keys.file.write_text(written)
    with pytest.raises(IndexFolderError, match="nobody gets in until it is mended"):
        keys.find("x")


def test_a_key_cannot_last_beyond_time(settings: Settings) -> None:
    with pytest.raises(UsageError, match="no key can be good for so long"):
        Keys(settings.index).add("wiki", timedelta(days=99_999 * 365))
    assert Key("x", "0", "", "2030-01-01T00:00:00+00:00").has_expired(
        datetime(2030, 1, 1, tzinfo=UTC)
    )


# --- How often ------------------------------------------------------------------------------------


def test_a_key_is_good_for_so_many_requests_a_minute(
    settings: Settings, client_of: Callable[..., TestClient]
) -> None:
    client = client_of(replace(settings, rate=3))
    one, two = Keys(settings.index).add("one"), Keys(settings.index).add("two")
    statuses = [client.get("/readyz", headers=bearer(one)).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    response = client.get("/readyz", headers=bearer(one))
    assert refusal(response) == (429, "This key is good for 3 requests a minute; wait a moment.")
    assert 1 <= int(response.headers["retry-after"]) <= 21
    assert client.get("/readyz", headers=bearer(two)).status_code == 200


def test_a_bucket_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(doors.time, "monotonic", lambda: now[0])
    bucket = Bucket(2, since=now[0])
    assert [bucket.take(), bucket.take()] == [0, 0]
    assert bucket.take() == 30
    now[0] += 29.9
    assert bucket.take() == pytest.approx(0.1)
    now[0] += 0.2
    assert bucket.take() == 0
    now[0] += 10_000
    assert [bucket.take(), bucket.take()] == [0, 0]
    assert bucket.take() > 0


# --- Behind a proxy where people log in -----------------------------------------------------------


@pytest.fixture
def proxied(settings: Settings) -> Settings:
    proxies = (ip_network("10.0.0.0/24"), ip_network("2001:db8::5/128"))
    return replace(settings, user_header="x-user", proxies=proxies)


@pytest.mark.parametrize("peer", ["10.0.0.7", "2001:db8::5", "::ffff:10.0.0.7"])
def test_whom_a_listed_proxy_names_comes_in(
    proxied: Settings, client_of: Callable[..., TestClient], peer: str
) -> None:
    client = client_of(proxied, peer=peer)
    assert client.get("/", headers={"X-User": "ada"}).status_code == 200
    assert client.post("/api/v1/ask", json=PAYS, headers={"X-User": "ada"}).status_code == 200
    for headers in ({}, {"X-User": ""}, {"X-User": " "}):
        assert refusal(client.get("/", headers=headers))[0] == 401
    twice = [("X-User", "ada"), ("X-User", "eve")]  # one of the two is forged
    assert refusal(client.get("/", headers=twice))[0] == 401


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.1.7", "2001:db8::6", "testclient"])
def test_a_forged_header_from_elsewhere_opens_nothing(
    proxied: Settings, client_of: Callable[..., TestClient], peer: str
) -> None:
    client = client_of(proxied, peer=peer)
    for forged in ({}, {"X-Forwarded-For": "10.0.0.7"}, {"Forwarded": "for=10.0.0.7"}):
        headers = {"X-User": "ada", **forged}
        assert refusal(client.get("/", headers=headers))[0] == 401
        assert client.post("/api/v1/ask", json=PAYS, headers=headers).status_code == 401
    token = Keys(proxied.index).add("wiki")
    assert client.get("/", headers={"X-User": "ada", **bearer(token)}).status_code == 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("192.0.2.1", False), ("localhost.example", False)],
)  # fmt: skip
def test_what_only_this_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_nothing_speaks_websocket(always: TestClient) -> None:
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect) as closed, always.websocket_connect("/"):
        pass
    assert closed.value.code == 1008
