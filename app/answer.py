"""Quote, Answer: what was found, in transcript coordinates. Answerer: how it is found."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from index.transcript import Speaker


@dataclass(frozen=True, slots=True)
class Source:
    """The transcript version that a quote is cited from."""

    id: str
    title: str
    sha256: str
    date: str | None


@dataclass(frozen=True, slots=True)
class Quote:
    """Verbatim words at their place: `text` is the transcript's [start:end].

    `answer_start` and `answer_end` are the answering words inside it, in the same
    coordinates. `said_at` is (start, end) in seconds, or None. `prefix` and `suffix` are up
    to 32 characters on either side (W3C TextQuoteSelector).
    """

    source: Source
    start: int
    end: int
    text: str
    answer_start: int
    answer_end: int
    speaker: Speaker | None
    said_at: tuple[float, float] | None
    prefix: str
    suffix: str
    score: float

    def __post_init__(self) -> None:
        if not self.start <= self.answer_start < self.answer_end <= self.end:
            raise ValueError(
                f"answer {self.answer_start}-{self.answer_end} is not inside "
                f"quote {self.start}-{self.end}"
            )

    @property
    def id(self) -> str:
        """Derived from the transcript's hash and the answering words' place: computable again."""
        place = f"{self.source.sha256}|{self.answer_start}|{self.answer_end}"
        return "q_" + hashlib.sha256(place.encode()).hexdigest()[:16]

    @property
    def answer(self) -> str:
        """The exact words that answer."""
        return self.text[self.answer_start - self.start : self.answer_end - self.start]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found for a question. No quotes *is* "no answer"."""

    question: str
    resolved_question: str
    quotes: tuple[Quote, ...]
    nearest: tuple[Quote, ...]
    confidence: float
    transcripts_searched: int
    segments_searched: int
    seconds: float


def answer_object(answer: Answer) -> dict[str, Any]:
    """The JSON object of the `ask --json` contract."""
    return {
        "question": answer.question,
        "resolved_question": answer.resolved_question,
        "answerable": bool(answer.quotes),
        "confidence": round(answer.confidence, 4),
        "quotes": [quote_object(quote, n) for n, quote in enumerate(answer.quotes, 1)],
        "nearest": [quote_object(quote, n) for n, quote in enumerate(answer.nearest, 1)],
        "searched": {
            "transcripts": answer.transcripts_searched,
            "segments": answer.segments_searched,
        },
        "seconds": round(answer.seconds, 4),
    }


def quote_object(quote: Quote, n: int) -> dict[str, Any]:
    """One quote of the contract; `n` is its display number."""
    speaker = quote.speaker
    return {
        "id": quote.id,
        "n": n,
        "transcript": {
            "id": quote.source.id,
            "title": quote.source.title,
            "sha256": quote.source.sha256,
            "date": quote.source.date,
        },
        "start": quote.start,
        "end": quote.end,
        "text": quote.text,
        "answer": {"start": quote.answer_start, "end": quote.answer_end, "text": quote.answer},
        "speaker": {"name": speaker.name, "basis": speaker.basis} if speaker else None,
        "said_at": list(quote.said_at) if quote.said_at else None,
        "prefix": quote.prefix,
        "suffix": quote.suffix,
        "score": round(quote.score, 4),
        "url": f"/q/{quote.id}",
    }
