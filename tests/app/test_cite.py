"""A quote on a page: it shows the words as they are, and leads back to the same quote."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import mwparserfromhell
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.answer import quote_id
from app.cite import CHANGED, FORMS, GONE, cite, date_beside, source
from app.ledger import Handed, State
from index.transcript import text_sha256

BASE = "https://wiki.example/qa/"
ID = re.compile(r"q_[0-9a-f]{16}")
ATTACKS = [
    "He said <b>no</b> & left.",
    "</nowiki></blockquote><script>alert(1)</script>",
    "**bold** _it_ `code` [x](javascript:alert(1)) ![y](z) ~~no~~ | a | $x$",
    "1. one\n2) two\n- three\n+ four\n# five\n> six\n=== seven",
    "[[Link]] {{template}} '''bold''' ~~~~ &lt;b&gt; __TOC__",
    "quotes \"double\" and 'single' and “curly”",
]


def handed(text: str, *, speaker: str | None = "Ada Okafor", state: State = "unchanged") -> Handed:
    """A quote of a whole text, its second half answering."""
    middle = len(text) // 2
    identity = quote_id(text_sha256(text), 0, len(text), middle, len(text))
    quote = {
        "id": identity,
        "transcript": {"id": "t", "title": "Town *hall*", "sha256": text_sha256(text),
                       "date": "2024-03-12"},
        "start": 0,
        "end": len(text),
        "text": text,
        "answer": {"start": middle, "end": len(text), "text": text[middle:]},
        "speaker": {"name": speaker, "basis": "label"} if speaker else None,
        "said_at": [3812.5, 3815.0],
        "prefix": "",
        "suffix": "",
        "url": f"/q/{identity}",
    }  # fmt: skip
    return Handed(quote, text, state)


class Page(HTMLParser):
    """The elements of a page, and the text of its quotation."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.links: list[str] = []
        self.quoted = ""
        self._within = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "cite", "src")]
        self._within |= tag == "blockquote"

    def handle_endtag(self, tag: str) -> None:
        self._within &= tag != "blockquote"

    def handle_data(self, data: str) -> None:
        if self._within:
            self.quoted += data


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", ATTACKS)
def test_every_form_leads_back_to_the_same_quote(form: str, text: str) -> None:
    given = handed(text)
    made = cite(given, form, BASE)
    assert set(ID.findall(made)) == {given.quote["id"]}
    assert f"{BASE}q/{given.quote['id']}" in made
    assert made.endswith("\n")


@pytest.mark.parametrize("text", ATTACKS)
def test_html_holds_the_words_and_nothing_of_theirs_acts(text: str) -> None:
    page = Page(cite(handed(text), "html", BASE))
    assert page.quoted == text
    assert page.elements == ["figure", "blockquote", "p", "mark", "figcaption", "a"]
    assert {link.startswith(BASE) for link in page.links} == {True}


@pytest.mark.parametrize("text", ATTACKS)
def test_markdown_shows_the_words_as_they_are(text: str) -> None:
    given = handed(text)
    page = Page(
        MarkdownIt("commonmark").enable("strikethrough").render(cite(given, "markdown", BASE))
    )
    assert set(page.elements) == {"blockquote", "p", "a"}
    shown, _, cited = page.quoted.strip().rpartition("— ")
    assert shown.split() == text.split()
    assert cited.startswith("Ada Okafor, Town *hall*, 2024-03-12, 1:03:32, characters 0-")
    assert page.links == [f"{BASE}q/{given.quote['id']}"]


ANY = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=2)


@given(ANY)
def test_any_line_survives_markdown(text: str) -> None:
    page = Page(MarkdownIt("commonmark").render(cite(handed(text), "markdown", BASE)))
    assert page.quoted.strip().rpartition("— ")[0].split() == text.split()


@pytest.mark.parametrize("text", ATTACKS)
def test_wikitext_keeps_the_words_from_the_wiki(text: str) -> None:
    given = handed(text)
    page = mwparserfromhell.parse(cite(given, "wikitext", BASE))
    words, cited = page.filter_tags(matches=lambda tag: tag.tag == "nowiki")
    assert html.unescape(str(words.contents)) == text
    assert str(cited.contents).startswith("Ada Okafor, Town *hall*, 2024-03-12, 1:03:32, char")
    (link,) = page.filter_external_links()
    assert (link.url, link.title) == (f"{BASE}q/{given.quote['id']}", given.quote["id"])
    # The tags that are ours, the colon at the line's start, and nothing else that acts.
    assert [str(tag.tag) for tag in page.filter_tags()] == ["blockquote", "nowiki", "dd", "nowiki"]
    assert page.filter_templates() == page.filter_wikilinks() == page.filter_headings() == []


