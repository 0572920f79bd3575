"""The page of one quote: its words marked in their context, and whether they still stand."""

from __future__ import annotations

from html import escape

from app.ledger import Handed

AROUND = 600  # characters of context on either side

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · On Record</title>
<style>
:root {{ color-scheme: light dark; --mark: #ffe27a; --soft: #8883; }}
@media (prefers-color-scheme: dark) {{ :root {{ --mark: #7a5f00; }} }}
body {{ font: 1.06rem/1.65 Georgia, "Iowan Old Style", serif; max-width: 65ch;
  margin: 3rem auto; padding: 0 1.2rem; }}
blockquote {{ margin: 0 0 1.2rem; white-space: pre-wrap; overflow-wrap: anywhere; }}
mark {{ background: var(--mark); color: inherit; }}
q {{ quotes: none; background: var(--soft); }}
footer, p.state {{ font: .92rem/1.5 system-ui, sans-serif; }}
</style></head><body>{body}</body></html>
"""


def quote_page(handed: Handed) -> str:
    """HTML; every word of the transcript in it is escaped."""
    quote, text = handed.quote, handed.text
    start, end, answer = quote["start"], quote["end"], quote["answer"]
    before = text[max(0, start - AROUND) : start]
    after = text[end : end + AROUND]
    marked = (
        escape(text[start : answer["start"]])
        + f"<mark>{escape(answer['text'])}</mark>"
        + escape(text[answer["end"] : end])
    )
    source = quote["transcript"]
    name = quote["speaker"]["name"] if quote["speaker"] else None
    cited = " · ".join(filter(None, [name, source["title"], source["date"]]))
    state = (
        "The transcript stands as it was when these words were cited."
        if handed.unchanged
        else "The transcript has changed or is gone since; these are the words as they stood."
    )
    body = (
        f"<main><blockquote>{escape(before)}<q>{marked}</q>{escape(after)}</blockquote>"
        f"<footer><cite>{escape(cited)}</cite><br>characters {start:,}-{end:,}</footer>"
        f'<p class="state">{state}</p><p class="state"><a href="/">Ask On Record</a></p></main>'
    )
    return _PAGE.format(title=escape(cited), body=body)


def missing_page() -> str:
    """HTML for an id that was never handed out here."""
    body = (
        "<main><h1>No such quote</h1><p>This index has never handed out a quote of this id. "
        '<a href="/">Ask On Record</a></p></main>'
    )
    return _PAGE.format(title="No such quote", body=body)
