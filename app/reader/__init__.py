"""The Reader seam: a question and passages in, scored spans out.

Readers know nothing of transcripts; a span's place is in its passage. `span` is the trained
reader, `evidence` weighs its spans with what else speaks for them; `app.training` made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a passage, in the passage's coordinates; `asked` says it may be quoted.

    `likeness` is the cosine of the question and the sentence, as it was found.
    """

    start: int
    end: int
    speaker: str | None
    asked: bool = True
    likeness: float = 0.0


@dataclass(frozen=True, slots=True)
class Passage:
    """What the reader sees of a chunk: its text, and its sentences with who says them.

    `likeness` is the cosine of the question and the passage, as it was found; `behind` how far
    its score in that search is below the first passage's.
    """

    text: str
    sentences: tuple[Sentence, ...]
    likeness: float = 0.0
    behind: float = 0.0


@dataclass(frozen=True, slots=True)
class Span:
    """Words of a passage that may answer: [start, end) in it.

    Scores are log-odds-like and can be compared across passages and questions.
    """

    start: int
    end: int
    score: float


class Reader(Protocol):
    """For each passage its spans, best first; how likely they answer is in their scores."""

    def read(self, question: str, passages: Sequence[Passage], /) -> list[list[Span]]: ...
