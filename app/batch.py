"""Many questions, one JSON line each: `ask --batch` and the API's /batch.

A bad line has its error in its place, and the others are answered all the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from app.answer import Answer, answer_object
from index.errors import OnRecordError, UsageError


class Library(Protocol):
    """What answers; see `app.assemble.Library`."""

    def ask(
        self,
        question: str,
        history: Sequence[str] = (),
        *,
        transcript: str | None = None,
        speaker: str | None = None,
        quotes: int | None = None,
    ) -> Answer: ...


def lines_of(data: bytes) -> list[tuple[int, str]]:
    """The lines that say something, with their numbers from 1."""
    # Only \n ends a line of JSON Lines; a broken byte breaks its own line only.
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").split("\n")
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def answer_line(
    library: Library,
    line: str,
    number: int,
    quotes: int | None = None,
    told: Callable[[OnRecordError], str] = str,
) -> dict[str, Any]:
    """The `ask --json` object for a line, with its id; {"id", "error"} where it cannot be asked.

    `quotes` is the most to give, `told` what is said of an error.
    """
    identity: Any = None
    try:
        request = _request(line, number)
        identity = request.get("id")
        answer = library.ask(
            _field(request, "question", number),
            _history(request, number),
            transcript=_field(request, "transcript", number, optional=True),
            speaker=_field(request, "speaker", number, optional=True),
            quotes=quotes,
        )
        return {"id": identity, **answer_object(answer)}
    except OnRecordError as error:
        return {"id": identity, "error": told(error)}


def json_line(result: Any) -> str:
    """JSON as people read it; escaped where UTF-8 could not hold it (half a character)."""
    line = json.dumps(result, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        return json.dumps(result)
    return line


def _request(line: str, number: int) -> dict[str, Any]:
    try:
        request = json.loads(line)
        # What could not be written again, an id too deep or not a number (NaN), is not JSON.
        json.dumps(request, allow_nan=False)
    except (ValueError, RecursionError):
        raise UsageError(f"line {number} is not JSON; give one object a line.") from None
    if not isinstance(request, dict):
        raise UsageError(f"line {number} is not a JSON object with a question.")
    return request


def _field(request: dict[str, Any], name: str, number: int, *, optional: bool = False) -> Any:
    value = request.get(name)
    if value is None and optional:
        return None
    if not isinstance(value, str):
        raise UsageError(f"line {number}: {name!r} is missing or is not text.")
    return value


def _history(request: dict[str, Any], number: int) -> list[str]:
    """Earlier questions: texts, or objects that have a "question"."""
    history = request.get("history") or []
    if not isinstance(history, list):
        raise UsageError(f"line {number}: 'history' is not a list of questions.")
    texts = [turn.get("question") if isinstance(turn, dict) else turn for turn in history]
    known = [text for text in texts if isinstance(text, str)]
    if len(known) < len(texts):
        raise UsageError(f"line {number}: 'history' is not a list of questions.")
    return known
