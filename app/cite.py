"""A quote with its source, as a page of a wiki or a document takes it: FORMS.

Each form holds the words verbatim, escaped so that they show as they are, and the quote's id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.ledger import Handed

CHANGED = "the transcript has changed since"
GONE = "the transcript is no longer indexed"

# What Markdown acts on anywhere, and what it acts on where a line begins.
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~$&])|^(\s*)([#+=-]|\d{1,9}(?=[.)]))", re.MULTILINE)
_END_OF_NOWIKI = re.compile(r"(?<=</now)(?=iki>)", re.IGNORECASE)
# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a citation: how it is made of a quote and its link, and what it is called.

    A permalink with the `suffix` gives it, as the `media_type`.
    """

    make: Callable[[Handed, str], str]
    name: str
    suffix: str
    media_type: str


def cite(handed: Handed, form: str, base: str) -> str:
    """The quote in one of FORMS, ending in a line break; links begin with `base`.

    Raises KeyError for another form.
    """
    return FORMS[form].make(handed, base.rstrip("/") + handed.quote["url"])


def source(handed: Handed) -> list[str]:
    """Who, where, when and at which characters: ["Ada", "Town hall", "2024-03-12", "0:31", ...]."""
    quote = handed.quote
    transcript = quote["transcript"]
    name = quote["speaker"]["name"] if quote["speaker"] else None
    title = transcript["title"]
    parts = [name, title, date_beside(title, transcript["date"]), *_place(handed)]
    return [part for part in parts if part]


def date_beside(title: str, date: str | None) -> str | None:
    """The date to tell beside a title that may tell it itself: "Town Hall, 2024-03-12"."""
    return None if date and date in title else date


def _place(handed: Handed) -> list[str]:
    """When, at which characters, and whether that still stands."""
    quote = handed.quote
    at = clock(quote["said_at"][0]) if quote["said_at"] else None
    characters = f"characters {quote['start']}-{quote['end']}"
    return [part for part in (at, characters, _since(handed)) if part]


def _since(handed: Handed) -> str | None:
    return {"unchanged": None, "changed": CHANGED, "gone": GONE}[handed.state]


def clock(seconds: float) -> str:
    """Seconds of the recording as 1:03:32."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _markdown(handed: Handed, url: str) -> str:
    lines = _in_markdown(handed.quote["text"]).split("\n")
    cited = _in_markdown(", ".join(source(handed)))
    quoted = "\n".join(f"> {line}".rstrip() for line in lines)
    return f"{quoted}\n>\n> — {cited}, [{handed.quote['id']}](<{url}>)\n"


def _in_markdown(text: str) -> str:
    def escaped(found: re.Match[str]) -> str:
        anywhere, space, first = found.groups()
        if anywhere:
            return f"\\{anywhere}"
        # A number is no punctuation to escape; its full stop is.
        return f"{space}{first}\\" if first.isdigit() else f"{space}\\{first}"

    return _MARKDOWN.sub(escaped, text)


def _wikitext(handed: Handed, url: str) -> str:
    cited = escape(", ".join(source(handed)), quote=False)
    words = escape(handed.quote["text"], quote=False)
    return (
        f"<blockquote>\n<nowiki>{words}</nowiki>\n</blockquote>\n"
        f": — <nowiki>{cited}</nowiki>, [{url} {handed.quote['id']}]\n"
    )


def _dokuwiki(handed: Handed, url: str) -> str:
    lines = [f"> {_nowiki(line)}".rstrip() for line in handed.quote["text"].split("\n")]
    cited = _nowiki(", ".join(source(handed)))
    return "\n".join([*lines, f"> — {cited}, [[{url}|{handed.quote['id']}]]\n"])


def _nowiki(line: str) -> str:
    """A line that DokuWiki leaves alone; an end of that in the line itself is cut in two."""
    return f"<nowiki>{_END_OF_NOWIKI.sub('</nowiki><nowiki>', line)}</nowiki>" if line else ""


def _html(handed: Handed, url: str) -> str:
    before, words, after = map(escape, _parted(handed))
    link = escape(url)
    return (
        f'<figure class="on-record"><blockquote cite="{link}">'
        f"<p>{before}<mark>{words}</mark>{after}</p></blockquote>"
        f"<figcaption>— {escape(', '.join(source(handed)))}, "
        f'<a href="{link}">{handed.quote["id"]}</a></figcaption></figure>\n'
    )


def _confluence(handed: Handed, url: str) -> str:
    """Confluence's storage format is XHTML; a quotation needs none of its macros."""
    before, words, after = (_in_storage(part) for part in _parted(handed))
    cited = _in_storage(", ".join(source(handed)))
    return (
        f"<blockquote><p>{before}<strong>{words}</strong>{after}</p>"
        f'<p>— {cited}, <a href="{escape(url)}">{handed.quote["id"]}</a></p></blockquote>\n'
    )


