"""A tiny transcript, and a system that answers from it what it was told to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eval.questions import Gold, Question
from eval.rows import Manifest, Place, Row, Run
from eval.run import run
from eval.system import Reply
from index.chunk import Chunk
from index.transcript import text_sha256

# "It sank." stands twice: the right words are not yet the right place.
TEXT = "Ann says the ship left at noon. It sank. Bob says it sank near Crete. It sank."
SENTENCES = {
    "noon": (0, 31),
    "sank first": (32, 40),
    "Crete": (41, 69),
    "sank again": (70, 78),
}


def place(sentence: str) -> Place:
    """One of the SENTENCES, each of which is a passage of the index."""
    return Place("ship", *SENTENCES[sentence])


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
    quotes: Sequence[dict[str, Any]] = (),
    nearest: Sequence[dict[str, Any]] = (),
    *,
    hits: Sequence[str] = (),
    read: int | None = None,
) -> Reply:
    """An answer of the `ask --json` contract, and the sentences that were found for it, best
    first; all of them were read, or the first `read`.
    """
    answer = {
        "question": "as asked",
        "resolved_question": "as understood",
        "answerable": bool(quotes),
        "confidence": confidence,
        "quotes": [*quotes],
        "nearest": [*nearest],
        "searched": {"transcripts": 1, "segments": 4},
        "seconds": 0.001,
    }
    return Reply(answer, tuple(map(place, hits)), len(hits) if read is None else read)


def changed(came_back: Reply, **fields: Any) -> Reply:
    """A reply with some fields of its answer changed."""
    return replace(came_back, answer={**came_back.answer, **fields})


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
    """Questions, and a System of what comes back for each by its text: a reply or an exception."""

    questions: list[Question]
    replies: dict[str, Reply | Exception]
    texts: Mapping[str, str] = field(default_factory=lambda: {"ship": TEXT})
    chunks: Mapping[str, Sequence[Chunk]] = field(
        default_factory=lambda: {"ship": [Chunk("ship", *ends) for ends in SENTENCES.values()]}
    )

    def ask(self, question: str, /) -> Reply:
        came_back = self.replies[question]
        if isinstance(came_back, Exception):
            raise came_back
        return came_back

    def rows(self, workers: int = 1) -> list[Row]:
        return list(run(self.questions, self, workers))

    def run(self) -> Run:
        rows = self.rows()
        return Run(manifest(questions=len(rows)), tuple(rows))


def row_of(asked: Question, came_back: Reply | Exception) -> Row:
    """The row of one question and what comes back for it."""
    return Exchange([asked], {asked.question: came_back}).rows()[0]


def manifest(**fields: Any) -> Manifest:
    """A manifest as of a run on the ship."""
    of_all: dict[str, Any] = {
        "set": "ship.jsonl",
        "set_sha256": "5e7" * 20,
        "split": "all",
        "questions": 9,
        "index": "1dec" * 16,
        "transcripts": {"ship": text_sha256(TEXT)},
        "models": {"embedder": "bag-of-words", "reader": "overlap"},
        "settings": {"threshold": 0.25, "threads": 1},
        "workers": 1,
        "versions": {"on-record": "0.0", "python": "3"},
        "commit": None,
        "machine": "a ship's",
        "started": "2026-01-02T03:04:05+00:00",
    }
    return Manifest(**{**of_all, **fields})
