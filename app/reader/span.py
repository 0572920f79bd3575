"""The trained reader: MiniLM with start and end scores, int8 ONNX, no torch.

The model ships in `app/reader/model` with its card. Reading follows BERT for SQuAD 2.0
(Devlin et al. 2019): a span's score is its margin, start and end score less those of "no answer".
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from app.reader import Passage, Span
from index.errors import OnRecordError
from index.onnx import at_once, open_session

if TYPE_CHECKING:
    import onnxruntime
    from tokenizers import Tokenizer

MODEL = Path(__file__).parent / "model"
FORMAT = 2  # of model.json
CLS, SEP = 101, 102
QUESTION_TOKENS = 48
WINDOW_TOKENS = 216
WINDOW_STEP = 168
ANSWER_TOKENS = 48
LONGEST_ANSWER = 400  # characters
LONGEST_WORD = 40

Scores = NDArray[np.float32]
Range = tuple[int, int]
_IDEOGRAPH = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens of a passage; `places` are their [start, end) in it, or None for added labels."""

    passage: int
    ids: Sequence[int]
    places: Sequence[tuple[int, int] | None]


class SpanReader:
    """The best span of every sentence by the shipped model; `threads` windows are read at a time.

    Safe to share between threads.
    """

    def __init__(
        self, session: onnxruntime.InferenceSession, tokenizer: Tokenizer, threads: int
    ) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._threads = threads

    @classmethod
    def open(cls, folder: Path = MODEL, *, threads: int) -> Self:
        """The model in `folder`.

        Raises OnRecordError where it is missing, cut short or of another version.
        """
        from tokenizers import Tokenizer

        try:
            about = read_about(folder)
            sha256, words = about["sha256"], (folder / "tokenizer.json").read_bytes()
            if hashlib.sha256(words).hexdigest() != about["tokenizer_sha256"]:
                raise ValueError("tokenizer.json is not this model's")
            tokenizer = Tokenizer.from_buffer(words)
        except OnRecordError:
            raise
        except Exception as error:  # what tokenizers raises has no class of its own
            raise damaged(folder, error) from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(open_session(folder / "reader.onnx", sha256), tokenizer, threads)

    def read(self, question: str, passages: Sequence[Passage], /) -> list[list[Span]]:
        asked = self._tokenizer.encode(question, add_special_tokens=False).ids[:QUESTION_TOKENS]
        windows = [
            window for n, passage in enumerate(passages) for window in self._windows(n, passage)
        ]
        # The longest first, so that no thread is left alone with one.
        windows.sort(key=lambda window: -len(window.ids))
        read = at_once(lambda window: self._scores(asked, window), windows, self._threads)
        best: list[dict[Range, Span]] = [{} for _ in passages]
        for window, scores in zip(windows, read, strict=True):
            passage, its = passages[window.passage], best[window.passage]
            for where, span in _spans(passage, window, scores, len(asked) + 2):
                if where not in its or its[where].score < span.score:
                    its[where] = span
        return [sorted(its.values(), key=lambda span: (-span.score, span.start)) for its in best]

    def _windows(self, number: int, passage: Passage) -> Iterator[Window]:
        ids: list[int] = []
        places: list[tuple[int, int] | None] = []
        for text, offset in _with_labels(passage):
            encoding = self._tokenizer.encode(text, add_special_tokens=False)
            ids += encoding.ids
            places += [
                None if offset is None else (offset + a, offset + b) for a, b in encoding.offsets
            ]
        last = max(0, len(ids) - WINDOW_TOKENS)
        for step in range(0, last + WINDOW_STEP, WINDOW_STEP):
            begin = min(step, last)  # the last window is a full one too
            stop = begin + WINDOW_TOKENS
            if ids[begin:stop]:
                yield Window(number, ids[begin:stop], places[begin:stop])

    def _scores(self, asked: Sequence[int], window: Window) -> Scores:
        """Its scores, of shape (tokens with question and marks, 2).

        It is read alone: in int8, what is read with it would count a little.
        """
        question, text = [CLS, *asked, SEP], [*window.ids, SEP]
        inputs = {
            "input_ids": [question + text],
            "attention_mask": [[1] * len(question + text)],
            "token_type_ids": [[0] * len(question) + [1] * len(text)],
        }
        (scores,) = self._session.run(
            None, {name: np.array(rows, dtype=np.int64) for name, rows in inputs.items()}
        )
        its: Scores = scores[0]
        return its