@pytest.mark.parametrize("text", [*ATTACKS, "a </NOWIKI> b </nowiki", "one\n\n  two\n> three"])
def test_dokuwiki_leaves_the_words_alone(text: str) -> None:
    given = handed(text)
    *lines, cited = cite(given, "dokuwiki", BASE).removesuffix("\n").split("\n")
    assert [unparsed(line[1:].lstrip()) for line in lines] == text.split("\n")
    tail = f", [[{BASE}q/{given.quote['id']}|{given.quote['id']}]]"
    assert cited.startswith("> — ")
    assert cited.endswith(tail)
    assert unparsed(cited[4 : -len(tail)]).startswith("Ada Okafor, Town *hall*, 2024-03-12, 1:03")


def unparsed(line: str) -> str:
    """What stands in the line's nowiki elements, of which it must be made up."""
    pattern = re.compile(r"<nowiki>(.*?)</nowiki>", re.IGNORECASE)
    assert pattern.sub("", line) == ""
    return "".join(pattern.findall(line))


@pytest.mark.parametrize("text", [*ATTACKS, "one\n\ntwo", "a \x00 \x0b \ufffe b"])
def test_confluence_gets_well_formed_xml_with_the_words(text: str) -> None:
    given = handed(text)
    root = ElementTree.fromstring(cite(given, "confluence", BASE))
    assert [element.tag for element in root.iter() if element.tag != "br"] == [
        "blockquote", "p", "strong", "p", "a",
    ]  # fmt: skip
    words, cited = root
    for line_break in words.iter("br"):
        line_break.text = "\n"
    assert "".join(words.itertext()) == re.sub("[\x00\x0b\ufffe]", "\ufffd", text)
    assert "".join(cited.itertext()).startswith("— Ada Okafor, Town *hall*, 2024-03-12, 1:03:32, ")
    assert cited[0].attrib == {"href": f"{BASE}q/{given.quote['id']}"}


@pytest.mark.parametrize("text", ATTACKS)
def test_csl_json_is_an_item_with_the_words(text: str) -> None:
    given = handed(text)
    (item,) = json.loads(cite(given, "csl-json", BASE))
    assert item == {
        "id": given.quote["id"],
        "type": "speech",
        "genre": "transcript",
        "title": "Town *hall*",
        "abstract": text,
        "author": [{"literal": "Ada Okafor"}],
        "issued": {"date-parts": [[2024, 3, 12]]},
        "URL": f"{BASE}q/{given.quote['id']}",
        "note": f"{given.quote['id']}, 1:03:32, characters 0-{len(text)}",
    }


@pytest.mark.parametrize(
    ("date", "issued"),
    [
        ("2024", {"date-parts": [[2024]]}),
        ("2024-03", {"date-parts": [[2024, 3]]}),
        ("spring 2024", {"literal": "spring 2024"}),
        (None, None),
    ],
)
def test_csl_json_has_the_date_as_it_is_known(
    date: str | None, issued: dict[str, object] | None
) -> None:
    given = handed("We can wait.", speaker=None)
    given.quote["transcript"]["date"] = date
    (item,) = json.loads(cite(given, "csl-json", BASE))
    assert item.get("issued") == issued
    assert (item["type"], item.get("author")) == ("document", None)


def test_json_is_a_quotation_with_selectors() -> None:
    given = handed("We can wait.")
    made = json.loads(cite(given, "json", BASE))
    assert made["@type"] == "Quotation"
    assert made["@id"] == f"{BASE}q/{given.quote['id']}"
    assert made["text"] == "We can wait."
    assert made["spokenByCharacter"] == {"@type": "Person", "name": "Ada Okafor"}
    assert made["target"]["selector"] == [
        {"type": "TextQuoteSelector", "exact": "We can wait.", "prefix": "", "suffix": ""},
        {"type": "TextPositionSelector", "start": 0, "end": 12},
    ]
    selector = made["target"]["selector"][1]
    assert given.text[selector["start"] : selector["end"]] == made["text"]


def test_text_reads_as_a_citation() -> None:
    given = handed("We can wait.", speaker=None)
    assert cite(given, "text", BASE) == (
        "“We can wait.” (Town *hall*, 2024-03-12, 1:03:32, characters 0-12, "
        f"{BASE}q/{given.quote['id']})\n"
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("state", "told"), [("changed", CHANGED), ("gone", GONE)])
def test_a_transcript_that_is_not_as_it_was_is_told(form: str, state: State, told: str) -> None:
    assert told in cite(handed("We can wait.", state=state), form, BASE)
    assert told not in cite(handed("We can wait."), form, BASE)


@pytest.mark.parametrize(
    ("title", "date", "beside"),
    [
        ("Town Hall", "2024-03-12", "2024-03-12"),
        ("Town Hall, 2024-03-12", "2024-03-12", None),
        ("Town Hall, 2024-03-12", "2024-03-13", "2024-03-13"),
        ("Town Hall", None, None),
    ],
)
def test_a_date_is_told_once(title: str, date: str | None, beside: str | None) -> None:
    assert date_beside(title, date) == beside
    quoted = handed("It is so.")
    quoted.quote["transcript"] |= {"title": title, "date": date}
    told = [part for part in (title, beside) if part]
    assert source(quoted)[1 : 1 + len(told)] == told
    assert source(quoted)[1 + len(told)] == "1:03:32"
