"""Question sets to training examples: which rows are drawn, and what is made of each.

Sets are gzipped JSON lines in SQuAD's shape: title, question, context, answers, answerable.
Nothing here knows of the model; `train` turns examples into tensors.
"""

from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.reader.span import CLS, QUESTION_TOKENS, SEP

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

# One squad_dev article in so many is never trained on, so that it can measure.
HELD_TITLES = 8
# Questions that share squad_dev's articles.
ON_SQUAD_ARTICLES = frozenset({"squad_dev", "disfl_qa"})
# Transcripts of speech, whose punctuation a recogniser may leave out.
SPOKEN = frozenset({"speech", "molweni"})
MARKS = frozenset('.,;?!-…"')
NEAREST = 3  # of a document's passages without the answer, those a negative is drawn from
APART = 8  # fewest tokens of a window that leaves the answer out


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a training plan: how many rows of each set, and how they are shown.

    Windows are of `window_tokens` (least, most) tokens. Of the answerable questions a share of
    `negatives` is turned into unanswerable ones, half by another passage of the same document,
    half by a window that leaves the answer out. A share of `unpunctuated` of the spoken windows
    is shown as a recogniser may leave them.
    """

    rows: Mapping[str, int]
    window_tokens: tuple[int, int]
    negatives: float = 0.0
    unpunctuated: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """A question over a context; `answers` are alternatives as (start, end) in it, if any."""

    dataset: str
    title: str
    question: str
    context: str
    answers: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of [CLS] question [SEP] window [SEP], the window beginning at `shift`.

    `start` and `end` are the positions of the answer's first and last token; 0, [CLS], where the
    window does not answer.
    """

    ids: list[int]
    shift: int
    start: int
    end: int


def read_rows(file: Path) -> list[Row]:
    """The rows of one set, in order. `file` is `<set>.jsonl.gz`."""
    name = file.name.split(".")[0]
    rows = []
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            golds = row["answers"] if row["answerable"] else []
            answers = tuple((gold["start"], gold["start"] + len(gold["text"])) for gold in golds)
            rows.append(Row(name, row["title"], row["question"], row["context"], answers))
    return rows


def held(row: Row) -> bool:
    """Whether the row is of an article that is kept for measuring."""
    return row.dataset in ON_SQUAD_ARTICLES and sum(row.title.encode()) % HELD_TITLES == 0


class Sets:
    """The training sets in `folder`, each read when it is first wanted."""

    def __init__(self, folder: Path, tokenizer: Tokenizer) -> None:
        self._folder = folder
        self._tokenizer = tokenizer
        self._rows: dict[str, list[Row]] = {}
        self._neighbours: dict[str, Neighbours] = {}
        self._encodings: dict[str, Encoding] = {}

    def examples(self, stage: Stage, rng: random.Random) -> Iterator[Example]:
        """The examples of a stage, shuffled; those whose answer fits no window are left out.

        Every row of a set comes once before any comes again.
        """
        drawn: list[Row] = []
        for name, count in stage.rows.items():
            rows = self._read(name)
            for begin in range(0, count, len(rows)):
                drawn += rng.sample(rows, min(len(rows), count - begin))
        rng.shuffle(drawn)
        for row in drawn:
            asked = row
            if row.answers and rng.random() < stage.negatives / 2:
                asked = self._neighbours[row.dataset].elsewhere(row, rng)
            example = self._example(asked, stage, rng)
            if example is not None:
                yield example

    def _read(self, name: str) -> list[Row]:
        if name not in self._rows:
            rows = read_rows(self._folder / f"{name}.jsonl.gz")
            self._rows[name] = [row for row in rows if not held(row)]
            self._neighbours[name] = Neighbours(self._rows[name])
        return self._rows[name]

    def _encode(self, text: str) -> Encoding:
        if text not in self._encodings:
            self._encodings[text] = self._tokenizer.encode(text, add_special_tokens=False)
        return self._encodings[text]

    def _example(self, row: Row, stage: Stage, rng: random.Random) -> Example | None:
        question = self._encode(row.question).ids[:QUESTION_TOKENS]
        context = self._encode(row.context)
        size = min(rng.randint(*stage.window_tokens), len(context.ids))
        span = None
        if row.answers:
            span = tokens_of(context, rng.choice(row.answers))
            if span is None or span[1] - span[0] >= size:
                return None
        away = span is not None and rng.random() < stage.negatives / 2
        begin, stop, found = window(len(context.ids), size, span, away, rng)
        if away and found is None and _answers(row, context, begin, stop):
            # Another answer, or the same words again, stand in it.
            begin, stop, found = window(len(context.ids), size, span, False, rng)
        span = found
        kept = list(range(begin, stop))
        if row.dataset in SPOKEN and rng.random() < stage.unpunctuated:
            edges = set(span or ())
            kept = [n for n in kept if context.tokens[n] not in MARKS or n in edges]
        ids = [CLS, *question, SEP, *(context.ids[n] for n in kept), SEP]
        shift = len(question) + 2
        if span is None:
            return Example(ids, shift, 0, 0)
        return Example(ids, shift, shift + kept.index(span[0]), shift + kept.index(span[1]))


