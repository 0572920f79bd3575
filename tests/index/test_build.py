"""Building an index and bringing it up to date: what goes in, what stays, what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.build import Report, build
from index.errors import IndexFolderError, TranscriptError, UsageError
from tests.fakes import BagOfWords
from tests.fixtures.shelf import Shelf
from tests.fixtures.transcripts import MEETING, REPORT


def fates(report: Report) -> dict[str, tuple[str, ...]]:
    """added, changed, removed, unchanged: those that hold any ids."""
    names = ("added", "changed", "removed", "unchanged")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def test_build_open_prove(shelf: Shelf) -> None:
    shelf.write("meeting.txt", MEETING)
    shelf.write("report.md", REPORT)
    report = shelf.build_all()
    assert fates(report) == {"added": ("meeting", "report")}
    assert (report.notes, report.failures) == ((), ())
    assert report.manifest.counts == {
        "transcripts": 2,
        "segments": 15,
        "sentences": 20,
        "chunks": 2,
    }

    folder = shelf.open()
    assert folder.manifest == report.manifest
    assert folder.manifest.embedder == shelf.embedder.identity
    assert list(folder.prove()) == []
    assert shelf.words() == {"meeting": MEETING, "report": REPORT}
    vectors = folder.store().vectors()
    for chunk, vector in zip(folder.all_chunks(), vectors, strict=True):
        text = folder.transcript(chunk.transcript_id).text[chunk.start : chunk.end]
        assert vector @ shelf.embedder.embed_query(text) == pytest.approx(1)


def test_what_is_stored_is_what_was_parsed(shelf: Shelf) -> None:
    shelf.write("meeting.txt", MEETING)
    shelf.build_all()
    folder = shelf.open()
    segments = folder.transcript("meeting").segments
    assert [(s.speaker.name if s.speaker else None, s.at) for s in segments[:3]] == [
        ("Ada Okafor", (4.0, 9.0)),
        ("Ben Lindqvist", (9.0, 31.0)),
        ("Ada Okafor", (31.0, 62.0)),
    ]
    assert folder.speakers() == ["Ada Okafor", "Ben Lindqvist"]
    assert folder.segment_count() == folder.segment_count("meeting") == 7
    (summary,) = folder.summaries()
    assert (summary.title, summary.characters, summary.segments) == ("Meeting", len(MEETING), 7)
    with pytest.raises(KeyError):
        folder.transcript("gone")


def test_bringing_up_to_date(shelf: Shelf) -> None:
    for name in ("a", "b", "c"):
        shelf.write(f"{name}.txt", f"Ada: This is {name}.\nBen: So it is.\n")
    shelf.build_all()
    shelf.write("a.txt", "Ada: This is a no more.\nBen: So it is.\n")
    (shelf.transcripts / "b.txt").unlink()
    shelf.write("d.txt", "Ada: This is d.\nBen: So it is.\n")
    assert fates(shelf.build()) == {
        "added": ("d",),
        "changed": ("a",),
        "removed": ("b",),
        "unchanged": ("c",),
    }
    assert list(shelf.open().prove()) == []
    assert fates(shelf.build()) == {"unchanged": ("a", "c", "d")}


def test_sources_add_up(shelf: Shelf) -> None:
    first = shelf.write("a.txt", "Ada: One.\nBen: Two.\n")
    second = shelf.write("b.txt", "Ada: Three.\nBen: Four.\n")
    shelf.build(first)
    assert fates(shelf.build(second)) == {"added": ("b",), "unchanged": ("a",)}


def test_unchanged_chunks_keep_their_vectors(shelf: Shelf) -> None:
    shelf.write("meeting.txt", MEETING)
    shelf.write("report.txt", REPORT)
    shelf.build_all()
    counts = shelf.open().manifest.counts
    # "Yes." is said twice by one person.
    assert len(shelf.embedder.embedded) == counts["chunks"] + counts["sentences"] - 1
    shelf.embedder.embedded.clear()

    shelf.build_all()
    assert shelf.embedder.embedded == []

    shelf.write("report.txt", REPORT.replace("eleven", "twelve"))
    shelf.build_all()
    chunk, *sentences = shelf.embedder.embedded
    assert chunk == shelf.words()["report"].rstrip().removesuffix('"')
    assert sentences
    assert all("twelve" in sentence for sentence in sentences)
    assert list(shelf.open().prove()) == []


def test_another_model_embeds_everything_again(shelf: Shelf) -> None:
    shelf.write("meeting.txt", MEETING)
    shelf.build_all()
    shelf.embedder = BagOfWords("another model")
    assert fates(shelf.build_all()) == {"unchanged": ("meeting",)}
    counts = shelf.open().manifest.counts
    assert len(shelf.embedder.embedded) == counts["chunks"] + counts["sentences"] - 1
    assert shelf.open().manifest.embedder.name == "another model"


# --- removing ----------------------------------------------------------------------------


def test_a_removed_transcript_stays_out_until_it_is_named_again(shelf: Shelf) -> None:
    meeting = shelf.write("meeting.txt", MEETING)
    shelf.write("report.txt", REPORT)
    shelf.build_all()
    assert fates(shelf.build(remove=("meeting",))) == {
        "removed": ("meeting",),
        "unchanged": ("report",),
    }
    assert fates(shelf.build_all()) == {"unchanged": ("report",)}
    assert shelf.open().sources(excluded=True) == [str(meeting)]
    assert fates(shelf.build(meeting)) == {"added": ("meeting",), "unchanged": ("report",)}
    assert shelf.open().sources(excluded=True) == []


def test_a_file_that_was_named_by_itself_is_removed_too(shelf: Shelf) -> None:
    meeting, report = shelf.write("meeting.txt", MEETING), shelf.write("report.txt", REPORT)
    shelf.build(meeting, report)
    assert fates(shelf.build(remove=("meeting",))) == {
        "removed": ("meeting",),
        "unchanged": ("report",),
    }
    assert shelf.open().sources() == [str(report)]
    assert fates(shelf.build()) == {"unchanged": ("report",)}
    assert fates(shelf.build(meeting)) == {"added": ("meeting",), "unchanged": ("report",)}


def test_removing_what_is_not_there(shelf: Shelf) -> None:
    shelf.write("meeting.txt", MEETING)
    shelf.build_all()
    with pytest.raises(UsageError, match="no transcript gone in the index; it has meeting"):
        shelf.build(remove=("gone",))
    assert shelf.words() == {"meeting": MEETING}


def test_the_last_transcript_cannot_be_removed(shelf: Shelf) -> None:
    shelf.write("meeting.txt", MEETING)
    shelf.build_all()
    with pytest.raises(TranscriptError, match="no transcript would be left"):
        shelf.build(remove=("meeting",))
    assert shelf.words() == {"meeting": MEETING}


def test_nothing_to_index(shelf: Shelf) -> None:
    with pytest.raises(TranscriptError, match="no transcript would be left"):
        shelf.build()


def test_a_file_that_is_gone_is_told_and_dropped(shelf: Shelf) -> None:
    shelf.write("b.txt", REPORT)
    file = shelf.write("a.txt", MEETING)
    shelf.build(file, shelf.transcripts / "b.txt")
    file.unlink()
    report = shelf.build()
    assert fates(report) == {"removed": ("a",), "unchanged": ("b",)}
    assert report.notes == (f"{file}: the file is gone; its transcript was removed.",)
    assert shelf.build().notes == ()


def test_a_source_that_is_away_keeps_its_transcripts(shelf: Shelf) -> None:
    """A drive that is not mounted is no reason to forget."""
    shelf.write("drive/meeting.txt", MEETING)
    shelf.write("report.txt", REPORT)
    shelf.build(shelf.transcripts / "drive", shelf.transcripts / "report.txt")
    drive = shelf.transcripts / "drive"
    drive.rename(shelf.transcripts / "unmounted")
    report = shelf.build()
    assert fates(report) == {"unchanged": ("meeting", "report")}
    assert report.notes == (f"{drive} is not there now; what is stored of it was kept.",)
    assert shelf.words()["meeting"] == MEETING


def test_a_file_whose_folder_is_away_is_kept(shelf: Shelf) -> None:
    shelf.build(shelf.write("drive/meeting.txt", MEETING), shelf.write("report.txt", REPORT))
    (shelf.transcripts / "drive").rename(shelf.transcripts / "unmounted")
    assert fates(shelf.build()) == {"unchanged": ("meeting", "report")}


def test_a_folder_given_earlier_that_was_emptied_is_no_failure(shelf: Shelf) -> None:
    shelf.write("old/meeting.txt", MEETING)
    shelf.write("new/report.txt", REPORT)
    shelf.build(shelf.transcripts / "old", shelf.transcripts / "new")
    (shelf.transcripts / "old" / "meeting.txt").unlink()
    assert fates(shelf.build()) == {"removed": ("meeting",), "unchanged": ("report",)}


# --- ids ---------------------------------------------------------------------------------


def test_the_same_name_in_two_folders(shelf: Shelf) -> None:
    one = shelf.write("2023/call.txt", "Ada: One.\nBen: Two.\n")
    other = shelf.write("2024/call.txt", "Ada: Three.\nBen: Four.\n")
    shelf.build_all()
    ids = {summary.source: summary.id for summary in shelf.open().summaries()}
    assert ids == {str(one): "call", str(other): "2024-call"}

    one.write_text("Ada: One more.\nBen: Two.\n")
    shelf.write("2022/call.txt", "Ada: Five.\nBen: Six.\n")
    shelf.build_all()
    again = {summary.source: summary.id for summary in shelf.open().summaries()}
    assert again == {**ids, str(shelf.transcripts / "2022/call.txt"): "2022-call"}


@pytest.mark.parametrize(
    ("name", "transcript_id"),
    [
        ("Town Hall (final).txt", "town-hall-final"),
        ("2024.03.12.txt", "2024.03.12"),
        ("---.txt", "transcript"),
        ("Встреча.txt", "встреча"),
    ],
)
def test_an_id_is_the_files_name_made_plain(shelf: Shelf, name: str, transcript_id: str) -> None:
    shelf.write(name, MEETING)
    assert shelf.build_all().added == (transcript_id,)


def test_the_same_text_is_indexed_once(shelf: Shelf) -> None:
    one = shelf.write("a.txt", MEETING)
    copy = shelf.write("b.txt", MEETING.replace("\n", "\r\n"))
    report = shelf.build_all()
    assert fates(report) == {"added": ("a",)}
    assert report.notes == (f"{copy}: the same text as {one}; indexed once.",)
    one.unlink()
    assert fates(shelf.build_all()) == {"added": ("b",), "removed": ("a",)}


def test_a_copy_that_sorts_earlier_does_not_take_the_place(shelf: Shelf) -> None:
    one = shelf.write("meeting.txt", MEETING)
    shelf.build_all()
    copy = shelf.write("a-copy.txt", MEETING)
    report = shelf.build_all()
    assert fates(report) == {"unchanged": ("meeting",)}
    assert report.notes == (f"{copy}: the same text as {one}; indexed once.",)


def test_a_path_may_be_relative(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    file = shelf.write("meeting.txt", MEETING)
    monkeypatch.chdir(file.parent)
    shelf.build(Path("meeting.txt"))
    monkeypatch.chdir("/")
    assert fates(shelf.build(file)) == {"unchanged": ("meeting",)}


# --- bad files ---------------------------------------------------------------------------


def test_a_bad_file_in_a_folder_is_told_and_the_rest_is_indexed(shelf: Shelf) -> None:
    shelf.write("a.txt", MEETING)
    shelf.write("empty.txt", "")
    shelf.write("photo.txt", b"\x89PNG\0\0\0")
    report = shelf.build_all()
    assert fates(report) == {"added": ("a",)}
    assert [failure.split(": ", 2)[::2] for failure in report.failures] == [
        ["Passed over", "the file is empty; give a transcript with words in it."],
        ["Passed over", "not a text file; give the transcript as plain text."],
    ]


def test_a_file_gone_bad_keeps_what_was_stored(shelf: Shelf) -> None:
    shelf.write("a.txt", MEETING)
    shelf.build_all()
    shelf.write("a.txt", "")
    report = shelf.build_all()
    assert len(report.failures) == 1
    assert fates(report) == {"unchanged": ("a",)}
    assert shelf.words() == {"a": MEETING}


def test_a_bad_file_that_is_named_stops_and_the_index_stands_byte_for_byte(shelf: Shelf) -> None:
    shelf.build(shelf.write("a.txt", MEETING))
    before = shelf.contents()
    good = shelf.write("good.txt", REPORT)
    with pytest.raises(TranscriptError, match=r"bad\.txt: the file is empty"):
        shelf.build(good, shelf.write("bad.txt", ""))
    assert shelf.contents() == before


def test_a_path_that_is_not_there_stops(shelf: Shelf) -> None:
    with pytest.raises(TranscriptError, match=r"gone\.txt: no such file or folder"):
        shelf.build(shelf.transcripts / "gone.txt")
    assert not (shelf.index / "manifest.json").exists()


def test_an_embedder_that_fails_leaves_the_index_as_it_was(shelf: Shelf) -> None:
    class Broken(BagOfWords):
        def embed_passages(self, texts: object, /) -> None:  # type: ignore[override]
            raise IndexFolderError("broken")

    shelf.build(shelf.write("a.txt", MEETING))
    before = shelf.contents()
    with pytest.raises(IndexFolderError, match="broken"):
        build(shelf.index, [shelf.write("b.txt", REPORT)], Broken())
    assert shelf.contents() == before


def test_progress_is_told(shelf: Shelf) -> None:
    shelf.write("a.txt", MEETING)
    shelf.write("b.txt", REPORT)
    told: list[tuple[str, int, int]] = []
    build(
        shelf.index, [shelf.transcripts], shelf.embedder, progress=lambda *step: told.append(step)
    )
    assert told == [
        ("transcripts", 0, 2),
        ("transcripts", 1, 2),
        ("transcripts", 2, 2),
        ("chunks", 0, 2),
        ("chunks", 2, 2),
        ("sentences", 0, 19),
        ("sentences", 19, 19),
    ]
