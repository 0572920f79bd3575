"""Sentences: the unit that is shown, at its very place, and never longer than LONGEST."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.sentences import LONGEST, Span, sentences, split_long


def words(text: str, spans: Sequence[Span]) -> list[str]:
    return [text[start:end] for start, end in spans]


def check(text: str, spans: Sequence[Span]) -> None:
    """In order, trimmed, not too long, and no letter or digit is left out."""
    position = 0
    for start, end in spans:
        assert position <= start < end <= len(text)
        assert end - start <= LONGEST
        assert not text[start].isspace()
        assert not text[end - 1].isspace()
        assert not any(map(str.isalnum, text[position:start]))
        position = end
    assert not any(map(str.isalnum, text[position:]))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hi.", ["Hi."]),
        ("  Hi there.\n", ["Hi there."]),
        ("One? Two! Three", ["One?", "Two!", "Three"]),
        ("Dr. Smith said no. He left.", ["Dr. Smith said no.", "He left."]),
        ("It cost 3.5 million. Then 4.", ["It cost 3.5 million.", "Then 4."]),
        ("Two lines\nof one. And so.", ["Two lines\nof one.", "And so."]),
        ("I mean no. ... And so.", ["I mean no. ...", "And so."]),
        ("… and so on …", ["and so on …"]),
        ("今天好。明天呢？", ["今天好。", "明天呢？"]),
        ("", []),
        (" \n\t", []),
        ("!!! … ...", []),
    ],
)
def test_sentences(text: str, found: list[str]) -> None:
    spans = sentences(text)
    assert words(text, spans) == found
    check(text, spans)


def test_the_same_sentence_twice_stands_at_two_places() -> None:
    assert sentences("It sank. Bob left. It sank.") == [(0, 8), (9, 18), (19, 27)]


def test_the_language_decides_what_is_an_abbreviation() -> None:
    text = "Das gilt z.B. Montag. Er kam."
    assert words(text, sentences(text, "de")) == ["Das gilt z.B. Montag.", "Er kam."]


def test_what_has_no_end_in_sight_is_cut_where_it_hurts_least() -> None:
    clause = "and then we went to sea with all of them, "
    pieces = split_long(clause * 30)
    assert "".join(pieces) == clause * 30
    assert {len(piece) for piece in pieces} == {len(clause) * 14, len(clause) * 2}
    assert all(piece.startswith("and then") for piece in pieces)


def test_a_word_without_end_is_cut_at_the_limit() -> None:
    assert sentences("x" * 1300) == [(0, LONGEST), (LONGEST, 2 * LONGEST), (2 * LONGEST, 1300)]


@pytest.mark.parametrize("unit", ["and then we went to sea ", "abcdefghij"], ids=["spaces", "none"])
def test_five_megabytes_on_one_line_are_cut(unit: str) -> None:
    text = unit * (5_000_000 // len(unit))
    spans = sentences(text)
    check(text, spans)
    assert len(spans) < 2 * len(text) / LONGEST


def test_a_splitter_that_loses_a_character_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lossy = SimpleNamespace(segment=lambda language, text: text.split(" "))
    monkeypatch.setitem(sys.modules, "sentencex", lossy)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the sentences cover 10 of 12 characters"):
        sentences("One. Two. No")


@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    check(text, sentences(text))


@given(
    st.lists(
        st.sampled_from(
            ["We went", " ", ".", "...", "…", "\n", "\n\n", "!", "?", '"', "“", "”", "(", ")",
             "Dr.", "3.5", "e.g.", "x" * 700, "\u3000", "。", "\r", "\u2028", "\x1c", "«", "U.S."]
        ),
        max_size=30,
    ).map("".join)
)  # fmt: skip
def test_any_mixture_of_marks(text: str) -> None:
    check(text, sentences(text))
