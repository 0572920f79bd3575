"""Other people's pages with On Record in them, in a real browser: component, frame, card.

The pages are another origin's. A test fails on whatever the browser reports beyond what it expects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from app.page.embed import COMPONENT
from app.serve import create_app
from app.settings import Settings
from tests.browser.library import (
    ATTACK,
    BRIDGE,
    COIN,
    HEBREW,
    HOW_LONG,
    MOON,
    Library,
)
from tests.browser.serving import MARKS, PATIENCE, chromium, is_foreign, listening, origin, serving
from tests.browser.wikis import recipe

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

pytestmark = MARKS

# What wikis put around what they embed, from the most to nothing.
WHOLE = "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox"
SCRIPTS = "allow-scripts"
NOTHING = ""


@dataclass(slots=True)
class Wikis:
    """On Record, a wiki that it lists, and one that it does not; `pages` by path are both's."""

    ours: str
    listed: str
    other: str
    library: Library
    pages: dict[str, tuple[str, str]]

    def page(self, body: str, policy: str = "") -> str:
        """The path of a new page of the wikis, with a Content-Security-Policy or without."""
        path = f"/{len(self.pages)}"
        head = (
            '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>W</title>'
        )
        self.pages[path] = head + body.replace("{ours}", self.ours), policy.format(ours=self.ours)
        return path

    def component(self, attributes: str = "", policy: str = "") -> str:
        """A page with the component, as docs/wiki.md has it."""
        return self.page(
            '<script src="{ours}/on-record-ask.js" defer></script>'
            f"<on-record-ask {attributes}></on-record-ask>",
            policy,
        )

    def frame(self, address: str, sandbox: str = WHOLE) -> str:
        """A page with one of our pages in a frame, which keeps the heights that it is told."""
        return self.page(
            "<script>told = []; addEventListener('message', (e) => told.push([e.origin, e.data]))"
            f'</script><iframe src="{{ours}}{address}" sandbox="{sandbox}" title="On Record" '
            'style="width:320px;height:400px"></iframe>'
        )


@pytest.fixture(scope="module")
def wikis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wikis]:
    pages: dict[str, tuple[str, str]] = {}
    wiki = FastAPI()

    @wiki.get("/{name:path}")
    def page(name: str) -> HTMLResponse:
        body, policy = pages[f"/{name}"]
        return HTMLResponse(body, headers={"Content-Security-Policy": policy} if policy else {})

    folder = tmp_path_factory.mktemp("library")
    ours, listed, other = listening(), listening(), listening()
    origins = (origin(listed),)
    library = Library(
        Settings(
            index=folder,
            url=origin(ours),
            frame_origins=origins,
            cors_origins=origins,
        )
    )
    app = create_app(library)
    with serving(app, ours), serving(wiki, listed), serving(wiki, other):
        yield Wikis(origin(ours), origin(listed), origin(other), library, pages)


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture
def reported() -> list[str]:
    """What the browser complains of. A test that expects something takes it out."""
    return []


@pytest.fixture
def visit(
    browser: playwright.Browser, reported: list[str]
) -> Iterator[Callable[..., playwright.Page]]:
    contexts = []

    def open_page(address: str, width: int = 800, scheme: str = "light") -> playwright.Page:
        context = browser.new_context(
            viewport={"width": width, "height": 700}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda said: said.type == "error" and reported.append(said.text))
        page.on("pageerror", lambda error: reported.append(str(error)))
        page.on("request", lambda sent: is_foreign(sent.url) and reported.append(sent.url))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert reported == []


def ask(page: playwright.Page | playwright.FrameLocator, question: str) -> playwright.Locator:
    """Type a question into the component; its log."""
    box = page.get_by_role("textbox")
    box.fill(question)
    box.press("Enter")
    return page.get_by_role("log")


# --- The component ----------------------------------------------------------------------------


