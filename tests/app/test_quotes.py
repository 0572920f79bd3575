"""A quote's page, its forms and card, and oEmbed, over HTTP: one quote and its state."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.answer import Quote, quote_object
from app.api.problems import add_handlers
from app.assemble import Library
from app.cite import CHANGED, FORMS, cite
from app.page import quotes
from app.serve import create_app
from app.settings import Settings
from tests.fakes import assemble_fakes
from tests.fixtures.shelf import Shelf

ATTACK = "<script>alert('bridge')</script> & \"more\""
HEARING = f"""\
[00:00:01] Ann Lee <b>: Is it safe?
[00:00:02] Ann Lee: The engineers wrote {ATTACK} on the bridge in red paint. Nobody minded.
[00:00:09] Bob Ray: The harbour was closed in March.
"""
NAME = "hearing <i>.txt"
SCRIPTS = ("text/javascript", "application/javascript")  # as the system has it
BASE = "https://wiki.example/qa"
MALFORMED = [
    "q_0123456789abcdef",
    "q_0123456789ABCDEF",
    "q_0123456789abcde",
    "q_0123456789abcdef0",
    "Q_0123456789abcdef",
    "<script>",
    "%3Cscript%3E",
    "%ff",
    "%00",
    "q",
    "x" * 5000,
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/settings",
    "",
]

pytestmark = pytest.mark.usefixtures("fakes")


@pytest.fixture
def hearing(shelf: Shelf) -> Shelf:
    shelf.write(NAME, HEARING)
    shelf.build_all()
    return shelf


@pytest.fixture
def library(hearing: Shelf, settings_for: Callable[..., Settings]) -> Library:
    return Library.open(replace(settings_for(hearing.index), url=f"{BASE}/"))


@pytest.fixture
def client(library: Library) -> TestClient:
    return client_of(library)


def client_of(library: Library) -> TestClient:
    """The routes alone, without the chat page, which takes a while to make."""
    app = FastAPI()
    add_handlers(app)
    app.include_router(quotes.router(library, library.settings))
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def painted(library: Library) -> Quote:
    """The quote with the attack in it."""
    (quote, *_) = library.ask("What did the engineers wrote in red paint?").quotes
    assert ATTACK in quote.text
    return quote


@pytest.fixture
def closed(library: Library) -> Quote:
    return library.ask("Was the harbour closed?").quotes[0]


@pytest.fixture(scope="module")
def always(stocked: Shelf) -> Iterator[TestClient]:
    """A client of a server over an index that nobody changes."""
    with pytest.MonkeyPatch.context() as patch:
        assemble_fakes(patch.setattr)
        settings = Settings(index=stocked.index, explicit=True)
        yield TestClient(create_app(Library.open(settings)))


class Head(HTMLParser):
    """The links and metas of a page, in order, and every element's name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[dict[str, str | None]] = []
        self.metas: dict[str, str] = {}
        self.elements: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        values = dict(attrs)
        if tag == "link":
            self.links.append(values)
        elif tag == "meta":
            name = values.get("property") or values.get("name") or ""
            self.metas[name] = values.get("content") or ""


# --- The page ---------------------------------------------------------------------------------


