"""The whole server in a real browser: its doors and headers, hostile transcripts, a sub-path.

Every test also fails on an error in the console, a dialog, and a request that leaves this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.assemble import Library
from app.settings import Settings
from tests.app.conftest import serving, stock
from tests.browser.serving import MARKS, chromium, is_foreign
from tests.fakes import assemble_fakes
from tests.fixtures.nginx import NGINX, free_port, in_front_of
from tests.fixtures.shelf import Shelf

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

PATIENCE = 60_000  # milliseconds, for a machine that has other work
pytestmark = MARKS

# Each would set window.hit, open a dialog, leave, or hide words, if it were anything but text.
ATTACKS = (
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=2>",
    "<svg/onload=window.hit=3>",
    '"><iframe srcdoc="<script>parent.hit=4</script>"></iframe>',
    "[link](javascript:window.hit=5) ![x](x\" onerror=\"window.hit=6)",
    "<a href=javascript:alert(7)>click</a>",
    "{{constructor.constructor('window.hit=8')()}} ${window.hit=9} <%= 10 %>",
    "<style>*{display:none}</style> <base href=https://evil.example/>",
    "</textarea></script></title><script>alert(11)</script>",
    "<form action=https://evil.example><button>Ask</button></form>",
    "right \u202eto left\u202c and \u2066isolated\u2069 words",
    "https://evil.example/?" + "long" * 40,
)  # fmt: skip
NULL = "null \0 byte and \x1b[31m escape"  # no transcript may hold it, but a question can


# What Chromium says where the policy stops a handler; `test_an_inline_handler_does_not_run` tries.
BLOCKED = "Executing inline event handler violates the following Content Security Policy"


def hostile(shelf: Shelf) -> Shelf:
    # Such a name is none to the parsers; tests/browser/test_chat.py has one all the same.
    lines = [f"Eve: The harbour{n} master said {text} today." for n, text in enumerate(ATTACKS)]
    shelf.write("harbour <script>window.hit=30<!script>.txt", "\n".join(lines) + "\n")
    shelf.build_all()
    return shelf


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def fakes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        assemble_fakes(patch.setattr)
        yield


@pytest.fixture
def visit(browser: playwright.Browser) -> Iterator[Callable[[str], playwright.Page]]:
    """Opens an address; afterwards nothing may have gone wrong, run, or out."""
    wrong: list[str] = []
    pages = []

    def heard(said: playwright.ConsoleMessage) -> None:
        # Chromium asks the site for its icon before it knows of ours, and the site may have none.
        if said.type == "error" and not said.location["url"].endswith("/favicon.ico"):
            wrong.append(said.text)

    def open_page(address: str) -> playwright.Page:
        page = browser.new_page(reduced_motion="reduce")
        pages.append(page)
        page.set_default_timeout(PATIENCE)
        page.on("console", heard)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("response", lambda got: got.status >= 400 and wrong.append(got.url))
        page.on("request", lambda sent: is_foreign(sent.url) and wrong.append(sent.url))
        page.goto(address)
        expect(page.locator("#question textarea")).to_be_focused(timeout=PATIENCE)
        expect(page.locator(".record .open").first).to_be_attached()
        return page

    yield open_page
    for page in pages:
        assert page.evaluate("window.hit") is None
        page.close()
    assert [text for text in wrong if BLOCKED not in text] == []


def ask(page: playwright.Page, question: str) -> playwright.Locator:
    """Ask, and wait for the message that comes back."""
    before = page.locator("#chat .bot-row section").count()
    page.locator("#question textarea").fill(question)
    page.keyboard.press("Enter")
    message = page.locator("#chat .bot-row section").nth(before)
    expect(message).to_be_visible(timeout=PATIENCE)
    return message


@pytest.fixture(scope="module")
def hostile_address(tmp_path_factory: pytest.TempPathFactory, fakes: None) -> Iterator[str]:
    shelf = hostile(Shelf(tmp_path_factory.mktemp("hostile")))
    with serving(Library.open(Settings(shelf.index, explicit=True))) as address:
        yield address


def test_a_hostile_transcript_is_text(
    visit: Callable[[str], playwright.Page], hostile_address: str
) -> None:
    page = visit(hostile_address)
    for n, attack in enumerate(ATTACKS):
        message = ask(page, f"What said the harbour{n} master?")
        shown = message.locator("blockquote").first.evaluate("e => e.textContent")
        assert attack in shown
        expect(message.locator(".cite").first).to_contain_text("window.hit=30")
        message.locator(".cite").first.click()
        expect(page.locator(".record .page")).to_contain_text(f"The harbour{n} master")
    expect(page.locator(".record h2")).to_contain_text("window.hit=30")
    made = ":is(script, img, svg, iframe, form, style, base, a:not(.link))"
    expect(page.locator(f"#chat .bot-row section {made}, .record .text {made}")).to_have_count(0)


def test_a_hostile_question_is_text(
    visit: Callable[[str], playwright.Page], hostile_address: str
) -> None:
    page = visit(hostile_address)
    for n, attack in enumerate((*ATTACKS, NULL)):
        ask(page, f"harbour {attack}")
        asked = page.locator("#chat .asked").nth(n).evaluate("e => e.textContent")
        assert attack.replace("\0", "\ufffd") in asked


def test_an_inline_handler_does_not_run(
    visit: Callable[[str], playwright.Page], hostile_address: str
) -> None:
    """Were there a hole in all the escaping, this is what the policy still forbids."""
    page = visit(hostile_address)
    told: list[str] = []
    page.on("console", lambda said: told.append(said.text))
    page.evaluate(
        """() => {
          const node = document.createElement("div");
          node.innerHTML = "<script>window.hit=40</script><img src='data:,x' "
            + "onerror='window.hit=41'><button onclick='window.hit=42'>y</button>";
          document.body.append(node);
          node.querySelector("button").click();
        }"""
    )
    page.wait_for_timeout(300)
    assert page.evaluate("window.hit") is None
    assert sum(BLOCKED in text for text in told) == 2


@pytest.fixture(scope="module")
def beneath(tmp_path_factory: pytest.TempPathFactory, fakes: None) -> Iterator[str]:
    """The address of the page where nginx serves it below /on-record/."""
    if NGINX is None:
        pytest.skip("nginx is not installed")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    shelf = stock(Shelf(folder))
    address = f"http://127.0.0.1:{port}/on-record/"
    settings = replace(Settings(shelf.index, explicit=True), url=address)
    with (
        serving(Library.open(settings)) as upstream,
        in_front_of(int(upstream.rsplit(":", 1)[1]), port, Path(folder)),
    ):
        yield address


def test_a_question_is_answered_below_a_sub_path(
    visit: Callable[[str], playwright.Page], beneath: str
) -> None:
    page = visit(beneath)
    message = ask(page, "Who pays for the lighthouse?")
    expect(message.locator("mark").first).to_contain_text("pays for the")
    message.locator(".cite").first.click()
    expect(page.locator(".record .at-1").first).to_be_visible()
    page.locator("#fresh").click()
    expect(page.locator("#chat .asked")).to_have_count(0)
