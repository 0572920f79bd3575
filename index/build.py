"""The list of calls that makes an index, or brings one up to date."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np

from index.chunk import chunks, sentence_spans
from index.embed import Embedder
from index.errors import DamagedIndexError, TranscriptError, UsageError
from index.folder import SENTENCES, VECTORS, Contents, Folder, Manifest, has_index, publish, writing
from index.formats import find_files, read_transcript
from index.sentences import Span
from index.store import Vectors
from index.transcript import Transcript, text_sha256

EMBED_AT_ONCE = 256  # chunks between two steps of the progress bar

# Called as the work goes on with what is counted, how much is done, and of how much.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What a build did: transcript ids by fate; `notes` and `failures` are sentences."""

    manifest: Manifest
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]
    notes: tuple[str, ...]
    failures: tuple[str, ...]


def build(
    path: Path,
    sources: Sequence[Path],
    embedder: Embedder,
    *,
    remove: Sequence[str] = (),
    progress: Progress = lambda what, done, total: None,
) -> Report:
    """Index the transcripts at `sources` in the folder `path`, and bring earlier ones up to date.

    Sources given in earlier calls are read again too. A transcript goes when its file is gone,
    or when its id is in `remove`. Chunks whose words stand unchanged keep their vectors.
    Raises OnRecordError (a source that cannot be read, another writer, a full disk), and then
    the index is as it was; a bad file found inside a folder is told in `failures` instead.
    """
    with writing(path):
        old = _open_old(path)
        found = _Sources(old, sources, remove).read(progress)
        transcripts = found.transcripts
        if not transcripts:
            raise TranscriptError(
                f"{path}: no transcript would be left in the index; name one to index."
                + "".join(f" {failure}" for failure in found.failures)
            )
        spans = [sentence_spans(transcript) for transcript in transcripts]
        windows = [list(chunks(t, s)) for t, s in zip(transcripts, spans, strict=True)]
        known = _known_vectors(old, embedder)
        texts = [
            transcript.text[chunk.start : chunk.end]
            for transcript, its_chunks in zip(transcripts, windows, strict=True)
            for chunk in its_chunks
        ]
        vectors = _embed(texts, known, embedder, "chunks", progress)
        texts = [
            spoken(transcript, span)
            for transcript, its_spans in zip(transcripts, spans, strict=True)
            for span in its_spans
        ]
        sentence_vectors = _embed(texts, known, embedder, "sentences", progress)
        contents = Contents(
            sources=found.roots,
            excluded=sorted(found.excluded),
            transcripts=transcripts,
            spans=spans,
            chunks=windows,
            vectors=vectors,
            sentence_vectors=sentence_vectors,
            embedder=embedder.identity,
        )
        before = {s.id: s.sha256 for s in old.summaries()} if old else {}
        manifest = publish(path, contents)
    after = {transcript.id: transcript.sha256 for transcript in transcripts}
    both = sorted(before.keys() & after.keys())
    return Report(
        manifest,
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(name for name in both if before[name] != after[name]),
        removed=tuple(sorted(before.keys() - after.keys())),
        unchanged=tuple(name for name in both if before[name] == after[name]),
        notes=tuple(found.notes),
        failures=tuple(found.failures),
    )


def _open_old(path: Path) -> Folder | None:
    """What is stored already. Where a part is damaged, the database alone may still tell."""
    if not has_index(path):
        return None
    try:
        folder: Folder | None = Folder.open(path)
    except DamagedIndexError:
        folder = Folder.salvage(path)
    return folder if folder and folder.is_readable() else None


