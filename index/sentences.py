"""Sentences as spans: the unit that is shown as a quote.

The splitting is sentencex's. What has no sentence end in sight (a recogniser's output, one
endless line) is cut by langchain-text-splitters, whose pieces join up to the original.
"""

from __future__ import annotations

import re

LONGEST = 600  # characters
Span = tuple[int, int]
_EDGE = re.compile(r"^[\s.…]+|\s+$")


def sentences(text: str, language: str | None = None) -> list[Span]:
    """The sentences of `text` as [start, end), at most LONGEST characters each.

    White space and ellipses around a sentence are left out, and so are pieces with no
    letter or digit in them. Raises ValueError if the splitters lose a character.
    """
    from sentencex import segment

    spans: list[Span] = []
    position = 0
    for sentence in segment(language or "en", text):
        for piece in [sentence] if len(sentence) <= LONGEST else split_long(sentence):
            spans.extend(_trimmed(piece, position))
            position += len(piece)
    if position != len(text):
        raise ValueError(f"the sentences cover {position} of {len(text)} characters")
    return spans


def split_long(text: str) -> list[str]:
    """Pieces of at most LONGEST characters, cut where it hurts least; they join up to `text`."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    # Offsets are sums of lengths: the splitter's own start_index is wrong with an overlap.
    splitter = RecursiveCharacterTextSplitter(
        separators=["\n\n", "\n", ". ", "? ", "! ", "; ", ", ", " ", ""],
        chunk_size=LONGEST,
        chunk_overlap=0,
        keep_separator="end",
        strip_whitespace=False,
    )
    pieces = splitter.split_text(text)
    if "".join(pieces) != text:
        raise ValueError("the splitter's pieces do not join up to the text")
    return pieces


def _trimmed(piece: str, offset: int) -> list[Span]:
    lead = _EDGE.match(piece)
    start = lead.end() if lead else 0
    end = len(piece.rstrip())
    if not any(map(str.isalnum, piece[start:end])):
        return []
    return [(offset + start, offset + end)]
