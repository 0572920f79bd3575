"""From files to transcripts: what is found, how it is decoded, and what the name tells."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import TranscriptError
from index.formats import date_of, decode, find_files, parse, read_transcript, title_of
from tests.fixtures.transcripts import MEETING

TEXT = "Ada: Bon soir, café à Zürich.\nBen: Déjà vu, naïve.\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace("\n", "\r\n").encode("utf-16"),
    ],
    ids=["utf-8", "utf-8 BOM", "utf-16", "utf-16 BE", "CRLF", "CR", "utf-16 CRLF"],
)
def test_what_says_its_encoding_is_decoded_without_a_note(data: bytes) -> None:
    decoded = decode(data, "a.txt")
    assert (decoded.text, decoded.note) == (TEXT, None)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Marie: Où est passé le café à côté de la forêt ?\nPaul: Près d'ici, déjà.\n"),
        ("cp1252", "Ada: We met at the café. It’s a naïve idea, “really”.\nBen: Déjà vu.\n"),
        ("cp1252", "Åsa: Vi träffades vid sjön på måndagen och åt smörgåsar.\nBo: Just så.\n"),
        ("latin-1", "Jürgen: Die Straße ist gesperrt, schöne Grüße.\nBärbel: Natürlich.\n"),
        ("cp1251", "Мария: Где вы были вчера вечером?\nИван: На встрече в городе.\n"),
    ],
    ids=["French", "English", "Swedish", "German", "Russian"],
)
def test_older_encodings_are_told_by_detection_and_say_so(encoding: str, text: str) -> None:
    decoded = decode(text.encode(encoding), "a.txt")
    assert decoded.text == text
    assert decoded.note
    assert decoded.note.startswith("a.txt: not UTF-8; read as ")
    assert decoded.note.endswith(". Save it as UTF-8 to be sure.")


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "the file is empty"),
        (b" \r\n\t\n", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not a text file"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 4, "not a text file"),
        (b"Ada: one\0two\nBen: three\n", "not a text file"),
        ("Ada: one\nBen: two\n".encode("utf-16-le"), "not a text file"),
        (b"\x01\x02\x03\x04 bell \x07\x07", "not a text file"),
    ],
    ids=["empty", "white space", "PNG", "PDF", "NUL", "UTF-16 without BOM", "control characters"],
)
def test_what_is_no_text_is_refused_by_name(data: bytes, complaint: str) -> None:
    with pytest.raises(TranscriptError, match=f"^x/a.txt: {complaint}"):
        decode(data, "x/a.txt")


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    try:
        text = decode(data, "a.txt").text
    except TranscriptError:
        return
    assert "\r" not in text
    assert not text.startswith("\ufeff")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip))
def test_utf8_comes_back_as_it_was(text: str) -> None:
    if not text.startswith("\ufeff"):
        assert decode(text.encode(), "a.txt").text == text


@pytest.mark.parametrize("text", ["", "\n\n", "...", "—\n***\n"])
def test_a_text_without_words_is_no_transcript(text: str) -> None:
    with pytest.raises(TranscriptError, match=r"^calls/empty.txt: nothing to read in it"):
        parse(text, "empty", source="calls/empty.txt")


@pytest.mark.parametrize("suffix", [".txt", ".TXT", ".text", ".md", ".log", ""])
def test_the_content_tells_the_format_whatever_the_suffix(suffix: str) -> None:
    assert [s.speaker.name for s in parse(MEETING, "m", suffix).segments if s.speaker][:2] == [
        "Ada Okafor",
        "Ben Lindqvist",
    ]


def test_reading_a_file(tmp_path: Path) -> None:
    file = tmp_path / "town_hall-2024-03-12.txt"
    file.write_bytes(MEETING.replace("\n", "\r\n").encode("utf-8-sig"))
    transcript, note = read_transcript(file, "town-hall")
    assert note is None
    assert (transcript.id, transcript.title) == ("town-hall", "Town Hall, 2024-03-12")
    assert (transcript.date, transcript.source) == ("2024-03-12", str(file))
    assert transcript.text == MEETING


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match=r"gone\.txt: cannot be read \(No such file"):
        read_transcript(tmp_path / "gone.txt", "gone")


# --- folders -----------------------------------------------------------------------------


def test_a_folder_is_read_with_what_is_below_it_in_order(tmp_path: Path) -> None:
    wanted = ["a.txt", "b/c.md", "b/d.TEXT", "z.txt"]
    passed_over = [
        ".hidden.txt",
        ".git/e.txt",
        "b/.cache/deep/f.txt",
        "README.md",
        "b/readme.txt",
        "LICENSE.txt",
        "notes.docx",
        "audio.mp3",
        "txt",
    ]
    for name in wanted + passed_over:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("words")
    (tmp_path / "folder.txt").mkdir()
    assert [str(file.relative_to(tmp_path)) for file in find_files(tmp_path)] == wanted


def test_a_file_that_is_named_is_taken_whatever_it_is_called(tmp_path: Path) -> None:
    for name in (".hidden.txt", "README.md", "notes.log"):
        (tmp_path / name).write_text("words")
        assert list(find_files(tmp_path / name)) == [tmp_path / name]


def test_a_hidden_folder_that_is_named_is_read(tmp_path: Path) -> None:
    (tmp_path / ".calls").mkdir()
    (tmp_path / ".calls" / "a.txt").write_text("words")
    assert list(find_files(tmp_path / ".calls")) == [tmp_path / ".calls" / "a.txt"]


def test_no_such_path(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match=r"nowhere: no such file or folder"):
        list(find_files(tmp_path / "nowhere"))


def test_a_folder_without_transcripts(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("words")
    with pytest.raises(TranscriptError, match=r"no transcripts in this folder.*\.txt"):
        list(find_files(tmp_path))


# --- names -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stem", "title", "date"),
    [
        ("trump-putin-call", "Trump Putin Call", None),
        ("NPR_interview", "NPR Interview", None),
        ("2024-03-12 town hall", "Town Hall, 2024-03-12", "2024-03-12"),
        ("board_20240312", "Board, 2024-03-12", "2024-03-12"),
        ("2024-03-12", "2024-03-12", "2024-03-12"),
        ("call-2024-13-45", "Call 2024 13 45", None),
        ("number-120240312", "Number 120240312", None),
        ("---", "---", None),
        ("Straße der Wörter", "Straße Der Wörter", None),
    ],
)
def test_title_and_date_of_a_files_name(stem: str, title: str, date: str | None) -> None:
    assert (title_of(stem), date_of(stem)) == (title, date)


# --- real exports, where they are at hand ---------------------------------------------------

SHARED = Path(__file__).parents[3] / "shared" / "transcripts"
AT_HAND = sorted(SHARED.rglob("*.txt")) + sorted(SHARED.rglob("*.md"))


@pytest.mark.skipif(not AT_HAND, reason="no shared transcripts beside the repository")
@pytest.mark.parametrize("file", AT_HAND, ids=lambda file: file.name)
def test_real_files_are_read(file: Path) -> None:
    transcript, _ = read_transcript(file, "t")
    covered = sum(segment.end - segment.start for segment in transcript.segments)
    assert 2 * covered > len(transcript.text)
