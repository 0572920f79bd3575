"""A quote with its source, as a page of a wiki or a document takes it: FORMS.

Each form holds the words verbatim, escaped so that they show as they are, and the quote's id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.ledger import Handed

CHANGED = "the transcript has changed since"

# What Markdown acts on anywhere, and what it acts on where a line begins.
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~$&])|^(\s*)([#+=-]|\d{1,9}(?=[.)]))", re.MULTILINE)


def cite(handed: Handed, form: str, base: str) -> str:
    """The quote in one of FORMS, ending in a line break; links begin with `base`.

    Raises KeyError for another form.
    """
    return FORMS[form](handed, base.rstrip("/") + handed.quote["url"])


def source(handed: Handed) -> list[str]:
    """Who, where, when and at which characters: ["Ada", "Town hall", "2024-03-12", "0:31", ...]."""
    quote = handed.quote
    transcript = quote["transcript"]
    parts = [quote["speaker"]["name"]] if quote["speaker"] else []
    parts += [transcript["title"], transcript["date"]]
    if quote["said_at"]:
        parts.append(clock(quote["said_at"][0]))
    parts.append(f"characters {quote['start']}-{quote['end']}")
    return [part for part in parts if part] + [CHANGED] * (not handed.unchanged)


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


def _html(handed: Handed, url: str) -> str:
    quote = handed.quote
    start, end = (quote["answer"][edge] - quote["start"] for edge in ("start", "end"))
    text = quote["text"]
    marked = f"{escape(text[:start])}<mark>{escape(text[start:end])}</mark>{escape(text[end:])}"
    link = escape(url)
    return (
        f'<figure class="on-record"><blockquote cite="{link}"><p>{marked}</p></blockquote>'
        f"<figcaption>— {escape(', '.join(source(handed)))}, "
        f'<a href="{link}">{quote["id"]}</a></figcaption></figure>\n'
    )


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
        "creativeWorkStatus": "as recorded" if handed.unchanged else CHANGED,
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


def _text(handed: Handed, url: str) -> str:
    return f"“{handed.quote['text']}” ({', '.join([*source(handed), url])})\n"


FORMS: Mapping[str, Callable[[Handed, str], str]] = {
    "markdown": _markdown,
    "wikitext": _wikitext,
    "html": _html,
    "json": _json,
    "text": _text,
}