def test_a_quotes_page_marks_the_answer(client: TestClient, closed: Quote) -> None:
    response = client.get(f"/q/{closed.id}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "<q>The <mark>harbour was closed</mark> in March.</q>" in response.text
    assert f"characters {closed.start:,}-{closed.end:,}" in response.text
    assert "<b><bdi>Bob Ray</bdi></b>" in response.text
    assert "<cite><bdi>Hearing &lt;i&gt;</bdi></cite>" in response.text
    assert '<time datetime="PT0M9S">0:09</time>' in response.text
    assert "The transcript stands as it was when these words were cited." in response.text


def test_no_word_of_a_transcript_is_markup(client: TestClient, painted: Quote) -> None:
    for path in (f"/q/{painted.id}", f"/q/{painted.id}/card"):
        page = client.get(path).text
        assert html.escape(ATTACK).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page
        assert "<script>" not in page
        assert not Head(page).elements & {"i", "img"}


def test_the_page_shows_what_stands_around_the_quote(client: TestClient, painted: Quote) -> None:
    page = client.get(f"/q/{painted.id}").text
    assert "Is it safe?\n[00:00:02] Ann Lee: <q>" in page
    assert "</q> Nobody minded.\n[00:00:09] Bob Ray:" in page


def test_of_a_long_transcript_whole_words_stand_around_the_quote(own: Shelf) -> None:
    library = Library.open(Settings(index=own.index, explicit=True))
    quote = library.ask("On day number 11 we sailed 14 miles?").quotes[0]
    page = client_of(library).get(f"/q/{quote.id}").text
    before, after = re.search(r"(?s)<blockquote[^>]*>(.*)<q>.*</q>(.*)</blockquote>", page).groups()
    text = library.transcript("diary").text
    assert before.startswith("… ")
    assert after.endswith(" …")
    assert text[: quote.start].endswith(before[1:])
    assert text[quote.end :].startswith(after[:-1])
    assert text[quote.end + len(after) - 2].isspace()


def test_the_head_leads_to_the_forms_and_to_oembed(client: TestClient, closed: Quote) -> None:
    page = client.get(f"/q/{closed.id}").text
    head = Head(page)
    address = f"{BASE}/q/{closed.id}"
    first = head.links[0]
    assert (first["rel"], first["type"]) == ("alternate", "application/json+oembed")
    assert page.index("oembed") < 1000  # consumers read the beginning only
    told = str(first["href"]).removeprefix(BASE)
    assert client.get(told).json()["title"] == first["title"] == "Bob Ray, Hearing <i>"
    assert {"rel": "canonical", "href": address} in head.links
    for link in head.links[2:]:
        if link["rel"] == "alternate":
            served = client.get(f"/q/{link['href']}").headers["content-type"]
            assert served.removesuffix("; charset=utf-8") == link["type"]
    assert sum(link["rel"] == "alternate" for link in head.links) == 2 + len(FORMS)
    assert head.metas["og:url"] == address
    assert head.metas["og:title"] == "Bob Ray, Hearing <i>"
    assert head.metas["og:description"] == head.metas["description"] == closed.text
    assert not any(name.endswith(("image", "video")) for name in head.metas)


def test_nothing_on_the_page_is_from_elsewhere_or_absolute(
    client: TestClient, closed: Quote
) -> None:
    for path in (f"/q/{closed.id}", f"/q/{closed.id}/card", "/q/none", "/q/a/b/c"):
        page = client.get(path).text
        for address in re.findall(r'(?:src|href)="([^"]*)"', page):
            assert address.startswith(BASE) or not address.startswith(("/", "http"))
        root = "../" * path.count("/q/") + "../" * (path.count("/") - 2)
        assert f'href="{root}page/quote.css"' in page
        assert "default-src 'none'" in page


def test_what_the_pages_load_is_served(always: TestClient) -> None:
    assert always.get("/page/quote.css").headers["content-type"] == "text/css; charset=utf-8"
    assert always.get("/page/frame.js").headers["content-type"].split(";")[0] in SCRIPTS


@pytest.mark.parametrize("name", MALFORMED)
def test_an_unknown_quote_is_not_found(always: TestClient, name: str) -> None:
    for path in (f"/q/{name}", f"/q/{name}/card"):
        response = always.get(path)
        assert response.status_code == 404
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert response.text.count("This index has never handed out a quote of this id.") == 1
        assert "<script" not in response.text


@pytest.mark.parametrize("name", [*MALFORMED[:6], "x" * 5000])
@pytest.mark.parametrize("suffix", [".json", ".md", ".exe"])
def test_an_unknown_quote_has_no_forms(always: TestClient, name: str, suffix: str) -> None:
    response = always.get(f"/q/{name}{suffix}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "This index has never handed out a quote of this id.",
    }


# --- Its state --------------------------------------------------------------------------------


def test_old_words_stand_when_the_transcript_has_changed(
    client: TestClient, hearing: Shelf, painted: Quote
) -> None:
    hearing.write(NAME, HEARING.replace("red paint", "blue ink"))
    hearing.build()
    response = client.get(f"/q/{painted.id}")
    assert response.status_code == 200
    assert "red paint" in response.text
    assert "blue ink" not in response.text
    assert "has changed since these words were cited; this is how they stood." in response.text
    assert "They do not stand in it now." in response.text
    assert "The transcript has changed since;" in client.get(f"/q/{painted.id}/card").text
    assert CHANGED in client.get(f"/q/{painted.id}.md").text
    state = client.get(f"/q/{painted.id}.json").json()
    assert (state["state"], state["now"], state["text"]) == ("changed", [], painted.text)
    hearing.write(NAME, HEARING)
    hearing.build()
    assert "The transcript stands as it was" in client.get(f"/q/{painted.id}").text


def test_words_that_have_moved_are_led_to(
    client: TestClient, hearing: Shelf, closed: Quote, library: Library
) -> None:
    hearing.write(NAME, "[00:00:00] Cy Moe: Order, please.\n" + HEARING)
    hearing.build()
    page = client.get(f"/q/{closed.id}").text
    assert "The same words stand in it now:" in page
    (link,) = re.findall(r'<a href="(q_\w+)">characters ([\d,]+)-([\d,]+)</a>, <bdi>Bob Ray', page)
    (now,) = client.get(f"/q/{closed.id}.json").json()["now"]
    assert link == (now["id"], str(now["start"]), str(now["end"]))
    text = library.transcript(now["transcript"]["id"]).text
    assert text[now["start"] : now["end"]] == closed.text == now["text"]
    assert now["answer"]["text"] == closed.answer
    # The words in the new version have a permalink of their own.
    assert client.get(f"/q/{now['id']}.json").json()["state"] == "unchanged"


def test_a_transcript_that_was_taken_out_is_told(
    client: TestClient, hearing: Shelf, closed: Quote
) -> None:
    hearing.write("other.txt", "Ann Lee: The tide is high.\nBob Ray: It is low.\n")
    hearing.build(remove=("hearing-i",))
    state = client.get(f"/q/{closed.id}.json").json()
    assert (state["state"], state["now"]) == ("gone", [])
    page = client.get(f"/q/{closed.id}").text
    assert "The transcript is no longer in the index; these are the words as they stood." in page
    assert "is no longer in the index" in client.get(f"/q/{closed.id}/card").text


def test_an_outage_is_not_a_missing_quote(
    client: TestClient, hearing: Shelf, painted: Quote
) -> None:
    (hearing.index / "manifest.json").write_text("{")
    assert client.get(f"/q/{painted.id}").status_code >= 500


# --- Its forms --------------------------------------------------------------------------------


def test_the_json_is_the_contracts_object_and_its_state(client: TestClient, closed: Quote) -> None:
    response = client.get(f"/q/{closed.id}.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {**quote_object(closed, 1), "state": "unchanged", "now": []}


@pytest.mark.parametrize(
    ("suffix", "media_type"),
    [
        (".jsonld", "application/ld+json"),
        (".csl", "application/vnd.citationstyles.csl+json"),
        (".md", "text/markdown; charset=utf-8"),
        (".wiki", "text/x-wiki; charset=utf-8"),
        (".dokuwiki", "text/plain; charset=utf-8"),
        (".confluence", "text/plain; charset=utf-8"),
        (".html", "text/html; charset=utf-8"),
        (".txt", "text/plain; charset=utf-8"),
    ],
)
def test_every_form_is_the_commands(
    client: TestClient, library: Library, painted: Quote, suffix: str, media_type: str
) -> None:
    response = client.get(f"/q/{painted.id}{suffix}")
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    handed = library.quote(painted.id)
    assert handed is not None
    assert response.text == cite(handed, quotes.SUFFIXES[suffix], BASE)
    assert f"{BASE}/q/{painted.id}" in response.text


@pytest.mark.parametrize("suffix", [".pdf", ".", ".md.txt", ".JSON"])
def test_a_form_that_is_none_is_told(client: TestClient, closed: Quote, suffix: str) -> None:
    response = client.get(f"/q/{closed.id}{suffix}")
    assert response.status_code == 404
    assert response.json()["detail"].startswith("A quote has no such form; it has .json, .md, ")


def test_a_link_checker_is_answered(client: TestClient, closed: Quote) -> None:
    for path in (f"/q/{closed.id}", f"/q/{closed.id}.md", f"/q/{closed.id}/card"):
        response = client.head(path)
        assert (response.status_code, response.content) == (200, b"")


# --- Its card ---------------------------------------------------------------------------------


def test_a_card_tells_its_height_to_listed_origins_only(
    library: Library, client: TestClient, closed: Quote
) -> None:
    assert 'data-parents=""' in client.get(f"/q/{closed.id}/card").text
    library.settings = replace(library.settings, frame_origins=("https://a.example", "http://b:1"))
    listed = client_of(library)
    assert 'data-parents="https://a.example http://b:1"' in listed.get(f"/q/{closed.id}/card").text
    assert "data-parents" not in listed.get(f"/q/{closed.id}").text


@pytest.mark.parametrize(
    ("asked", "shown"), [("dark", "dark"), ("light", "light"), ("", "auto"), ('"><b>', "auto")]
)
def test_a_cards_theme_is_one_of_ours(
    client: TestClient, closed: Quote, asked: str, shown: str
) -> None:
    page = client.get(f"/q/{closed.id}/card", params={"theme": asked}).text
    assert f'<html lang="en" class="{shown}"' in page


def test_a_cards_links_open_elsewhere(client: TestClient, closed: Quote) -> None:
    page = client.get(f"/q/{closed.id}/card").text
    assert re.findall("<a [^>]*>", page) == [
        f'<a href="../../q/{closed.id}" target="_blank" rel="noopener">'
    ]


# --- oEmbed -----------------------------------------------------------------------------------


def test_oembed_gives_the_card(client: TestClient, painted: Quote) -> None:
    address = f"{BASE}/q/{painted.id}"
    response = client.get("/oembed", params={"url": address})
    assert response.headers["content-type"] == "application/json"
    given = response.json()
    assert given["html"].startswith(f'<iframe src="{address}/card" title="')
    assert 'title="Ann Lee, Hearing &lt;i&gt;"' in given["html"]
    assert (given["version"], given["type"], given["width"]) == ("1.0", "rich", 600)
    assert given["provider_name"] == "On Record"
    assert given["author_name"] == given["title"].split(",")[0]
    assert "<script" not in given["html"]


@pytest.mark.parametrize("tail", ["", "/", "?utm=x", "#there"])
def test_oembed_knows_a_permalink_as_people_paste_it(
    client: TestClient, closed: Quote, tail: str
) -> None:
    response = client.get("/oembed", params={"url": f"{BASE}/q/{closed.id}{tail}"})
    assert response.status_code == 200


def test_oembed_keeps_to_the_sizes(client: TestClient, closed: Quote) -> None:
    url = f"{BASE}/q/{closed.id}"
    sizes = {"maxwidth": "320", "maxheight": "100"}
    given = client.get("/oembed", params={"url": url, **sizes}).json()
    assert (given["width"], given["height"]) == (320, 100)
    assert 'width="320" height="100"' in given["html"]
    wide = client.get(
        "/oembed", params={"url": url, "maxwidth": "5000", "maxheight": "5000"}
    ).json()
    assert wide["width"] == 600
    assert wide["height"] <= 600
    narrow = client.get("/oembed", params={"url": url, "maxwidth": "120"}).json()
    assert narrow["height"] > wide["height"]


@pytest.mark.parametrize("size", ["0", "-1", "x", "1.5", "1e9", "9999999", "٣", "Infinity"])
@pytest.mark.parametrize("name", ["maxwidth", "maxheight"])
def test_a_size_that_is_none_is_told(
    client: TestClient, closed: Quote, name: str, size: str
) -> None:
    response = client.get("/oembed", params={"url": f"{BASE}/q/{closed.id}", name: size})
    assert response.status_code == 400
    assert response.json()["detail"] == f"{name} takes a number of pixels from 1 to 999999."


@pytest.mark.parametrize(
    "url",
    [
        "",
        "{base}/q/q_0123456789abcdef",
        "{base}/q/",
        "{base}/",
        "https://evil.example/q/{id}",
        "https://wiki.example.evil.example/qa/q/{id}",
        "https://wiki.example@evil.example/qa/q/{id}",
        "https://evil.example/?{base}/q/{id}",
        "http://wiki.example/qa/q/{id}",
        "{base}/q/../q/{id}",
        "{base}/q/{id}/card",
        "{base}/q/{id}.json",
        "//wiki.example/qa/q/{id}",
        "javascript:alert(1)//{base}/q/{id}",
        "{base}/q/{id}\n",
        " {base}/q/{id}",
    ],
)
def test_oembed_speaks_for_our_own_quotes_only(client: TestClient, closed: Quote, url: str) -> None:
    asked = url.format(base=BASE, id=closed.id)
    response = client.get("/oembed", params={"url": asked}, follow_redirects=False)
    assert response.status_code == 404
    assert response.json()["detail"] == (
        f"url is not the address of a quote of ours; those begin with {BASE}/q/."
    )


@pytest.mark.parametrize("form", ["xml", "", "JSON", "<b>"])
def test_oembed_speaks_json_only(client: TestClient, closed: Quote, form: str) -> None:
    asked = {"url": f"{BASE}/q/{closed.id}", "format": form}
    response = client.get("/oembed", params=asked)
    assert response.status_code == 501
    assert json.loads(response.text)["detail"] == "Only format=json is spoken here."