def _in_storage(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text)).replace("\n", "<br/>")


def _parted(handed: Handed) -> tuple[str, str, str]:
    """The words before the answer, those that answer, and those behind."""
    quote = handed.quote
    text, answer = quote["text"], quote["answer"]
    start, end = answer["start"] - quote["start"], answer["end"] - quote["start"]
    return text[:start], text[start:end], text[end:]


def _json(handed: Handed, url: str) -> str:
    """JSON-LD: a schema.org Quotation with the selectors of the W3C's Web Annotation model."""
    quote, transcript = handed.quote, handed.quote["transcript"]
    selectors = [
        {
            "type": "TextQuoteSelector",
            "exact": quote["text"],
            "prefix": quote["prefix"],
            "suffix": quote["suffix"],
        },
        {"type": "TextPositionSelector", "start": quote["start"], "end": quote["end"]},
    ]
    made: dict[str, Any] = {
        "@context": ["https://schema.org", "http://www.w3.org/ns/anno.jsonld"],
        "@type": "Quotation",
        "@id": url,
        "identifier": quote["id"],
        "text": quote["text"],
        "creativeWorkStatus": _since(handed) or "as recorded",
        "isPartOf": {
            "@type": "CreativeWork",
            "identifier": transcript["id"],
            "name": transcript["title"],
            "version": transcript["sha256"],
        },
        "target": {"source": transcript["id"], "selector": selectors},
    }
    if transcript["date"]:
        made["isPartOf"]["datePublished"] = transcript["date"]
    if quote["speaker"]:
        made["spokenByCharacter"] = {"@type": "Person", "name": quote["speaker"]["name"]}
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def _csl(handed: Handed, url: str) -> str:
    """CSL-JSON, as Zotero, Pandoc and citeproc read it: a list of one item."""
    quote, transcript = handed.quote, handed.quote["transcript"]
    item: dict[str, Any] = {
        "id": quote["id"],
        "type": "speech" if quote["speaker"] else "document",
        "genre": "transcript",
        "title": transcript["title"],
        "abstract": quote["text"],
        "URL": url,
        "note": ", ".join([quote["id"], *_place(handed)]),
    }
    if quote["speaker"]:
        item["author"] = [{"literal": quote["speaker"]["name"]}]
    if transcript["date"]:
        item["issued"] = _issued(transcript["date"])
    return json.dumps([item], ensure_ascii=False, indent=1) + "\n"


def _issued(date: str) -> dict[str, Any]:
    if re.fullmatch(r"\d{4}(-\d\d){0,2}", date):
        return {"date-parts": [[int(part) for part in date.split("-")]]}
    return {"literal": date}


def _text(handed: Handed, url: str) -> str:
    return f"“{handed.quote['text']}” ({', '.join([*source(handed), url])})\n"


FORMS: Mapping[str, Form] = {
    "markdown": Form(_markdown, "Markdown", ".md", "text/markdown"),
    "wikitext": Form(_wikitext, "MediaWiki", ".wiki", "text/x-wiki"),
    "dokuwiki": Form(_dokuwiki, "DokuWiki", ".dokuwiki", "text/plain"),
    "confluence": Form(_confluence, "Confluence", ".confluence", "text/plain"),
    "html": Form(_html, "HTML", ".html", "text/html"),
    "json": Form(_json, "JSON-LD", ".jsonld", "application/ld+json"),
    "csl-json": Form(_csl, "CSL-JSON", ".csl", "application/vnd.citationstyles.csl+json"),
    "text": Form(_text, "Plain text", ".txt", "text/plain"),
}
