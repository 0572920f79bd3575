"""Ask every question of a set; one row for each, whatever happens.

Nothing is scored here (see `scores`), nor written (see `rows`).
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from eval.questions import Question
from eval.rows import Cited, Place, Row, Span
from eval.system import Reply, System
from index.errors import OnRecordError
from index.transcript import text_sha256

AROUND = 200  # characters of context on either side of a gold answer or a quote


def run(questions: Iterable[Question], system: System, workers: int = 1) -> Iterator[Row]:
    """Ask each question, `workers` at a time; rows in the questions' order, each when it is there.

    A question that raises, or whose answer breaks the contract, gives a row with `error`.
    """
    ask = partial(_ask_one, system=system)
    if workers == 1:
        yield from map(ask, questions)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(ask, questions)
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Found:
    """A reply, read and checked."""

    reply: Reply
    resolved_question: str
    quotes: tuple[Cited, ...]
    nearest: tuple[Cited, ...]
    confidence: float


def _ask_one(question: Question, system: System) -> Row:
    began = time.perf_counter()
    try:
        reply = system.ask(question.question)
        seconds = time.perf_counter() - began
        found = _read(reply, system.texts)
    except Exception as error:  # whatever is wrong with one question, the others are asked
        return _row(question, system, None, time.perf_counter() - began, _sentence(error))
    return _row(question, system, found, seconds, None)


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, OnRecordError) else f"{type(error).__name__}: {error}"


def _read(reply: Reply, texts: Mapping[str, str]) -> _Found:
    """Raises whatever fits where the answer breaks the contract."""
    answer = reply.answer
    found = _Found(
        reply=reply,
        resolved_question=answer["resolved_question"],
        quotes=tuple(_cited(quote, texts) for quote in answer["quotes"]),
        nearest=tuple(_cited(quote, texts) for quote in answer["nearest"]),
        confidence=float(answer["confidence"]),
    )
    if answer["answerable"] is not bool(found.quotes):
        raise ValueError(f"answerable {answer['answerable']} with {len(found.quotes)} quotes")
    if not math.isfinite(found.confidence):
        raise ValueError(f"confidence {found.confidence}")
    return found


def _cited(quote: Mapping[str, Any], texts: Mapping[str, str]) -> Cited:
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
    # A citation of what nobody has proves nothing.
    text = texts.get(cited.transcript)
    return replace(cited, exact=text is not None and _is_exact(cited, transcript["sha256"], text))


def _is_exact(cited: Cited, sha256: str, text: str) -> bool:
    """Whether the text and the answer stand at their offsets in the version that is cited."""
    answer = cited.answer
    return (
        0 <= cited.start <= answer.start < answer.end <= cited.end <= len(text)
        and text[cited.start : cited.end] == cited.text
        and text[answer.start : answer.end] == answer.text
        and text_sha256(text) == sha256
    )


def _row(
    question: Question, system: System, found: _Found | None, seconds: float, error: str | None
) -> Row:
    golds = [Place(question.transcript, gold.start, gold.end) for gold in question.golds]
    quotes = found.quotes if found else ()
    first = [Place(one.transcript, one.start, one.end) for one in quotes[:1]]
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
        speaker_given=question.speaker_given,
        multi=question.multi,
        prediction=_prediction(quotes, question.multi) if found else None,
        quotes=quotes,
        nearest=found.nearest if found else (),
        confidence=found.confidence if found else None,
        hits=found.reply.hits if found else (),
        read=found.reply.read if found else 0,
        relevant=_relevant(golds, system),
        seconds=seconds,
        error=error,
        context=_context([*golds, *first], system.texts),
    )


def _relevant(golds: Sequence[Place], system: System) -> tuple[Place, ...]:
    """The passages of the index that overlap a gold answer."""
    names = dict.fromkeys(gold.transcript for gold in golds)
    every = chain.from_iterable(system.chunks.get(name, ()) for name in names)
    places = [Place(chunk.transcript_id, chunk.start, chunk.end) for chunk in every]
    return tuple(place for place in places if any(map(place.overlaps, golds)))


def _context(places: Sequence[Place], texts: Mapping[str, str]) -> dict[str, tuple[Span, ...]]:
    """The words of the places with AROUND characters on either side, without overlaps."""
    found: dict[str, list[Span]] = defaultdict(list)
    for place in sorted(places, key=lambda one: (one.transcript, one.start)):
        text = texts.get(place.transcript, "")
        start, end = max(0, place.start - AROUND), min(len(text), place.end + AROUND)
        others = found[place.transcript]
        if others and start <= others[-1].end:
            start, end = others[-1].start, max(end, others.pop().end)
        others.append(Span(start, end, text[start:end]))
    return {name: tuple(spans) for name, spans in found.items()}


def _prediction(quotes: tuple[Cited, ...], multi: bool) -> str:
    if not multi:
        return quotes[0].answer.text if quotes else ""
    # The parts of a list are all asked for and their rank is not: the transcript's order makes
    # the same parts the same text.
    in_order = sorted(quotes, key=lambda quote: (quote.transcript, quote.answer.start))
    return " ".join(quote.answer.text for quote in in_order)
