"""The API: what each route gives, what it says of bad input, and what its OpenAPI tells of it."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from httpx import Response
from pydantic import BaseModel
from starlette.testclient import TestClient

from app.answer import Answer, answer_object, quote_id
from app.api import doors, patience, schema
from app.api.desk import BusyError, Desk
from app.api.openapi import EXAMPLE_OF
from app.api.routes import LONGEST_LINE, MOST_LINES
from app.assemble import Library
from app.feedback import Feedback
from app.serve import create_app
from app.settings import Settings
from app.verify import verified_object
from index.errors import UsageError
from index.transcript import Transcript
from tests.app.conftest import serving
from tests.fakes import assemble_fakes
from tests.fixtures.shelf import Shelf
from tests.fixtures.transcripts import MEETING

pytestmark = pytest.mark.usefixtures("fakes")
PAYS = "Who pays for the lighthouse?"
COUNTY = "The county pays for the lighthouse, because the harbour belongs to it."
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "{{constructor}} ${alert(1)} {% x %}",
    "right\u202eto\u2066left",
    "null \0 byte",
    "long " + "very " * 300,
]


@pytest.fixture
def library(own: Shelf, settings_for: Callable[..., Settings]) -> Library:
    return Library.open(settings_for(own.index))


@pytest.fixture
def client(library: Library) -> TestClient:
    return TestClient(create_app(library))


@pytest.fixture(scope="module")
def always(stocked: Shelf) -> Iterator[TestClient]:
    """A client of a server over an index that nobody changes."""
    with pytest.MonkeyPatch.context() as patch:
        assemble_fakes(patch.setattr)
        settings = Settings(index=stocked.index, explicit=True)
        yield TestClient(create_app(Library.open(settings, record=False)))


def problem(response: Response, status: int) -> str:
    """The one sentence of a problem, which must be one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert told.keys() == {"type", "title", "status", "detail"}
    assert told["status"] == status
    assert "Traceback" not in response.text
    assert "\n" not in told["detail"]
    assert told["detail"].endswith(".")
    return str(told["detail"])


def untimed(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "seconds"}


# --- ask, verify, feedback ----------------------------------------------------------------------


def test_ask_gives_what_the_command_prints(client: TestClient, library: Library) -> None:
    response = client.post("/api/v1/ask", json={"question": PAYS})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert untimed(response.json()) == untimed(answer_object(library.ask(PAYS)))
    assert COUNTY in [quote["text"] for quote in response.json()["quotes"]]


def test_ask_heeds_every_field(client: TestClient, library: Library) -> None:
    body = {
        "question": "And for the bridge?",
        "history": [PAYS],
        "transcript": "meeting",
        "speaker": "Lindqvist",
        "k": 1,
    }
    got = client.post("/api/v1/ask", json=body).json()
    expected = library.ask(
        "And for the bridge?", [PAYS], transcript="meeting", speaker="Lindqvist", quotes=1
    )
    assert untimed(got) == untimed(answer_object(expected))
    assert got["searched"]["transcripts"] == 1


def test_a_refusal_is_an_answer(always: TestClient) -> None:
    response = always.post("/api/v1/ask", json={"question": "Zebras?"})
    assert (response.status_code, response.json()["answerable"]) == (200, False)


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({"claim": COUNTY}, "exact"),
        ({"claim": COUNTY, "speaker": "Okafor"}, "other_speaker"),
        ({"claim": COUNTY.replace("pays", "paid")}, "altered"),
        ({"claim": "Zebras sing."}, "not_found"),
    ],
)
def test_verify_gives_what_the_command_prints(
    client: TestClient, library: Library, body: dict[str, str], verdict: str
) -> None:
    got = client.post("/api/v1/verify", json=body).json()
    assert got == verified_object(library.verify(body["claim"], speaker=body.get("speaker")))
    assert got["verdict"] == verdict


