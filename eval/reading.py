"""The trained reader alone, the right passage given: EM and F1 on question sets.

    python -m eval.reading DATA [--sets NAME...] [--rows N] [--model DIR]

DATA holds dev/*.jsonl.gz and train/squad_dev.jsonl.gz, one JSON object a line in SQuAD's shape:
title, question, context, answers, answerable. Of squad_dev only the articles count that training
leaves out.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.reader import Passage, Reader
from app.reader.span import MODEL, SpanReader
from app.training.sets import Row, held, part_of, read_rows
from eval.metrics import exact_match, f1, mean
from index.errors import or_exit

SEED = 1  # of the sample
FILES = {
    "xquad_en": "dev/xquad_en.jsonl.gz",
    "speech_dev": "dev/speech_dev.jsonl.gz",
    "friendsqa_dev": "dev/friendsqa_dev.jsonl.gz",
    "qed_dev": "dev/qed_dev.jsonl.gz",
    "squad_held": "train/squad_dev.jsonl.gz",
}


@dataclass(frozen=True, slots=True)
class Read:
    """A question and what the reader gave for it.

    `golds` are empty where the passage does not answer; `words` are the best span's, refused or
    not; `margin` is its score over "no answer".
    """

    golds: tuple[str, ...]
    words: str
    margin: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares from 0 to 1. `f1` and `em` are over the answerable, the best span forced.

    `f1_all` is SQuAD 2.0's over all questions, refusing where the margin is below 0; None where
    all questions have an answer.
    """

    answerable: int
    unanswerable: int
    f1: float
    em: float
    f1_all: float | None


def rows_of(data: Path, name: str, most: int | None = None) -> list[Row]:
    """The questions of one set, or a sample of `most` of them, always the same."""
    rows = read_rows(data / FILES[name])
    if name == "squad_held":
        rows = [row for row in rows if held(row)]
    if most is None or most >= len(rows):
        return rows
    return random.Random(SEED).sample(rows, most)  # noqa: S311


def for_fitting(row: Row) -> bool:
    """Whether the row is of the half of the documents on which weights are fitted."""
    return part_of(row.title, 2) == 0


def read(reader: Reader, row: Row) -> Read:
    """The reader's first span for the row's own passage, in one piece: no sentences are given."""
    (spans,) = reader.read(row.question, [Passage(row.context, ())])
    golds = tuple(row.context[start:end] for start, end in row.answers)
    if not spans:
        return Read(golds, "", float("-inf"))
    return Read(golds, row.context[spans[0].start : spans[0].end], spans[0].score)


def figures(found: Sequence[Read]) -> Figures:
    """EM and F1 of what was read. Some of the questions must have an answer."""
    answerable = [one for one in found if one.golds]
    refused = [f1(one.words if one.margin > 0 else "", one.golds or ("",)) for one in found]
    return Figures(
        len(answerable),
        len(found) - len(answerable),
        f1=mean([f1(one.words, one.golds) for one in answerable]) or 0.0,
        em=mean([exact_match(one.words, one.golds) for one in answerable]) or 0.0,
        f1_all=mean(refused) if len(answerable) < len(found) else None,
    )


def line(name: str, its: Figures) -> str:
    """One line of the table."""
    text = f"{name:14} {its.answerable:5} answerable: F1 {its.f1:6.1%}  EM {its.em:6.1%}"
    if its.f1_all is not None:
        text += f"; with {its.unanswerable} unanswerable: F1 {its.f1_all:.1%}"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description="the reader alone, the right passage given")
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of the question sets")
    parser.add_argument("--sets", nargs="+", choices=list(FILES), default=list(FILES))
    parser.add_argument("--rows", type=int, help="a sample of so many questions of each")
    parser.add_argument("--model", type=Path, default=MODEL, help="the reader's folder")
    options = parser.parse_args()
    reader = SpanReader.open(options.model, threads=2)
    for name in options.sets:
        found = [read(reader, row) for row in rows_of(options.data, name, options.rows)]
        print(line(name, figures(found)), flush=True)


if __name__ == "__main__":
    or_exit(main)
