"""An index on disk: a folder that a reader sees either as it was or as it is, never half.

    manifest.json          names the current version: its files, their hashes, the model
    v-<n>/transcripts.sqlite   transcripts, segments, sentences, chunks, words: the truth
    v-<n>/vectors.faiss        one vector a chunk; can be made again from the chunks
    v-<n>/sentences.npy        one vector a sentence, likewise

A version's files never change once the manifest names them, so a reader needs no locks.
A new version is written beside the old one, and replacing the manifest publishes it.
Quotes handed out are kept beside these, in `app.ledger`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
from numpy.typing import NDArray

from index import __version__, keyword
from index.chunk import OVERLAP, SIZE, Chunk
from index.embed import Identity
from index.errors import DamagedIndexError, IndexFolderError
from index.sentences import LONGEST, Span
from index.store import FaissStore, Vectors
from index.transcript import Basis, Kind, Segment, Speaker, Transcript, text_sha256

FORMAT = 2
MANIFEST = "manifest.json"
DATABASE = "transcripts.sqlite"
VECTORS = "vectors.faiss"
SENTENCES = "sentences.npy"
FILES = (DATABASE, VECTORS, SENTENCES)
COUNTED = {"transcripts", "segments", "sentences", "chunks"}

_SCHEMA = """
CREATE TABLE sources (path TEXT PRIMARY KEY, excluded INTEGER NOT NULL);
CREATE TABLE transcripts (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL, sha256 TEXT NOT NULL UNIQUE,
    language TEXT, date TEXT, source TEXT
);
CREATE TABLE segments (
    transcript_id TEXT NOT NULL REFERENCES transcripts(id), start INTEGER NOT NULL,
    end INTEGER NOT NULL, kind TEXT NOT NULL, speaker TEXT, basis TEXT,
    at_start REAL, at_end REAL, PRIMARY KEY (transcript_id, start)
) WITHOUT ROWID;
CREATE INDEX segments_by_speaker ON segments(speaker);
CREATE TABLE sentences (
    n INTEGER PRIMARY KEY, transcript_id TEXT NOT NULL REFERENCES transcripts(id),
    start INTEGER NOT NULL, end INTEGER NOT NULL
);
CREATE UNIQUE INDEX sentences_by_place ON sentences(transcript_id, start);
CREATE TABLE chunks (
    n INTEGER PRIMARY KEY, transcript_id TEXT NOT NULL REFERENCES transcripts(id),
    start INTEGER NOT NULL, end INTEGER NOT NULL
);
CREATE INDEX chunks_by_transcript ON chunks(transcript_id);
"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What manifest.json says. `files` is file name -> {"bytes", "sha256"}."""

    format: int
    version: str
    generation: int
    built_at: str
    embedder: Identity
    chunking: dict[str, int]
    counts: dict[str, int]
    files: dict[str, dict[str, Any]]

    @property
    def folder(self) -> str:
        return f"v-{self.generation}"


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything that a version of an index is made of; `spans` and `chunks` by transcript.

    `sources` are the paths that were given, `excluded` the files below them to pass over.
    `vectors` has shape (number of chunks, d), in the order of the chunks, `sentence_vectors`
    shape (number of spans, d), in the order of the spans.
    """

    sources: Sequence[str]
    excluded: Sequence[str]
    transcripts: Sequence[Transcript]
    spans: Sequence[Sequence[Span]]
    chunks: Sequence[Sequence[Chunk]]
    vectors: Vectors
    sentence_vectors: Vectors
    embedder: Identity


@dataclass(frozen=True, slots=True)
class Summary:
    """A transcript without its text."""

    id: str
    title: str
    date: str | None
    sha256: str
    source: str | None
    characters: int
    segments: int


class Folder:
    """An open version of an index. Safe to share between threads: nothing in it changes."""

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        connection: sqlite3.Connection,
        vectors: Mapping[str, bytes],
    ) -> None:
        self.path = path
        self.manifest = manifest
        self._connection = connection
        self._vectors = vectors  # read at once: a newer version may remove the files
        self.transcript = lru_cache(maxsize=64)(self._transcript)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The current version of the index at `path`.

        Raises IndexFolderError where there is none, it is of another format, or a part of it
        is missing or cut short.
        """
        for attempt in range(3):
            manifest = read_manifest(path)
            try:
                _check_files(path, manifest)
                connection = _open_database(path / manifest.folder / DATABASE)
                version = path / manifest.folder
                vectors = {name: _read(version / name) for name in (VECTORS, SENTENCES)}
                return cls(path, manifest, connection, vectors)
            except DamagedIndexError:
                # Between the two reads a newer version may have taken the place of this one.
                if attempt == 2 or read_manifest(path).generation == manifest.generation:
                    raise
        raise AssertionError("unreachable")

    @classmethod
    def salvage(cls, path: Path) -> Self | None:
        """What a damaged index still tells: its newest readable database, else None."""
        for version in sorted(path.glob("v-*"), key=_generation, reverse=True):
            try:
                connection = _open_database(version / DATABASE)
                count = connection.execute("SELECT count(*) FROM chunks").fetchone()[0]
            except (DamagedIndexError, sqlite3.Error):
                continue
            nobody = Identity("", "", "", 0)  # so that no vector of it is used again
            manifest = Manifest(
                FORMAT, "", _generation(version), "", nobody, {}, {"chunks": count}, {}
            )
            return cls(path, manifest, connection, {})
        return None

    def close(self) -> None:
        self._connection.close()

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises DamagedIndexError where the database cannot be read."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._damaged(DATABASE) from error

    def is_readable(self) -> bool:
        """Whether every transcript and chunk can still be read."""
        try:
            self.sources()
            self.all_chunks()
            for summary in self.summaries():
                self.transcript(summary.id)
        except (DamagedIndexError, ValueError):
            return False
        return True

    def store(self) -> FaissStore:
        """The chunks' vectors. Raises DamagedIndexError where they do not fit the chunks."""
        try:
            store = FaissStore.from_bytes(self._vectors[VECTORS])
        except (KeyError, ValueError) as error:
            raise self._damaged(VECTORS) from error
        self._fits(VECTORS, len(store), "chunks")
        return store

    def sentence_vectors(self) -> Vectors:
        """Shape (sentences, d), in the order of their numbers.

        Raises DamagedIndexError where they do not fit the sentences.
        """
        try:
            vectors = np.load(BytesIO(self._vectors[SENTENCES]), allow_pickle=False)
        except (KeyError, ValueError, OSError, EOFError) as error:
            raise self._damaged(SENTENCES) from error
        self._fits(SENTENCES, len(vectors), "sentences")
        return np.asarray(vectors, dtype=np.float32)

    def _fits(self, name: str, found: int, what: str) -> None:
        if found != self.manifest.counts[what]:
            raise DamagedIndexError(
                f"{self.path / self.manifest.folder / name} has {found} vectors for "
                f"{self.manifest.counts[what]} {what}; run `onrecord index` to make it again."
            )

    def _damaged(self, name: str) -> DamagedIndexError:
        return _damaged(self.path / self.manifest.folder / name)

    def sources(self, *, excluded: bool = False) -> list[str]:
        """The paths that were given to `onrecord index`, or the files to pass over below them."""
        rows = self.execute(
            "SELECT path FROM sources WHERE excluded = ? ORDER BY path", (excluded,)
        )
        return [row[0] for row in rows]

    def summaries(self) -> list[Summary]:
        """All transcripts, by title."""
        rows = self.execute(
            "SELECT id, title, date, sha256, source, length(text), "
            "(SELECT count(*) FROM segments WHERE transcript_id = id) "
            "FROM transcripts ORDER BY title, id"
        )
        return [Summary(*row) for row in rows]

    def _transcript(self, transcript_id: str) -> Transcript:
        """Raises KeyError where there is no such transcript, DamagedIndexError where it changed."""
        if not _encodes(transcript_id):
            raise KeyError(transcript_id)
        rows = self.execute(
            "SELECT title, text, sha256, language, date, source FROM transcripts WHERE id = ?",
            (transcript_id,),
        )
        if not rows:
            raise KeyError(transcript_id)
        title, text, sha256, language, date, source = rows[0]
        if text_sha256(text) != sha256:
            raise self._damaged(DATABASE)
        segments = self.execute(
            "SELECT start, end, kind, speaker, basis, at_start, at_end FROM segments "
            "WHERE transcript_id = ? ORDER BY start",
            (transcript_id,),
        )
        return Transcript(
            transcript_id, title, text, tuple(map(_segment, segments)), language, date, source
        )

    def speakers(self) -> list[str]:
        """The names of all who speak, by how much they say."""
        rows = self.execute(
            "SELECT speaker FROM segments WHERE speaker IS NOT NULL "
            "GROUP BY speaker ORDER BY sum(end - start) DESC, speaker"
        )
        return [row[0] for row in rows]

    def words_of(self, speaker: str | None, most: int = 300) -> list[str]:
        """The texts of at most `most` segments of a speaker, or of the narration."""
        rows = self.execute(
            "SELECT substr(text, start + 1, end - start) FROM segments "
            "JOIN transcripts ON id = transcript_id "
            "WHERE speaker IS ?1 AND (?1 IS NOT NULL OR kind = 'narration') LIMIT ?2",
            (speaker, most),
        )
        return [row[0] for row in rows]

    def sentences(self, transcript_id: str, start: int, end: int) -> list[Span]:
        """The sentences that overlap [start, end)."""
        rows = self.execute(
            "SELECT start, end FROM sentences "
            "WHERE transcript_id = ? AND start BETWEEN ? AND ? AND end > ? ORDER BY start",
            (transcript_id, start - LONGEST, end - 1, start),
        )
        return [(row[0], row[1]) for row in rows]

    def sentence_ranges(self) -> NDArray[np.int64]:
        """For each chunk the numbers of its sentences, [first, last), shape (chunks, 2)."""
        rows = self.execute(
            "SELECT min(s.n), max(s.n) + 1 FROM chunks c JOIN sentences s "
            "ON s.transcript_id = c.transcript_id AND s.start BETWEEN c.start AND c.end - 1 "
            "GROUP BY c.n ORDER BY c.n"
        )
        return np.array(rows, dtype=np.int64).reshape(-1, 2)

    def sentences_numbered(self, first: int, last: int) -> list[Span]:
        """The places of the sentences [first, last), which are of one transcript."""
        rows = self.execute(
            "SELECT start, end FROM sentences WHERE n BETWEEN ? AND ? ORDER BY n", (first, last - 1)
        )
        return [(row[0], row[1]) for row in rows]

    def all_sentences(self) -> Iterator[tuple[Transcript, Span]]:
        """Every sentence with its transcript, in the order of the vectors."""
        for name, start, end in self.execute(
            "SELECT transcript_id, start, end FROM sentences ORDER BY n"
        ):
            yield self.transcript(name), (start, end)

    def chunk(self, n: int) -> Chunk:
        (row,) = self.execute("SELECT transcript_id, start, end FROM chunks WHERE n = ?", (n,))
        return Chunk(*row)

    def chunk_numbers(self, transcript_id: str | None, speaker: str | None) -> list[int] | None:
        """The chunks of a transcript and/or with words of a speaker; None stands for all."""
        if transcript_id is None and speaker is None:
            return None
        rows = self.execute(
            "SELECT n FROM chunks c WHERE (?1 IS NULL OR transcript_id = ?1) AND (?2 IS NULL OR "
            "EXISTS (SELECT 1 FROM segments s WHERE s.transcript_id = c.transcript_id "
            "AND s.start < c.end AND s.end > c.start AND s.speaker = ?2)) ORDER BY n",
            (transcript_id, speaker),
        )
        return [row[0] for row in rows]

    def transcripts_with(self, words: Sequence[str]) -> list[str]:
        """The ids of the transcripts that hold every one of the words, or forms of them."""
        found = [row[0] for row in self.execute("SELECT id FROM transcripts ORDER BY id")]
        for word in words:
            rows = self.execute(
                "SELECT DISTINCT transcript_id FROM chunks "
                "WHERE n IN (SELECT rowid FROM words WHERE words MATCH ?)",
                (f'"{word}"',),
            )
            having = {row[0] for row in rows}
            found = [name for name in found if name in having]
        return found

    def all_chunks(self) -> list[Chunk]:
        """Every chunk, in the order of the vectors."""
        rows = self.execute("SELECT transcript_id, start, end FROM chunks ORDER BY n")
        return [Chunk(*row) for row in rows]

    def segment_count(self, transcript_id: str | None = None) -> int:
        rows = self.execute(
            "SELECT count(*) FROM segments WHERE ?1 IS NULL OR transcript_id = ?1", (transcript_id,)
        )
        return int(rows[0][0])

    def is_intact(self, name: str) -> bool:
        """Whether a file of this version still has the sha256 it was published with."""
        facts = self.manifest.files.get(name, {})
        data = self._vectors.get(name) or _read(self.path / self.manifest.folder / name)
        return hashlib.sha256(data).hexdigest() == facts.get("sha256")

    def prove(self) -> Iterator[str]:
        """Every fault found in the stored files, offsets and hashes; none means all hold."""
        for name in self.manifest.files:
            if not self.is_intact(name):
                yield f"{name}: its sha256 is not the manifest's"
        try:
            yield from self._prove_rows()
        except DamagedIndexError as error:
            yield str(error)

    def _prove_rows(self) -> Iterator[str]:
        for (transcript_id,) in self.execute("SELECT id FROM transcripts ORDER BY id"):
            try:
                transcript = self._transcript(transcript_id)
            except ValueError as error:
                yield str(error)
            except DamagedIndexError:
                yield f"{transcript_id}: its text is not the one that was indexed"
            else:
                yield from self._prove_spans(transcript)
        words = self.execute("SELECT count(*) FROM words_docsize")[0][0]
        chunks = self.manifest.counts["chunks"]
        if not words == chunks == len(self.store()) == len(self.all_chunks()):
            yield f"{chunks} chunks, {words} keyword rows and {len(self.store())} vectors"
        stored = self.execute("SELECT count(*) FROM sentences")[0][0]
        if not stored == self.manifest.counts["sentences"] == len(self.sentence_vectors()):
            yield f"{stored} sentences and {len(self.sentence_vectors())} vectors of sentences"

    def _prove_spans(self, transcript: Transcript) -> Iterator[str]:
        for start, end in self.sentences(transcript.id, 0, len(transcript.text)):
            segment = transcript.segment_at(start)
            if segment is None or end > segment.end or start >= end:
                yield f"{transcript.id}: sentence {start}-{end} lies in no segment"
        rows = self.execute(
            "SELECT start, end FROM chunks WHERE transcript_id = ?", (transcript.id,)
        )
        for start, end in rows:
            if not 0 <= start < end <= len(transcript.text):
                yield f"{transcript.id}: chunk {start}-{end} leaves the text"


