"""Every quote ever handed out, with the transcript version it was cited from.

Kept in `quotes.sqlite` inside the index folder, beside the versions of the index and not in
them, so that a quote can still be shown when its transcript has changed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from app.answer import Quote, quote_id, quote_object
from index.errors import IndexFolderError
from index.folder import Folder
from index.transcript import Transcript, text_sha256

# What has become of the version that a quote was cited from: it is indexed, or another one of the
# same transcript is, or none is.
State = Literal["unchanged", "changed", "gone"]

FILE = "quotes.sqlite"
WAIT = 5.0  # seconds for another process to finish its own entry

_SCHEMA = """
CREATE TABLE IF NOT EXISTS versions (
    sha256 TEXT PRIMARY KEY, transcript_id TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS quotes (
    id TEXT PRIMARY KEY, sha256 TEXT NOT NULL REFERENCES versions(sha256), quote TEXT NOT NULL
);
PRAGMA user_version = 1;
"""


@dataclass(frozen=True, slots=True)
class Handed:
    """A quote as it was handed out, the text it was cited from, and what has become of that.

    `quote` is the object of the `ask --json` contract.
    """

    quote: dict[str, Any]
    text: str
    state: State


class Ledger:
    """The quotes of one index folder; every call opens the file anew."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def record(self, quotes: Sequence[Quote], transcripts: dict[str, Transcript]) -> None:
        """Remember quotes; `transcripts` holds their sources by id.

        Raises IndexFolderError where the file cannot be written.
        """
        try:
            with closing(sqlite3.connect(self._file, timeout=WAIT)) as connection, connection:
                if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                    connection.executescript(_SCHEMA)
                for quote in quotes:
                    source = transcripts[quote.source.id]
                    connection.execute(
                        "INSERT OR IGNORE INTO versions VALUES (?, ?, ?, ?)",
                        (source.sha256, source.id, source.title, source.text),
                    )
                    connection.execute(
                        "INSERT OR IGNORE INTO quotes VALUES (?, ?, ?)",
                        (quote.id, source.sha256, json.dumps(quote_object(quote, 1))),
                    )
        except sqlite3.Error as error:
            raise IndexFolderError(
                f"{self._file}: the quotes could not be recorded ({error}); the answer stands, but "
                "its citations cannot be looked up later. Make the folder writable."
            ) from error

    def find(self, wanted: str) -> tuple[dict[str, Any], str] | None:
        """A quote as it was handed out, and the text it was cited from; None if never."""
        sql = "SELECT quote, text FROM quotes JOIN versions USING (sha256) WHERE id = ?"
        rows = self._rows(sql, wanted)
        return next(((json.loads(quote), text) for quote, text in rows), None)

    def handed(self, wanted: str, folder: Folder) -> Handed | None:
        """A quote as it was handed out, and whether it still stands in the index; None if never."""
        found = self.find(wanted)
        if found is None:
            return None
        quote, text = found
        source, indexed = quote["transcript"], folder.summaries()
        state: State = "gone"
        if any(source["sha256"] == summary.sha256 for summary in indexed):
            state = "unchanged"
        elif any(source["id"] == summary.id for summary in indexed):
            state = "changed"
        return Handed(quote, text, state)

    def prove(self) -> Iterator[str]:
        """Every quote that does not stand verbatim in the version it was cited from."""
        rows = self._rows(
            "SELECT id, sha256, quote, text FROM quotes LEFT JOIN versions USING (sha256)"
        )
        for kept_id, sha256, written, text in rows:
            quote = json.loads(written)
            answer = quote["answer"]
            place = (quote["start"], quote["end"], answer["start"], answer["end"])
            if text is None or not text_sha256(text) == sha256 == quote["transcript"]["sha256"]:
                yield f"quote {kept_id}: the transcript it was cited from is not as it was"
            elif (
                text[quote["start"] : quote["end"]] != quote["text"]
                or text[answer["start"] : answer["end"]] != answer["text"]
            ):
                yield f"quote {kept_id}: its words do not stand at its offsets"
            elif quote_id(sha256, *place) != kept_id:
                yield f"quote {kept_id}: its id is not that of its place"

    def __len__(self) -> int:
        return int(next(self._rows("SELECT count(*) FROM quotes"), (0,))[0])

    def _rows(self, sql: str, *values: str) -> Iterator[tuple[Any, ...]]:
        if not self._file.exists():
            return
        address = f"{self._file.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(address, uri=True, timeout=WAIT)) as connection:
                yield from connection.execute(sql, values)
        except sqlite3.Error as error:
            raise IndexFolderError(f"{self._file}: cannot be read ({error}).") from error
