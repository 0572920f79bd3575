"""Finding alone: how often what answers is among the first passages found.

    python -m eval.retrieval DATA SET [--model NAME]

SET is speech_dev (its answerable questions against all passages of speech, training and dev),
xquad_en (against its 240 paragraphs) or qmsum_dev (QMSum's queries, each within its own meeting of
the dev set, where every chunk of a relevant stretch is right), of the sets in DATA. Each passage
is a transcript of one index, found when a chunk of it is. Vectors alone, keywords alone, and both
as the program has them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import tempfile
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.assemble import Parts, open_parts
from app.settings import Settings
from eval.collection import others_of, questions_of
from eval.formats import plain
from eval.metrics import mean, ranking
from eval.reading import rows_of
from eval.system import index_of
from index.chunk import Chunk
from index.errors import or_exit
from index.retrieve import HybridRetriever, Query

# The chunks found for a question, best first, in one transcript or, with None, in all.
Find = Callable[[str, str | None], list[Chunk]]
SETS = ("speech_dev", "xquad_en", "qmsum_dev")
FOUND = 100  # chunks asked for
SHOWN = ("Success@1", "Success@5", "Success@10", "Success@30", "RR")
# What a chunk is found by.
WAYS = {
    "vectors": {"words": 0.0, "vouching": 0.0},
    "keywords": {"words": 1e6, "vouching": 0.0},
    "both": {},
}


@dataclass(frozen=True, slots=True)
class Search:
    """A question, and the [start, end) of the transcripts that answer it, by name."""

    question: str
    relevant: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Collected:
    """Transcripts by name, and what is searched for in them.

    With `whole`, a transcript is found as one, among all of them; else a chunk, within the
    transcript that is asked about.
    """

    texts: dict[str, str]
    searches: list[Search]
    whole: bool


def collected(data: Path, name: str) -> Collected:
    """The transcripts of one of SETS, and its questions."""
    return meetings(data) if name == "qmsum_dev" else passages(data, name)


def passages(data: Path, name: str) -> Collected:
    """The passages of a set of questions, each a transcript, and those that lie beside them."""
    texts, questions = questions_of(rows_of(data, name), others_of(data, name))
    searches = [
        Search(one.question, ((one.transcript, 0, len(texts[one.transcript])),))
        for one in questions
        if one.answerable and one.transcript
    ]
    return Collected(texts, searches, whole=True)


def meetings(data: Path) -> Collected:
    """QMSum's dev meetings; a query may have several relevant stretches."""
    texts, searches = {}, []
    with gzip.open(data / "dev" / "qmsum_dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            name = row["title"].lower()  # as an index names it
            texts[name] = plain(row["context"])
            places = ((one["start"], one["start"] + len(one["text"])) for one in row["answers"])
            relevant = tuple((name, start, end) for start, end in places)
            searches.append(Search(row["question"], relevant))
    return Collected(texts, searches, whole=False)


def is_relevant(chunk: Chunk, search: Search) -> bool:
    return any(
        chunk.transcript_id == name and chunk.start < end and start < chunk.end
        for name, start, end in search.relevant
    )


def found(
    given: Collected, everything: Sequence[Chunk], find: Find
) -> Iterator[tuple[Sequence[Hashable], Collection[Hashable]]]:
    """For each search what is found among all the chunks, best first, and what should be."""
    for search in given.searches:
        chunks = find(search.question, None if given.whole else search.relevant[0][0])
        if given.whole:
            items: list[Hashable] = list(dict.fromkeys(chunk.transcript_id for chunk in chunks))
            yield items, {name for name, _, _ in search.relevant}
        else:
            yield chunks, {chunk for chunk in everything if is_relevant(chunk, search)}


def program(parts: Parts, weights: Mapping[str, float]) -> Find:
    """Finding as the program does, with the retriever's weights changed."""
    retriever = HybridRetriever(parts.folder, parts.embedder, **weights)

    def find(question: str, within: str | None) -> list[Chunk]:
        return [hit.chunk for hit in retriever.retrieve(Query(question, within), FOUND)]

    return find


def heading(given: Collected) -> str:
    """The table's first lines."""
    return f"| {len(given.searches)} questions | {' | '.join(SHOWN)} |\n|---{'|---' * len(SHOWN)}|"


def line(way: str, given: Collected, everything: Sequence[Chunk], find: Find) -> str:
    """One line of the table."""
    values = ranking(*zip(*found(given, everything, find), strict=True))
    shares = (mean([value[name] for value in values]) for name in SHOWN)
    return f"| {way} | {' | '.join(f'{share:.1%}' for share in shares)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="finding alone, over the passages of a set")
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of the question sets")
    parser.add_argument("set", choices=SETS, metavar="SET", help=", ".join(SETS))
    parser.add_argument("--model", help="another embedding model, by name or path")
    options = parser.parse_args()
    if options.model:
        os.environ["ONRECORD_MODEL"] = options.model
    given = collected(options.data, options.set)
    with tempfile.TemporaryDirectory() as temporary:
        index = index_of(given.texts, Path(temporary))
        parts = open_parts(Settings.from_environment(index=index))
        print(heading(given))
        for way, weights in WAYS.items():
            print(line(way, given, parts.folder.all_chunks(), program(parts, weights)))


if __name__ == "__main__":
    or_exit(main)
