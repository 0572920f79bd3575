"""A run on disk: a manifest, then a line for each question with all that its figures are made of.

    {"onrecord_run": 1, "set": "seed", ...}      what was asked of what: see Manifest
    {"id": "seed-001", ...}                      see Row, one line a question

A killed run is gone on with; a cut line at the end of its file is taken away first. Asking is in
`run`, scoring in `scores`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from eval.questions import Gold
from index.errors import OnRecordError, UsageError

FORMAT = 1
_MARK = "onrecord_run"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was run: the first line of a run's file.

    `set_sha256` is of the questions that were asked, `questions` their number. `transcripts` are
    the sha256 of the texts by id, `models` those of the embedder and the reader; `index` is of
    both and of the chunks, and the same wherever the same index is made. `settings` are those
    that change answers, `workers` asked at the same time. `commit` is that of the checkout, if it
    is one, with a "+" where it was changed since. `started` is in UTC.
    """

    set: str
    set_sha256: str
    split: str
    questions: int
    index: str
    transcripts: dict[str, str]
    models: dict[str, str]
    settings: dict[str, Any]
    workers: int
    versions: dict[str, str]
    commit: str | None
    machine: str
    started: str

    def differs(self, other: Manifest) -> str | None:
        """What keeps the two from being one run, in words, or None."""
        for name, what in (
            ("set_sha256", "set of questions"),
            ("index", "index"),
            ("models", "model"),
            ("settings", "setting"),
            ("workers", "number of workers"),
        ):
            if getattr(self, name) != getattr(other, name):
                return what
        return None


@dataclass(frozen=True, slots=True)
class Place:
    """The characters [start, end) of a transcript."""

    transcript: str
    start: int
    end: int

    def overlaps(self, other: Place) -> bool:
        return (
            self.transcript == other.transcript
            and self.start < other.end
            and other.start < self.end
        )


