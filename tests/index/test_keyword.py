"""BM25 over chunks: order, stemming, accents, and words that are no search."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import keyword

ROWS = [
    (0, "The ferry crossed the harbour. The ferry was late."),
    (1, "Ferries and bridges were discussed at length, and nothing else was decided that evening."),
    (2, "The bridge will cost eleven million."),
    (3, "Zürich café"),
]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    keyword.create(connection)
    keyword.add(connection, ROWS)
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("question", "numbers"),
    [
        ("Who spoke of the ferry?", [0, 1]),
        ("FERRY", [0, 1]),
        ("the cost of bridges", [2, 1]),
        ("discussion", [1]),
        ("zurich", [3]),
        ("CAFÉ", [3]),
        ("submarine", []),
    ],
)
def test_the_best_chunk_first(
    connection: sqlite3.Connection, question: str, numbers: list[int]
) -> None:
    assert [n for n, _ in keyword.search(connection, question, 9)] == numbers


def test_scores_fall_and_are_above_zero(connection: sqlite3.Connection) -> None:
    (_, first), (_, second) = keyword.search(connection, "ferry", 9)
    assert first > second > 0


def test_k_and_allowed(connection: sqlite3.Connection) -> None:
    def found(k: int, allowed: list[int] | None = None) -> list[int]:
        return [n for n, _ in keyword.search(connection, "ferry bridge", k, allowed)]

    assert found(9) == [1, 0, 2]
    assert found(2) == [1, 0]
    assert found(9, [2, 0]) == [0, 2]
    assert found(1, [2, 0]) == [0]
    assert found(9, []) == []


@pytest.mark.parametrize(
    "question", ["", "?!", "What did she say about it?", '"', "'; DROP TABLE words; --", "* NEAR("]
)
def test_what_is_no_search_finds_nothing(connection: sqlite3.Connection, question: str) -> None:
    assert keyword.search(connection, question, 9) == []


@given(st.text())
def test_any_question_is_a_search(question: str) -> None:
    connection = sqlite3.connect(":memory:")
    keyword.create(connection)
    keyword.add(connection, ROWS)
    assert len(keyword.search(connection, question, 9)) <= len(ROWS)
    connection.close()


def test_a_very_long_question_is_a_search(connection: sqlite3.Connection) -> None:
    question = "ferry " + " ".join(f"word{n}" for n in range(20_000))
    assert [n for n, _ in keyword.search(connection, question, 9)] == [0, 1]


def test_content_words() -> None:
    text = "What did Trump say about Trump's Sanctions, and the sanctions of 2022?"
    assert keyword.content_words(text) == ["trump", "s", "sanctions", "2022"]