def read_about(folder: Path) -> dict[str, Any]:
    """What model.json says. Raises OnRecordError where it is missing or of another version."""
    try:
        about: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        found = about["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder, error) from error
    if found != FORMAT:
        raise OnRecordError(
            f"{folder}: this reader has format {found}, On Record reads format "
            f"{FORMAT}; install the model and the program of one version."
        )
    return about


def damaged(folder: Path, error: Exception) -> OnRecordError:
    return OnRecordError(
        f"{folder}: the reader's files are missing or damaged ({error}); install again."
    )


def _spans(
    passage: Passage, window: Window, scores: Scores, shift: int
) -> Iterator[tuple[Range, Span]]:
    """The best span of one window in each sentence; `shift` is where its tokens begin in `scores`.

    A sentence reaches back over the label in front of it.
    """
    null = float(scores[0].sum())
    inside = scores[shift : shift + len(window.ids)]
    # An added label is nowhere.
    places = np.array([place or (-1, -1) for place in window.places])
    bounds = [0, *(sentence.end for sentence in passage.sentences[:-1]), len(passage.text)]
    for where in pairwise(bounds):
        tokens = np.flatnonzero((places[:, 0] >= where[0]) & (places[:, 1] <= where[1]))
        if not len(tokens):
            continue
        pairs = inside[tokens, 0][:, None] + inside[tokens, 1][None, :]
        # An end before its start, or too far behind it, is no span.
        pairs[np.tri(len(tokens), k=-1, dtype=bool)] = -np.inf
        pairs[~np.tri(len(tokens), k=ANSWER_TOKENS - 1, dtype=bool)] = -np.inf
        first, last = np.unravel_index(np.argmax(pairs), pairs.shape)
        start, end = _whole_words(
            passage.text, int(places[tokens[first]][0]), int(places[tokens[last]][1])
        )
        if start < end <= start + LONGEST_ANSWER:
            yield where, Span(start, end, float(pairs[first, last]) - null)


def _with_labels(passage: Passage) -> Iterator[tuple[str, int | None]]:
    """The passage in pieces with their offsets, and names put in where turns do not show them.

    The model learned from transcripts whose turns begin with a name, so it is told who speaks
    in those that do not; an added name has no offset and can be no answer.
    """
    position = before = 0
    speaker = None
    for sentence in passage.sentences:
        if sentence.speaker != speaker:
            yield passage.text[position : sentence.start], position
            position = sentence.start
            speaker = sentence.speaker
            if speaker and speaker not in passage.text[before:position]:
                yield f"{speaker}:", None
        before = sentence.end
    yield passage.text[position:], position


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """The span widened to whole words, since a token can be a part of one, and to their marks.

    Only so far: scripts without spaces have no such words, and ideographs are tokens of their own.
    """
    first, last = max(0, start - LONGEST_WORD), min(len(text), end + LONGEST_WORD)
    while start > first and _joined(text[start - 1], text[start]):
        start -= 1
    while end < last and (_joined(text[end - 1], text[end]) or _is_mark(text[end])):
        end += 1
    return start, end


def _joined(a: str, b: str) -> bool:
    """Whether two characters side by side are of one word."""
    return all((c.isalnum() and not _IDEOGRAPH.match(c)) or _is_mark(c) for c in (a, b))


def _is_mark(character: str) -> bool:
    """Combining marks and joiners, which the tokenizer leaves out."""
    return unicodedata.category(character) in ("Mn", "Mc", "Me") or character == "\u200d"
