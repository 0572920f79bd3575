"""Problem: what went wrong with a request, as application/problem+json (RFC 9457).

One sentence each, and never a stack trace: what is nobody's fault but ours stands in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from app.batch import json_line
from index.errors import OnRecordError, UsageError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

MEDIA_TYPE = "application/problem+json"
BROKEN = "Something went wrong on the server; its log has the details."
OUTAGE = "The index cannot be used now; the server's log says why, and how to mend it."
LONGEST = 80  # characters of what was sent that a sentence repeats

log = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818 - it is named as in the RFC
    """A request that is refused: its status, a title, one sentence, and headers to send along.

    Without a title, it is that of the status.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title or HTTPStatus(status).phrase
        self.detail = detail
        self.headers = dict(headers or {})

    @classmethod
    def of(cls, error: OnRecordError) -> Problem:
        """What is told of an error: the request's own faults as they read, an outage as one.

        The sentence of an outage is for whoever runs the server: it names folders.
        """
        if isinstance(error, UsageError):
            return cls(422, str(error))
        log.error("%s", error)
        return cls(503, OUTAGE, headers={"Retry-After": "30"})

    def as_object(self) -> dict[str, Any]:
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }

    def response(self) -> Response:
        from fastapi import Response

        headers = {"Cache-Control": "no-store", **self.headers}
        body = json_line(self.as_object())
        return Response(body, self.status, headers, media_type=MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Have everything that an app's routes raise answered as a problem."""
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

    @app.exception_handler(Problem)
    def refused(_: Request, error: Problem) -> Response:
        return error.response()

    @app.exception_handler(OnRecordError)
    def failed(_: Request, error: OnRecordError) -> Response:
        return Problem.of(error).response()

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> Response:
        return of_validation(error.errors()[0]).response()

    @app.exception_handler(HTTPException)
    def answered(_: Request, error: HTTPException) -> Response:
        detail = {
            400: "The body cannot be read; send one JSON object, as UTF-8.",
            404: "There is nothing at this address.",
            405: "This address does not take that method.",
        }.get(error.status_code, f"{HTTPStatus(error.status_code).phrase}.")
        return Problem(error.status_code, detail, headers=error.headers).response()


def of_validation(error: Mapping[str, Any]) -> Problem:
    """The first fault that pydantic found, in a sentence."""
    where = [str(part) for part in error["loc"] if part not in ("body", "query", "path")]
    name = ".".join(where)[:LONGEST] or "the body"
    kind = error["type"]
    if kind == "json_invalid":
        return Problem(
            400, f"The body is not JSON ({error['ctx']['error']}); send one JSON object."
        )
    if kind == "missing":
        told = "is missing"
    elif kind == "extra_forbidden":
        told = "is not known here; leave it out"
    else:
        told = f"is not as it should be: {error['msg'][0].lower()}{error['msg'][1:]}"
    return Problem(422, f"{name!r} {told}." if where else f"The body {told}.")
