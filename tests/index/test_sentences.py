"""Sentences as spans: whole, in order, none of the words lost, none longer than can be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.sentences import LONGEST, sentences, split_long


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It went well. Very well!  Did it?", ["It went well.", "Very well!", "Did it?"]),
        ("Mr. Trump met Dr. Smith. They spoke.", ["Mr. Trump met Dr. Smith.", "They spoke."]),
        ("  One.\n\nTwo. ", ["One.", "Two."]),
        ("First. ... Second.", ["First.", "Second."]),
        ("It costs $3.50 today. Yes.", ["It costs $3.50 today.", "Yes."]),
        ("no end in sight", ["no end in sight"]),
        ("Yes. Yes. Yes.", ["Yes.", "Yes.", "Yes."]),
        ("", []),
        (" \n ", []),
        ("... — !", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@given(
    st.one_of(st.text(), st.text(st.sampled_from("aB. ?!\n\"'…“”é\u00a0\u2028")), st.text("a ."))
)
def test_sentences_are_in_order_trimmed_and_hold_every_word(text: str) -> None:
    outside = list(text)
    previous = 0
    for start, end in sentences(text):
        assert previous <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        assert end - start <= LONGEST
        outside[start:end] = " " * (end - start)
        previous = end
    assert not any(map(str.isalnum, outside))


@given(st.text(st.sampled_from("ab .,\n"), min_size=LONGEST, max_size=4 * LONGEST))
def test_pieces_of_a_long_sentence_join_up(text: str) -> None:
    pieces = split_long(text)
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= LONGEST


def test_a_long_sentence_is_cut_where_it_hurts_least() -> None:
    clause = "and so we went on for a very long time without a rest, "
    pieces = split_long(clause * 40)
    assert all(piece.endswith(", ") for piece in pieces)


@pytest.mark.parametrize(
    "text", ["word " * 1_000_000, "x" * 1_000_000, "字" * 200_000], ids=["words", "one word", "字"]
)
def test_one_endless_line(text: str) -> None:
    found = sentences(text)
    assert max(end - start for start, end in found) <= LONGEST
    assert sum(end - start for start, end in found) >= len(text) * 0.99
