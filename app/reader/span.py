"""The trained reader: MiniLM with start and end scores, int8 ONNX, no torch.

The model ships in `app/reader/model` with its card. Reading follows BERT for SQuAD 2.0
(Devlin et al. 2019): a span's score is its margin, start and end score less those of "no answer".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from app.reader import Passage, Span
from index.errors import OnRecordError
from index.onnx import by_length, open_session, padded

if TYPE_CHECKING:
    import onnxruntime
    from tokenizers import Tokenizer

MODEL = Path(__file__).parent / "model"
FORMAT = 1  # of model.json
CLS, SEP = 101, 102
QUESTION_TOKENS = 48
WINDOW_TOKENS = 256
WINDOW_STEP = 192
ANSWER_TOKENS = 48
LONGEST_ANSWER = 400  # characters
LONGEST_WORD = 40
BATCH = 8
SPANS_PER_PASSAGE = 4
CANDIDATES = 12  # best starts, and best ends, that are paired

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens of a passage; `places` are their [start, end) in it, or None for added labels."""

    passage: int
    ids: Sequence[int]
    places: Sequence[tuple[int, int] | None]


class SpanReader:
    """Start and end scores from the shipped model. Safe to share between threads."""

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: Tokenizer) -> None:
        self._session = session
        self._tokenizer = tokenizer

    @classmethod
    def open(cls, folder: Path = MODEL, *, threads: int) -> Self:
        """The model in `folder`.

        Raises OnRecordError where it is missing, cut short or of another version.
        """
        from tokenizers import Tokenizer

        try:
            about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
            if about["format"] != FORMAT:
                raise OnRecordError(
                    f"{folder}: this reader has format {about['format']}, On Record reads format "
                    f"{FORMAT}; install the model and the program of one version."
                )
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            sha256 = about["sha256"]
        except OnRecordError:
            raise
        except Exception as error:  # tokenizers raises bare Exception for a missing file
            raise OnRecordError(
                f"{folder}: the reader's files are missing or damaged ({error}); install again."
            ) from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(open_session(folder / "reader.onnx", sha256, threads=threads), tokenizer)

    def read(self, question: str, passages: Sequence[Passage], /) -> list[list[Span]]:
        asked = self._tokenizer.encode(question, add_special_tokens=False).ids[:QUESTION_TOKENS]
        windows = [
            window for n, passage in enumerate(passages) for window in self._windows(n, passage)
        ]
        found: list[list[Span]] = [[] for _ in passages]
        for rows in by_length([len(window.ids) for window in windows], BATCH):
            batch = [windows[n] for n in rows]
            for window, scores in zip(batch, self._scores(asked, batch), strict=True):
                passage = passages[window.passage]
                found[window.passage] += self._spans(passage, window, scores, len(asked) + 2)
        return [_best(spans) for spans in found]

    def _windows(self, number: int, passage: Passage) -> Iterator[Window]:
        ids: list[int] = []
        places: list[tuple[int, int] | None] = []
        for text, offset in _with_labels(passage):
            encoding = self._tokenizer.encode(text, add_special_tokens=False)
            ids += encoding.ids
            places += [
                None if offset is None else (offset + a, offset + b) for a, b in encoding.offsets
            ]
        for begin in range(0, max(1, len(ids) - WINDOW_TOKENS + WINDOW_STEP), WINDOW_STEP):
            stop = begin + WINDOW_TOKENS
            if ids[begin:stop]:
                yield Window(number, ids[begin:stop], places[begin:stop])

    def _scores(self, asked: Sequence[int], windows: Sequence[Window]) -> Iterator[Scores]:
        """For each window its scores, shape (tokens with question and marks, 2)."""
        rows = [[CLS, *asked, SEP, *window.ids, SEP] for window in windows]
        inputs = {
            "input_ids": padded(rows),
            "attention_mask": padded([[1] * len(row) for row in rows]),
            "token_type_ids": padded(
                [[0] * (len(asked) + 2) + [1] * (len(row) - len(asked) - 2) for row in rows]
            ),
        }
        (scores,) = self._session.run(None, inputs)
        yield from scores

    def _spans(
        self, passage: Passage, window: Window, scores: Scores, shift: int
    ) -> Iterator[Span]:
        """The best spans of one window; `shift` is where its tokens begin among the scores."""
        null = float(scores[0].sum())
        inside = scores[shift : shift + len(window.ids)].copy()
        inside[[place is None for place in window.places]] = -np.inf
        starts = np.argsort(-inside[:, 0])[:CANDIDATES]
        ends = np.argsort(-inside[:, 1])[:CANDIDATES]
        for first in starts:
            for last in ends:
                margin = float(inside[first, 0] + inside[last, 1]) - null
                a, b = window.places[first], window.places[last]
                if a is None or b is None or not first <= last < first + ANSWER_TOKENS:
                    continue
                start, end = _whole_words(passage.text, a[0], b[1])
                if start < end <= start + LONGEST_ANSWER:
                    yield Span(start, end, margin)


def _with_labels(passage: Passage) -> Iterator[tuple[str, int | None]]:
    """The passage in pieces with their offsets, and names put in where turns do not show them.

    The model learned from transcripts whose turns begin with a name, so it is told who speaks
    in those that do not; an added name has no offset and can be no answer.
    """
    position = 0
    speaker = None
    for sentence in passage.sentences:
        if sentence.speaker != speaker:
            gap = passage.text[position : sentence.start]
            yield gap, position
            position = sentence.start
            speaker = sentence.speaker
            if speaker and speaker not in gap:
                yield f"{speaker}:", None
    yield passage.text[position:], position


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """The span widened to whole words, since a token can be a part of one.

    Only so far: scripts without spaces have no such words.
    """
    first, last = max(0, start - LONGEST_WORD), min(len(text), end + LONGEST_WORD)
    while start > first and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < last and text[end - 1].isalnum() and text[end].isalnum():
        end += 1
    return start, end


def _best(spans: Sequence[Span]) -> list[Span]:
    """The best spans that do not overlap a better one, best first."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: (-one.score, one.start, one.end)):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
        if len(kept) == SPANS_PER_PASSAGE:
            break
    return kept
