"""What the API takes and gives, as pydantic models: for validation, and for the OpenAPI.

What is taken is taken strictly: no field that is not known, no number for a text. EXAMPLES are
real outputs over the transcripts that ship.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.answer import MAX_QUESTION, MOST_TURNS
from app.feedback import LONGEST

EXAMPLES: dict[str, Any] = json.loads((Path(__file__).parent / "examples.json").read_text("utf-8"))

MOST_QUOTES = 50

QUOTE_ID = "^q_[0-9a-f]{16}$"
Question = Annotated[str, Field(min_length=1, max_length=MAX_QUESTION)]
QuoteId = Annotated[str, Field(pattern=QUOTE_ID)]


class Taken(BaseModel):
    """A body that is sent to the API."""

    model_config = ConfigDict(strict=True, extra="forbid")


class AskBody(Taken):
    """A question. `history` holds the conversation's earlier ones, oldest first; `transcript` (an
    id) and `speaker` (a name) restrict where the answer may come from; `k` is the most quotes.
    """

    question: Question
    history: list[Question] = Field(default=[], max_length=MOST_TURNS)
    transcript: str | None = None
    speaker: str | None = None
    k: int | None = Field(default=None, ge=1, le=MOST_QUOTES)


class VerifyBody(Taken):
    """Words that somebody is said to have said, and who."""

    claim: Question
    speaker: str | None = None


class FeedbackBody(Taken):
    """What somebody says of an answer: the question as it was asked, and the ids of the quotes
    that were shown for it. `correction` are the words that would have been right; with `nobody`,
    nobody says it.
    """

    question: Question
    verdict: Literal["right", "wrong"]
    correction: str = Field(default="", max_length=LONGEST)
    nobody: bool = False
    quotes: list[QuoteId] = Field(default=[], max_length=MOST_QUOTES)
    nearest: list[QuoteId] = Field(default=[], max_length=MOST_QUOTES)


class Source(BaseModel):
    """The transcript, in the version that is cited: `sha256` is of its text."""

    id: str
    title: str
    sha256: str
    date: str | None


class Span(BaseModel):
    """The exact words that answer, in the transcript's characters."""

    start: int
    end: int
    text: str


class Speaker(BaseModel):
    """Who says it, and what that is known from."""

    name: str
    basis: Literal["label", "cue", "narration", "filename"]


Times = Annotated[list[float], Field(min_length=2, max_length=2)]


class QuoteObject(BaseModel):
    """Verbatim words: `text` is the transcript's characters from `start` to `end` (code points,
    0-based, end-exclusive). `said_at` is (start, end) in seconds.
    """

    id: QuoteId
    n: int
    transcript: Source
    start: int
    end: int
    text: str
    answer: Span
    speaker: Speaker | None
    said_at: Times | None
    prefix: str
    suffix: str
    score: float
    url: str


class Searched(BaseModel):
    transcripts: int
    segments: int


class AnswerObject(BaseModel):
    """An answer. Where nothing answers, `quotes` is empty, and `nearest` has up to three that do
    not answer.
    """

    question: str
    resolved_question: str
    answerable: bool
    confidence: float
    quotes: list[QuoteObject]
    nearest: list[QuoteObject]
    searched: Searched
    seconds: float


class VerifiedObject(BaseModel):
    """What the record has of a claim. `diff` turns the claimed words into the recorded ones:
    [what is done, claimed words, recorded words].
    """

    claim: str
    verdict: Literal["exact", "altered", "other_speaker", "not_found"]
    quotes: list[QuoteObject]
    diff: list[tuple[Literal["equal", "insert", "delete", "replace"], str, str]]


class TranscriptSummary(BaseModel):
    id: str
    title: str
    date: str | None
    sha256: str
    characters: int
    segments: int


class TranscriptList(BaseModel):
    """All transcripts, by title."""

    transcripts: list[TranscriptSummary]


class TranscriptObject(TranscriptSummary):
    """A transcript with its text."""

    language: str | None
    text: str


class SegmentObject(BaseModel):
    """A stretch with one kind and one speaker."""

    start: int
    end: int
    kind: Literal["speech", "narration", "heading"]
    speaker: Speaker | None
    said_at: Times | None
    text: str


class SegmentPage(BaseModel):
    """`limit` segments of `total`, from `offset` on."""

    transcript: Source
    total: int
    offset: int
    limit: int
    segments: list[SegmentObject]


class Counts(BaseModel):
    transcripts: int
    segments: int
    sentences: int
    chunks: int


class Model(BaseModel):
    name: str
    sha256: str


class Models(BaseModel):
    embedder: Model
    reader: Model


class IndexObject(BaseModel):
    """The index as it is now. `version` is the ETag of what is read from it."""

    version: str
    on_record: str
    built_at: str
    counts: Counts
    models: Models


class Kept(BaseModel):
    """A rating that was kept."""

    id: str
    at: str


class Health(BaseModel):
    status: Literal["ok"]


class ProblemObject(BaseModel):
    """What was wrong, and what to do (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
