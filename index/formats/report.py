"""A report in prose: headings, narration, and quoted speech, as a news story has them.

Who says the quoted words is told from the narration around them, in `index.speakers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from index.speakers import attribute
from index.transcript import Segment

_OPENING = '"“„«'
_CLOSING = {'"': '"', "“": "”", "„": "“”", "«": "»"}
_TERMINAL = re.compile(r"[.?!…:;,)\]\"”’»*]$")
_WORD = re.compile(r"\w+")
# Fewer quoted words than this inside a sentence are a phrase of the narrator's sentence.
SPEECH_WORDS = 4
WRAP_COLUMN = 100
HEADING_WORDS = 12


def parse(text: str) -> Sequence[Segment] | None:
    """Headings, narration and speech of a prose transcript; None where it has no words."""
    paragraphs = list(_paragraphs(text))
    punctuated = sum(bool(_TERMINAL.search(text[start:end])) for start, end in paragraphs)
    has_headings = 2 * punctuated >= len(paragraphs)
    segments: list[Segment] = []
    for number, (start, end) in enumerate(paragraphs):
        paragraph = text[start:end]
        if has_headings and _is_heading(paragraph, first=number == 0):
            segments.append(Segment(start, end, "heading"))
        else:
            segments.extend(_stretches(text, start, end))
    return attribute(text, segments)


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    # Lines are paragraphs, unless the text is wrapped: short lines, blank lines between.
    lines = text.split("\n")
    wrapped = re.search(r"\S[ \t]*\n[ \t]*\n", text.strip()) and max(map(len, lines)) <= WRAP_COLUMN
    pattern = r"\S(?:[^\n]|\n(?![ \t]*(?:\n|$)))*" if wrapped else r"[^\s][^\n]*"
    for found in re.finditer(pattern, text):
        trimmed = len(found.group().rstrip())
        yield found.start(), found.start() + trimmed


def _is_heading(paragraph: str, *, first: bool) -> bool:
    if paragraph.startswith("#"):
        return True
    words = len(_WORD.findall(paragraph))
    short = 0 < words <= HEADING_WORDS and not _TERMINAL.search(paragraph)
    return short and (first or paragraph.isupper())


def _stretches(text: str, start: int, end: int) -> Iterator[Segment]:
    """Cut one paragraph into narration and quoted speech, the quotation marks left outside."""
    narration = start
    position = start
    while position < end:
        mark = text[position]
        if mark not in _OPENING or not _opens(text, position, start):
            position += 1
            continue
        close = _closing(text, position, end)
        inner_start, inner_end = position + 1, end if close is None else close
        whole = position == start and (close is None or close == end - 1)
        words = len(_WORD.findall(text, inner_start, inner_end))
        if words >= SPEECH_WORDS or (whole and words):
            yield from _trimmed(text, narration, position, "narration")
            yield from _trimmed(text, inner_start, inner_end, "speech")
            narration = inner_end if close is None else close + 1
        position = inner_end + 1
    yield from _trimmed(text, narration, end, "narration")


def _opens(text: str, position: int, start: int) -> bool:
    return position == start or not text[position - 1].isalnum()


def _closing(text: str, position: int, end: int) -> int | None:
    closers = _CLOSING[text[position]]
    for index in range(position + 1, end):
        if text[index] in closers:
            return index
    return None


def _trimmed(text: str, start: int, end: int, kind: str) -> Iterator[Segment]:
    stretch = text[start:end]
    start += len(stretch) - len(stretch.lstrip())
    end -= len(stretch) - len(stretch.rstrip())
    if start < end and _WORD.search(text, start, end):
        yield Segment(start, end, "speech" if kind == "speech" else "narration")
