"""The routes of a quote: its page, its other forms, its card to frame, and oEmbed for its links.

What a quote is in each form is in `app.cite`; here is where it is served, and as what.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html import escape
from typing import Any, Protocol
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, Response

from app.answer import Quote, quote_object
from app.api.problems import Problem
from app.cite import FORMS, cite
from app.ledger import Handed
from app.page.render import THEMES, render
from app.settings import Settings
from index.transcript import Transcript

AROUND = 400  # characters of context on either side
SUMMARY = 300  # characters of the words in a page's description
WIDTH, HEIGHT = 600, 600  # pixels: a card's in oEmbed, the height at most

SUFFIXES = {form.suffix: name for name, form in FORMS.items()}
_ID = r"q_[0-9a-f]{16}"
_UNKNOWN = "This index has never handed out a quote of this id."


class Library(Protocol):
    """What the routes need: quotes by their ids, and where their words stand now."""

    def quote(self, id: str, /) -> Handed | None: ...
    def standing(self, handed: Handed, /) -> Sequence[Quote]: ...
    def transcript(self, id: str, /) -> Transcript: ...


def router(library: Library, settings: Settings) -> APIRouter:
    """/q/{id}, /q/{id}.{form}, /q/{id}/card and /oembed; absolute links begin with settings.url."""
    routes = APIRouter(include_in_schema=False)
    base = settings.url.rstrip("/")

    def found(quote_id: str) -> Handed | None:
        return library.quote(quote_id) if re.fullmatch(_ID, quote_id) else None

    @routes.api_route("/q/{name}", methods=["GET", "HEAD"])
    def quote(name: str) -> Response:
        quote_id, dot, suffix = name.partition(".")
        handed = found(quote_id)
        if not dot:
            return _page(handed) if handed else missing(1)
        if handed is None:
            raise Problem(404, _UNKNOWN)
        if suffix == "json":
            return JSONResponse(_state_object(handed, library.standing(handed)))
        form = SUFFIXES.get(f".{suffix}")
        if form is None:
            known = ", ".join([".json", *SUFFIXES])
            raise Problem(404, f"A quote has no such form; it has {known}.")
        return Response(cite(handed, form, base), media_type=FORMS[form].media_type)

    @routes.api_route("/q/{quote_id}/card", methods=["GET", "HEAD"])
    def card(quote_id: str, theme: str = "auto") -> Response:
        handed = found(quote_id)
        if handed is None:
            return missing(2)
        shown = render(
            "card.html",
            **_shown(handed),
            root="../../",
            theme=theme if theme in THEMES else "auto",
            parents=" ".join(settings.frame_origins),
        )
        return HTMLResponse(shown)

    @routes.api_route("/q/{rest:path}", methods=["GET", "HEAD"])
    def nothing(rest: str) -> Response:
        return missing(rest.count("/") + 1)

    @routes.get("/oembed")
    def oembed(
        url: str = "", format: str = "json", maxwidth: str = "", maxheight: str = ""
    ) -> Response:
        if format != "json":
            raise Problem(501, "Only format=json is spoken here.")
        sizes = []
        for name, value, most in (("maxwidth", maxwidth, WIDTH), ("maxheight", maxheight, HEIGHT)):
            if value and not re.fullmatch(r"0*[1-9]\d{0,5}", value, re.ASCII):
                raise Problem(400, f"{name} takes a number of pixels from 1 to 999999.")
            sizes.append(min(int(value or most), most))
        ours = re.fullmatch(re.escape(base) + rf"/q/({_ID})/?(?:[?#].*)?", url, re.DOTALL)
        handed = found(ours[1]) if ours else None
        if handed is None:
            told = f"url is not the address of a quote of ours; those begin with {base}/q/."
            raise Problem(404, told)
        return JSONResponse(_rich(handed, base, *sizes))

    def _page(handed: Handed) -> HTMLResponse:
        address = f"{base}/q/{handed.quote['id']}"
        shown = render(
            "quote.html",
            **_shown(handed),
            root="../",
            theme="auto",
            url=address,
            oembed=f"{base}/oembed?{urlencode({'url': address, 'format': 'json'})}",
            forms=FORMS.values(),
            now=[quote_object(other, 1) for other in library.standing(handed)],
        )
        return HTMLResponse(shown)

    def _shown(handed: Handed) -> dict[str, Any]:
        quote, text = handed.quote, handed.text
        return {
            "language": "en",
            "title": _title(quote),
            "quote": quote,
            "state": handed.state,
            "spoken": _language(handed),
            "before": _until(text, quote["start"]),
            "after": _from(text, quote["end"]),
            "summary": _shortened(quote["text"]),
        }

    def _language(handed: Handed) -> str:
        """The transcript's, as BCP 47; empty, as HTML has it, where it is not known."""
        if handed.state != "unchanged":
            return ""
        try:
            return library.transcript(handed.quote["transcript"]["id"]).language or ""
        except KeyError:  # the same text under another id
            return ""

    return routes


def missing(depth: int) -> HTMLResponse:
    """The page for an id that was never handed out, `depth` levels below the chat page."""
    values = {"title": "No such quote", "sentence": _UNKNOWN, "root": "../" * depth}
    shown = render("missing.html", language="en", theme="auto", **values)
    return HTMLResponse(shown, status_code=404)


def _state_object(handed: Handed, now: Sequence[Quote]) -> dict[str, Any]:
    """The quote's object with what has become of it: `state`, and where the words stand `now`."""
    places = [quote_object(quote, n) for n, quote in enumerate(now, 1)]
    return {**handed.quote, "state": handed.state, "now": places}


def _rich(handed: Handed, base: str, width: int, height: int) -> dict[str, Any]:
    quote = handed.quote
    title = _title(quote)
    lines = math.ceil(len(quote["text"]) * 9 / width)
    height = min(height, 130 + 28 * lines)
    frame = (
        f'<iframe src="{escape(base)}/q/{quote["id"]}/card" title="{escape(title)}" '
        f'width="{width}" height="{height}" loading="lazy" style="border:0;max-width:100%" '
        'sandbox="allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox">'
        "</iframe>"
    )
    made = {
        "version": "1.0",
        "type": "rich",
        "title": title,
        "provider_name": "On Record",
        "provider_url": f"{base}/",
        "html": frame,
        "width": width,
        "height": height,
    }
    return made | ({"author_name": quote["speaker"]["name"]} if quote["speaker"] else {})


def _title(quote: dict[str, Any]) -> str:
    """Who and where: "Ada Okafor, Town hall, 2024-03-12"."""
    name = quote["speaker"]["name"] if quote["speaker"] else None
    transcript = quote["transcript"]
    return ", ".join(filter(None, [name, transcript["title"], transcript["date"]]))


def _shortened(text: str) -> str:
    return text if len(text) <= SUMMARY else text[: SUMMARY - 1] + "…"


def _until(text: str, end: int) -> str:
    """What stands before `end`, from the beginning of a word."""
    start = end - AROUND
    if start <= 0:
        return text[:end]
    space = re.compile(r"\s").search(text, start, end)
    return "… " + text[space.end() if space else start : end]


def _from(text: str, start: int) -> str:
    """What stands from `start`, to the end of a word."""
    part = text[start : start + AROUND]
    if start + AROUND >= len(text):
        return part
    return (part[: part.rfind(" ")] if " " in part else part) + " …"
