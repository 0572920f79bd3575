"""The API's routes, and what tells whether the server is up. Each calls the library and answers."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from starlette._utils import get_route_path

from app.answer import answer_object
from app.api import schema
from app.api.desk import RETRY, BusyError, Desk
from app.api.problems import BROKEN, MEDIA_TYPE, Problem
from app.batch import answer_line, json_line, lines_of
from app.feedback import Rating
from app.verify import verified_object
from index import __version__
from index.folder import Folder, Summary
from index.transcript import Segment, Speaker, Transcript

if TYPE_CHECKING:
    from app.assemble import Library

BASE = "/api/v1"
JSON = "application/json"
JSON_LINES = "application/x-ndjson"
MOST_LINES = 1_000  # of a batch
LONGEST_LINE = 64 * 1024  # characters
MOST_SEGMENTS = 500  # of a page

log = logging.getLogger(__name__)


def taking(*media_types: str) -> Any:
    """A dependency: the body is of one of these media types."""

    def check(request: Request) -> None:
        given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if given not in media_types:
            raise Problem(415, f"This takes {media_types[0]}; say so in Content-Type.")

    return Depends(check)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems of a route, for the OpenAPI; those of the doors are everybody's."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemObject"}}}
    return {
        status: {"description": "A problem, in a sentence.", "content": content}
        for status in sorted({401, 403, 421, 429, 503, *statuses})
    }


TAKES = problems(400, 408, 413, 415, 422)
GIVES = problems(404, 422) | {
    304: {"description": "As it was: the index has the version that If-None-Match names."}
}
TranscriptId = Annotated[str, Path(description="A transcript's id", max_length=1_000)]
LINES_BODY = {
    "requestBody": {
        "required": True,
        "description": "One question a line, as `onrecord ask --batch` takes them.",
        "content": {JSON_LINES: {"schema": {"type": "string"},
                                 "example": schema.EXAMPLES["batch request"]}},
    }
}  # fmt: skip
LINES_GIVEN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One answer a line, in order, as they are made; {id, error} for a bad line.",
        "content": {JSON_LINES: {"schema": {"type": "string"}}},
    }
}


def create_router(library: Library, desk: Desk) -> APIRouter:  # noqa: PLR0915 - a list of routes
    """Everything under /api/v1, /healthz and /readyz; questions are answered at the desk."""
    router = APIRouter()

    async def at_the_desk(call: Callable[[], Any]) -> Response:
        try:
            return _json(await desk.run(call), {"Cache-Control": "no-store"})
        except BusyError as error:
            raise Problem(503, str(error), headers={"Retry-After": str(RETRY)}) from None

    @router.post(
        f"{BASE}/ask",
        dependencies=[taking(JSON)],
        response_model=schema.AnswerObject,
        responses=TAKES,
    )
    async def ask(body: schema.AskBody) -> Response:
        """Answer a question with verbatim quotes; a refusal is an answer, too."""

        def call() -> dict[str, Any]:
            answer = library.ask(
                body.question,
                body.history,
                transcript=body.transcript,
                speaker=body.speaker,
                quotes=body.k,
            )
            return answer_object(answer)

        return await at_the_desk(call)

    @router.post(
        f"{BASE}/verify",
        dependencies=[taking(JSON)],
        response_model=schema.VerifiedObject,
        responses=TAKES,
    )
    async def verify(body: schema.VerifyBody) -> Response:
        """Tell whether words stand in the record."""
        return await at_the_desk(
            lambda: verified_object(library.verify(body.claim, speaker=body.speaker))
        )

    @router.post(
        f"{BASE}/batch",
        dependencies=[taking(JSON_LINES, "application/ndjson", "application/jsonl")],
        response_class=StreamingResponse,
        responses=TAKES | LINES_GIVEN,
        openapi_extra=LINES_BODY,
    )
    async def batch(
        request: Request, k: Annotated[int | None, Query(ge=1, le=schema.MOST_QUOTES)] = None
    ) -> StreamingResponse:
        """Answer many questions, one JSON line each; `k` is the most quotes of each answer."""
        lines = lines_of(await request.body())
        if len(lines) > MOST_LINES:
            raise Problem(
                413, f"A batch has at most {MOST_LINES:,} lines, this one {len(lines):,}; split it."
            )

        async def answers() -> AsyncIterator[str]:
            for number, line in lines:
                yield await desk.run_when_free(partial(answered, number, line))

        def answered(number: int, line: str) -> str:
            if len(line) > LONGEST_LINE:
                told = f"line {number} has more than {LONGEST_LINE:,} characters; ask in fewer."
                return json_line({"id": None, "error": told}) + "\n"
            try:
                made = answer_line(library, line, number, k, lambda e: Problem.of(e).detail)
            except Exception:
                log.exception("line %d of a batch failed", number)
                made = {"id": None, "error": BROKEN}
            return json_line(made) + "\n"

        return StreamingResponse(
            answers(), media_type=JSON_LINES, headers={"Cache-Control": "no-store"}
        )

    @router.get(f"{BASE}/transcripts", response_model=schema.TranscriptList, responses=GIVES)
    def transcripts(request: Request) -> Response:
        """What is in the index."""
        folder = library.folder()
        return _fresh(
            request, folder, lambda: {"transcripts": [_summary(s) for s in folder.summaries()]}
        )

    @router.get(
        f"{BASE}/transcripts/{{id}}", response_model=schema.TranscriptObject, responses=GIVES
    )
    def transcript(request: Request, id: TranscriptId) -> Response:
        """One transcript, with its text."""
        folder = library.folder()
        found = _transcript(folder, id)
        return _fresh(request, folder, lambda: _with_text(found))

    @router.get(
        f"{BASE}/transcripts/{{id}}/segments", response_model=schema.SegmentPage, responses=GIVES
    )
    def segments(
        request: Request,
        id: TranscriptId,
        offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_SEGMENTS)] = 100,
    ) -> Response:
        """The segments of a transcript, a page at a time."""
        folder = library.folder()
        found = _transcript(folder, id)
        return _fresh(request, folder, lambda: _page(found, offset, limit))

    @router.get(f"{BASE}/index", response_model=schema.IndexObject, responses=GIVES)
    def index(request: Request) -> Response:
        """The index as it is now, and the models that answer from it."""
        folder = library.folder()
        manifest = folder.manifest
        return _fresh(
            request,
            folder,
            lambda: {
                "version": version_of(folder),
                "on_record": __version__,
                "built_at": manifest.built_at,
                "counts": manifest.counts,
                "models": library.models(),
            },
        )

    @router.post(
        f"{BASE}/feedback",
        dependencies=[taking(JSON)],
        response_model=schema.Kept,
        responses=TAKES,
        status_code=201,
    )
    def feedback(body: schema.FeedbackBody) -> Response:
        """Keep what somebody says of an answer, on this machine, for evaluation."""
        kept = library.rate(
            Rating(
                body.question,
                body.verdict,
                body.correction,
                body.nobody,
                tuple(body.quotes),
                tuple(body.nearest),
            )
        )
        return _json({"id": kept.id, "at": kept.at}, {"Cache-Control": "no-store"}, status=201)

    @router.get("/healthz", tags=["server"], response_model=schema.Health)
    async def health() -> Response:
        """The server runs."""
        return _json({"status": "ok"}, {"Cache-Control": "no-store"})

    @router.get("/readyz", tags=["server"], response_model=schema.Health, responses=problems())
    def ready() -> Response:
        """The index opens, and the models are loaded."""
        library.folder()
        return _json({"status": "ok"}, {"Cache-Control": "no-store"})

    # Behind all these comes the chat page, which would answer what is left in its own way.
    @router.api_route("/api/{rest:path}", methods=METHODS, include_in_schema=False)
    def nowhere(request: Request) -> None:
        path = get_route_path(request.scope)
        taken = {
            method
            for route in router.routes
            if isinstance(route, APIRoute) and route.endpoint is not nowhere
            if route.path_regex.match(path)
            for method in route.methods or ()
        }
        if taken:
            allowed = ", ".join(sorted(taken))
            raise Problem(405, f"This address takes {allowed} only.", headers={"Allow": allowed})
        raise Problem(
            404, f"There is nothing at this address; {BASE}/openapi.json has what there is."
        )

    return router


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def version_of(folder: Folder) -> str:
    """What tells two versions of an index apart, and two of what is made from it."""
    facts = json.dumps([__version__, asdict(folder.manifest)], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:32]


def _fresh(request: Request, folder: Folder, make: Callable[[], Any]) -> Response:
    """What is made from a version of the index, unless who asks has it already."""
    tag = f'"{version_of(folder)}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in known.split(",")):
        return Response(status_code=304, headers=headers)
    return _json(make(), headers)


def _json(made: Any, headers: dict[str, str], status: int = 200) -> Response:
    return Response(json_line(made), status, headers, media_type=JSON)


def _transcript(folder: Folder, transcript_id: str) -> Transcript:
    try:
        return folder.transcript(transcript_id)
    except KeyError:
        raise Problem(
            404, f"There is no such transcript in the index; {BASE}/transcripts lists them."
        ) from None


def _summary(found: Summary) -> dict[str, Any]:
    # Without the path it was read from: where things lie on this machine is nobody's business.
    return {
        "id": found.id,
        "title": found.title,
        "date": found.date,
        "sha256": found.sha256,
        "characters": found.characters,
        "segments": found.segments,
    }


def _with_text(found: Transcript) -> dict[str, Any]:
    return {
        "id": found.id,
        "title": found.title,
        "date": found.date,
        "sha256": found.sha256,
        "characters": len(found.text),
        "segments": len(found.segments),
        "language": found.language,
        "text": found.text,
    }


def _page(found: Transcript, offset: int, limit: int) -> dict[str, Any]:
    return {
        "transcript": {
            "id": found.id,
            "title": found.title,
            "sha256": found.sha256,
            "date": found.date,
        },
        "total": len(found.segments),
        "offset": offset,
        "limit": limit,
        "segments": [
            _segment(found.text, segment) for segment in found.segments[offset : offset + limit]
        ],
    }


def _segment(text: str, segment: Segment) -> dict[str, Any]:
    return {
        "start": segment.start,
        "end": segment.end,
        "kind": segment.kind,
        "speaker": _speaker(segment.speaker),
        "said_at": list(segment.at) if segment.at else None,
        "text": text[segment.start : segment.end],
    }


def _speaker(speaker: Speaker | None) -> dict[str, Any] | None:
    return asdict(speaker) if speaker else None
