"""The passages that may answer: dense and keyword search, their scores weighed together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from index import keyword
from index.chunk import Chunk
from index.embed import Embedder
from index.folder import Folder
from index.store import Store, Vectors

DEPTH = 100  # hits taken from each ranking, at least
# Of which a keyword's points are remembered, for the hits of the vectors.
WORDS_DEPTH = 2_000
# What a point of BM25, and the cosine of a chunk's best sentence, count beside the chunk's cosine.
# Fitted on speech_dev, where much of what lies around them does as well; see eval/README.
WORDS = 0.015
VOUCHING = 1.0


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for, and where: in all transcripts, one of them, one speaker's words."""

    text: str
    transcript_id: str | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Near:
    """A sentence [start, end) of a transcript, and how near it is to the question: the cosine."""

    start: int
    end: int
    likeness: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found; higher scores are better, comparable within one search only.

    `likeness` is the cosine of the question and the chunk, comparable across searches.
    `sentences` are the chunk's, in order.
    """

    chunk: Chunk
    score: float
    likeness: float
    sentences: tuple[Near, ...]


class Retriever(Protocol):
    def retrieve(self, query: Query, k: int, /) -> list[Hit]: ...


class HybridRetriever:
    """FAISS and FTS5 over the chunks of one index.

    A chunk's score is its cosine, plus `words` times its BM25, plus `vouching` times the cosine
    of its best sentence.
    """

    def __init__(
        self,
        folder: Folder,
        embedder: Embedder,
        *,
        words: float = WORDS,
        vouching: float = VOUCHING,
    ) -> None:
        self._folder = folder
        self._store: Store = folder.store()
        self._sentences = folder.sentence_vectors()
        self._ranges = folder.sentence_ranges()
        self._embedder = embedder
        self._words = words
        self._vouching = vouching

    def retrieve(self, query: Query, k: int, /) -> list[Hit]:
        """The best k chunks, best first; ties go to the earlier chunk."""
        depth = max(k, DEPTH)
        allowed = self._folder.chunk_numbers(query.transcript_id, query.speaker)
        vector = self._embedder.embed_query(query.text)
        likeness = dict(self._store.search(vector, depth, allowed))
        points = dict(keyword.search(self._folder, query.text, WORDS_DEPTH, allowed))
        by_words_alone = [n for n in list(points)[:depth] if n not in likeness]
        likeness |= self._store.search(vector, len(by_words_alone), by_words_alone)
        near = {n: self._sentences[slice(*self._ranges[n])] @ vector for n in likeness}
        scores = {
            n: likeness[n]
            + self._words * points.get(n, 0.0)
            + self._vouching * float(near[n].max())
            for n in likeness
        }
        best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:k]
        return [
            Hit(self._folder.chunk(n), score, likeness[n], self._near(n, near[n]))
            for n, score in best
        ]

    def _near(self, n: int, likeness: Vectors) -> tuple[Near, ...]:
        places = self._folder.sentences_numbered(*map(int, self._ranges[n]))
        return tuple(
            Near(start, end, float(its)) for (start, end), its in zip(places, likeness, strict=True)
        )
