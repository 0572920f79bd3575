"""The OpenAPI of the API: FastAPI's, with examples that are whole and the problems' own schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.api import schema

if TYPE_CHECKING:
    from fastapi import FastAPI

# FastAPI leaves out of an example what is null; so they are added when it is done.
EXAMPLE_OF = {
    schema.AskBody: "ask request",
    schema.VerifyBody: "verify request",
    schema.FeedbackBody: "feedback request",
    schema.AnswerObject: "ask",
    schema.VerifiedObject: "verify",
    schema.TranscriptList: "transcripts",
    schema.SegmentPage: "segments",
    schema.IndexObject: "index",
    schema.ProblemObject: "problem",
}


def complete(app: FastAPI) -> None:
    """Have the app's OpenAPI completed when it is first asked for."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        told = made()
        schemas = told["components"]["schemas"]
        schemas["ProblemObject"] = schema.ProblemObject.model_json_schema()
        for model, name in EXAMPLE_OF.items():
            schemas[model.__name__]["examples"] = [schema.EXAMPLES[name]]
        return told

    app.openapi = openapi  # type: ignore[method-assign]
