"""The passages that may answer: dense and keyword search, fused by rank."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from index import keyword
from index.chunk import Chunk
from index.embed import Embedder
from index.folder import Folder
from index.store import Store

# Reciprocal rank fusion, Cormack et al. 2009: score = sum of 1 / (RANK_CONSTANT + rank).
RANK_CONSTANT = 60
DEPTH = 50  # hits taken from each ranking


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for, and where: in all transcripts, one of them, one speaker's words."""

    text: str
    transcript_id: str | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found; higher scores are better, comparable within one search only.

    `likeness` is the cosine of the question and the chunk, comparable across searches.
    """

    chunk: Chunk
    score: float
    likeness: float


class Retriever(Protocol):
    def retrieve(self, query: Query, k: int, /) -> list[Hit]: ...


class HybridRetriever:
    """FAISS and FTS5 over the chunks of one index, fused by reciprocal rank."""

    def __init__(self, folder: Folder, store: Store, embedder: Embedder) -> None:
        self._folder = folder
        self._store = store
        self._embedder = embedder

    def retrieve(self, query: Query, k: int, /) -> list[Hit]:
        """The best k chunks, best first; ties go to the earlier chunk."""
        allowed = self._folder.chunk_numbers(query.transcript_id, query.speaker)
        vector = self._embedder.embed_query(query.text)
        dense = self._store.search(vector, DEPTH, allowed)
        words = keyword.search(self._folder, query.text, DEPTH, allowed)
        fused = fuse([n for n, _ in dense], [n for n, _ in words])[:k]
        likeness = dict(dense)
        by_words_alone = [n for n, _ in fused if n not in likeness]
        likeness |= self._store.search(vector, len(by_words_alone), by_words_alone)
        return [Hit(self._folder.chunk(n), score, likeness[n]) for n, score in fused]


def fuse(*rankings: Sequence[int]) -> list[tuple[int, float]]:
    """Reciprocal rank fusion of rankings (best first): (number, score), best first."""
    scores: dict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, number in enumerate(ranking, 1):
            scores[number] += 1 / (RANK_CONSTANT + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
