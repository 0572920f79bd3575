"""What a build adds, changes, removes and keeps, and what it says where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.build import build
from index.errors import IndexFolderError, TranscriptError, UsageError
from tests.fakes import BagOfWords
from tests.fixtures.shelf import Shelf
from tests.fixtures.transcripts import MEETING, REPORT

LONG = "".join(
    f"Ann: This is turn number {n:03}, and the sea was calm that day.\n" for n in range(40)
)


def snapshot(path: Path) -> dict[str, bytes]:
    """Every file of an index but the lock, by name."""
    files = [file for file in path.rglob("*") if file.is_file() and file.name != "index.lock"]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


@pytest.fixture
def two(shelf: Shelf) -> Shelf:
    """The meeting and the report, indexed by their folder."""
    shelf.write("meeting.txt", MEETING)
    shelf.write("report.txt", REPORT)
    shelf.build_all()
    return shelf


# --- Added, changed, removed, unchanged -----------------------------------------------------


def test_a_first_build_adds(shelf: Shelf) -> None:
    shelf.write("meeting.txt", MEETING)
    shelf.write("deep/report.txt", REPORT)
    report = shelf.build_all()
    assert report.added == ("meeting", "report")
    assert (report.changed, report.removed, report.unchanged) == ((), (), ())
    assert (report.notes, report.failures) == ((), ())
    assert report.manifest.counts == {"transcripts": 2, "segments": 15, "chunks": 2}
    assert shelf.words() == {"meeting": MEETING, "report": REPORT}
    assert list(shelf.open().prove()) == []


def test_a_later_build_tells_what_became_of_each(two: Shelf) -> None:
    two.write("meeting.txt", MEETING + "Ada Okafor: Good night.\n")
    (two.transcripts / "report.txt").unlink()
    two.write("sea.txt", LONG)
    report = two.build()
    assert (report.added, report.changed) == (("sea",), ("meeting",))
    assert (report.removed, report.unchanged) == (("report",), ())
    assert two.words() == {"meeting": MEETING + "Ada Okafor: Good night.\n", "sea": LONG}
    assert list(two.open().prove()) == []


def test_nothing_changed(two: Shelf) -> None:
    two.embedder.embedded.clear()
    report = two.build()
    assert report.unchanged == ("meeting", "report")
    assert (report.added, report.changed, report.removed) == ((), (), ())
    assert two.embedder.embedded == []


def test_only_chunks_with_other_words_are_embedded(shelf: Shelf) -> None:
    shelf.write("sea.txt", LONG)
    shelf.build_all()
    assert len(shelf.embedder.embedded) == 5
    before = shelf.open().store().vectors()
    shelf.embedder.embedded.clear()
    shelf.write("sea.txt", LONG + "Bob: And then we came home.\n")
    shelf.build()
    assert [text[-28:] for text in shelf.embedder.embedded] == ["Bob: And then we came home."[-28:]]
    assert (shelf.open().store().vectors()[:4] == before[:4]).all()


def test_a_moved_text_keeps_its_vectors(two: Shelf) -> None:
    (two.transcripts / "meeting.txt").rename(two.transcripts / "council.txt")
    two.embedder.embedded.clear()
    report = two.build()
    assert (report.added, report.removed) == (("council",), ("meeting",))
    assert two.embedder.embedded == []


def test_another_embedder_embeds_all_again(two: Shelf) -> None:
    two.embedder = BagOfWords("another")
    report = two.build()
    assert report.manifest.embedder == two.embedder.identity
    assert sorted(two.embedder.embedded) == sorted([MEETING.rstrip(), REPORT.rstrip()[:-1]])


def test_vectors_stand_beside_their_chunks(two: Shelf) -> None:
    folder = two.open()
    vectors = folder.store().vectors()
    for chunk, vector in zip(folder.all_chunks(), vectors, strict=True):
        text = folder.transcript(chunk.transcript_id).text[chunk.start : chunk.end]
        assert vector @ two.embedder.embed_query(text) == pytest.approx(1)


def test_progress_is_told(shelf: Shelf) -> None:
    shelf.write("meeting.txt", MEETING)
    told: list[tuple[str, int, int]] = []
    build(shelf.index, [shelf.transcripts], shelf.embedder, progress=lambda *now: told.append(now))
    assert told == [
        ("transcripts", 0, 1), ("transcripts", 1, 1), ("chunks", 0, 1), ("chunks", 1, 1),
    ]  # fmt: skip


# --- Removed by name ------------------------------------------------------------------------


def test_a_removed_transcript_stays_away(two: Shelf) -> None:
    assert two.build(remove=("report",)).removed == ("report",)
    assert two.open().sources(excluded=True) == [str(two.transcripts / "report.txt")]
    assert two.build_all().unchanged == ("meeting",)
    assert list(two.words()) == ["meeting"]


def test_naming_its_file_brings_it_back(two: Shelf) -> None:
    two.build(remove=("report",))
    assert two.build(two.transcripts / "report.txt").added == ("report",)
    assert two.open().sources(excluded=True) == []


def test_an_unknown_id_is_not_removed(two: Shelf) -> None:
    before = snapshot(two.index)
    with pytest.raises(UsageError, match=r"^no transcript nope in the index; it has meeting, rep"):
        two.build(remove=("meeting", "nope"))
    assert snapshot(two.index) == before


def test_the_last_transcript_is_not_removed(two: Shelf) -> None:
    before = snapshot(two.index)
    with pytest.raises(TranscriptError, match="no transcript would be left in the index"):
        two.build(remove=("meeting", "report"))
    assert snapshot(two.index) == before


# --- Ids and duplicates ---------------------------------------------------------------------


def test_the_same_text_is_indexed_once(two: Shelf) -> None:
    copy = two.write("zzz-copy.txt", MEETING)
    report = two.build()
    assert report.unchanged == ("meeting", "report")
    assert report.notes == (
        f"{copy}: the same text as {two.transcripts / 'meeting.txt'}; indexed once.",
    )


def test_files_of_one_name_have_ids_of_their_own(shelf: Shelf) -> None:
    for name in ("a/call", "b/call", "c/a/call", "b/Call"):
        shelf.write(f"{name}.txt", f"Ann: I am {name}.\nBob: Yes.\n")
    first = shelf.build_all()
    words = shelf.words()
    assert len(words) == 4
    assert {"call", "b-call", "a-call"} <= words.keys()
    assert shelf.build().unchanged == first.added
    # One that comes earlier takes no id from those that are there.
    shelf.write("0/call.txt", "Ann: I am new.\nBob: Yes.\n")
    assert shelf.build().added == ("0-call",)
    assert words.items() <= shelf.words().items()


@pytest.mark.parametrize(
    ("name", "transcript_id"),
    [("Town Hall (2).txt", "town-hall-2"), ("Überfahrt.md", "überfahrt"), ("!.txt", "transcript")],
)
def test_ids_are_made_of_names(shelf: Shelf, name: str, transcript_id: str) -> None:
    shelf.write(name, MEETING)
    assert shelf.build_all().added == (transcript_id,)


# --- Bad files, and files that are gone -----------------------------------------------------


def test_a_bad_file_in_a_folder_is_told_and_the_rest_indexed(two: Shelf) -> None:
    bad = two.write("bad.txt", b"\0\1\2")
    empty = two.write("empty.txt", b"")
    report = two.build()
    assert report.unchanged == ("meeting", "report")
    assert [failure[:40] for failure in report.failures] == [
        f"Passed over: {bad}: not a text"[:40],
        f"Passed over: {empty}: the file"[:40],
    ]


def test_a_file_that_went_bad_keeps_what_is_stored(two: Shelf) -> None:
    two.write("report.txt", b"\0\1\2")
    report = two.build()
    assert report.unchanged == ("meeting", "report")
    assert len(report.failures) == 1
    assert two.words()["report"] == REPORT


@pytest.mark.parametrize("content", [b"", b"\0\1\2", b"...", None])
def test_a_bad_file_that_is_named_is_an_error(two: Shelf, content: bytes | None) -> None:
    before = snapshot(two.index)
    bad = two.transcripts.parent / "bad.txt"
    if content is not None:
        bad.write_bytes(content)
    with pytest.raises(TranscriptError, match=rf"^{bad}: "):
        two.build(bad)
    assert snapshot(two.index) == before


def test_nothing_but_bad_files(shelf: Shelf) -> None:
    bad = shelf.write("bad.txt", b"\0")
    with pytest.raises(TranscriptError, match=rf"name one to index\. Passed over: {bad}: not a te"):
        shelf.build_all()
    assert list(snapshot(shelf.index)) == []


def test_a_file_that_was_named_and_is_gone_goes(shelf: Shelf) -> None:
    meeting, report = shelf.write("m.txt", MEETING), shelf.write("r.txt", REPORT)
    shelf.build(meeting, report)
    report.unlink()
    told = shelf.build()
    assert (told.removed, told.unchanged) == (("r",), ("m",))
    assert told.notes == (f"{report}: the file is gone; its transcript was removed.",)
    assert shelf.open().sources() == [str(meeting)]


def test_a_folder_that_is_not_there_now_keeps_its_transcripts(two: Shelf, tmp_path: Path) -> None:
    two.transcripts.rename(tmp_path / "unplugged")
    other = tmp_path / "other.txt"
    other.write_text(LONG)
    report = two.build(other)
    assert (report.added, report.unchanged, report.removed) == (
        ("other",),
        ("meeting", "report"),
        (),
    )
    assert report.notes == (f"{two.transcripts} is not there now; what is stored of it was kept.",)
    (tmp_path / "unplugged").rename(two.transcripts)
    assert two.build().notes == ()


def test_a_folder_within_a_folder_is_read_once(two: Shelf) -> None:
    two.write("deep/sea.txt", LONG)
    report = two.build(two.transcripts / "deep", two.transcripts / "deep" / "sea.txt")
    assert (report.added, report.notes) == (("sea",), ())


def test_a_relative_path_is_remembered_as_a_whole_one(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shelf.write("meeting.txt", MEETING)
    monkeypatch.chdir(shelf.transcripts)
    shelf.build(Path("meeting.txt"))
    monkeypatch.chdir("/")
    assert shelf.build().unchanged == ("meeting",)
    assert shelf.open().sources() == [str(file)]


# --- Faults of the machine ------------------------------------------------------------------


def test_a_fault_while_embedding_leaves_the_index(two: Shelf) -> None:
    class Broken(BagOfWords):
        def embed_passages(self, texts, /):
            raise MemoryError

    before = snapshot(two.index)
    with pytest.raises(MemoryError):
        build(two.index, [], Broken("broken"))
    assert snapshot(two.index) == before
    assert two.build().unchanged == ("meeting", "report")


def test_an_index_in_a_file(shelf: Shelf) -> None:
    file = shelf.write("meeting.txt", MEETING)
    with pytest.raises(IndexFolderError, match=r"meeting\.txt: the index cannot be written here"):
        build(file, [file], shelf.embedder)