def test_a_question_is_answered_on_somebodys_page(
    visit: Callable[..., playwright.Page], wikis: Wikis
) -> None:
    page = visit(wikis.listed + wikis.component())
    log = ask(page, HOW_LONG)
    expect(log.locator("mark")).to_have_text(["two and a half hours", "more than two hours"])
    expect(log.locator("blockquote").first).to_have_text(
        "We just spent two and a half hours talking"
    )
    expect(log.locator("figcaption").first).to_have_text(
        "Donald Trump · per the report · Trump Putin Call · In its context"
    )
    expect(log).to_contain_text("Searched for: How long did Trump and Putin talk?")
    expect(page.get_by_role("status")).to_have_text("Quotes found: 2")
    link = log.get_by_role("link").first
    expect(link).to_have_attribute("rel", "noopener")
    with page.expect_popup() as popup:
        link.click()
    expect(popup.value.locator("q mark")).to_have_text("two and a half hours")
    assert popup.value.url.startswith(f"{wikis.ours}/q/q_")


def test_a_question_of_the_page_is_asked_at_once_and_a_follow_up_knows_of_it(
    visit: Callable[..., playwright.Page], wikis: Wikis
) -> None:
    page = visit(wikis.listed + wikis.component(f'question="{BRIDGE}"'))
    log = page.get_by_role("log")
    expect(log.locator("mark")).to_have_count(3)
    expect(log.locator("figcaption").first).to_contain_text("2024-03-12 · 0:31")
    expect(log.locator("figcaption").last).to_contain_text("1:03:32")
    ask(page, HOW_LONG)
    expect(log.locator("mark")).to_have_count(5)
    assert wikis.library.asked[-1] == (HOW_LONG, [BRIDGE])
    # The newest stands first, below the box.
    expect(log.locator(".asked")).to_have_text([HOW_LONG, BRIDGE])


def test_words_are_cut_by_characters_and_keep_their_direction(
    visit: Callable[..., playwright.Page], wikis: Wikis
) -> None:
    page = visit(wikis.listed + wikis.component())
    log = ask(page, "letters")
    expect(log.locator("mark")).to_have_text(["𝟓 crowns", "אחד עשר"])
    expect(log.locator("blockquote")).to_have_text([COIN, HEBREW])
    directions = log.locator("blockquote").evaluate_all(
        "q => q.map(e => getComputedStyle(e).direction)"
    )
    assert directions == ["ltr", "rtl"]
    expect(log.locator("blockquote").first).to_have_attribute("lang", "")


def test_a_refusal_looks_like_one_with_the_nearest_folded(
    visit: Callable[..., playwright.Page], wikis: Wikis
) -> None:
    page = visit(wikis.listed + wikis.component())
    log = ask(page, MOON)
    expect(page.get_by_role("status")).to_have_text("No answer found")
    expect(log).to_contain_text("Nobody says that on the record.")
    expect(log.locator("mark")).to_have_count(0)
    expect(log.locator("blockquote").first).to_be_hidden()
    log.get_by_text("Nearest quotes – not an answer").click()
    expect(log.locator("blockquote")).to_have_text(
        ["Good evening.", "possible venues including Turkiye"]
    )
    expect(log.locator("blockquote").first).to_be_visible()


def test_what_goes_wrong_is_told_in_the_servers_words(
    visit: Callable[..., playwright.Page], wikis: Wikis, reported: list[str]
) -> None:
    page = visit(wikis.listed + wikis.component('transcript="none"'))
    log = ask(page, BRIDGE)
    expect(log.locator(".failure")).to_contain_text("no transcript 'none' in the index")
    expect(page.get_by_role("status")).to_have_text("That did not work.")
    expect(page.get_by_role("textbox")).to_have_value(BRIDGE)  # to be asked again
    expect(log.get_by_role("link")).to_have_attribute("href", f"{wikis.ours}/")
    assert "422" in reported.pop()


def test_a_page_that_is_not_listed_may_not_ask(
    visit: Callable[..., playwright.Page], wikis: Wikis, reported: list[str]
) -> None:
    asked = len(wikis.library.asked)
    page = visit(wikis.other + wikis.component())
    log = ask(page, BRIDGE)
    expect(log).to_contain_text("On Record does not answer, or not to this page.")
    assert len(wikis.library.asked) == asked
    assert any("CORS policy" in text for text in reported)
    reported.clear()


def test_an_empty_question_is_not_asked(
    visit: Callable[..., playwright.Page], wikis: Wikis
) -> None:
    asked = len(wikis.library.asked)
    page = visit(wikis.listed + wikis.component())
    ask(page, "  ")
    expect(page.get_by_role("status")).to_have_text("Type a question first.")
    assert len(wikis.library.asked) == asked


