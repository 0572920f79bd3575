"""Transcript, Segment, Speaker: the one coordinate system everything cites in.

Offsets are Unicode code points into `Transcript.text`, 0-based, end-exclusive.
Reading files is in `formats`, telling who speaks in `speakers`.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["speech", "narration", "heading"]
Basis = Literal["label", "cue", "narration", "filename"]


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who says a segment, and what that is known from.

    `basis` is "label" (the name stands before the words), "cue" (a caption's voice tag),
    "narration" (the report around the quotation says so) or "filename".
    """

    name: str
    basis: Basis


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a transcript with one kind and one speaker.

    `at` is (start, end) in seconds of the recording, or None where no time is given.
    """

    start: int
    end: int
    kind: Kind
    speaker: Speaker | None = None
    at: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript's canonical text and its segments, in order and without overlap.

    `sha256` is of the text as UTF-8: the version that quotes are cited from.
    Raises ValueError where segments leave the text or overlap.
    """

    id: str
    title: str
    text: str
    segments: tuple[Segment, ...]
    language: str | None = None
    date: str | None = None
    source: str | None = None
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        previous = 0
        for segment in self.segments:
            if not previous <= segment.start < segment.end <= len(self.text):
                raise ValueError(
                    f"{self.id}: segment {segment.start}-{segment.end} does not fit after "
                    f"{previous} in a text of {len(self.text)} characters"
                )
            previous = segment.end
        object.__setattr__(self, "sha256", text_sha256(self.text))

    def segment_at(self, offset: int) -> Segment | None:
        """The segment that covers `offset`, or None (between two segments)."""
        segment = self.segment_after(offset)
        return segment if segment and segment.start <= offset else None

    def segment_after(self, offset: int) -> Segment | None:
        """The first segment that ends after `offset`; None behind the last one."""
        n = bisect_right(self.segments, offset, key=lambda segment: segment.end)
        return self.segments[n] if n < len(self.segments) else None


def text_sha256(text: str) -> str:
    """The sha256 of a text as UTF-8, in hexadecimal; lone surrogates are kept as they are."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
