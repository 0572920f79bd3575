"""Real wikis with quotes, cards and the chat on their pages, put there as docs/wiki.md says.

They are Debian's packages `dokuwiki` and `mediawiki` on PHP's own server; where one is missing, its
tests are skipped and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from app.answer import Quote
from app.cite import cite
from app.serve import create_app
from app.settings import Settings
from tests.browser.library import ATTACK, BRIDGE, Library
from tests.browser.serving import MARKS, chromium, is_foreign, listening, origin, serving
from tests.browser.wikis import OURS, dokuwiki, mediawiki, recipe

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

pytestmark = MARKS

SLOW = 120_000  # milliseconds: a wiki makes its first page of nothing


@dataclass(frozen=True, slots=True)
class Wiki:
    """A wiki on loopback: how its editor is reached and saved, and the form of its citations."""

    start: Callable[[Path, str], object]
    edit: str
    box: str
    save: str
    form: str
    page: str  # the selector of what an editor wrote
    cited: str  # and of the words of a citation in it
    heading: str  # of the doc, and the language of its examples there
    language: str


WIKIS = {
    "dokuwiki": Wiki(
        dokuwiki, "/doku.php?id=quote&do=edit", "#wiki__text", "#edbtn__save", "dokuwiki",
        "#dokuwiki__content .page", "blockquote", "DokuWiki", "dokuwiki",
    ),
    "mediawiki": Wiki(
        mediawiki, "/index.php?title=Quote&action=edit", "#wpTextbox1", "#wpSave", "wikitext",
        "#mw-content-text", "blockquote", "MediaWiki", "wikitext",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Desk:
    wiki: Wiki
    ours: str
    theirs: str
    library: Library
    browser: playwright.Browser

    def quote(self, question: str) -> Quote:
        return self.library.ask(question).quotes[0]

    def cited(self, question: str) -> str:
        """A quote as an editor pastes it."""
        handed = self.library.quote(self.quote(question).id)
        assert handed is not None
        return cite(handed, self.wiki.form, self.ours)

    def write(self, text: str, width: int = 1000) -> playwright.Page:
        """The wiki's page, after somebody has pasted a text into its editor and saved it."""
        page = self.browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(SLOW)
        foreign: list[str] = []
        page.on("request", lambda sent: is_foreign(sent.url) and foreign.append(sent.url))
        page.goto(self.theirs + self.wiki.edit)
        page.locator(self.wiki.box).fill(text)
        page.locator(self.wiki.save).click()
        page.wait_for_url(lambda url: "edit" not in url)
        page.wait_for_load_state()
        assert foreign == []
        return page


@pytest.fixture(scope="module", params=WIKIS)
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    wiki = WIKIS[request.param]
    folder = tmp_path_factory.mktemp("wiki")
    with ExitStack() as stack:
        ours = listening()
        stack.callback(ours.close)
        theirs = stack.enter_context(wiki.start(folder, origin(ours)))
        settings = Settings(index=folder, url=origin(ours))
        library = Library(replace(settings, frame_origins=(theirs,), cors_origins=(theirs,)))
        app = create_app(library)
        stack.enter_context(serving(app, ours))
        yield Desk(wiki, origin(ours), theirs, library, stack.enter_context(chromium()))


def test_a_pasted_quote_shows_the_words_and_leads_back(desk: Desk) -> None:
    page = desk.write(desk.cited(BRIDGE) + "\n" + desk.cited("attack"))
    shown = page.locator(desk.wiki.page)
    words = [" ".join(text.split()) for text in shown.locator(desk.wiki.cited).all_inner_texts()]
    assert words[0].startswith("The bridge will cost eleven million, not nine.")
    assert words[1].startswith(" ".join(ATTACK.split()))
    links = shown.get_by_role("link").filter(has_text="q_")
    for link, question in zip(links.all(), (BRIDGE, "attack"), strict=True):
        quote = desk.quote(question)
        assert link.inner_text() == quote.id
        assert link.get_attribute("href") == f"{desk.ours}/q/{quote.id}"
    expect(shown.locator(":is(script, img[src=x], strong, h1, .katex)")).to_have_count(0)
    assert page.evaluate("window.hit") is None
    text = " ".join(shown.inner_text().split())
    assert "Ben Lindqvist, Riverside town hall, 2024-03-12, 0:00:31, characters 59-105" in text


@pytest.mark.parametrize("width", [1000, 360])
def test_the_docs_recipe_frames_a_card_and_the_chat(desk: Desk, width: int) -> None:
    quote = desk.quote(BRIDGE)
    (example,) = recipe(desk.wiki.heading, desk.wiki.language)
    page = desk.write(example.replace("q_0123456789abcdef", quote.id), width)
    frames = page.locator("iframe")
    expect(frames).to_have_count(2)
    frames.nth(1).scroll_into_view_if_needed()
    card, chat = page.frame_locator("iframe").nth(0), page.frame_locator("iframe").nth(1)
    expect(card.locator("mark")).to_have_text("eleven million")
    expect(chat.locator("mark")).to_have_text(
        ["eleven million", "5,000 young people", "Eleven million"]
    )
    for n, frame in enumerate((card, chat)):
        # The wiki's page has listened, and made the frame as high as it needs.
        inside = frame.locator("body").evaluate("e => Math.ceil(e.getBoundingClientRect().height)")
        expect(frames.nth(n)).to_have_css("height", f"{inside}px", timeout=SLOW)
        box = frames.nth(n).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= page.evaluate("document.documentElement.scrollWidth")
        assert frame.locator("html").evaluate("e => e.scrollWidth <= innerWidth")


def test_the_doc_frames_nothing_but_on_record(desk: Desk) -> None:
    (example,) = recipe(desk.wiki.heading, desk.wiki.language)
    attack = 'q_0123456789abcdef/../../x" onload="window.hit=1'
    page = desk.write(example.replace("q_0123456789abcdef", attack))
    for frame in page.locator("iframe").all():
        assert str(frame.get_attribute("src")).startswith(f"{desk.ours}/embed?")
        assert frame.get_attribute("onload") is None
    assert OURS not in page.content()