@pytest.mark.parametrize("language", ["de", "de-AT", "DE"])
def test_it_speaks_german(
    visit: Callable[..., playwright.Page], wikis: Wikis, language: str
) -> None:
    page = visit(wikis.listed + wikis.component(f'lang="{language}"'))
    expect(page.get_by_role("button")).to_have_text("Fragen")
    log = ask(page, MOON)
    expect(log).to_contain_text("Das sagt hier niemand.")
    expect(page.get_by_role("status")).to_have_text("Keine Antwort gefunden")


@pytest.mark.parametrize("attributes", ["", 'lang="fr"', 'lang="constructor"', 'lang="__proto__"'])
def test_in_any_other_language_it_speaks_english(
    visit: Callable[..., playwright.Page], wikis: Wikis, attributes: str
) -> None:
    page = visit(wikis.listed + wikis.component(attributes))
    expect(page.get_by_role("button")).to_have_text("Ask")


def test_both_languages_say_the_same(visit: Callable[..., playwright.Page], wikis: Wikis) -> None:
    table = re.search(r"(?s)const WORDS = (\{.*?\n\});", COMPONENT.read_text("utf-8"))
    assert table is not None
    page = visit(wikis.listed + wikis.page(""))
    names = page.evaluate(f"Object.values({table[1]}).map((words) => Object.keys(words).sort())")
    assert names[0] == names[1]


def test_the_keyboard_alone_will_do(visit: Callable[..., playwright.Page], wikis: Wikis) -> None:
    page = visit(wikis.listed + wikis.component())
    expect(page.get_by_role("textbox", name="Ask what was said")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.type(MOON)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_role("log")).to_contain_text("Nobody says that")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # unfolds the nearest quotes
    page.keyboard.press("Tab")
    focused = page.evaluate("document.querySelector('on-record-ask').shadowRoot.activeElement.text")
    assert focused == "In its context"


def test_a_strict_policy_of_the_page_lets_it_work_and_look_right(
    visit: Callable[..., playwright.Page], wikis: Wikis
) -> None:
    policy = "default-src 'none'; img-src data:; script-src {ours}; connect-src {ours}"
    page = visit(wikis.listed + wikis.component(policy=policy))
    log = ask(page, BRIDGE)
    expect(log.locator("mark")).to_have_count(3)
    assert log.locator("mark").first.evaluate("e => getComputedStyle(e).backgroundColor") == (
        "rgb(255, 224, 107)"
    )


def test_the_page_around_does_not_dress_it(
    visit: Callable[..., playwright.Page], wikis: Wikis
) -> None:
    body = (
        "<style>* { color: red !important; font: 99px fantasy !important; direction: ltr }"
        "html { font-size: 62.5% } on-record-ask { all: unset }</style>"
    )
    path = wikis.page(
        body + '<script src="{ours}/on-record-ask.js" defer></script><div id="q"></div>'
        "<on-record-ask></on-record-ask><script>const WORDS = 1, make = 2;</script>"
        '<script src="{ours}/on-record-ask.js" defer></script>'  # twice, as wikis do
    )
    page = visit(wikis.listed + path)
    log = ask(page, BRIDGE)
    expect(log.locator("mark")).to_have_count(3)
    assert (
        log.locator("blockquote")
        .first.evaluate("e => getComputedStyle(e).fontFamily")
        .startswith('"Source Serif 4"')
    )


def test_what_was_said_stays_text(visit: Callable[..., playwright.Page], wikis: Wikis) -> None:
    page = visit(wikis.listed + wikis.component())
    log = ask(page, ATTACK.replace("\n", " "))
    expect(log.locator(".box")).to_be_visible()  # a question of one line is another question
    log = ask(page, "attack")
    expect(log.locator("mark")).to_have_count(1)
    for part in ("mark", "figcaption b", "cite"):
        assert log.locator(part).first.text_content() == ATTACK
    expect(log.locator(":is(script, img, code, strong, h1)")).to_have_count(0)
    assert page.evaluate("window.hit") is None
    hrefs = log.get_by_role("link").evaluate_all("all => all.map(a => a.href)")
    assert all(href.startswith(f"{wikis.ours}/q/q_") for href in hrefs)


