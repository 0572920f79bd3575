"""The coordinate system: segments in order, inside the text, and which one covers a place."""

from __future__ import annotations

import hashlib
from dataclasses import FrozenInstanceError

import pytest

from index.transcript import Segment, Speaker, Transcript, text_sha256


def transcript(text: str, *spans: tuple[int, int]) -> Transcript:
    return Transcript("t", "T", text, tuple(Segment(*span, "speech") for span in spans))


@pytest.mark.parametrize(
    "spans",
    [
        [(0, 3), (2, 5)],
        [(4, 6), (0, 3)],
        [(0, 11)],
        [(-1, 3)],
        [(3, 3)],
        [(5, 4)],
    ],
    ids=["overlap", "out of order", "past the end", "before the start", "empty", "backwards"],
)
def test_segments_that_do_not_fit_are_refused(spans: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match=r"t: segment -?\d+--?\d+ does not fit"):
        transcript("ten chars.", *spans)


def test_segments_may_touch_and_fill_the_text() -> None:
    assert len(transcript("ten chars.", (0, 3), (3, 10)).segments) == 2


def test_sha256_is_of_the_text_as_utf8() -> None:
    assert transcript("Zürich 😀").sha256 == hashlib.sha256("Zürich 😀".encode()).hexdigest()
    assert text_sha256("") == hashlib.sha256(b"").hexdigest()
    assert text_sha256("a lone \ud800") != text_sha256("a lone \ud801")


@pytest.mark.parametrize(
    ("offset", "found"),
    [(0, None), (1, 0), (2, 0), (3, None), (4, 1), (5, 1), (6, 2), (8, 2), (9, None), (-1, None)],
)
def test_segment_at_takes_the_end_as_outside(offset: int, found: int | None) -> None:
    made = transcript("0123456789", (1, 3), (4, 6), (6, 9))
    assert made.segment_at(offset) == (None if found is None else made.segments[found])


@pytest.mark.parametrize(("offset", "found"), [(-1, 0), (2, 0), (3, 1), (6, 2), (8, 2), (9, None)])
def test_segment_after_is_the_one_that_ends_next(offset: int, found: int | None) -> None:
    made = transcript("0123456789", (1, 3), (4, 6), (6, 9))
    assert made.segment_after(offset) == (None if found is None else made.segments[found])


def test_nothing_in_a_transcript_changes() -> None:
    with pytest.raises(FrozenInstanceError):
        transcript("text").text = "other"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Speaker("Ada", "label").name = "Eve"  # type: ignore[misc]
