"""The routes for other people's pages: /embed, to frame, and the web component it is made of."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from app.answer import checked
from app.page.render import THEMES, render
from app.settings import Settings
from index.errors import UsageError

COMPONENT = Path(__file__).parent / "on-record-ask.js"
DAY = 86_400  # seconds


def router(settings: Settings) -> APIRouter:
    """/embed and /on-record-ask.js; the first may be framed by the origins of the settings."""
    routes = APIRouter(include_in_schema=False)
    script = COMPONENT.read_bytes()
    tag = f'"{sha256(script).hexdigest()[:16]}"'

    @routes.api_route("/on-record-ask.js", methods=["GET", "HEAD"])
    def component(request: Request) -> Response:
        headers = {"ETag": tag, "Cache-Control": f"public, max-age={DAY}"}
        held = request.headers.get("if-none-match", "")
        if tag in (known.strip().removeprefix("W/") for known in held.split(",")):
            return Response(status_code=304, headers=headers)
        return Response(script, media_type="text/javascript; charset=utf-8", headers=headers)

    @routes.api_route("/embed", methods=["GET", "HEAD"])
    def embed(transcript: str = "", q: str = "", theme: str = "auto", lang: str = "en") -> Response:
        """The chat without its frame. What the component does not know of, it leaves aside."""
        page = {"language": lang, "theme": theme if theme in THEMES else "auto", "root": "./"}
        try:
            question = checked(q) if q.strip() else ""
        except UsageError as error:
            sentence = f"{str(error)[0].upper()}{str(error)[1:]}"
            shown = render("missing.html", title="That cannot be asked", sentence=sentence, **page)
            return HTMLResponse(shown, status_code=400)
        shown = render(
            "embed.html",
            title="Ask",
            parents=" ".join(settings.frame_origins),
            attributes={
                "transcript": transcript or None,
                "question": question or None,
                "theme": page["theme"],
                "lang": lang,
            },
            **page,
        )
        return HTMLResponse(shown)

    return routes