@dataclass(slots=True)
class _Found:
    roots: list[str] = field(default_factory=list)
    excluded: set[str] = field(default_factory=set)
    transcripts: list[Transcript] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class _Sources:
    """Which files make up the index now: those given before and those given now."""

    def __init__(self, old: Folder | None, given: Sequence[Path], remove: Sequence[str]) -> None:
        self._old = old
        self._given = [_absolute(Path(source)) for source in given]
        self._summaries = old.summaries() if old else []
        self._ids = {s.source: s.id for s in self._summaries if s.source}
        unknown = set(remove) - {s.id for s in self._summaries}
        if unknown:
            raise UsageError(
                f"no transcript {', '.join(sorted(unknown))} in the index; it has "
                f"{', '.join(sorted(s.id for s in self._summaries)) or 'none'}."
            )
        self._removed = {s.source for s in self._summaries if s.id in remove and s.source}

    def read(self, progress: Progress) -> _Found:
        """Raises TranscriptError where a source given now cannot be read."""
        found = _Found()
        if self._old:
            found.excluded.update(self._old.sources(excluded=True))
        found.excluded |= self._removed
        found.excluded -= {str(path) for path in self._given}
        files = self._files(found)
        texts: dict[str, str] = {}
        taken = {self._ids[source] for source in map(str, files) if source in self._ids}
        for done, file in enumerate(files):
            progress("transcripts", done, len(files))
            transcript_id = self._ids.get(str(file)) or _new_id(file, taken)
            transcript = self._read_file(file, transcript_id, found)
            if transcript is None:
                continue
            first = texts.setdefault(transcript.sha256, str(file))
            if first != str(file):
                found.notes.append(f"{file}: the same text as {first}; indexed once.")
                continue
            taken.add(transcript_id)
            found.transcripts.append(transcript)
        progress("transcripts", len(files), len(files))
        return found

    def _files(self, found: _Found) -> list[Path]:
        files: dict[Path, None] = {}
        before = [
            Path(root)
            for root in (self._old.sources() if self._old else [])
            if root not in found.excluded  # a file that was named by itself, and removed
        ]
        for root in dict.fromkeys([*before, *self._given]):
            if root in self._given or (root.exists() and self._has_files(root)):
                found.roots.append(str(root))
                files.update(dict.fromkeys(find_files(root)))
            elif root.exists():
                found.roots.append(str(root))  # emptied since: its transcripts go
            elif root.parent.is_dir() and str(root) in self._ids:
                found.notes.append(f"{root}: the file is gone; its transcript was removed.")
            else:
                found.roots.append(str(root))
                kept = [Path(s) for s in self._ids if Path(s).is_relative_to(root)]
                files.update(dict.fromkeys(kept))
                found.notes.append(f"{root} is not there now; what is stored of it was kept.")
        wanted = [file for file in files if str(file) not in found.excluded]
        # Those that are known first: of two with the same text, the known one stays.
        return sorted(wanted, key=lambda file: str(file) not in self._ids)

    @staticmethod
    def _has_files(root: Path) -> bool:
        try:
            return any(True for _ in find_files(root))
        except TranscriptError:
            return False

    def _read_file(self, file: Path, transcript_id: str, found: _Found) -> Transcript | None:
        stored = self._old and str(file) in self._ids
        if stored and self._old and not file.exists():
            return self._old.transcript(transcript_id)
        try:
            transcript, note = read_transcript(file, transcript_id)
        except TranscriptError as error:
            if file in self._given:
                raise
            found.failures.append(f"Passed over: {error}")
            return self._old.transcript(transcript_id) if stored and self._old else None
        if note:
            found.notes.append(note)
        return transcript


def _absolute(path: Path) -> Path:
    # Not resolve(): a linked folder keeps the name that the user knows it by.
    return Path(os.path.abspath(path))  # noqa: PTH100


def _new_id(file: Path, taken: set[str]) -> str:
    """An id from the file's name; where that is taken, with its folder's name, or a hash."""
    stem = _slug(file.stem)
    with_parent = _slug(f"{file.parent.name}-{file.stem}")
    with_hash = f"{stem}-{sha256(str(file).encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
    return next(name for name in (stem, with_parent, with_hash) if name not in taken)


def _slug(name: str) -> str:
    return re.sub(r"[^\w.]+", "-", name.lower()).strip("-.") or "transcript"


def spoken(transcript: Transcript, sentence: Span) -> str:
    """A sentence as it is embedded: with the name of who says it, which its words lack."""
    segment = transcript.segment_at(sentence[0])
    words = transcript.text[slice(*sentence)]
    return f"{segment.speaker.name}: {words}" if segment and segment.speaker else words


def _embed(
    texts: Sequence[str],
    known: Mapping[str, Vectors],
    embedder: Embedder,
    what: str,
    progress: Progress,
) -> Vectors:
    """One vector a text, shape (texts, d), float32; texts that are alike are embedded once."""
    digests = [text_sha256(text) for text in texts]
    wanted = dict(zip(digests, texts, strict=True))
    missing = [digest for digest in wanted if digest not in known]
    found = dict(known)
    for begin in range(0, len(missing), EMBED_AT_ONCE):
        progress(what, begin, len(missing))
        some = missing[begin : begin + EMBED_AT_ONCE]
        vectors = embedder.embed_passages([wanted[digest] for digest in some])
        found |= zip(some, vectors, strict=True)
    progress(what, len(missing), len(missing))
    result = np.empty((len(texts), embedder.identity.dimension), dtype=np.float32)
    for n, digest in enumerate(digests):
        result[n] = found[digest]
    return result


def _known_vectors(old: Folder | None, embedder: Embedder) -> dict[str, Vectors]:
    """The stored vectors by the sha256 of their text, where they can be used again."""
    if old is None or old.manifest.embedder != embedder.identity:
        return {}
    if not (old.is_intact(VECTORS) and old.is_intact(SENTENCES)):
        return {}
    known = {}
    try:
        stored = zip(old.all_sentences(), old.sentence_vectors(), strict=True)
        for (transcript, span), vector in stored:
            known[text_sha256(spoken(transcript, span))] = vector
        for chunk, vector in zip(old.all_chunks(), old.store().vectors(), strict=True):
            text = old.transcript(chunk.transcript_id).text
            known[text_sha256(text[chunk.start : chunk.end])] = vector
    except DamagedIndexError:
        return {}
    return known
