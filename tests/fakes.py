"""Parts with behaviour: an embedder and a reader that go by shared words, and how to put them in.

They rank sensibly, need no model and are quick, so tests can assert what comes first.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from app.reader import Passage, Sentence, Span
from index.embed import Identity
from index.folder import Folder
from index.keyword import content_words
from index.retrieve import Hit, Query
from index.store import Vectors

DIMENSION = 1024


class BagOfWords:
    """An Embedder: the counts of a text's words, hashed. Texts that share words are near.

    `embedded` lists the passages it was given, to tell what was embedded anew.
    """

    def __init__(self, name: str = "bag-of-words") -> None:
        self.identity = Identity(name, sha256(name.encode()).hexdigest(), "fake", DIMENSION)
        self.embedded: list[str] = []

    def embed_passages(self, texts: Sequence[str], /) -> Vectors:
        self.embedded += texts
        rows = [self.embed_query(text) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), DIMENSION)

    def embed_query(self, text: str, /) -> Vectors:
        counts = np.zeros(DIMENSION, dtype=np.float32)
        for word in re.findall(r"\w+", text.lower()):
            counts[zlib.crc32(word.encode()) % DIMENSION] += 1
        if not counts.any():
            counts[0] = 1
        return counts / np.linalg.norm(counts)


class OverlapReader:
    """A Reader: a sentence scores by the share of the question's words in it, -4 to 4.

    It marks the words from the first that was asked for to the last.
    """

    def read(self, question: str, passages: Sequence[Passage], /) -> list[list[Span]]:
        asked = content_words(question)
        return [
            sorted(
                (span for s in passage.sentences for span in self._spans(asked, passage.text, s)),
                key=lambda span: -span.score,
            )
            for passage in passages
        ]

    def _spans(self, asked: Sequence[str], text: str, sentence: Sentence) -> Iterator[Span]:
        found = [
            word
            for word in re.compile(r"\w+").finditer(text, sentence.start, sentence.end)
            if word.group().lower() in asked
        ]
        if found:
            share = len({word.group().lower() for word in found}) / len(asked)
            yield Span(found[0].start(), found[-1].end(), 8 * share - 4)


class Everything:
    """A Retriever: every chunk of a folder, in order."""

    def __init__(self, folder: Folder) -> None:
        self.chunks = folder.all_chunks()

    def retrieve(self, query: Query, k: int, /) -> list[Hit]:
        return [Hit(chunk, 1.0, 1.0) for chunk in self.chunks]


class Marker:
    """A Reader that marks places it was told of, (transcript, start, end, score), wherever a
    passage covers one; it knows the chunks that `retriever` gives.
    """

    def __init__(self, retriever: Everything, *places: tuple[str, int, int, float]) -> None:
        self._chunks = retriever.chunks
        self._places = places

    def read(self, question: str, passages: Sequence[Passage], /) -> list[list[Span]]:
        return [
            [
                Span(start - chunk.start, end - chunk.start, score)
                for transcript, start, end, score in self._places
                if transcript == chunk.transcript_id and chunk.start <= start and end <= chunk.end
            ]
            for chunk, _ in zip(self._chunks, passages, strict=True)
        ]


class MarkReader:
    """A Reader that marks one string wherever it stands in a passage, as sure as `score` says."""

    def __init__(self, marker: str, score: float = 4.0) -> None:
        self._marker = re.compile(re.escape(marker))
        self._score = score

    def read(self, question: str, passages: Sequence[Passage], /) -> list[list[Span]]:
        return [
            [Span(*found.span(), self._score) for found in self._marker.finditer(passage.text)]
            for passage in passages
        ]


def assemble_fakes(put: Callable[[Any, str, Any], None] = setattr) -> None:
    """Have `app.assemble` use BagOfWords and OverlapReader instead of models.

    `put` is setattr, or a MonkeyPatch's.
    """
    import app.assemble

    put(app.assemble, "open_embedder", lambda model, *, threads, cache: BagOfWords())
    put(app.assemble, "open_reader", lambda embedder, *, threads: OverlapReader())


def ask_router(library: Any) -> Any:
    """POST /api/v1/ask as the contract has it, for pages that ask; errors are problems."""
    from fastapi import APIRouter
    from fastapi.responses import JSONResponse

    from app.answer import answer_object
    from index.errors import OnRecordError

    router = APIRouter()

    @router.post("/api/v1/ask")
    def ask(body: dict[str, Any]) -> JSONResponse:
        try:
            answer = library.ask(
                body["question"], body["history"], transcript=body.get("transcript")
            )
        except OnRecordError as error:
            problem = {"title": "Not asked", "status": 422, "detail": str(error)}
            return JSONResponse(problem, 422, media_type="application/problem+json")
        return JSONResponse(answer_object(answer))

    return router
