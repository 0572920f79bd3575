"""Keyword search: which chunks come first, and that no question can break it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import keyword

CHUNKS = [
    "The bridge will cost eleven million.",
    "The bridge, the bridge, always the bridge.",
    "Negotiations about the ceasefire resumed in Türkiye.",
    "李明 walked home.",
    "A long talk about ships and boats and ports and sails and ropes and one bridge over a river.",
]


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as made:
        keyword.create(made)
        keyword.add(made, enumerate(CHUNKS))
        yield made


def numbers(connection: sqlite3.Connection, question: str, *rest) -> list[int]:
    return [number for number, _ in keyword.search(connection, question, *(rest or (10,)))]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("What about the bridge?", [1, 0, 4]),
        ("What will the bridge cost?", [0, 1, 4]),
        ("negotiating ceasefires", [2]),
        ("TURKIYE", [2]),
        ("Türkiye", [2]),
        ("李明", [3]),
        ("elephant", []),
        ("What about it?", []),
        ("", []),
    ],
    ids=["rank", "two words", "stems", "no accent", "accent", "Chinese", "no", "stop", "empty"],
)  # fmt: skip
def test_search(connection: sqlite3.Connection, question: str, found: list[int]) -> None:
    assert numbers(connection, question) == found


def test_scores_are_bm25_and_fall(connection: sqlite3.Connection) -> None:
    scores = [score for _, score in keyword.search(connection, "bridge cost", 10)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 1 > scores[-1] > 0


def test_k_and_allowed(connection: sqlite3.Connection) -> None:
    assert numbers(connection, "bridge", 2) == [1, 0]
    assert numbers(connection, "bridge", 10, [4, 0, 2]) == [0, 4]
    assert numbers(connection, "bridge", 1, [4]) == [4]
    assert numbers(connection, "bridge", 10, []) == []


def test_equal_scores_go_by_number() -> None:
    with closing(sqlite3.connect(":memory:")) as made:
        keyword.create(made)
        keyword.add(made, [(n, "the same words") for n in (5, 3, 4)])
        assert numbers(made, "same words") == [3, 4, 5]


@pytest.mark.parametrize(
    "question",
    [
        'bridge" OR "',
        "bridge*",
        "bridge NEAR c",
        "NOT bridge",
        "text: bridge",
        "(bridge",
        "-bridge",
    ],
)
def test_the_query_language_is_not_spoken(connection: sqlite3.Connection, question: str) -> None:
    assert set(numbers(connection, question)) == {0, 1, 4}


def test_a_question_of_many_words_is_cut(connection: sqlite3.Connection) -> None:
    filler = " ".join(f"word{n}" for n in range(keyword.LONGEST_QUERY))
    assert numbers(connection, f"bridge {filler}") == [1, 0, 4]
    assert numbers(connection, f"{filler} bridge") == []


@given(st.text(max_size=100))
def test_no_question_breaks_it(noise: str) -> None:
    with closing(sqlite3.connect(":memory:")) as made:
        keyword.create(made)
        keyword.add(made, [(0, "bridge"), (1, noise)])
        assert 0 in numbers(made, f"{noise} bridge")


def test_content_words() -> None:
    assert keyword.content_words("Who said: The COST? The cost, of Ben's bridge_2!") == [
        "cost", "ben", "s", "bridge_2",
    ]  # fmt: skip