def test_a_rating_is_kept(client: TestClient, own: Shelf) -> None:
    answer = client.post("/api/v1/ask", json={"question": PAYS}).json()
    shown = [quote["id"] for quote in answer["quotes"]]
    body = {"question": PAYS, "verdict": "wrong", "correction": "The county", "quotes": shown}
    response = client.post("/api/v1/feedback", json=body)
    assert response.status_code == 201
    (kept,) = Feedback(own.index).candidates()
    assert response.json() == {"id": kept.id, "at": kept.at}
    assert (kept.question, kept.verdict, kept.correction) == (PAYS, "wrong", "The county")
    assert [quote["id"] for quote in kept.quotes] == shown
    body["quotes"] = ["q_0123456789abcdef"]
    told = problem(client.post("/api/v1/feedback", json=body), 422)
    assert told.startswith("the quote q_0123456789abcdef is not on record here")


# --- batch --------------------------------------------------------------------------------------


def lines(*requests: object) -> bytes:
    return b"".join(
        (one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in requests
    )


def batch(client: TestClient, data: bytes, query: str = "") -> list[dict[str, Any]]:
    response = client.post(
        f"/api/v1/batch{query}", content=data, headers={"Content-Type": "application/x-ndjson"}
    )
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.removesuffix("\n").split("\n")]


def test_a_batch_is_answered_in_order_and_a_bad_line_in_its_place(
    always: TestClient,
) -> None:
    found = batch(
        always,
        lines(
            {"id": "a", "question": PAYS, "split": "dev"},
            b'{"id": 2, "question"',
            b"",
            b'{"id": NaN, "question": "Who?"}',
            b"[" * 50_000,
            b'{"id": ' + b"[" * 900 + b"]" * 900 + b', "question": "Who?"}',
            {"id": 7, "question": "Who?", "speaker": "Nobody"},
            {"id": 8, "question": "x" * LONGEST_LINE},
            {"id": 9, "question": "Zebras?"},
        ),
        "?k=1",
    )
    assert [one["id"] for one in found[:2]] == ["a", None]
    assert len(found[0]["quotes"]) == 1
    assert found[1]["error"] == "line 2 is not JSON; give one object a line."
    assert found[2]["error"] == "line 4 is not JSON; give one object a line."
    assert found[3]["error"] == "line 5 is not JSON; give one object a line."
    assert found[5]["error"].startswith("no speaker 'Nobody' in the index")
    assert found[6] == {
        "id": None,
        "error": f"line 8 has more than {LONGEST_LINE:,} characters; ask in fewer.",
    }
    assert (found[7]["id"], found[7]["answerable"]) == (9, False)


def test_a_batch_has_an_end(always: TestClient) -> None:
    data = lines(*[{"question": PAYS}] * (MOST_LINES + 1))
    told = problem(
        always.post("/api/v1/batch", content=data, headers={"Content-Type": "application/jsonl"}),
        413,
    )
    assert told == "A batch has at most 1,000 lines, this one 1,001; split it."


