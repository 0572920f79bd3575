"""BM25 over the chunks, in SQLite's FTS5 (Porter stemming, accents folded)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

STOP_WORDS = frozenset(
    "a about after all also am an and any are as at be because been before being but by can "
    "could did do does doing for from get give got had has have having he her here him his how i "
    "if in into is it its just like made make me more most much my no not of on one or other our "
    "out over say said says she should so some tell than that the their them then there these "
    "they this those to told up us was we were what when where which while who whom whose why "
    "will with would you your".split()
)
LONGEST_QUERY = 64  # words


def create(connection: sqlite3.Connection) -> None:
    """Make the table `words`; its rowid is the chunk's number."""
    connection.execute(
        "CREATE VIRTUAL TABLE words USING fts5("
        "text, content='', tokenize='porter unicode61 remove_diacritics 2')"
    )


def add(connection: sqlite3.Connection, rows: Iterable[tuple[int, str]]) -> None:
    """Add (chunk number, text) rows."""
    connection.executemany("INSERT INTO words(rowid, text) VALUES (?, ?)", rows)


class Database(Protocol):
    """Something that runs a query: a connection, or an open index folder."""

    def execute(self, sql: str, values: Sequence[Any], /) -> Iterable[tuple[Any, ...]]: ...


def search(
    database: Database, question: str, k: int, allowed: Sequence[int] | None = None
) -> list[tuple[int, float]]:
    """The best k (chunk number, BM25 score) pairs, best first; more is better.

    `allowed` restricts the search to those chunk numbers.
    """
    words = content_words(question)[:LONGEST_QUERY]
    if not words:
        return []
    match = " OR ".join(f'"{word}"' for word in words)
    sql = "SELECT rowid, -bm25(words) FROM words WHERE words MATCH ?"
    if allowed is None:
        sql += " ORDER BY bm25(words), rowid LIMIT ?"
        return [(n, score) for n, score in database.execute(sql, (match, k))]
    wanted = set(allowed)
    rows = database.execute(sql + " ORDER BY bm25(words), rowid", (match,))
    return [(n, score) for n, score in rows if n in wanted][:k]


def content_words(text: str) -> list[str]:
    """The words of a text that carry meaning, in lower case, each once, in order."""
    words = re.findall(r"\w+", text.lower())
    return [word for word in dict.fromkeys(words) if word not in STOP_WORDS]
