"""What other people's pages embed, over HTTP: the frame's page, and the component's one file."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.page import embed
from app.settings import Settings

ATTACK = "\"><script>alert(1)</script><b x='"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(index=tmp_path)


@pytest.fixture
def client(settings: Settings) -> TestClient:
    return client_of(settings)


def client_of(settings: Settings) -> TestClient:
    app = FastAPI()
    app.include_router(embed.router(settings))
    return TestClient(app)


def test_the_component_is_one_small_file(client: TestClient) -> None:
    response = client.get("/on-record-ask.js")
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert len(response.content) < 8_000
    script = response.text
    # It loads nothing, and sets no markup.
    assert not re.search(r"import|innerHTML|outerHTML|insertAdjacent|document\.write|eval", script)
    assert not re.search(r"https?://", script)


def test_the_component_is_kept_by_its_etag(client: TestClient) -> None:
    first = client.get("/on-record-ask.js")
    assert first.headers["cache-control"] == "public, max-age=86400"
    tag = first.headers["etag"]
    for held in (tag, f"W/{tag}", f'"other", {tag}'):
        again = client.get("/on-record-ask.js", headers={"If-None-Match": held})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for held in ('"other"', "", tag[:-2] + '"'):
        again = client.get("/on-record-ask.js", headers={"If-None-Match": held})
        assert (again.status_code, again.content) == (200, first.content)


def test_the_frame_hands_on_what_it_is_asked_with(client: TestClient) -> None:
    asked = {"transcript": "t", "q": "Who?", "theme": "dark", "lang": "de"}
    page = client.get("/embed", params=asked).text
    (element,) = re.findall("<on-record-ask.*?>", page)
    assert element == '<on-record-ask transcript="t" question="Who?" theme="dark" lang="de">'
    assert '<html lang="de" class="dark"' in page
    assert 'src="on-record-ask.js"' in page
    assert "default-src 'none'; script-src 'self'" in page
    plain = client.get("/embed").text
    assert '<on-record-ask theme="auto" lang="en">' in plain


@pytest.mark.parametrize("name", ["transcript", "q", "theme", "lang"])
def test_nothing_in_the_address_becomes_markup(client: TestClient, name: str) -> None:
    page = client.get("/embed", params={name: ATTACK}).text
    assert "alert(1)</script>" not in page
    assert "<b " not in page
    assert page.count("<script") == 2


def test_a_question_that_is_too_long_is_told(client: TestClient) -> None:
    response = client.get("/embed", params={"q": "why " * 5_000})
    assert response.status_code == 400
    assert "The question has 19,999 characters; ask in at most 2,000." in response.text
    assert "<on-record-ask" not in response.text


def test_the_frame_tells_listed_origins_only(settings: Settings) -> None:
    assert 'data-parents=""' in client_of(settings).get("/embed").text
    listed = replace(settings, frame_origins=("https://wiki.example",))
    assert 'data-parents="https://wiki.example"' in client_of(listed).get("/embed").text