@dataclass(frozen=True, slots=True)
class Span:
    """Words of a transcript and the characters they stand at."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Cited:
    """A quote as it was returned.

    `exact` says that the offsets and the hash it gives are proved by the transcript's text.
    """

    id: str
    transcript: str
    start: int
    end: int
    text: str
    answer: Span
    speaker: str | None
    exact: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A question with its gold answers, and what came back.

    `prediction` is the answer of the first quote, or for a `multi` question those of all quotes
    in the transcript's order, joined by spaces. It is "" for a refusal. It is None, and so is
    `confidence`, when there is an `error`: the question then counts as wrong everywhere.
    `hits` are the passages that were found, best first, of which the reader was given the first
    `read` (it may stop after three of them);
    `relevant` are those of the whole index that overlap a gold answer. `context` are the words
    around the gold answers and the first quote, by transcript. `seconds` is the wall time of the
    call.
    """

    id: str
    split: str
    kind: str
    transcript: str
    question: str
    resolved_question: str | None
    answerable: bool
    near_miss: bool
    golds: tuple[Gold, ...]
    speaker: str | None
    speaker_given: bool
    multi: bool
    prediction: str | None
    quotes: tuple[Cited, ...]
    nearest: tuple[Cited, ...]
    confidence: float | None
    hits: tuple[Place, ...]
    read: int
    relevant: tuple[Place, ...]
    seconds: float
    error: str | None
    context: dict[str, tuple[Span, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run, read from its file."""

    manifest: Manifest
    rows: tuple[Row, ...]


def write_rows(rows: Iterable[Row], path: Path, manifest: Manifest) -> Iterator[Row]:
    """Pass the rows on, each after its line is in the file; the file begins with the manifest.

    Where the file holds the beginning of the same run (see `begun`), the rows are added to it.
    Raises OnRecordError when the file cannot be written.
    """
    try:
        fresh = not path.exists() or not path.stat().st_size
        with path.open("a", encoding="utf-8") as file:
            if fresh:
                file.write(json.dumps({_MARK: FORMAT, **asdict(manifest)}) + "\n")
                file.flush()
            for row in rows:
                # A surrogate on its own has no UTF-8; as an escape it comes back as it was.
                file.write(json.dumps(asdict(row)) + "\n")
                file.flush()  # an interrupted run keeps what it has
                yield row
    except OSError as error:
        raise OnRecordError(
            f"The run cannot be written to {path} ({error.strerror}): choose another --out."
        ) from None


def begun(path: Path, manifest: Manifest) -> list[Row]:
    """The rows that an earlier, interrupted run of the same manifest left in the file.

    A last line that was cut is taken out of the file. Raises UsageError where the file holds
    anything else: nothing is written over.
    """
    if not path.exists() or not path.stat().st_size:
        return []
    found, rows, whole = _read(path)
    if other := found.differs(manifest):
        raise UsageError(
            f"{path} holds a run with another {other}: choose another --out, or delete the file."
        )
    with path.open("r+b") as file:
        file.truncate(whole)
    return rows


def read_run(path: Path) -> Run:
    """The run in a file. Raises UsageError where it is none, is broken, or is not finished."""
    manifest, rows, _ = _read(path)
    if len(rows) < manifest.questions:
        raise UsageError(
            f"{path} is cut off: it has {len(rows)} of {manifest.questions} questions. Go on with "
            f"it by `onrecord eval run {manifest.set} --out {path}` (and the same --index)."
        )
    return Run(manifest, tuple(rows))


def _read(path: Path) -> tuple[Manifest, list[Row], int]:
    """The manifest, the rows, and the bytes up to the end of the last whole line."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"The run {path} cannot be read: {error.strerror}.") from None
    whole = data.rfind(b"\n") + 1
    first, *lines = data[:whole].split(b"\n") if whole else [b""]
    try:
        manifest = _manifest_from(json.loads(first))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise UsageError(
            f"{path} is no run: its first line is not what `onrecord eval run --out` writes."
        ) from None
    rows: list[Row] = []
    for number, line in enumerate(lines, 2):
        if line:
            try:
                rows.append(_row_from(json.loads(line)))
            except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
                raise UsageError(
                    f"{path}, line {number}: this is no row of a run; delete the file and run "
                    "the set again."
                ) from None
    return manifest, rows, whole


def _manifest_from(found: dict[str, Any]) -> Manifest:
    if found.pop(_MARK) != FORMAT:
        raise ValueError("another format")
    return _made(Manifest, found)


def _row_from(found: Mapping[str, Any]) -> Row:
    if missing := {one.name for one in fields(Row)} - set(found):
        raise KeyError(*missing)
    parts = {
        "golds": tuple(_made(Gold, gold) for gold in found["golds"]),
        "quotes": tuple(_cited_from(quote) for quote in found["quotes"]),
        "nearest": tuple(_cited_from(quote) for quote in found["nearest"]),
        "hits": tuple(_made(Place, place) for place in found["hits"]),
        "relevant": tuple(_made(Place, place) for place in found["relevant"]),
        "context": {
            name: tuple(_made(Span, span) for span in spans)
            for name, spans in found["context"].items()
        },
    }
    return _made(Row, {**found, **parts})


def _cited_from(found: Mapping[str, Any]) -> Cited:
    return _made(Cited, {**found, "answer": _made(Span, found["answer"])})


def _made(kind: type[T], found: Mapping[str, Any]) -> T:
    """A record of a kind from its fields; raises TypeError where one is of another type."""
    record = kind(**found)
    for name, classes in _CLASSES[kind].items():
        # type(), not isinstance(): True is an int to isinstance.
        if type(getattr(record, name)) not in classes:
            raise TypeError(name)
    return record


def _classes(kind: type) -> dict[str, set[type]]:
    """The classes that each field of a record may have; a whole number does for a float."""
    found = {}
    for name, hint in get_type_hints(kind).items():
        hints = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        classes = {get_origin(one) or one for one in hints}
        found[name] = classes | {int} if float in classes else classes
    return found


_CLASSES: dict[Any, dict[str, set[type]]] = {
    kind: _classes(kind) for kind in (Manifest, Row, Cited, Place, Span, Gold)
}