def read_manifest(path: Path) -> Manifest:
    """Raises IndexFolderError where there is none that this version can read."""
    file = path / MANIFEST
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        found = data["format"]
    except FileNotFoundError:
        raise IndexFolderError(
            f"{path}: there is no index here; make one with "
            f"`onrecord index PATH... --index {path}`."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(file) from error
    if isinstance(found, int) and found < FORMAT:
        raise DamagedIndexError(
            f"{path}: this index was made by an earlier On Record; run `onrecord index` to bring "
            "it up to date."
        )
    if found != FORMAT:
        raise IndexFolderError(
            f"{path}: this index has format {found}, On Record {__version__} reads format "
            f"{FORMAT}; build it again with `onrecord index PATH...` in another folder."
        )
    try:
        manifest = Manifest(**{**data, "embedder": Identity(**data["embedder"])})
        if not set(FILES) <= manifest.files.keys() or not manifest.counts.keys() >= COUNTED:
            raise KeyError("files")
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(file) from error
    return manifest


def has_index(path: Path) -> bool:
    """Whether an index was ever published at `path`."""
    return (path / MANIFEST).exists()


def publish(path: Path, contents: Contents) -> Manifest:
    """Write a new version of the index at `path` and make it the current one.

    On any failure the old version stays as it was. Raises IndexFolderError where the folder
    cannot be written. The caller holds the lock of `writing`.
    """
    manifest = Manifest(
        format=FORMAT,
        version=__version__,
        generation=1 + max(map(_generation, path.glob("v-*")), default=0),
        built_at=datetime.now(UTC).isoformat(timespec="seconds"),
        embedder=contents.embedder,
        chunking={"size": SIZE, "overlap": OVERLAP},
        counts={
            "transcripts": len(contents.transcripts),
            "segments": sum(len(transcript.segments) for transcript in contents.transcripts),
            "sentences": sum(map(len, contents.spans)),
            "chunks": sum(map(len, contents.chunks)),
        },
        files={},
    )
    target = path / manifest.folder
    try:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        _write_database(target / DATABASE, contents)
        _write(target / VECTORS, FaissStore.from_vectors(contents.vectors).to_bytes())
        _write(target / SENTENCES, _npy(contents.sentence_vectors))
        for name in FILES:
            data = (target / name).read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            manifest.files[name] = {"bytes": len(data), "sha256": digest}
        text = json.dumps(asdict(manifest), indent=1) + "\n"
        _write(path / (MANIFEST + ".new"), text.encode())
        (path / (MANIFEST + ".new")).replace(path / MANIFEST)
    except (OSError, sqlite3.Error) as error:
        shutil.rmtree(target, ignore_errors=True)
        with suppress(OSError):
            (path / (MANIFEST + ".new")).unlink(missing_ok=True)
        raise IndexFolderError(
            f"{path}: the index could not be written ({error}); free some space or mend the "
            "folder's permissions and run it again. What was stored is as it was."
        ) from error
    for old in path.glob("v-*"):
        if old != target:
            shutil.rmtree(old, ignore_errors=True)
    return manifest


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """The right to write to the index at `path`, for one process at a time.

    Raises IndexFolderError where another process has it, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError("the folder is read-only")
        lock = FileLock(path / "index.lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise IndexFolderError(
            f"{path}: another `onrecord index` is writing here; wait until it is done."
        ) from None
    except OSError as error:
        raise IndexFolderError(
            f"{path}: the index cannot be written here ({error.strerror or error}); give another "
            "folder with --index, or mend its permissions."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _generation(version: Path) -> int:
    number = version.name.removeprefix("v-")
    return int(number) if number.isdecimal() else 0


def _check_files(path: Path, manifest: Manifest) -> None:
    for name, facts in manifest.files.items():
        file = path / manifest.folder / name
        try:
            size = file.stat().st_size
        except OSError as error:
            raise _damaged(file) from error
        if size != facts.get("bytes"):
            raise DamagedIndexError(
                f"{file} has {size} bytes where {facts.get('bytes')} were written; "
                "run `onrecord index` to make it again."
            )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _damaged(file) from error


def _encodes(text: str) -> bool:
    """Whether SQLite can be asked for it: JSON can spell half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _damaged(file: Path) -> DamagedIndexError:
    return DamagedIndexError(
        f"{file} is missing or damaged; run `onrecord index PATH...` to make the index again."
    )


def _open_database(file: Path) -> sqlite3.Connection:
    # A published database never changes, so it may be read without locks, from any thread.
    uri = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        connection.execute("SELECT count(*) FROM transcripts")
    except sqlite3.Error as error:
        raise _damaged(file) from error
    return connection


def _write_database(file: Path, contents: Contents) -> None:
    connection = sqlite3.connect(file)
    try:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.executescript(_SCHEMA)
        keyword.create(connection)
        connection.executemany(
            "INSERT INTO sources VALUES (?, ?)",
            [(source, 0) for source in contents.sources]
            + [(source, 1) for source in contents.excluded],
        )
        number = sentences = 0
        parts = zip(contents.transcripts, contents.spans, contents.chunks, strict=True)
        for transcript, spans, chunks in parts:
            _insert(connection, transcript)
            connection.executemany(
                "INSERT INTO sentences VALUES (?, ?, ?, ?)",
                [(n, transcript.id, *span) for n, span in enumerate(spans, sentences)],
            )
            sentences += len(spans)
            rows = list(enumerate(chunks, number))
            connection.executemany(
                "INSERT INTO chunks VALUES (?, ?, ?, ?)",
                [(n, chunk.transcript_id, chunk.start, chunk.end) for n, chunk in rows],
            )
            keyword.add(
                connection, [(n, transcript.text[chunk.start : chunk.end]) for n, chunk in rows]
            )
            number += len(rows)
        if number != len(contents.vectors):
            raise ValueError(f"{number} chunks but {len(contents.vectors)} vectors")
        if sentences != len(contents.sentence_vectors):
            raise ValueError(
                f"{sentences} sentences but {len(contents.sentence_vectors)} vectors of sentences"
            )
        connection.commit()
    finally:
        connection.close()
    with file.open("rb") as written:
        os.fsync(written.fileno())


def _insert(connection: sqlite3.Connection, transcript: Transcript) -> None:
    t = transcript
    connection.execute(
        "INSERT INTO transcripts VALUES (?, ?, ?, ?, ?, ?, ?)",
        (t.id, t.title, t.text, text_sha256(t.text), t.language, t.date, t.source),
    )
    connection.executemany(
        "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                t.id,
                segment.start,
                segment.end,
                segment.kind,
                segment.speaker.name if segment.speaker else None,
                segment.speaker.basis if segment.speaker else None,
                *(segment.at or (None, None)),
            )
            for segment in t.segments
        ],
    )


def _segment(row: tuple[Any, ...]) -> Segment:
    start, end, kind, name, basis, at_start, at_end = row
    if kind not in get_args(Kind) or (basis is not None and basis not in get_args(Basis)):
        raise ValueError(f"segment {start}-{end}: unknown kind {kind!r} or basis {basis!r}")
    speaker = Speaker(name, basis) if name is not None else None
    at = (at_start, at_end) if at_start is not None else None
    return Segment(start, end, kind, speaker, at)


def _npy(vectors: Vectors) -> bytes:
    """In half precision: a cosine of 384 numbers stays right to three places."""
    data = BytesIO()
    np.save(data, vectors.astype(np.float16))
    return data.getvalue()


def _write(file: Path, data: bytes) -> None:
    with file.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
