"""The one module that names concrete classes: from settings to parts that work together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from app.answer import Answer, Answerer, Quote
from app.examples import examples
from app.feedback import Candidate, Feedback, Rating
from app.ledger import Handed, Ledger
from app.reader import Reader
from app.reader.evidence import EvidenceReader
from app.reader.span import MODEL, read_about
from app.settings import Settings
from app.verify import Verified, Verifier
from index.build import Progress, Report, build
from index.embed import DEFAULT_MODEL, Embedder, open_embedder
from index.errors import IndexFolderError, UsageError
from index.folder import MANIFEST, Folder, Summary, has_index, read_manifest
from index.retrieve import HybridRetriever, Retriever
from index.transcript import Transcript

log = logging.getLogger("onrecord")


def quiet(what: str, done: int, total: int) -> None:
    """The Progress of one who does not want to hear of it."""


def index_transcripts(
    settings: Settings,
    sources: Sequence[Path],
    *,
    remove: Sequence[str] = (),
    progress: Progress = quiet,
) -> Report:
    """Make or update the index of the settings. Raises OnRecordError; see `index.build.build`."""
    model = settings.model
    if model is None and has_index(settings.index):
        model = _model_of(settings.index)
    embedder = open_embedder(model or DEFAULT_MODEL, threads=settings.threads, cache=settings.cache)
    return build(settings.index, sources, embedder, remove=remove, progress=progress)


def seeds_folder() -> Path:
    """The transcripts that ship with On Record."""
    beside = Path(__file__).parent
    installed, checkout = beside / "seeds", beside.parent / "seeds"
    return installed if installed.is_dir() else checkout


class Library:
    """An index with everything that answers from it; takes up a newer version as it appears.

    What `onrecord ask`, the chat page and the evaluation all talk to. Safe to share between
    threads.
    """

    def __init__(self, settings: Settings, *, record: bool) -> None:
        self.settings = settings
        self._ledger = Ledger(settings.index) if record else None
        self._lock = threading.Lock()
        self._stamp = self._now()
        self._parts = open_parts(settings)
        self._answerer = self._assembled()
        self._examples: tuple[Folder | None, list[str]] = (None, [])

    @classmethod
    def open(cls, settings: Settings, *, record: bool = True, progress: Progress = quiet) -> Self:
        """The library of the settings' index; made from the seeds where there is none yet.

        With `record`, the quotes handed out are remembered. Raises IndexFolderError where
        there is no index at a place that was named, or it does not fit.
        """
        if not settings.explicit and not has_index(settings.index):
            index_transcripts(settings, [seeds_folder()], progress=progress)
        return cls(settings, record=record)

    def ask(
        self,
        question: str,
        history: Sequence[str] = (),
        *,
        transcript: str | None = None,
        speaker: str | None = None,
        quotes: int | None = None,
    ) -> Answer:
        """See `Answerer.ask`."""
        answerer, parts = self._current()
        answer = answerer.ask(
            question, history, transcript=transcript, speaker=speaker, quotes=quotes
        )
        self._record([*answer.quotes, *answer.nearest], parts.folder)
        return answer

    def verify(self, claim: str, *, speaker: str | None = None) -> Verified:
        """See `Verifier.verify`."""
        parts = self._current()[1]
        found = Verifier(parts.folder, parts.retriever).verify(claim, speaker=speaker)
        self._record(found.quotes, parts.folder)
        return found

    def folder(self) -> Folder:
        """The index as it is now: one version, however many calls are made of it."""
        return self._current()[1].folder

    def models(self) -> dict[str, dict[str, str]]:
        """The models that answer: what they are called, and the sha256 of their weights."""
        embedder = self._current()[1].embedder.identity
        return {
            "embedder": {"name": embedder.name, "sha256": embedder.sha256},
            "reader": {"name": "on-record-reader", "sha256": read_about(MODEL)["sha256"]},
        }

    def transcripts(self) -> list[Summary]:
        """What is in the index, by title."""
        return self._current()[1].folder.summaries()

    def transcript(self, transcript_id: str, /) -> Transcript:
        """Raises KeyError where there is no such transcript."""
        return self._current()[1].folder.transcript(transcript_id)

    def quote(self, quote_id: str) -> Handed | None:
        """A quote that was handed out from this index, by its id; None if it never was."""
        return Ledger(self.settings.index).handed(quote_id, self._current()[1].folder)

    def rate(self, rating: Rating) -> Candidate:
        """Keep what somebody says of an answer from this index, for evaluation.

        Raises UsageError where a quote in it was never handed out from here.
        """
        ledger, shown = Ledger(self.settings.index), []
        for quote_id in (*rating.quotes, *rating.nearest):
            found = ledger.find(quote_id)
            if found is None:
                raise UsageError(
                    f"the quote {quote_id} is not on record here; ask the question again."
                )
            shown.append(found[0])
        n = len(rating.quotes)
        return Feedback(self.settings.index).keep(rating, shown[:n], shown[n:])

    def examples(self) -> list[str]:
        """Questions that the transcripts at hand answer."""
        answerer, parts = self._current()
        folder = parts.folder
        if self._examples[0] is not folder:
            self._examples = (folder, examples(folder, answerer))
        return self._examples[1]

    def _record(self, quotes: Sequence[Quote], folder: Folder) -> None:
        if self._ledger is not None and quotes:
            sources = {quote.source.id: folder.transcript(quote.source.id) for quote in quotes}
            try:
                self._ledger.record(quotes, sources)
            except IndexFolderError as error:
                log.warning("%s", error)

    def _current(self) -> tuple[Answerer, Parts]:
        with self._lock:
            stamp = self._now()
            if stamp != self._stamp:
                # Where the new version does not fit, every question says so: the old one's
                # answers would no longer be those of the index.
                self._parts = open_parts(self.settings, self._parts)
                self._stamp = stamp
                self._answerer = self._assembled()
            return self._answerer, self._parts

    def _now(self) -> tuple[int, int]:
        try:
            status = (self.settings.index / MANIFEST).stat()
        except OSError:
            return (0, 0)
        return (status.st_mtime_ns, status.st_ino)

    def _assembled(self) -> Answerer:
        parts = self._parts
        return Answerer(parts.folder, parts.retriever, parts.reader, self.settings.policy)


@dataclass(frozen=True, slots=True)
class Parts:
    """What answers are made from: one version of an index, and what searches and reads it."""

    folder: Folder
    embedder: Embedder
    retriever: Retriever
    reader: Reader


def open_parts(settings: Settings, before: Parts | None = None) -> Parts:
    """The parts for the index of the settings; models that are still right come from `before`.

    Raises OnRecordError where the index or a model cannot be had.
    """
    folder = Folder.open(settings.index)
    if before and folder.manifest.embedder == before.embedder.identity:
        embedder, reader = before.embedder, before.reader
    else:
        embedder = _embedder_for(folder, settings)
        reader = open_reader(embedder, threads=settings.threads)
    return Parts(folder, embedder, HybridRetriever(folder, folder.store(), embedder), reader)


def open_reader(embedder: Embedder, *, threads: int) -> Reader:
    """The shipped reader. Raises OnRecordError where a part of it is missing or damaged."""
    return EvidenceReader.open(embedder, threads=threads)


def _embedder_for(folder: Folder, settings: Settings) -> Embedder:
    """The embedder that the index was made with. Raises IndexFolderError where it cannot be."""
    made_with = folder.manifest.embedder
    if settings.model not in (None, made_with.name):
        raise IndexFolderError(
            f"{folder.path}: the index was made with the model {made_with.name}, the settings name "
            f"{settings.model}; index the transcripts again, or leave ONRECORD_MODEL out."
        )
    embedder = open_embedder(made_with.name, threads=settings.threads, cache=settings.cache)
    if embedder.identity != made_with:
        raise IndexFolderError(
            f"{folder.path}: the index was made with other weights of {made_with.name} "
            f"({made_with.sha256[:12]}…, {made_with.form}); run `onrecord index` to make it again."
        )
    return embedder


def _model_of(path: Path) -> str | None:
    try:
        return read_manifest(path).embedder.name
    except IndexFolderError:
        return None


def build_seeds(path: Path, settings: Settings) -> Report:
    """An index of the shipped transcripts at `path`."""
    return index_transcripts(replace(settings, index=path), [seeds_folder()])
