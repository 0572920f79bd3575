"""Question sets to training examples: which rows are drawn, and what is made of each.

DATA holds train/<set>.jsonl.gz and dev/<set>.jsonl.gz, gzipped JSON lines in SQuAD's shape (title,
question, context, answers, answerable), and qmsum_meetings.jsonl.gz, QMSum's meetings. Some sets
are made of parts: `qmsum`, QMSum's own queries; questions of ours, `spoken` over QMSum's meetings
and `speech`, `written` and `causes` over `squad_train_small` and `qed`; and
`squad_train_sentences`, whose sentences are put together to passages again. `reader` and
`retriever` train on what it gives.
"""

from __future__ import annotations

import functools
import gzip
import json
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.reader.span import CLS, QUESTION_TOKENS, SEP
from index.embed import Embedder, OnnxEmbedder
from index.errors import OnRecordError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

# One squad_dev article in so many is never trained on, so that it can measure.
HELD_TITLES = 8
# Questions that share squad_dev's articles.
ON_SQUAD_ARTICLES = frozenset({"squad_dev", "disfl_qa"})
# Transcripts of speech, whose punctuation a recogniser may leave out.
SPOKEN = frozenset({"speech", "spoken", "molweni"})
MARKS = frozenset('.,;?!-…"')
SPOKEN_FILE = Path(__file__).parent / "spoken.jsonl.gz"
WRITTEN_FILE = Path(__file__).parent / "written.jsonl.gz"
CAUSES_FILE = Path(__file__).parent / "causes.jsonl.gz"  # why something happened, in few words
WRITTEN_OVER = ("squad_train_small", "qed")
LONGEST_STRETCH = 3_200  # characters of QMSum's relevant stretches
NEAREST = 6  # of a set's passages without the answer, those that rivals are drawn from
LOOKED_AT = 40  # of a set's passages, to find so many
APART = 8  # fewest tokens of a window that leaves the answer out
NEIGHBOURS = 3  # sentences on each side of the one that answers


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a training plan: how many rows of each set, and how they are shown.

    Windows are of `window_tokens` (least, most) tokens. Of the answerable questions a share of
    `negatives` is turned into unanswerable ones, half by a rival, a passage that the retriever
    finds for the question and that lacks the answer, half by a window that leaves the answer
    out. With `rivals`, so many of them are shown beside the passage that answers, to be compared
    with it. A share of `unpunctuated` of the spoken windows is shown as a recogniser may leave
    them.
    """

    rows: Mapping[str, int]
    window_tokens: tuple[int, int]
    negatives: float = 0.0
    rivals: int = 0
    unpunctuated: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """A question over a context; `answers` are alternatives as (start, end) in it, if any.

    Where they are not `exact`, they are sentences or turns that hold the answering words.
    """

    dataset: str
    title: str
    question: str
    context: str
    answers: tuple[tuple[int, int], ...]
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of [CLS] question [SEP] window [SEP], the window beginning at `shift`.

    `start` and `end` are the positions of the answer's first and last token; 0, [CLS], where the
    window does not answer. Where they are not `exact`, the answer stands somewhere between them.
    `question` is the number of the question: windows that share it are compared.
    """

    ids: list[int]
    shift: int
    start: int
    end: int
    question: int
    exact: bool = True


def read_rows(file: Path) -> list[Row]:
    """The rows of one set, in order. `file` is `<set>.jsonl.gz`."""
    name = file.name.split(".")[0]
    rows = []
    for row in _objects(file):
        golds = row["answers"] if row["answerable"] else []
        answers = tuple((gold["start"], gold["start"] + len(gold["text"])) for gold in golds)
        exact = "level" not in row
        rows.append(Row(name, row["title"], row["question"], row["context"], answers, exact))
    return rows


