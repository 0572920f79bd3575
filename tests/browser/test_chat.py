"""The chat page in a real browser, over a library with behaviour and no models.

Every test also fails on an error in the console and on a request that leaves this machine.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI

from app.cite import FORMS, cite
from app.feedback import Rating
from app.page import quotes
from app.settings import HERE, Settings
from tests.browser.library import ATTACK, BRIDGE, HOW_LONG, MOON, Library
from tests.browser.serving import MARKS, PATIENCE, chromium, is_foreign, listening, origin, serving

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

pytestmark = MARKS


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("library")
    return Library(Settings(index=folder, url=HERE))


@pytest.fixture(scope="module")
def address(library: Library) -> Iterator[str]:
    from app.chat import mount

    app = FastAPI()
    app.include_router(quotes.router(library, library.settings), prefix="/chat")
    mount(app, library, "/chat")
    listener = listening()
    with serving(app, listener):
        yield f"{origin(listener)}/chat/"


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture
def wrong() -> list[str]:
    """What went wrong, or out. A test that expects something takes it out."""
    return []


@pytest.fixture
def visit(
    browser: playwright.Browser, address: str, wrong: list[str]
) -> Iterator[Callable[..., playwright.Page]]:
    """Opens the page; afterwards nothing may have gone wrong, or out."""
    contexts = []

    def open_page(theme: str = "light", width: int = 1280, height: int = 800) -> playwright.Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("response", lambda got: got.status >= 400 and wrong.append(got.url))
        page.on("request", lambda sent: is_foreign(sent.url) and wrong.append(sent.url))
        page.goto(f"{address}?__theme={theme}")
        expect(page.locator("#question textarea")).to_be_focused()
        expect(page.locator(".record .open").first).to_be_attached()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def ask(page: playwright.Page, question: str) -> playwright.Locator:
    """Ask, and wait for the message that comes back."""
    before = page.locator("#chat .bot-row section").count()
    page.locator("#question textarea").fill(question)
    page.keyboard.press("Enter")
    message = page.locator("#chat .bot-row section").nth(before)
    expect(message).to_be_visible()
    return message


def test_a_question_is_answered_with_the_words_marked(
    visit: Callable[..., playwright.Page],
) -> None:
    page = visit()
    message = ask(page, HOW_LONG)
    expect(message.locator("mark")).to_have_text(["two and a half hours", "more than two hours"])
    expect(message.locator(".cite").first).to_have_text(
        "[1]Donald TrumpTrump Putin Call · paragraph 3 · per the report"
    )
    expect(message.locator(".link").first).to_have_attribute("href", re.compile("^q/q_[0-9a-f]+$"))
    expect(message.locator(".resolved")).to_contain_text("How long did Trump and Putin talk?")
    expect(page.locator("[role=status]").filter(has_text="2 quotes found")).to_be_visible()
    expect(page.locator("#question textarea")).to_be_focused()
    expect(page.locator("#question textarea")).to_have_value("")
    expect(page.locator("#examples")).to_be_hidden()
    # The transcript is beside the answer at once, at the first quote, with both marked.
    expect(page.locator(".record mark")).to_have_text(
        ["two and a half hours", "more than two hours"]
    )
    expect(page.locator(".record .at-1")).to_be_in_viewport()
    expect(page.locator(".record sup")).to_have_text(["[1]", "[2]"])
    # A screen reader is not read the markup.
    for label in page.locator("#chat .message > [data-testid]").evaluate_all(
        "all => all.map(e => e.ariaLabel)"
    ):
        assert label in ("Question", "Answer")


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_citation_opens_its_transcript_by_key(
    visit: Callable[..., playwright.Page], key: str
) -> None:
    page = visit()
    citation = ask(page, HOW_LONG).locator(".cite").nth(1)
    citation.focus()
    page.keyboard.press(key)
    mark = page.locator(".record .at-2")
    expect(mark).to_be_focused()
    expect(mark).to_be_in_viewport()
    expect(mark).to_have_text("more than two hours")
    page.keyboard.press("Escape")
    expect(citation).to_be_focused()


def test_a_citation_of_another_transcript_loads_it(visit: Callable[..., playwright.Page]) -> None:
    page = visit()
    citations = ask(page, BRIDGE).locator(".cite")
    title = page.locator(".record h2")
    expect(title).to_have_text("Riverside town hall")
    expect(page.locator(".record mark")).to_have_text(["eleven million", "Eleven million"])
    expect(citations.nth(2)).to_contain_text("1:03:32")
    citations.nth(1).click()
    expect(title).to_have_text("Trump Putin Call")
    expect(page.locator(".record mark")).to_have_text(["5,000 young people"])
    expect(page.locator(".record .at-2")).to_be_focused()
    citations.nth(2).click()
    expect(title).to_have_text("Riverside town hall")
    expect(page.locator(".record .at-3")).to_be_focused()
    expect(page.locator(".record .at-3")).to_be_in_viewport()
    # The same answer once more puts its first transcript back, whatever was opened since.
    citations.nth(1).click()
    expect(title).to_have_text("Trump Putin Call")
    ask(page, BRIDGE)
    expect(title).to_have_text("Riverside town hall")


def test_the_whole_transcript_is_shown(
    visit: Callable[..., playwright.Page], library: Library
) -> None:
    page = visit()
    page.locator(".record .open", has_text="Trump Putin Call").click()
    shown = page.locator(".record .text")
    expect(shown).to_be_visible()
    text = shown.evaluate(
        """text => {
          const copy = text.cloneNode(true);
          for (const aside of copy.querySelectorAll(".aside")) aside.remove();
          return copy.textContent;
        }"""
    )
    assert text == library.held["trump-putin-call"].text
    page.locator(".record .bar .open").click()
    expect(page.locator(".record .transcripts li")).to_have_count(4)


def test_a_refusal_looks_like_one_and_its_nearest_quotes_open(
    visit: Callable[..., playwright.Page],
) -> None:
    page = visit()
    message = ask(page, MOON)
    expect(message).to_have_class("refusal")
    expect(message).to_contain_text("Nobody says that on the record.")
    expect(message).to_contain_text("Nearest quotes – not an answer")
    expect(message.locator("mark")).to_have_count(0)
    expect(page.locator("[role=status]").filter(has_text="No answer found")).to_be_visible()
    message.locator(".cite").nth(1).click()
    near = page.locator(".record .at-b")
    expect(near).to_be_focused()
    expect(near).to_be_in_viewport()
    expect(near).to_have_text("possible venues including Turkiye")
    expect(page.locator(".record mark")).to_have_count(0)


def test_a_failure_is_not_a_refusal(
    visit: Callable[..., playwright.Page], caplog: pytest.LogCaptureFixture
) -> None:
    page = visit()
    message = ask(page, "outage?")
    expect(message).to_have_class("failure")
    expect(message).to_contain_text("The index is locked by another process; try again.")
    with caplog.at_level(logging.ERROR, logger="app.chat"):
        message = ask(page, "bug?")
    expect(message).to_have_class("failure")
    expect(message).to_contain_text("Something went wrong")
    expect(message).not_to_contain_text("secret detail")
    assert "secret detail" in caplog.text
    expect(page.locator("#chat .refusal")).to_have_count(0)


def test_ratings_are_kept_only_where_somebody_asks_for_it(
    visit: Callable[..., playwright.Page], library: Library
) -> None:
    page = visit()
    library.rated.clear()
    box = page.get_by_label("Keep my ratings")
    expect(box).to_be_hidden()
    message = ask(page, HOW_LONG)
    yes = message.locator(".rate-right")
    expect(box).not_to_be_checked()
    expect(yes).to_be_hidden()
    box.check()
    yes.click()
    expect(page.locator("#status")).to_have_text("Kept on this machine. Thank you.")
    expect(yes).to_have_attribute("aria-pressed", "true")
    ids = message.locator("a.link").evaluate_all("all => all.map(a => a.href.split('/q/')[1])")
    assert library.rated == [Rating(HOW_LONG, "right", "", False, tuple(ids), ())]
    page.reload()
    message = ask(page, HOW_LONG)
    expect(message.get_by_role("button", name="Yes")).to_be_visible()
    page.get_by_label("Keep my ratings").uncheck()
    expect(message.get_by_role("button", name="Yes")).to_be_hidden()
    assert len(library.rated) == 1


def test_a_wrong_answer_is_corrected_with_words_from_the_transcript(
    visit: Callable[..., playwright.Page], library: Library
) -> None:
    page = visit()
    library.rated.clear()
    message = ask(page, HOW_LONG)
    page.get_by_label("Keep my ratings").check()
    no = message.locator(".rate-wrong")  # its name says "kept" once it is
    page.locator(".record mark.at-2").select_text()
    no.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(HOW_LONG)
    expect(dialog.get_by_role("textbox")).to_have_value("more than two hours")
    page.keyboard.press("Escape")
    expect(no).to_be_focused()
    assert library.rated == []
    no.click()
    dialog.get_by_role("textbox").fill(" over two hours ")
    dialog.get_by_role("button", name="Keep these words").click()
    expect(page.locator("#status")).to_have_text("Kept on this machine. Thank you.")
    expect(no).to_be_focused()
    expect(no).to_have_attribute("aria-pressed", "true")
    no.click()
    dialog.get_by_role("button", name="Nobody says it").click()
    expect(page.locator("#status")).to_have_text("Kept on this machine. Thank you.")
    expect(dialog).to_be_hidden()
    page.wait_for_function("document.activeElement.matches('.rate-wrong')")
    said = [(one.verdict, one.correction, one.nobody) for one in library.rated]
    assert said == [("wrong", "over two hours", False), ("wrong", "", True)]


def test_a_rating_that_cannot_be_kept_is_told(visit: Callable[..., playwright.Page]) -> None:
    page = visit()
    message = ask(page, BRIDGE)
    page.get_by_label("Keep my ratings").check()
    message.get_by_role("button", name="Yes").click()
    expect(page.locator("#status")).to_have_text("Not kept: The folder is read-only.")
    expect(message.get_by_role("button", name="Yes")).not_to_have_attribute("aria-pressed", "true")


def test_an_empty_question_is_not_asked(
    visit: Callable[..., playwright.Page], library: Library
) -> None:
    page = visit()
    before = len(library.asked)
    page.locator("#question textarea").fill("   ")
    page.locator("#send").click()
    expect(page.locator("[role=status]").filter(has_text="Type a question first.")).to_be_visible()
    expect(page.locator("#chat .asked")).to_have_count(0)
    assert len(library.asked) == before


def test_earlier_questions_go_with_a_follow_up_until_a_new_conversation(
    visit: Callable[..., playwright.Page], library: Library
) -> None:
    page = visit()
    page.locator("#examples button", has_text=HOW_LONG).click()
    expect(page.locator("#chat .answer")).to_be_visible()
    ask(page, ATTACK)
    ask(page, "And then?")
    assert library.asked[-1] == ("And then?", [HOW_LONG, ATTACK])
    page.locator("#fresh").click()
    expect(page.locator("#chat .asked")).to_have_count(0)
    expect(page.locator("#examples")).to_be_visible()
    expect(page.locator("#question textarea")).to_be_focused()
    ask(page, HOW_LONG)
    assert library.asked[-1] == (HOW_LONG, [])


def test_a_new_conversation_drops_the_answer_still_under_way(
    visit: Callable[..., playwright.Page],
) -> None:
    page = visit()
    page.locator("#question textarea").fill("slow")
    page.keyboard.press("Enter")
    expect(page.locator("[role=status]").filter(has_text="Searching…")).to_be_visible()
    page.locator("#fresh").click()
    expect(page.locator("#chat .asked")).to_have_count(0)
    page.wait_for_timeout(2000)
    expect(page.locator("#chat .asked")).to_have_count(0)


def test_text_from_outside_stays_text(visit: Callable[..., playwright.Page]) -> None:
    page = visit()
    message = ask(page, ATTACK)
    asked = page.locator("#chat .asked")
    for shown in (asked, message.locator("mark"), message.locator("cite"), message.locator(".who"),
                  page.locator(".record h2"), page.locator(".record mark"),
                  page.locator(".record .speaker")):  # fmt: skip
        assert "".join(shown.all_text_contents()) == ATTACK
    page.locator(".record .bar .open").click()
    listed = page.locator(".record .transcripts bdi").nth(2)
    assert listed.evaluate("e => e.textContent") == ATTACK
    listed.click()
    expect(page.locator(".record h2")).to_contain_text("window.hit")
    made = ":is(script, img, a:not(.link), code, strong, h1, .katex)"
    expect(page.locator(f"#chat .message-row {made}, .record {made}")).to_have_count(0)
    assert page.evaluate("window.hit") is None


def test_of_a_long_transcript_the_part_around_the_quote_is_shown(
    visit: Callable[..., playwright.Page],
) -> None:
    page = visit()
    ask(page, "long").locator(".cite").click()
    expect(page.locator(".record .at-1")).to_be_focused()
    expect(page.locator(".record .at-1")).to_be_in_viewport()
    expect(page.locator(".record .note")).to_contain_text("an excerpt around the quote")


def test_a_transcript_that_is_gone_is_said_to_be(
    visit: Callable[..., playwright.Page], library: Library
) -> None:
    page = visit()
    citations = ask(page, BRIDGE).locator(".cite")
    gone = library.held.pop("trump-putin-call")
    try:
        citations.nth(1).click()
        expect(page.locator(".record .problem")).to_contain_text("no longer in the index")
    finally:
        library.held = {gone.id: gone, **library.held}


def test_everything_can_be_done_from_the_keyboard(visit: Callable[..., playwright.Page]) -> None:
    page = visit()
    page.keyboard.type(BRIDGE)
    page.keyboard.press("Enter")
    citations = page.locator("#chat .cite")
    expect(citations).to_have_count(3)
    page.keyboard.press("Escape")
    expect(citations.nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(citations.nth(1)).to_be_focused()
    expect(page.locator(".record h2")).to_have_text("Trump Putin Call")
    page.keyboard.press("Tab")
    expect(page.locator("#chat .link").nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(citations.nth(1)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.locator(".record .at-1")).to_be_focused()
    page.keyboard.press("Escape")
    expect(citations.nth(0)).to_be_focused()
    page.keyboard.press("c")
    page.wait_for_function("async () => (await navigator.clipboard.readText()) !== ''")
    assert page.evaluate("navigator.clipboard.readText()") == (
        "“The bridge will cost eleven million, not nine.” "
        "(Ben Lindqvist, Riverside town hall, 2024-03-12, 0:31)"
    )
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.locator("#question textarea")).to_be_focused()
    page.keyboard.type("j?c")
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#question textarea")).to_have_value("j?c\n")


@pytest.mark.parametrize("name", [form.name for form in FORMS.values()])
def test_a_quote_is_copied_in_the_form_of_a_wiki(
    visit: Callable[..., playwright.Page], library: Library, name: str
) -> None:
    page = visit()
    quote = ask(page, BRIDGE).locator(".quote").first
    quote.locator("summary").click()
    quote.get_by_role("button", name=name, exact=True).click()
    expect(page.locator("#status")).to_have_text(f"Copied as {name}.")
    expect(quote.locator(".menu")).to_be_hidden()
    handed = library.quote(library.ask(BRIDGE).quotes[0].id)
    (form,) = [key for key, form in FORMS.items() if form.name == name]
    assert page.evaluate("navigator.clipboard.readText()") == cite(handed, form, HERE)


def test_the_menu_of_forms_needs_no_mouse(visit: Callable[..., playwright.Page]) -> None:
    page = visit()
    quote = ask(page, BRIDGE).locator(".quote").last
    quote.locator(".copy").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("Copied with its citation.")
    page.keyboard.press("Tab")
    expect(quote.locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    menu = quote.locator(".menu")
    expect(menu).to_be_visible()
    for button in menu.get_by_role("button").all():
        expect(button).to_be_in_viewport(ratio=1)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(menu.get_by_role("button", name="MediaWiki")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(quote.locator("summary")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("Copied as Markdown.")
    expect(quote.locator("summary")).to_be_focused()
    assert page.evaluate("navigator.clipboard.readText()").startswith("> Eleven million. I said")


def test_one_menu_is_open_at_a_time(visit: Callable[..., playwright.Page]) -> None:
    page = visit()
    message = ask(page, BRIDGE)
    opened = message.locator(".forms[open]")
    message.locator("summary").nth(0).click()
    expect(opened).to_have_count(1)
    message.locator("summary").nth(1).focus()
    page.keyboard.press("Enter")
    expect(opened).to_have_count(1)
    expect(message.locator(".menu").nth(1)).to_be_visible()
    message.locator("blockquote").first.click()
    expect(opened).to_have_count(0)


def test_where_there_is_no_clipboard_to_write_to_it_is_copied_all_the_same(
    visit: Callable[..., playwright.Page],
) -> None:
    page = visit()
    page.evaluate("delete Navigator.prototype.clipboard")  # as outside https and localhost
    quote = ask(page, BRIDGE).locator(".quote").first
    quote.locator("summary").click()
    quote.get_by_role("button", name="DokuWiki").click()
    expect(page.locator("#status")).to_have_text("Copied as DokuWiki.")
    page.locator("#question textarea").focus()
    page.keyboard.press("Control+V")
    expect(page.locator("#question textarea")).to_have_value(
        re.compile(r"^> <nowiki>The bridge will cost eleven million, not nine\.</nowiki>")
    )


def test_a_quote_that_cannot_be_copied_is_told(
    visit: Callable[..., playwright.Page], wrong: list[str]
) -> None:
    page = visit()
    quote = ask(page, BRIDGE).locator(".quote").first
    page.route("**/q/*.md", lambda route: route.abort())
    quote.locator("summary").click()
    quote.get_by_role("button", name="Markdown").click()
    expect(page.locator("#status")).to_have_text("Not copied: the server does not answer.")
    assert "ERR_FAILED" in wrong.pop()


def test_every_control_is_reached_by_tab(visit: Callable[..., playwright.Page]) -> None:
    page = visit()
    ask(page, HOW_LONG)
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(({id, className, tagName}) => id || className || tagName)(document.activeElement)"
            )
        )
    joined = " ".join(reached)
    for control in (
        "send",
        "fresh",
        "cite",
        "link",
        "copy",
        "SUMMARY",
        "page",
        "open",
        "keys-open",
    ):
        assert control in joined


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_and_reads_in_both_themes(
    visit: Callable[..., playwright.Page], theme: str, width: int
) -> None:
    page = visit(theme, width, 700)
    for question in (ATTACK, HOW_LONG, MOON, "outage?", HOW_LONG):
        ask(page, question)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#chat .cite").last.click()
    expect(page.locator(".record .at-2")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    overflowing = page.evaluate(
        """() => [...document.querySelectorAll("#chat section *, #chat .asked, .record .page *")]
          .filter((e) => e.getBoundingClientRect().right >
            e.closest("[role=log], .page").getBoundingClientRect().right + 1)
          .map((e) => `${e.tagName}.${e.className}`)"""
    )
    assert overflowing == []
    assert page.evaluate(CONTRASTS) == []
    assert page.evaluate(SMALL_TARGETS) == []


# The elements with text of their own whose contrast with what is behind them is below 4.5:1.
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
  for (const e of document.querySelectorAll(".gradio-container *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility({ visibilityProperty: true }) || e.closest(".unseen")) continue;
    if (e.closest(".sr-only")) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${e.tagName}.${e.className} ${ratio.toFixed(2)}`);
  }
  return found;
}"""
SMALL_TARGETS = """() => [...document.querySelectorAll("button, textarea, a, summary")]
  .filter((e) => e.checkVisibility({ visibilityProperty: true }))
  .map((e) => [e.id || e.className, e.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.width < 40 || box.height < 40))
  .map(([name, box]) => `${name} ${box.width}x${box.height}`)"""


def test_on_a_phone_the_transcript_is_a_sheet(visit: Callable[..., playwright.Page]) -> None:
    page = visit(width=390, height=844)
    sheet = page.locator("#record")
    citation = ask(page, HOW_LONG).locator(".cite").first
    expect(sheet).to_be_hidden()
    citation.click()
    expect(sheet).to_be_visible()
    expect(page.locator(".record .at-1")).to_be_focused()
    expect(page.locator(".record .at-1")).to_be_in_viewport()
    page.locator(".record .close").click()
    expect(sheet).to_be_hidden()
    expect(citation).to_be_focused()
    page.locator("#masthead .open").click()
    expect(page.locator(".record .transcripts")).to_be_visible()


def test_nothing_is_offered_to_callers_from_outside(
    visit: Callable[..., playwright.Page], address: str
) -> None:
    page = visit()
    expect(page.locator("footer")).to_have_count(0)
    assert page.request.get(f"{address}gradio_api/info").status == 404