@pytest.mark.parametrize("width", [240, 320, 800])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("how", ["attribute", "scheme"])
def test_it_fits_and_reads_in_both_themes(
    visit: Callable[..., playwright.Page], wikis: Wikis, width: int, theme: str, how: str
) -> None:
    named = how == "attribute"
    opposite = "dark" if theme == "light" else "light"
    path = wikis.component(f'theme="{theme}"' if named else "")
    page = visit(wikis.listed + path, width, opposite if named else theme)
    for question in ("attack", MOON, BRIDGE):
        log = ask(page, question)
        expect(log.locator(".asked").first).to_have_text(question)
    log.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRASTS) == []
    sheet = page.locator("section").evaluate("e => getComputedStyle(e).backgroundColor")
    assert sheet == ("rgb(255, 253, 248)" if theme == "light" else "rgb(32, 29, 25)")


# As in test_chat, for what is in the component's shadow.
CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = channels(colour).map((c) => {
      c /= 255;
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const fill = getComputedStyle(e).backgroundColor;
      if ((channels(fill)[3] ?? 1) === 1) return fill;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  const root = document.querySelector("on-record-ask")?.shadowRoot ?? document.body;
  for (const e of root.querySelectorAll("*")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.matches("style, script")) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${e.tagName}.${e.className} ${ratio.toFixed(2)}`);
  }
  return found;
}"""


# --- The frame --------------------------------------------------------------------------------


def test_the_frame_asks_and_tells_its_height(
    visit: Callable[..., playwright.Page], wikis: Wikis
) -> None:
    page = visit(wikis.listed + wikis.frame("/embed"))
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("textbox")).to_be_visible()
    page.wait_for_function("told.length > 0")
    before = page.evaluate("told.at(-1)[1].height")
    log = ask(frame, BRIDGE)
    expect(log.locator("mark")).to_have_count(3)
    page.wait_for_function(f"told.at(-1)[1].height > {before + 100}")
    sender, data = page.evaluate("told.at(-1)")
    assert sender == wikis.ours
    assert data == {"type": "on-record:height", "v": 1, "height": data["height"]}
    # As high as it says last, it need not scroll; it may say so more than once while it grows.
    page.locator("iframe").evaluate(
        "e => setInterval(() => { e.style.height = told.at(-1)[1].height + 'px'; }, 50)"
    )
    inside, fits = page.frames[1], "document.documentElement.scrollHeight <= innerHeight"
    for _ in range(100):  # the frame's policy forbids what `wait_for_function` does
        if inside.evaluate(fits):
            break
        page.wait_for_timeout(50)
    assert inside.evaluate(fits)
    assert inside.evaluate("document.documentElement.scrollWidth <= 320")


def test_a_page_that_is_not_listed_may_not_frame(
    visit: Callable[..., playwright.Page], wikis: Wikis, reported: list[str]
) -> None:
    wikis.library.ask(BRIDGE)
    quote = wikis.library.ask(BRIDGE).quotes[0]
    for address in ("/embed", f"/q/{quote.id}/card"):
        page = visit(wikis.other + wikis.frame(address))
        page.wait_for_timeout(300)
        assert page.evaluate("told") == []
        assert page.frames[1].url.startswith("chrome-error:")
        assert "frame-ancestors" in reported.pop()
        reported.clear()


def test_boxed_without_an_origin_it_reads_and_says_why_it_cannot_ask(
    visit: Callable[..., playwright.Page], wikis: Wikis, reported: list[str]
) -> None:
    page = visit(wikis.listed + wikis.frame("/embed", SCRIPTS))
    frame = page.frame_locator("iframe")
    log = ask(frame, BRIDGE)
    expect(log).to_contain_text("This frame cannot ask: it is sandboxed without an origin.")
    expect(log.get_by_role("link")).to_have_text("Open On Record")
    quote = wikis.library.ask(BRIDGE).quotes[0]
    page = visit(wikis.listed + wikis.frame(f"/q/{quote.id}/card", SCRIPTS))
    expect(page.frame_locator("iframe").locator("mark")).to_have_text("eleven million")
    # Nothing but the typeface is kept from a frame without an origin.
    assert all("font" in text or "Failed to load" in text for text in reported)
    reported.clear()


def test_without_scripts_a_card_reads_and_the_frame_says_what_it_needs(
    visit: Callable[..., playwright.Page], wikis: Wikis, reported: list[str]
) -> None:
    quote = wikis.library.ask(BRIDGE).quotes[0]
    page = visit(wikis.listed + wikis.frame(f"/q/{quote.id}/card", NOTHING))
    expect(page.frame_locator("iframe").locator("mark")).to_have_text("eleven million")
    page = visit(wikis.listed + wikis.frame("/embed", NOTHING))
    told = page.frame_locator("iframe").locator("noscript p")
    expect(told).to_be_visible()
    assert told.evaluate("e => e.textContent").startswith("Asking here needs JavaScript.")
    reported.clear()  # each script that was not run, and the typeface


# --- What docs/wiki.md says ---------------------------------------------------------------------


def test_the_docs_frames_grow_with_the_docs_listener(
    visit: Callable[..., playwright.Page], wikis: Wikis
) -> None:
    frames, listener = recipe("A card, or the chat, in a frame", "html", wikis.ours, wikis.listed)
    quote = wikis.library.ask(BRIDGE).quotes[0]
    frames = frames.replace("q_0123456789abcdef", quote.id).replace("&theme", "&amp;theme")
    for late in (0, 2000):  # the frames may have told before somebody listens
        inside = listener.replace("<script>", "").replace("</script>", "")
        script = f"<script>setTimeout(() => {{ {inside} }}, {late})</script>"
        page = visit(wikis.listed + wikis.page(frames + script))
        expect(page.frame_locator("iframe").nth(0).locator("mark")).to_have_text("eleven million")
        for n in (0, 1):
            frame = page.frame_locator("iframe").nth(n)
            height = frame.locator("body").evaluate(
                "e => Math.ceil(e.getBoundingClientRect().height)"
            )
            expect(page.locator("iframe").nth(n)).to_have_css("height", f"{height}px")


def test_the_docs_plain_page_answers(visit: Callable[..., playwright.Page], wikis: Wikis) -> None:
    (plain,) = recipe("Plain HTML", "html", wikis.ours, wikis.listed)
    page = visit(wikis.listed + wikis.page(plain))
    expect(page.get_by_role("log").locator("mark")).to_have_count(3)
    (component,) = recipe("The component", "html", wikis.ours, wikis.listed)
    page = visit(wikis.listed + wikis.page(component))
    expect(page.get_by_role("log").locator("mark")).to_have_count(3)


# --- The card and the permalink ---------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [240, 320, 800])
def test_a_card_and_a_page_fit_and_read(
    visit: Callable[..., playwright.Page], wikis: Wikis, width: int, scheme: str
) -> None:
    for quote in (*wikis.library.ask("attack").quotes, *wikis.library.ask("letters").quotes):
        for address in (f"/q/{quote.id}", f"/q/{quote.id}/card"):
            page = visit(wikis.ours + address, width, scheme)
            assert page.locator("mark").text_content() == quote.answer
            assert page.locator("cite").text_content() == quote.source.title
            assert page.evaluate("window.hit") is None
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(CONTRASTS) == []


def test_a_card_in_a_frame_leads_out_of_it(
    visit: Callable[..., playwright.Page], wikis: Wikis
) -> None:
    quote = wikis.library.ask(BRIDGE).quotes[0]
    page = visit(wikis.listed + wikis.frame(f"/q/{quote.id}/card?theme=dark"))
    card = page.frame_locator("iframe")
    page.wait_for_function("told.length > 0")
    assert page.evaluate("told.at(-1)[1].height") < 300
    with page.expect_popup() as popup:
        card.get_by_role("link").click()
    expect(popup.value.locator("q mark")).to_have_text("eleven million")
    assert card.locator("body").evaluate("e => getComputedStyle(e).backgroundColor") == (
        "rgb(32, 29, 25)"
    )


def test_oembeds_frame_shows_the_card(visit: Callable[..., playwright.Page], wikis: Wikis) -> None:
    quote = wikis.library.ask(BRIDGE).quotes[0]
    page = visit(wikis.listed + wikis.page("<p>"))
    given = page.request.get(f"{wikis.ours}/oembed?url={wikis.ours}/q/{quote.id}").json()
    page = visit(wikis.listed + wikis.page(given["html"]))
    card = page.frame_locator("iframe")
    expect(card.locator("mark")).to_have_text("eleven million")
    inside = page.frames[1]
    assert inside.evaluate("document.documentElement.scrollHeight") <= given["height"]
