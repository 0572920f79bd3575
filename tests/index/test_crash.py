"""What an index survives: a killed writer, a second one, a full disk, readers at the same time."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from index.errors import IndexFolderError
from index.folder import Folder, writing
from index.retrieve import HybridRetriever, Query
from tests.fixtures.shelf import Shelf
from tests.fixtures.transcripts import MEETING, REPORT

ROOT = Path(__file__).parents[2]


@pytest.fixture
def built(shelf: Shelf) -> Shelf:
    """An index of the meeting; the report has come since."""
    shelf.write("meeting.txt", MEETING)
    shelf.build_all()
    shelf.write("report.txt", REPORT)
    return shelf


OLD, NEW = {"meeting": MEETING}, {"meeting": MEETING, "report": REPORT}


# --- killed ------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from app.cli import main
from index import folder, keyword
from index.store import FaissStore
from tests.fakes import BagOfWords, assemble_fakes

def die(*args, **options):
    os.kill(os.getpid(), signal.SIGKILL)

def replace_and_die(*args, replace=os.replace):
    replace(*args)
    die()

owner, name, instead = {
    "embedding": (BagOfWords, "embed_passages", die),
    "writing the database": (keyword, "add", die),
    "writing the vectors": (FaissStore, "to_bytes", die),
    "publishing": (os, "replace", die),
    "tidying up": (os, "replace", replace_and_die),
}[sys.argv[1]]
setattr(owner, name, instead)
assemble_fakes()
main(["index", "--index", sys.argv[2]])
"""


@pytest.mark.parametrize(
    ("moment", "left"),
    [
        ("embedding", OLD),
        ("writing the database", OLD),
        ("writing the vectors", OLD),
        ("publishing", OLD),
        ("tidying up", NEW),
    ],
)
def test_a_killed_writer_leaves_a_whole_index(
    built: Shelf, moment: str, left: dict[str, str]
) -> None:
    command = [sys.executable, "-c", KILLED, moment, str(built.index)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL

    assert built.words() == left
    assert list(built.open().prove()) == []
    built.build()
    assert built.words() == NEW
    assert list(built.open().prove()) == []
    assert len(list(built.index.glob("v-*"))) <= 2


# --- two writers -------------------------------------------------------------------------


def test_a_second_writer_is_told_so(built: Shelf) -> None:
    with writing(built.index):
        with pytest.raises(IndexFolderError, match="another `onrecord index` is writing here"):
            built.build()
        assert built.words() == OLD
    built.build()
    assert built.words() == NEW


def test_the_index_cannot_be_where_a_file_is(shelf: Shelf) -> None:
    shelf.build(shelf.write("meeting.txt", MEETING))
    (shelf.index / "taken").write_text("a file")
    shelf.index = shelf.index / "taken"
    with pytest.raises(IndexFolderError, match="the index cannot be written here"):
        shelf.build_all()


# --- a full disk -------------------------------------------------------------------------


@pytest.mark.parametrize("writes", [0, 1, 2], ids=["database", "vectors", "manifest"])
def test_a_disk_that_is_full(built: Shelf, writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []

    def fsync(file: int) -> None:
        synced.append(file)
        if len(synced) > writes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = built.contents()
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(IndexFolderError, match=r"could not be written .*No space left") as caught:
        built.build()
    assert "\n" not in str(caught.value)
    assert built.contents() == before

    monkeypatch.undo()
    built.build()
    assert built.words() == NEW


def test_a_database_that_finds_no_room(built: Shelf) -> None:
    before = built.contents()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, limits[1]))
    try:
        with pytest.raises(IndexFolderError, match="could not be written"):
            built.build()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert built.contents() == before


def test_publishing_that_fails(built: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    before = built.contents()
    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(IndexFolderError, match="Permission denied"):
        built.build()
    assert built.contents() == before


# --- readers meanwhile -------------------------------------------------------------------


def test_an_open_version_goes_on_answering_when_a_newer_one_is_published(built: Shelf) -> None:
    folder = built.open()
    retriever = HybridRetriever(folder, built.embedder)
    query = Query("Who pays for the new lighthouse?")
    before = retriever.retrieve(query, 3)
    built.build()
    built.build()
    assert retriever.retrieve(query, 3) == before
    assert folder.transcript("meeting").text == MEETING
    assert [summary.id for summary in folder.summaries()] == ["meeting"]


def test_a_version_published_between_opening_and_loading_does_no_harm(built: Shelf) -> None:
    """The folder was opened, its vectors are not yet read, and now its version is replaced."""
    folder = built.open()
    built.build()
    assert len(folder.store()) == len(folder.all_chunks()) == 1


def test_readers_never_see_half_an_index(built: Shelf) -> None:
    """They read as fast as they can while versions of one and of two chunks take turns."""
    report = built.transcripts / "report.txt"
    done = threading.Event()
    seen: set[int] = set()
    failures: list[Exception] = []

    def read() -> None:
        while not done.is_set():
            try:
                folder = Folder.open(built.index)
                texts = [folder.transcript(chunk.transcript_id) for chunk in folder.all_chunks()]
                assert len(texts) == folder.manifest.counts["chunks"] == len(folder.summaries())
                assert {text.text for text in texts} <= {MEETING, REPORT}
                seen.add(len(texts))
                folder.close()
            except Exception as error:
                failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    until = time.monotonic() + 1.5
    while time.monotonic() < until and not failures:
        report.write_text(REPORT)
        built.build()
        report.unlink()
        built.build()
    done.set()
    for reader in readers:
        reader.join()
    assert not failures, failures[0]
    assert seen == {1, 2}
