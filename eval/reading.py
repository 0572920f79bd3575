"""The trained reader alone, the right passage given: EM and F1 on question sets.

    python -m eval.reading FILE.jsonl.gz... [--rows N] [--model DIR]

FILE is a set in SQuAD's shape, one JSON object a line: question, context, answers, answerable.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.reader import Passage, Reader, Span
from app.reader.span import MODEL, SpanReader
from eval.metrics import exact_match, f1, mean

SEED = 1  # of the sample


@dataclass(frozen=True, slots=True)
class Item:
    """A question over one passage; `golds` are its acceptable answers as (start, text)."""

    title: str
    question: str
    passage: str
    golds: tuple[tuple[int, str], ...]


def items(file: Path, rows: int | None = None) -> list[Item]:
    """The questions of one set, or a sample of `rows` of them, always the same."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        found = []
        for line in lines:
            row = json.loads(line)
            golds = row["answers"] if row["answerable"] else []
            answers = tuple((gold["start"], gold["text"]) for gold in golds)
            found.append(Item(row["title"], row["question"], row["context"], answers))
    if rows is None or rows >= len(found):
        return found
    return random.Random(SEED).sample(found, rows)  # noqa: S311


def best_span(reader: Reader, item: Item) -> Span | None:
    """The reader's first span for the item's own passage."""
    (spans,) = reader.read(item.question, [Passage(item.passage, ())])
    return spans[0] if spans else None


def figures(reader: Reader, found: Sequence[Item]) -> str:
    """EM and F1 over the answerable, and over all with refusal at even odds."""
    answered: list[tuple[float, float]] = []
    overall: list[float] = []
    for item in found:
        span = best_span(reader, item)
        golds = [text for _, text in item.golds] or [""]
        words = item.passage[span.start : span.end] if span else ""
        if item.golds:
            answered.append((exact_match(words, golds), f1(words, golds)))
        overall.append(f1(words if span and span.score > 0 else "", golds))
    em, answer_f1 = mean([a for a, _ in answered]) or 0, mean([b for _, b in answered]) or 0
    line = f"{len(answered):5} answerable: F1 {100 * answer_f1:5.1f}  EM {100 * em:5.1f}"
    if len(answered) < len(found):
        line += (
            f"; with {len(found) - len(answered)} unanswerable: F1 {100 * (mean(overall) or 0):.1f}"
        )
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description="the reader alone, the right passage given")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.jsonl.gz")
    parser.add_argument("--rows", type=int, help="a sample of so many questions of each")
    parser.add_argument("--model", type=Path, default=MODEL, help="the reader's folder")
    options = parser.parse_args()
    reader = SpanReader.open(options.model, threads=2)
    for file in options.files:
        print(f"{file.name.split('.')[0]:18}", figures(reader, items(file, options.rows)))


if __name__ == "__main__":
    main()
