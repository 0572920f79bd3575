"""Ask every question of a set; one row, and one JSON line, for each, whatever happens.

A row holds all that the figures in `report` are made of. Nothing is scored here.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from eval.questions import Gold, Question
from index.errors import OnRecordError, UsageError
from index.transcript import text_sha256

# A question's text in, the object of the `ask --json` contract out.
Ask = Callable[[str], Mapping[str, Any]]
# A transcript's id in, its text out; raises KeyError or OnRecordError where there is none.
TextOf = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Span:
    """Words of a transcript and the characters they stand at."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Cited:
    """A quote as it was returned.

    `exact` says that the offsets and the hash it gives are proved by the transcript's text.
    """

    id: str
    transcript: str
    start: int
    end: int
    text: str
    answer: Span
    speaker: str | None
    exact: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A question with its gold answers, and what came back.

    `prediction` is the answer of the first quote, or for a `multi` question those of all quotes
    in the transcript's order, joined by spaces. It is "" for a refusal. It is None, and so is
    `confidence`, when there is an `error`: the question then counts as wrong everywhere.
    `seconds` is the wall time of the call.
    """

    id: str
    split: str
    kind: str
    transcript: str
    question: str
    resolved_question: str | None
    answerable: bool
    near_miss: bool
    golds: tuple[Gold, ...]
    speaker: str | None
    multi: bool
    prediction: str | None
    quotes: tuple[Cited, ...]
    nearest: tuple[Cited, ...]
    confidence: float | None
    seconds: float
    error: str | None


@dataclass(frozen=True, slots=True)
class _Found:
    """An answer, read and checked."""

    resolved_question: str
    quotes: tuple[Cited, ...]
    nearest: tuple[Cited, ...]
    confidence: float


def run(questions: Iterable[Question], ask: Ask, text_of: TextOf) -> Iterator[Row]:
    """Ask each question in turn, and give its row as soon as it is there.

    A question that raises, or whose answer breaks the contract, gives a row with `error`.
    """
    for question in questions:
        yield _ask_one(question, ask, text_of)


def write_rows(rows: Iterable[Row], path: Path) -> Iterator[Row]:
    """Pass the rows on, each after its JSON line is in the file `path`, which is made anew.

    Raises OnRecordError when the file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8") as file:
            for row in rows:
                # A surrogate on its own has no UTF-8; as an escape it comes back as it was.
                file.write(json.dumps(asdict(row)) + "\n")
                file.flush()  # an interrupted run keeps what it has
                yield row
    except OSError as error:
        raise OnRecordError(
            f"The rows cannot be written to {path} ({error.strerror}): choose another --out."
        ) from None


def read_rows(path: Path) -> list[Row]:
    """The rows that `write_rows` wrote. Raises UsageError when the file is none of its files."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [_row_from(json.loads(line)) for line in lines]
    except OSError as error:
        raise UsageError(f"The rows in {path} cannot be read: {error.strerror}.") from None
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"{path} was not written by onrecord eval --out.") from None


def _ask_one(question: Question, ask: Ask, text_of: TextOf) -> Row:
    started = time.perf_counter()
    try:
        answer = ask(question.question)
        seconds = time.perf_counter() - started
        found = _read(answer, text_of)
    except Exception as error:  # whatever is wrong with one question, the others are asked
        return _row(question, None, time.perf_counter() - started, _sentence(error))
    return _row(question, found, seconds, None)


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, OnRecordError) else f"{type(error).__name__}: {error}"


def _read(answer: Mapping[str, Any], text_of: TextOf) -> _Found:
    """Raises whatever fits where `answer` breaks the contract."""
    found = _Found(
        resolved_question=answer["resolved_question"],
        quotes=tuple(_cited(quote, text_of) for quote in answer["quotes"]),
        nearest=tuple(_cited(quote, text_of) for quote in answer["nearest"]),
        confidence=float(answer["confidence"]),
    )
    if answer["answerable"] is not bool(found.quotes):
        raise ValueError(f"answerable {answer['answerable']} with {len(found.quotes)} quotes")
    if not math.isfinite(found.confidence):
        raise ValueError(f"confidence {found.confidence}")
    return found


def _cited(quote: Mapping[str, Any], text_of: TextOf) -> Cited:
    transcript, answer, speaker = quote["transcript"], quote["answer"], quote["speaker"]
    cited = Cited(
        id=quote["id"],
        transcript=transcript["id"],
        start=quote["start"],
        end=quote["end"],
        text=quote["text"],
        answer=Span(answer["start"], answer["end"], answer["text"]),
        speaker=speaker and speaker["name"],
        exact=False,
    )
    return replace(cited, exact=_is_exact(cited, transcript["sha256"], text_of))


def _is_exact(cited: Cited, sha256: str, text_of: TextOf) -> bool:
    """Whether the text and the answer stand at their offsets in the version that is cited."""
    try:
        text = text_of(cited.transcript)
    except (KeyError, OnRecordError):
        return False  # a citation of what nobody has proves nothing
    answer = cited.answer
    return (
        0 <= cited.start <= answer.start < answer.end <= cited.end <= len(text)
        and text[cited.start : cited.end] == cited.text
        and text[answer.start : answer.end] == answer.text
        and text_sha256(text) == sha256
    )


def _row(question: Question, found: _Found | None, seconds: float, error: str | None) -> Row:
    return Row(
        id=question.id,
        split=question.split,
        kind=question.kind,
        transcript=question.transcript,
        question=question.question,
        resolved_question=found.resolved_question if found else None,
        answerable=question.answerable,
        near_miss=question.near_miss,
        golds=question.golds,
        speaker=question.speaker,
        multi=question.multi,
        prediction=_prediction(found.quotes, question.multi) if found else None,
        quotes=found.quotes if found else (),
        nearest=found.nearest if found else (),
        confidence=found.confidence if found else None,
        seconds=seconds,
        error=error,
    )


def _prediction(quotes: tuple[Cited, ...], multi: bool) -> str:
    if not multi:
        return quotes[0].answer.text if quotes else ""
    # The parts of a list are all asked for and their rank is not: the transcript's order makes
    # the same parts the same text.
    in_order = sorted(quotes, key=lambda quote: (quote.transcript, quote.answer.start))
    return " ".join(quote.answer.text for quote in in_order)


def _row_from(fields: Mapping[str, Any]) -> Row:
    return Row(
        **{
            **fields,
            "golds": tuple(Gold(**gold) for gold in fields["golds"]),
            "quotes": tuple(_cited_from(quote) for quote in fields["quotes"]),
            "nearest": tuple(_cited_from(quote) for quote in fields["nearest"]),
        }
    )


def _cited_from(fields: Mapping[str, Any]) -> Cited:
    return Cited(**{**fields, "answer": Span(**fields["answer"])})