def _objects(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of one file. Raises OnRecordError where it cannot be read."""
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)
    except (OSError, EOFError, ValueError) as error:
        raise OnRecordError(
            f"{file}: cannot be read ({error}); name the folder that holds train/, dev/ and "
            "qmsum_meetings.jsonl.gz."
        ) from error


def read_set(data: Path, name: str) -> list[Row]:
    """The rows of a set that may be trained on. `data` holds train/ and dev/."""
    made_of_parts: dict[str, Callable[[Path], list[Row]]] = {
        "qmsum": _qmsum,
        "spoken": _spoken,
        "written": functools.partial(_written, WRITTEN_FILE),
        "causes": _causes,
        "squad_train_sentences": _sentences,
    }
    if name in made_of_parts:
        return made_of_parts[name](data)
    return [row for row in read_rows(data / "train" / f"{name}.jsonl.gz") if not held(row)]


def _meetings(data: Path) -> Iterator[dict[str, Any]]:
    """QMSum's training meetings, but for those that speech_dev asks about."""
    measured = {row.title for row in read_rows(data / "dev" / "speech_dev.jsonl.gz")}
    for meeting in _objects(data / "qmsum_meetings.jsonl.gz"):
        if meeting["split"] == "train" and meeting["id"] not in measured:
            yield meeting


def _qmsum(data: Path) -> list[Row]:
    """QMSum's queries over the stretch that is relevant to each, where it is one of fair length."""
    rows = []
    for meeting in _meetings(data):
        for query in meeting["queries"]:
            if len(query["relevant"]) == 1:
                start, end = query["relevant"][0]["start"], query["relevant"][0]["end"]
                if end - start <= LONGEST_STRETCH:
                    text, all_of_it = meeting["text"][start:end], ((0, end - start),)
                    rows.append(Row("qmsum", meeting["id"], query["question"], text, all_of_it))
    return rows


def _spoken(data: Path) -> list[Row]:
    """Our own questions: the file says where, DATA holds the words."""
    meetings = {meeting["id"]: meeting["text"] for meeting in _meetings(data)}
    speech = {row["id"]: row for row in _objects(data / "train" / "speech.jsonl.gz")}
    rows = []
    for row in _objects(SPOKEN_FILE):
        if "row" in row:
            title, text = speech[row["row"]]["title"], speech[row["row"]]["context"]
        else:
            title, text = row["meeting"], meetings[row["meeting"]][row["start"] : row["end"]]
        rows.append(Row("spoken", title, row["question"], text, _marked(row)))
    return rows


def _written(file: Path, data: Path) -> list[Row]:
    """Our own questions over paragraphs of an encyclopedia, each named by one that DATA asks."""
    name = file.name.split(".")[0]
    asked = {
        row["id"]: row
        for over in WRITTEN_OVER
        for row in _objects(data / "train" / f"{over}.jsonl.gz")
    }
    rows = []
    for row in _objects(file):
        there = asked[row["row"]]
        rows.append(Row(name, there["title"], row["question"], there["context"], _marked(row)))
    return rows


def _causes(data: Path) -> list[Row]:
    """Why something happened, where it is said: near misses among these taught to refuse them."""
    return [row for row in _written(CAUSES_FILE, data) if row.answers]


def _marked(row: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    """The answer of a question of ours, if it has one."""
    return (tuple(row["answer"]),) if row["answer"] else ()


def _sentences(data: Path) -> list[Row]:
    """Questions over the sentence that answers, among those that stood near it in its article.

    Rows are numbered in the order of the articles, though not all of them are there.
    """
    name = "squad_train_sentences"
    objects = _objects(data / "train" / f"{name}.jsonl.gz")
    rows = sorted(objects, key=lambda row: int(row["id"].split("_")[-1]))
    sentences = list(dict.fromkeys(row["context"] for row in rows))
    places = {sentence: place for place, sentence in enumerate(sentences)}
    made = []
    for row in rows:
        place = places[row["context"]]
        before = " ".join([*sentences[max(0, place - NEIGHBOURS) : place], ""])
        text = before + " ".join(sentences[place : place + NEIGHBOURS + 1])
        answer = (len(before), len(before) + len(row["context"]))
        made.append(Row(name, row["title"], row["question"], text, (answer,), exact=False))
    return made


def held(row: Row) -> bool:
    """Whether the row is of an article that is kept for measuring."""
    return row.dataset in ON_SQUAD_ARTICLES and part_of(row.title, HELD_TITLES) == 0


def part_of(title: str, parts: int) -> int:
    """In which of so many parts a document falls, 0 to `parts` - 1: the same one each time."""
    return sum(title.encode()) % parts


def our_retriever() -> Embedder:
    return OnnxEmbedder.open(threads=os.cpu_count() or 1)


class Sets:
    """Sets as examples; `read` gives the rows of one by its name, when they are first wanted.

    The embedder finds the rivals, and is opened where a stage wants some.
    """

    def __init__(
        self,
        read: Callable[[str], list[Row]],
        tokenizer: Tokenizer,
        embedder: Callable[[], Embedder] = our_retriever,
    ) -> None:
        self._read_rows = read
        self._tokenizer = tokenizer
        self._embedder = embedder
        self._rows: dict[str, list[Row]] = {}
        self._rivals: dict[str, Rivals] = {}
        self._encodings: dict[str, Encoding] = {}
        self._asked = 0

    def examples(self, stage: Stage, rng: random.Random) -> Iterator[list[Example]]:
        """For each question of a stage its examples, shuffled.

        Questions whose answer fits no window are left out. Every row of a set comes once before
        any comes again.
        """
        drawn: list[Row] = []
        for name, count in stage.rows.items():
            rows = self._read(name)
            for begin in range(0, count, len(rows)):
                drawn += rng.sample(rows, min(len(rows), count - begin))
        rng.shuffle(drawn)
        for row in drawn:
            shown = [row]
            if row.answers and rng.random() < stage.negatives / 2:
                shown = self._rivals_of(row, 1, rng) or shown
            elif row.answers:
                shown += self._rivals_of(row, stage.rivals, rng)
            self._asked += 1
            made = [self._example(one, stage, rng) for one in shown]
            if made[0] is not None:
                yield [example for example in made if example is not None]

    def _rivals_of(self, row: Row, count: int, rng: random.Random) -> list[Row]:
        if not count:
            return []
        if row.dataset not in self._rivals:
            self._rivals[row.dataset] = Rivals(self._rows[row.dataset], self._embedder())
        return self._rivals[row.dataset].of(row, count, rng)

    def _read(self, name: str) -> list[Row]:
        if name not in self._rows:
            self._rows[name] = self._read_rows(name)
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
            return Example(ids, shift, 0, 0, self._asked)
        first, last = (shift + kept.index(token) for token in span)
        return Example(ids, shift, first, last, self._asked, row.exact)


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


class Rivals:
    """The passages of a set, by how near the retriever takes them to be to each question."""

    def __init__(self, rows: Sequence[Row], embedder: Embedder) -> None:
        self._passages = list(dict.fromkeys(row.context for row in rows))
        self._vectors = embedder.embed_passages(self._passages)
        asked = list(dict.fromkeys(row.question for row in rows if row.answers))
        # Many at a time, as passages are: our retriever embeds both alike.
        self._asked = dict(zip(asked, embedder.embed_passages(asked), strict=True))

    def of(self, row: Row, count: int, rng: random.Random) -> list[Row]:
        """The question over at most `count` of the passages nearest to it that lack its answer."""
        words = [row.context[start:end].casefold() for start, end in row.answers]
        near = self._vectors @ self._asked[row.question]
        nearest = np.argsort(-near, kind="stable")[:LOOKED_AT].tolist()
        found = [
            text
            for text in (self._passages[n] for n in nearest)
            if text != row.context and not any(word in text.casefold() for word in words)
        ][:NEAREST]
        return [
            replace(row, context=text, answers=())
            for text in rng.sample(found, min(count, len(found)))
        ]
