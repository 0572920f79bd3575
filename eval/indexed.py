"""What is indexed, tried: sizes of chunks, labels, lines of context in front, neighbours.

    python -m eval.indexed DATA SET [--only WORDS]

SET as for `eval.retrieval`, and found is what is found there. One change at a time from what the
program does, by the shipped retriever and weights; everything is computed anew in memory.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.retrieval import FOUND, SETS, collected, heading, line
from index import keyword
from index.build import spoken
from index.chunk import OVERLAP, SIZE, Chunk, chunks, sentence_spans
from index.embed import Embedder, OnnxEmbedder
from index.errors import or_exit
from index.formats import parse
from index.retrieve import VOUCHING, WORDS
from index.sentences import Span
from index.store import Vectors
from index.transcript import Transcript

Shown = Callable[[Transcript, Chunk], str]
ASKED_BEFORE = 600  # characters before a chunk, in which the question just asked is looked for


@dataclass(frozen=True, slots=True)
class Way:
    """One way to index: what is a chunk, the text it is found by, and what counts beside it.

    `neighbours` is what the better of the chunks before and after counts.
    """

    name: str
    size: int = SIZE
    overlap: int = OVERLAP
    shown: Shown = lambda transcript, chunk: transcript.text[chunk.start : chunk.end]
    vouching: float = VOUCHING
    neighbours: float = 0.0


def words_alone(transcript: Transcript, chunk: Chunk) -> str:
    """What is said, without labels."""
    segments = (s for s in transcript.segments if s.start < chunk.end and s.end > chunk.start)
    return "\n".join(
        transcript.text[max(s.start, chunk.start) : min(s.end, chunk.end)] for s in segments
    )


def who_speaks(transcript: Transcript, chunk: Chunk) -> str:
    """A chunk that begins in a turn has its speaker's name in front."""
    text = transcript.text[chunk.start : chunk.end]
    segment = transcript.segment_at(chunk.start)
    return f"{segment.speaker.name}: {text}" if segment and segment.speaker else text


def titled(transcript: Transcript, chunk: Chunk) -> str:
    about = f"{transcript.title}, {transcript.date}" if transcript.date else transcript.title
    return f"{about}\n{transcript.text[chunk.start : chunk.end]}"


def just_asked(transcript: Transcript, chunk: Chunk) -> str:
    """The last question before the chunk, in front of it."""
    before = transcript.text[max(0, chunk.start - ASKED_BEFORE) : chunk.start]
    asked = [s for s in before.replace("!", ".").replace("?", "?.").split(".") if s.endswith("?")]
    text = transcript.text[chunk.start : chunk.end]
    return f"{asked[-1].strip()}\n{text}" if asked else text


WAYS = (
    Way("as the program does: 800 characters, 200 shared"),
    Way("400 characters, 100 shared", size=400, overlap=100),
    Way("600 characters, 150 shared", size=600, overlap=150),
    Way("1,000 characters, 250 shared", size=1_000, overlap=250),
    Way("800 characters, none shared", overlap=0),
    Way("labels left out", shown=words_alone),
    Way("who is speaking, in front", shown=who_speaks),
    Way("title and date, in front", shown=titled),
    Way("the question just asked, in front", shown=just_asked),
    Way("neighbours count 0.2", neighbours=0.2),
    Way("the best sentence left out", vouching=0.0),
)


class Searched:
    """Transcripts, indexed in one way."""

    def __init__(
        self,
        way: Way,
        transcripts: Sequence[Transcript],
        spans: Sequence[Sequence[Span]],
        sentences: Vectors,
        embedder: Embedder,
    ) -> None:
        self._way, self._sentences, self._embedder = way, sentences, embedder
        self.chunks: list[Chunk] = []
        self._ranges: list[tuple[int, int]] = []
        texts, first = [], 0
        for transcript, its in zip(transcripts, spans, strict=True):
            for chunk in chunks(transcript, its, way.size, way.overlap):
                inside = [n for n, s in enumerate(its) if chunk.start <= s[0] and s[1] <= chunk.end]
                self.chunks.append(chunk)
                self._ranges.append((first + inside[0], first + inside[-1] + 1))
                texts.append(way.shown(transcript, chunk))
            first += len(its)
        self._vectors = embedder.embed_passages(texts)
        self._database = sqlite3.connect(":memory:")
        keyword.create(self._database)
        keyword.add(self._database, enumerate(texts))

    def find(self, question: str, within: str | None) -> list[Chunk]:
        """The best chunks, best first, of one transcript or of all."""
        vector = self._embedder.embed_query(question)
        scores = (self._vectors @ vector).astype(np.float64)
        near = self._sentences @ vector
        vouched = [float(near[slice(*its)].max()) for its in self._ranges]
        scores = scores + self._way.vouching * np.array(vouched)
        for n, points in keyword.search(self._database, question, len(self.chunks)):
            scores[n] += WORDS * points
        if self._way.neighbours:
            scores = scores + self._way.neighbours * self.better_beside(scores)
        order = np.argsort(-scores, kind="stable")
        found = (self.chunks[n] for n in order.tolist())
        return [chunk for chunk in found if within in (None, chunk.transcript_id)][:FOUND]

    def better_beside(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """For each chunk the better score of those beside it in its transcript; 0 with none."""
        names = np.array([chunk.transcript_id for chunk in self.chunks])
        beside = np.full((2, len(scores)), -np.inf)
        same = names[1:] == names[:-1]
        beside[0, 1:][same] = scores[:-1][same]
        beside[1, :-1][same] = scores[1:][same]
        best = beside.max(axis=0)
        return np.where(np.isfinite(best), best, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description="what is indexed, tried")
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of the question sets")
    parser.add_argument("set", choices=SETS, metavar="SET", help=", ".join(SETS))
    parser.add_argument("--only", default="", help="the ways with these words in their name")
    options = parser.parse_args()
    given = collected(options.data, options.set)
    embedder = OnnxEmbedder.open(threads=os.cpu_count() or 1)
    transcripts = [parse(text, name) for name, text in given.texts.items()]
    spans = [sentence_spans(transcript) for transcript in transcripts]
    sentences = embedder.embed_passages(
        [spoken(t, span) for t, its in zip(transcripts, spans, strict=True) for span in its]
    )
    print(heading(given))
    for way in WAYS:
        if options.only not in way.name or (given.whole and way.shown is titled):
            continue  # passages have no titles
        searched = Searched(way, transcripts, spans, sentences, embedder)
        print(line(way.name, given, searched.chunks, searched.find), flush=True)


if __name__ == "__main__":
    or_exit(main)
