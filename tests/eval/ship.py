"""A tiny transcript, and a system that answers from it what it was told to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eval.questions import Gold, Question
from eval.run import Row, run
from index.transcript import text_sha256

# "It sank." stands twice: the right words are not yet the right place.
TEXT = "Ann says the ship left at noon. It sank. Bob says it sank near Crete. It sank."
SENTENCES = {
    "noon": (0, 31),
    "sank first": (32, 40),
    "Crete": (41, 69),
    "sank again": (70, 78),
}


def cite(sentence: str, answer: str, speaker: str | None = None) -> dict[str, Any]:
    """A quote of the `ask --json` contract: `answer` in one of the SENTENCES."""
    start, end = SENTENCES[sentence]
    at = start + TEXT[start:end].index(answer)
    return {
        "id": f"q_{at}_{at + len(answer)}",
        "n": 1,
        "transcript": {
            "id": "ship",
            "title": "The ship",
            "sha256": text_sha256(TEXT),
            "date": None,
        },
        "start": start,
        "end": end,
        "text": TEXT[start:end],
        "answer": {"start": at, "end": at + len(answer), "text": answer},
        "speaker": {"name": speaker, "basis": "narration"} if speaker else None,
        "said_at": None,
        "prefix": "",
        "suffix": "",
        "score": 1.0,
        "url": "/q/q",
    }


def reply(
    confidence: float,
    quotes: list[dict[str, Any]] | None = None,
    nearest: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """An answer of the `ask --json` contract."""
    return {
        "question": "as asked",
        "resolved_question": "as understood",
        "answerable": bool(quotes),
        "confidence": confidence,
        "quotes": quotes or [],
        "nearest": nearest or [],
        "searched": {"transcripts": 1, "segments": 4},
        "seconds": 0.001,
    }


def question(name: str, *golds: tuple[str, int], **fields: object) -> Question:
    """A question about the ship, with gold answers as (text, start)."""
    of_all: dict[str, Any] = {
        "split": "dev",
        "kind": "what",
        "transcript": "ship",
        "question": f"{name}?",
        "answerable": bool(golds),
        "speaker": None,
        "multi": False,
        "near_miss": False,
    }
    return Question(id=name, golds=tuple(Gold(*gold) for gold in golds), **{**of_all, **fields})


@dataclass(frozen=True)
class Exchange:
    """Questions, and what comes back for each by its text: an answer or an exception."""

    questions: list[Question]
    replies: dict[str, Any]

    def ask(self, text: str) -> dict[str, Any]:
        if isinstance(self.replies[text], Exception):
            raise self.replies[text]
        answer: dict[str, Any] = self.replies[text]
        return answer

    def text_of(self, transcript: str) -> str:
        return {"ship": TEXT}[transcript]

    def rows(self) -> list[Row]:
        return list(run(self.questions, self.ask, self.text_of))


def row_of(asked: Question, answer: dict[str, Any] | Exception) -> Row:
    """The row of one question and what comes back for it."""
    return Exchange([asked], {asked.question: answer}).rows()[0]