def test_a_batch_is_streamed(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answer is there while the second question still waits for its own."""
    go_on = threading.Event()
    ask = library.ask

    def slow(question: str, *words: Any, **named: Any) -> Answer:
        if question == "Zebras?":
            assert go_on.wait(20)
        return ask(question, *words, **named)

    monkeypatch.setattr(library, "ask", slow)
    body = lines({"id": 1, "question": PAYS}, {"id": 2, "question": "Zebras?"})
    with serving(library) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(
                b"POST /api/v1/batch HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                b"Content-Type: application/x-ndjson\r\n"
                + f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            received = b""
            while b'"id": 1' not in received:
                received += connection.recv(65_536)
            assert b'"id": 2' not in received
            go_on.set()
            while chunk := connection.recv(65_536):
                received += chunk
    assert b'"id": 2' in received


def test_a_bug_in_one_line_is_told_and_the_others_are_answered(
    library: Library, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ask = library.ask

    def broken(question: str, *words: Any, **named: Any) -> Answer:
        if question == "bug?":
            raise RuntimeError("secret detail")
        return ask(question, *words, **named)

    monkeypatch.setattr(library, "ask", broken)
    found = batch(TestClient(create_app(library)), lines({"question": "bug?"}, {"question": PAYS}))
    assert found[0] == {
        "id": None,
        "error": "Something went wrong on the server; its log has the details.",
    }
    assert found[1]["answerable"] is True
    assert "secret detail" in caplog.text


# --- What is in the index, and versions of it ---------------------------------------------------


def test_transcripts_are_listed_and_given(always: TestClient, stocked: Shelf) -> None:
    listed = always.get("/api/v1/transcripts").json()["transcripts"]
    assert [one["id"] for one in listed] == ["diary", "meeting", "report"]
    given = always.get("/api/v1/transcripts/meeting").json()
    assert given["text"] == stocked.words()["meeting"] == MEETING
    assert given["characters"] == len(MEETING)
    summary = {key: value for key, value in given.items() if key not in {"text", "language"}}
    assert summary == listed[1]
    # Where they lie on this machine is not told.
    assert str(stocked.transcripts) not in always.get("/api/v1/transcripts").text


def test_segments_come_a_page_at_a_time(always: TestClient, stocked: Shelf) -> None:
    transcript = stocked.open().transcript("meeting")
    first = always.get("/api/v1/transcripts/meeting/segments?limit=4").json()
    rest = always.get("/api/v1/transcripts/meeting/segments?offset=4&limit=500").json()
    assert (first["total"], first["offset"], first["limit"]) == (len(transcript.segments), 0, 4)
    found = first["segments"] + rest["segments"]
    assert [(one["start"], one["end"]) for one in found] == [
        (segment.start, segment.end) for segment in transcript.segments
    ]
    assert all(one["text"] == MEETING[one["start"] : one["end"]] for one in found)
    assert found[0]["speaker"] == {"name": "Ada Okafor", "basis": "label"}
    assert found[0]["said_at"][0] == 4
    beyond = always.get("/api/v1/transcripts/meeting/segments?offset=1000").json()
    assert beyond["segments"] == []


GETS = ["transcripts", "transcripts/meeting", "transcripts/meeting/segments", "index"]


@pytest.mark.parametrize("path", GETS)
def test_what_is_known_already_is_not_sent_again(client: TestClient, own: Shelf, path: str) -> None:
    first = client.get(f"/api/v1/{path}")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for known in (tag, f'"other", W/{tag}', "*"):
        again = client.get(f"/api/v1/{path}", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert (again.headers["etag"], again.headers["cache-control"]) == (tag, "private, no-cache")
    assert client.get(f"/api/v1/{path}", headers={"If-None-Match": '"other"'}).status_code == 200
    own.write("report.txt", "Ann Lee: Nothing is new.\n")
    own.build_all()
    changed = client.get(f"/api/v1/{path}", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_the_index_tells_its_version_and_models(client: TestClient, library: Library) -> None:
    response = client.get("/api/v1/index")
    told = response.json()
    assert response.headers["etag"] == f'"{told["version"]}"'
    assert told["counts"]["transcripts"] == 3
    assert told["models"]["embedder"]["name"] == "bag-of-words"
    assert told["built_at"] == library.folder().manifest.built_at


def test_it_is_ready_while_the_index_opens(client: TestClient, own: Shelf) -> None:
    assert client.get("/readyz").json() == {"status": "ok"}
    manifest = own.index / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text("{")
    told = problem(client.get("/readyz"), 503)
    assert told == "The index cannot be used now; the server's log says why, and how to mend it."
    assert str(own.index) not in told
    assert problem(client.post("/api/v1/ask", json={"question": PAYS}), 503) == told
    assert problem(client.get("/api/v1/transcripts"), 503) == told
    assert client.get("/healthz").json() == {"status": "ok"}
    manifest.write_text(whole)
    assert client.get("/readyz").status_code == 200


# --- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"", 422, "The body is missing."),
        (b"{", 400, "The body is not JSON"),
        (b"[" * 100_000, 400, "The body cannot be read; send one JSON object, as UTF-8."),
        (b'{"question": "\xff"}', 400, "The body cannot be read"),
        (b"[]", 422, "The body is not as it should be: input should be a valid dictionary"),
        (b"NaN", 422, "The body is not as it should be"),
        (b"{}", 422, "'question' is missing."),
        (b'{"question": null}', 422, "'question' is not as it should be: input should be a valid"),
        (b'{"question": ["Who?"]}', 422, "'question' is not as it should be"),
        (b'{"question": ""}', 422, "'question' is not as it should be"),
        (b'{"question": "?!"}', 422, "the question is empty; ask something in words."),
        (b'{"question": "Who?", "k": NaN}', 422, "'k' is not as it should be"),
        (b'{"question": "Who?", "k": 1e999}', 422, "'k' is not as it should be"),
        (b'{"question": "Who?", "k": "3"}', 422, "'k' is not as it should be"),
        (b'{"question": "Who?", "k": true}', 422, "'k' is not as it should be"),
        (b'{"question": "Who?", "k": 0}', 422, "'k' is not as it should be"),
        (b'{"question": "Who?", "loud": 1}', 422, "'loud' is not known here; leave it out."),
        (b'{"question": "Who?", "\\ud800": 1}', 422, "The body is not as it should be"),
        (b'{"question": "Who \\ud800?"}', 422, "'question' is not as it should be"),
        (b'{"question": "Who?", "history": "Why?"}', 422, "'history' is not as it should be"),
        (b'{"question": "Who?", "history": [{}]}', 422, "'history.0' is not as it should be"),
        (b'{"question": "Who?", "transcript": "../x"}', 422, "no transcript '../x' in the index"),
        (b'{"question": "Who?", "speaker": "\\u0000"}', 422, "no speaker '\\x00' in the index"),
        (b'{"question": "' + b"x" * 20_000 + b'"}', 422, "'question' is not as it should be: stri"),
        (b'{"question": "' + b"x" * 300_000 + b'"}', 413, "The body is larger than the 256 kB"),
        (b'{"question": "Who?", "k": ' + b"9" * 5_000 + b"}", 400, "The body cannot be read"),
    ],
)
def test_a_bad_body_is_told_in_a_sentence(
    always: TestClient, body: bytes, status: int, told: str
) -> None:
    response = always.post(
        "/api/v1/ask", content=body, headers={"Content-Type": "application/json"}
    )
    assert problem(response, status).startswith(told)


@pytest.mark.parametrize("path", ["ask", "verify", "feedback", "batch"])
@pytest.mark.parametrize("media", [None, "text/plain", "application/xml", "multipart/form-data"])
def test_another_media_type_is_refused(always: TestClient, path: str, media: str | None) -> None:
    headers = {} if media is None else {"Content-Type": media}
    response = always.post(f"/api/v1/{path}", content=b'{"question": "Who?"}', headers=headers)
    assert problem(response, 415).endswith("say so in Content-Type.")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("transcripts/none", 404),
        ("transcripts/..", 404),
        ("transcripts/..%2f..%2fmanifest.json", 404),
        ("transcripts/%00", 404),
        ("transcripts/%ff", 404),
        ("transcripts/" + "x" * 2_000, 422),
        ("transcripts/none/segments", 404),
        ("transcripts/meeting/segments?offset=-1", 422),
        ("transcripts/meeting/segments?offset=1e3", 422),
        ("transcripts/meeting/segments?limit=501", 422),
        ("transcripts/meeting/segments?offset=99999999999999999999999999", 422),
        ("", 404),
        ("none", 404),
        ("ask/more", 404),
    ],
)
def test_an_address_that_is_none_is_told(always: TestClient, path: str, status: int) -> None:
    problem(always.get(f"/api/v1/{path}"), status)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "ask", "POST"),
        ("PUT", "verify", "POST"),
        ("POST", "index", "GET"),
        ("DELETE", "transcripts/meeting", "GET"),
    ],
)
def test_another_method_is_refused(
    always: TestClient, method: str, path: str, allowed: str
) -> None:
    response = always.request(method, f"/api/v1/{path}")
    assert problem(response, 405) == f"This address takes {allowed} only."
    assert response.headers["allow"] == allowed


def test_a_bug_is_a_problem_and_stands_in_the_log(
    library: Library, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> Answer:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(library, "ask", broken)
    response = TestClient(create_app(library)).post("/api/v1/ask", json={"question": PAYS})
    told = problem(response, 500)
    assert told == "Something went wrong on the server; its log has the details."
    assert "secret detail" in caplog.text
    assert response.headers["x-content-type-options"] == "nosniff"


def test_attacks_come_back_as_text(shelf: Shelf, settings_for: Callable[..., Settings]) -> None:
    words = " ".join(ATTACKS[:5]).replace("\n", " ")
    shelf.write("attack.txt", f"Eve {ATTACKS[1]}: The harbour said {words} today.\n")
    shelf.build_all()
    client = TestClient(create_app(Library.open(settings_for(shelf.index))))
    for attack in ATTACKS:
        response = client.post("/api/v1/ask", json={"question": f"The harbour {attack}?"[:2000]})
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        assert response.headers["x-content-type-options"] == "nosniff"
        answer = response.json()
        assert answer["question"] == f"The harbour {attack}?"
        for quote in answer["quotes"] + answer["nearest"]:
            assert words in quote["text"]
    assert words in client.get("/api/v1/transcripts/attack").json()["text"]


# --- Limits ---------------------------------------------------------------------------------------


class Held:
    """A library's `ask` that waits until it is let go."""

    def __init__(self, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ask = library.ask
        self.go_on = threading.Event()
        monkeypatch.setattr(library, "ask", self)

    def __call__(self, *words: Any, **named: Any) -> Answer:
        assert self.go_on.wait(20)
        return self._ask(*words, **named)


def test_where_every_place_is_taken_it_says_so_at_once(
    own: Shelf, settings_for: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(settings_for(own.index), workers=1, waiting=1)
    library = Library.open(settings)
    held = Held(library, monkeypatch)

    def ask(client: TestClient) -> Response:
        return client.post("/api/v1/ask", json={"question": PAYS})

    with TestClient(create_app(library)) as client, ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(ask, client) for _ in range(3)]
        (refused,), places = wait(asked, timeout=20, return_when=FIRST_COMPLETED)
        response = refused.result()
        assert problem(response, 503) == (
            "Too many questions are being answered at the moment; ask again soon."
        )
        assert int(response.headers["retry-after"]) > 0
        assert client.get("/healthz").status_code == 200
        held.go_on.set()
        assert [place.result(20).status_code for place in places] == [200, 200]
        assert ask(client).status_code == 200


def test_the_desk_serves_its_places_and_no_more() -> None:
    desk, go_on = Desk(2, 1), threading.Event()
    waiting = [desk.submit(lambda: go_on.wait(20)) for _ in range(3)]
    with pytest.raises(BusyError):
        desk.submit(lambda: None)
    go_on.set()
    assert all(one.result(20) for one in waiting)
    assert desk.submit(lambda: "again").result(20) == "again"

    def fails() -> None:
        raise UsageError("no.")

    for _ in range(5):  # whoever fails gives up the place, too
        with pytest.raises(UsageError):
            desk.submit(fails).result(20)


def raw(address: str, *parts: bytes, pause: float = 0.0) -> bytes:
    """What comes back on a connection for bytes sent one part after the other."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    return received


HEAD = b"POST /api/v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def test_a_body_that_trickles_in_is_cut(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "SLOW", 0.3)
    received = raw(served, HEAD + b"Content-Length: 100\r\n\r\n{", b'"', pause=0.1)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in head
    assert json.loads(body)["detail"] == "The body was not here within 0 seconds; send it again."


def test_a_head_that_trickles_in_is_cut(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SLOW", 0.3)
    began = time.monotonic()
    assert raw(served, b"GET /healthz HTTP/1.1\r\nX-Slow: ", b"1", pause=0.1) == b""
    assert time.monotonic() - began < 4  # uvicorn itself would have waited for ever
    # One that comes in time, on a connection that is kept, is answered.
    whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    assert b"200 OK" in raw(
        served, whole + b"\r\n", whole + b"Connection: close\r\n\r\n", pause=0.1
    )


def test_a_body_too_large_is_refused_before_it_is_sent(served: str) -> None:
    received = raw(served, HEAD + b"Content-Length: 99999999999\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 413 ")
    chunk = b"40000\r\n" + b"x" * 0x40000 + b"\r\n"
    received = raw(
        served, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk, b"1\r\nx\r\n0\r\n\r\n"
    )
    assert received.startswith(b"HTTP/1.1 413 ")


# --- The OpenAPI ----------------------------------------------------------------------------------


def test_the_openapi_tells_every_route(always: TestClient) -> None:
    response = always.get("/api/v1/openapi.json")
    told = response.json()
    assert told["openapi"].startswith("3.1")
    assert {
        f"{method.upper()} {path}" for path, methods in told["paths"].items() for method in methods
    } == {
        "POST /api/v1/ask",
        "POST /api/v1/verify",
        "POST /api/v1/batch",
        "GET /api/v1/transcripts",
        "GET /api/v1/transcripts/{id}",
        "GET /api/v1/transcripts/{id}/segments",
        "GET /api/v1/index",
        "POST /api/v1/feedback",
        "GET /healthz",
        "GET /readyz",
    }
    assert "HTTPValidationError" not in response.text
    for path in ("/docs", "/redoc"):  # they would load their scripts from elsewhere
        assert "swagger" not in always.get(path).text.lower()
        assert "redoc" not in always.get(path).text.lower()


@pytest.mark.parametrize("model", EXAMPLE_OF)
def test_an_example_is_as_its_schema_says(always: TestClient, model: type[BaseModel]) -> None:
    told = always.get("/api/v1/openapi.json").json()["components"]["schemas"]
    (example,) = told[model.__name__]["examples"]
    jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{model.__name__}",
                                 "components": {"schemas": told}}).validate(example)  # fmt: skip
    read = model.model_validate_json(json.dumps(example))
    assert read.model_dump(mode="json", exclude_unset=True) == example


@pytest.mark.parametrize("name", ["ask", "verify"])
def test_an_examples_quotes_stand_in_the_seed(name: str, seed: Transcript) -> None:
    quotes = schema.EXAMPLES[name]["quotes"]
    assert quotes
    for quote in quotes:
        answer = quote["answer"]
        assert quote["transcript"]["sha256"] == seed.sha256
        assert seed.text[quote["start"] : quote["end"]] == quote["text"]
        assert seed.text[answer["start"] : answer["end"]] == answer["text"]
        place = (quote["start"], quote["end"], answer["start"], answer["end"])
        assert quote["id"] == quote_id(seed.sha256, *place)
        assert quote["url"] == f"/q/{quote['id']}"
    assert schema.EXAMPLES["feedback request"]["quotes"] == [
        quote["id"] for quote in schema.EXAMPLES["ask"]["quotes"]
    ]
    for one in schema.EXAMPLES["segments"]["segments"]:
        assert seed.text[one["start"] : one["end"]] == one["text"]


@pytest.mark.parametrize(("path", "name"), [("ask", "ask"), ("verify", "verify")])
def test_an_answer_has_the_fields_that_the_openapi_tells(
    always: TestClient, path: str, name: str
) -> None:
    body = {"question": PAYS} if path == "ask" else {"claim": COUNTY}
    got = always.post(f"/api/v1/{path}", json=body).json()
    kind = schema.AnswerObject if path == "ask" else schema.VerifiedObject
    assert kind.model_validate(got).model_dump(mode="json") == got
    assert got.keys() == schema.EXAMPLES[name].keys()
    assert got["quotes"][0].keys() == schema.EXAMPLES[name]["quotes"][0].keys()
    assert re.fullmatch(schema.QUOTE_ID, got["quotes"][0]["id"])
