"""Chunks: windows of consecutive sentences, the unit that is embedded and searched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from index.sentences import Span, sentences
from index.transcript import Transcript

# all-MiniLM-L6-v2 reads 256 tokens: about 1,000 characters of English.
SIZE = 800
OVERLAP = 200
_LINE = re.compile(r"\S[^\n]*")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a transcript; its text is `transcript.text[start:end]`."""

    transcript_id: str
    start: int
    end: int


def sentence_spans(transcript: Transcript) -> list[Span]:
    """The sentences of every segment, in the transcript's coordinates, in order."""
    spans: list[Span] = []
    for segment in transcript.segments:
        found = sentences(transcript.text[segment.start : segment.end], transcript.language)
        spans.extend((segment.start + start, segment.start + end) for start, end in found)
    return spans


def chunks(
    transcript: Transcript, spans: Sequence[Span], size: int = SIZE, overlap: int = OVERLAP
) -> Iterator[Chunk]:
    """Windows over the sentences of at most `size` characters, `overlap` of them shared.

    A window that begins with a turn takes in the label in front of it, so that the words
    are found (and read) together with who says them.
    """
    leads = _leads(transcript)
    first = 0
    while first < len(spans):
        start = leads.get(spans[first][0], spans[first][0])
        last = first
        while last + 1 < len(spans) and spans[last + 1][1] - start <= size:
            last += 1
        yield Chunk(transcript.id, start, spans[last][1])
        if last + 1 == len(spans):
            return
        following = last + 1
        while following - 1 > first and spans[last][1] - spans[following - 1][0] <= overlap:
            following -= 1
        # An overlap that leaves no room for the next sentence would only say the same again.
        while following <= last and _reach(spans[last + 1], spans[following], leads) > size:
            following += 1
        first = following


def _reach(last: Span, first: Span, leads: dict[int, int]) -> int:
    """How long a window from one sentence, with its label, to another would be."""
    return last[1] - leads.get(first[0], first[0])


def _leads(transcript: Transcript) -> dict[int, int]:
    """For the first word of each segment, where the label in front of it begins, if any."""
    leads = {}
    previous = 0
    for segment in transcript.segments:
        gap = transcript.text[previous : segment.start]
        labels = [line for line in _LINE.finditer(gap) if any(map(str.isalnum, line.group()))]
        if labels:
            leads[segment.start] = previous + labels[-1].start()
        previous = segment.end
    return leads
