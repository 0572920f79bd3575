"""What was published comes back, by value; a spoilt database is told and mended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.chunk import OVERLAP, SIZE, Chunk
from index.folder import DATABASE, Contents, Folder, Summary, has_index, publish, read_manifest
from index.transcript import Segment, Speaker, Transcript
from tests.fakes import BagOfWords
from tests.fixtures.shelf import Shelf
from tests.fixtures.transcripts import MEETING, REPORT

ANN, BOB = Speaker("Ann", "label"), Speaker("Bob", "narration")
TALK = Transcript(
    "talk",
    "A Talk",
    'TALK\nAnn: Yes. No 😀.\nthen "Well," said Bob.',
    (
        Segment(0, 4, "heading"),
        Segment(10, 20, "speech", ANN, (1.5, 62.25)),
        Segment(21, 25, "narration"),
        Segment(27, 32, "speech", BOB),
        Segment(34, 43, "narration"),
    ),
    "en",
    "2024-03-12",
    "/somewhere/talk.txt",
)
WALK = Transcript("walk", "A Walk", "Ann: Hm.", (Segment(5, 8, "speech", ANN),))
CONTENTS = Contents(
    sources=["/somewhere", "/elsewhere"],
    excluded=["/somewhere/not.txt"],
    transcripts=[TALK, WALK],
    spans=[[(0, 4), (10, 14), (15, 20), (21, 25), (27, 32), (34, 43)], [(5, 8)]],
    chunks=[[Chunk("talk", 0, 20), Chunk("talk", 15, 43)], [Chunk("walk", 0, 8)]],
    vectors=np.eye(3, 1024, dtype=np.float32),
    sentence_vectors=np.eye(7, 1024, dtype=np.float32),
    embedder=BagOfWords().identity,
)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    publish(tmp_path, CONTENTS)
    return Folder.open(tmp_path)


def test_transcripts(folder: Folder) -> None:
    assert folder.transcript("talk") == TALK
    assert folder.transcript("walk") == WALK
    with pytest.raises(KeyError, match="tlak"):
        folder.transcript("tlak")


def test_the_manifest(folder: Folder) -> None:
    manifest = folder.manifest
    assert manifest == read_manifest(folder.path)
    assert (manifest.format, manifest.generation, manifest.folder) == (2, 1, "v-1")
    assert manifest.embedder == BagOfWords().identity
    assert manifest.chunking == {"size": SIZE, "overlap": OVERLAP}
    assert manifest.counts == {"transcripts": 2, "segments": 6, "sentences": 7, "chunks": 3}
    assert list(manifest.files) == ["transcripts.sqlite", "vectors.faiss", "sentences.npy"]


def test_sentences_and_whose_they_are(folder: Folder) -> None:
    np.testing.assert_array_equal(folder.sentence_vectors(), CONTENTS.sentence_vectors)
    # "No 😀." lies in both chunks of the talk.
    assert folder.sentence_ranges().tolist() == [[0, 3], [2, 6], [6, 7]]
    assert folder.sentences_numbered(2, 4) == [(15, 20), (21, 25)]
    stored = [(transcript.id, span) for transcript, span in folder.all_sentences()]
    assert stored == [("talk", span) for span in CONTENTS.spans[0]] + [("walk", (5, 8))]


def test_summaries_are_by_title(folder: Folder) -> None:
    source = "/somewhere/talk.txt"
    assert folder.summaries() == [
        Summary("talk", "A Talk", "2024-03-12", TALK.sha256, source, 43, 5),
        Summary("walk", "A Walk", None, WALK.sha256, None, 8, 1),
    ]


def test_sources(folder: Folder) -> None:
    assert folder.sources() == ["/elsewhere", "/somewhere"]
    assert folder.sources(excluded=True) == ["/somewhere/not.txt"]


def test_speakers_are_by_how_much_they_say(folder: Folder) -> None:
    assert folder.speakers() == ["Ann", "Bob"]
    assert folder.words_of("Ann") == ["Yes. No 😀.", "Hm."]
    assert folder.words_of("Ann", 1) == ["Yes. No 😀."]
    assert folder.words_of("Bob") == ["Well,"]
    assert folder.words_of(None) == ["then", "said Bob."]
    assert folder.words_of("Cay") == []


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (0, 43, [(0, 4), (10, 14), (15, 20), (21, 25), (27, 32), (34, 43)]),
        (10, 15, [(10, 14)]),
        (13, 16, [(10, 14), (15, 20)]),
        (14, 15, []),
        (20, 21, []),
        (42, 99, [(34, 43)]),
    ],
)
def test_sentences_that_overlap(
    folder: Folder, start: int, end: int, found: list[tuple[int, int]]
) -> None:
    assert folder.sentences("talk", start, end) == found
    assert folder.sentences("none", start, end) == []


def test_chunks_are_numbered_across_transcripts(folder: Folder) -> None:
    assert folder.all_chunks() == [chunk for its in CONTENTS.chunks for chunk in its]
    assert [folder.chunk(n) for n in range(3)] == folder.all_chunks()
    np.testing.assert_array_equal(folder.store().vectors(), CONTENTS.vectors)
    assert list(folder.prove()) == []


@pytest.mark.parametrize(
    ("transcript", "speaker", "numbers", "segments"),
    [
        (None, None, None, 6),
        ("talk", None, [0, 1], 5),
        ("walk", "Ann", [2], 1),
        ("walk", "Bob", [], 1),
        (None, "Ann", [0, 1, 2], 6),
        (None, "Bob", [1], 6),
        ("none", None, [], 0),
    ],
)
def test_within_a_transcript_and_of_a_speaker(
    folder: Folder,
    transcript: str | None,
    speaker: str | None,
    numbers: list[int] | None,
    segments: int,
) -> None:
    assert folder.chunk_numbers(transcript, speaker) == numbers
    assert folder.segment_count(transcript) == segments


def test_a_new_version_takes_the_place_of_the_old(tmp_path: Path) -> None:
    assert not has_index(tmp_path)
    publish(tmp_path, CONTENTS)
    publish(tmp_path, replace(CONTENTS, sources=["/new"]))
    assert has_index(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["manifest.json", "v-2"]
    assert Folder.open(tmp_path).sources() == ["/new"]


def test_vectors_must_be_as_many_as_chunks(folder: Folder) -> None:
    with pytest.raises(ValueError, match="3 chunks but 2 vectors"):
        publish(folder.path, replace(CONTENTS, vectors=np.eye(2, 9, dtype=np.float32)))
    assert Folder.open(folder.path).manifest == folder.manifest


# --- A page of the database is spoilt, its length is as it was ------------------------------


def spoil(shelf: Shelf, page: int) -> None:
    (file,) = shelf.index.glob(f"v-*/{DATABASE}")
    data = file.read_bytes()
    file.write_bytes(data[: page * 4096] + b"\xff" * 4096 + data[(page + 1) * 4096 :])


@pytest.fixture
def built(shelf: Shelf) -> Shelf:
    shelf.write("meeting.txt", MEETING)
    shelf.write("report.txt", REPORT)
    shelf.build_all()
    return shelf


@pytest.mark.parametrize("page", range(1, 12))
def test_a_build_mends_a_spoilt_page(built: Shelf, page: int) -> None:
    spoil(built, page)
    built.build_all()
    assert built.words() == {"meeting": MEETING, "report": REPORT}
    assert list(built.open().prove()) == []


@pytest.mark.parametrize("page", range(1, 12))
def test_a_spoilt_page_is_a_fault_and_no_crash(built: Shelf, page: int) -> None:
    folder = built.open()
    spoil(built, page)
    assert "transcripts.sqlite: its sha256 is not the manifest's" in list(folder.prove())