def _answers(row: Row, context: Encoding, begin: int, stop: int) -> bool:
    """Whether the words of any answer stand in the tokens [begin, stop)."""
    shown = row.context[context.offsets[begin][0] : context.offsets[stop - 1][1]].casefold()
    return any(row.context[start:end].casefold() in shown for start, end in row.answers)


def tokens_of(context: Encoding, answer: tuple[int, int]) -> tuple[int, int] | None:
    """The first and last token of the characters [start, end); None where no token stands there."""
    start, end = answer
    inside = [n for n, (a, b) in enumerate(context.offsets) if a < end and b > start and b > a]
    return (inside[0], inside[-1]) if inside else None


def window(
    length: int, size: int, span: tuple[int, int] | None, away: bool, rng: random.Random
) -> tuple[int, int, tuple[int, int] | None]:
    """Where a window of at most `size` of `length` tokens lies, and the answer if it holds it.

    With `away` it leaves the answer out, where there is room beside it.
    """
    if span is None:
        begin = rng.randint(0, length - size)
        return begin, begin + size, None
    first, last = span
    left, right = first, length - last - 1
    if away and max(left, right) >= APART:
        begin, room = (0, left) if left >= right else (last + 1, right)
        size = min(size, room)
        begin += rng.randint(0, room - size)
        return begin, begin + size, None
    lowest, highest = max(0, last + 1 - size), min(first, length - size)
    begin = rng.randint(lowest, highest)
    return begin, begin + size, span


class Neighbours:
    """The passages of each document, to take a near miss from."""

    def __init__(self, rows: Sequence[Row]) -> None:
        contexts: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for row in rows:
            contexts[row.title][row.context] = None
        self._contexts = {title: list(texts) for title, texts in contexts.items()}

    def elsewhere(self, row: Row, rng: random.Random) -> Row:
        """The question over one of the document's passages nearest to it that lack the answer.

        Nearest by the words they share with the question, weighed by rarity (TF-IDF). Where the
        document has no other passage, the row as it is.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        words = {row.context[a:b].casefold() for a, b in row.answers}
        others = [
            text
            for text in self._contexts[row.title]
            if text != row.context and not any(word in text.casefold() for word in words)
        ]
        if not others:
            return row
        if len(others) > 20:
            others = rng.sample(others, 20)
        if len(others) > NEAREST:
            vectors = TfidfVectorizer(stop_words="english").fit_transform([row.question, *others])
            likeness = (vectors[1:] @ vectors[0].T).toarray()[:, 0]
            others = [others[n] for n in likeness.argsort()[-NEAREST:]]
        return replace(row, context=rng.choice(others), answers=())
