"""What is measured: an index with all that answers from it, as `onrecord ask` has it, and a tap
on what was found on the way.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, Self

from app.answer import Answerer, answer_object
from app.assemble import Parts, build_seeds, index_transcripts, open_parts
from app.reader.span import MODEL, read_about
from app.settings import Settings
from eval.formats import plain
from eval.questions import Question
from eval.rows import Manifest, Place
from index.chunk import Chunk
from index.errors import OnRecordError
from index.retrieve import Hit, Query, Retriever

FOUND = 30  # passages recorded of each search, at least
PACKAGES = ("on-record", "faiss-cpu", "numpy", "onnxruntime", "tokenizers")


@dataclass(frozen=True, slots=True)
class Reply:
    """The object of the `ask --json` contract, and the passages that were found on the way, best
    first, of which the reader was given the first `read`.
    """

    answer: Mapping[str, Any]
    hits: tuple[Place, ...] = ()
    read: int = 0


class System(Protocol):
    """What can be asked, and the transcripts and passages that it answers from, by id."""

    @property
    def texts(self) -> Mapping[str, str]: ...
    @property
    def chunks(self) -> Mapping[str, Sequence[Chunk]]: ...
    def ask(self, question: str, /) -> Reply: ...


class Tap(threading.local):
    """A Retriever that remembers what it found last in each thread, more than it was asked for."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self.found: list[Hit] = []
        self.read = 0

    def retrieve(self, query: Query, k: int, /) -> list[Hit]:
        self.found = self._retriever.retrieve(query, max(k, FOUND))
        self.read = min(k, len(self.found))
        return self.found[:k]


class Index:
    """A System: an index folder, and what `app.assemble` makes of it."""

    def __init__(self, parts: Parts, settings: Settings) -> None:
        self.parts = parts
        self.settings = settings
        self._tap = Tap(parts.retriever)
        self._answerer = Answerer(parts.folder, self._tap, parts.reader, settings.policy)
        self.texts: dict[str, str] = {
            summary.id: parts.folder.transcript(summary.id).text
            for summary in parts.folder.summaries()
        }
        self.chunks: dict[str, list[Chunk]] = defaultdict(list)
        for chunk in parts.folder.all_chunks():
            self.chunks[chunk.transcript_id].append(chunk)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Raises OnRecordError where the index or a model cannot be had."""
        return cls(open_parts(settings), settings)

    def ask(self, question: str, /) -> Reply:
        self._tap.found, self._tap.read = [], 0
        answer = self._answerer.ask(question)
        hits = tuple(
            Place(hit.chunk.transcript_id, hit.chunk.start, hit.chunk.end)
            for hit in self._tap.found
        )
        # Unrounded, so that the surest are told apart.
        found = {**answer_object(answer), "confidence": answer.confidence}
        return Reply(found, hits, self._tap.read)


@contextmanager
def opened(folder: Path | None, *, workers: int = 1) -> Iterator[Index]:
    """The index in a folder; without one, a fresh index of the transcripts that ship, so that
    figures do not depend on what somebody has indexed.
    """
    with tempfile.TemporaryDirectory(prefix="onrecord-eval-") as temporary:
        settings = _settings(folder or Path(temporary) / "index", workers)
        if folder is None:
            build_seeds(settings.index, settings)
        yield Index.open(settings)


@contextmanager
def opened_texts(texts: Mapping[str, str], *, workers: int = 1) -> Iterator[Index]:
    """A fresh index in which each text is a transcript, by its name."""
    with tempfile.TemporaryDirectory(prefix="onrecord-eval-") as temporary:
        yield Index.open(_settings(index_of(texts, Path(temporary)), workers))


def index_of(texts: Mapping[str, str], folder: Path) -> Path:
    """An index of the texts, made in `folder`. Raises OnRecordError where one was not indexed."""
    passages = folder / "passages"
    passages.mkdir()
    for name, text in texts.items():
        if text != plain(text):
            raise ValueError(f"{name}: not as indexing leaves it")
        try:
            (passages / f"{name}.txt").write_text(text, encoding="utf-8", newline="")
        except UnicodeEncodeError:
            raise OnRecordError(
                f"the passage {name} has half a character (a lone surrogate), which no file can "
                "hold; take it out."
            ) from None
    report = index_transcripts(Settings.from_environment(index=folder / "index"), [passages])
    if report.failures or report.notes:
        raise OnRecordError(f"not all passages were indexed: {[*report.failures, *report.notes]}")
    return folder / "index"


def _settings(index: Path, workers: int) -> Settings:
    settings = Settings.from_environment(index=index)
    return replace(settings, threads=max(1, settings.threads // workers))


def manifest_of(
    index: Index, name: str, split: str, questions: Sequence[Question], workers: int
) -> Manifest:
    """What a run of these questions on this index is a run of."""
    folder, policy = index.parts.folder, asdict(index.settings.policy)
    transcripts = {summary.id: summary.sha256 for summary in folder.summaries()}
    embedder = folder.manifest.embedder
    models = {
        "embedder": f"{embedder.name} {embedder.sha256} {embedder.form}",
        "reader": _reader_of(index),
    }
    chunks = [[chunk.transcript_id, chunk.start, chunk.end] for chunk in folder.all_chunks()]
    return Manifest(
        set=name,
        set_sha256=_sha256([asdict(question) for question in questions]),
        split=split,
        questions=len(questions),
        index=_sha256([transcripts, models["embedder"], chunks]),
        transcripts=transcripts,
        models=models,
        settings={**policy, "threads": index.settings.threads},
        workers=workers,
        versions={"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        commit=_commit(),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _reader_of(index: Index) -> str:
    """The sha256 of the reader's weights and of how it weighs its evidence."""
    about = read_about(MODEL)
    return f"{about['sha256']} weights {_sha256(about['weights'])[:12]}"


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _commit() -> str | None:
    """The commit of the checkout that this file is in, if it is one and git is there."""
    git, here = shutil.which("git"), Path(__file__).parent
    if git is None or not (here.parent / ".git").exists():
        return None

    def said(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603
            [git, "-C", str(here), *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    head = said("rev-parse", "--short=12", "HEAD")
    return head + "+" * bool(said("status", "--porcelain")) if head else None
