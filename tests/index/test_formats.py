"""Files to transcripts: what is found, how it is decoded, who is heard to say what."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import TranscriptError
from index.formats import date_of, decode, find_files, parse, read_transcript, title_of
from index.transcript import Transcript

Turn = tuple[str | None, str]


def turns(text: str) -> list[Turn]:
    """(speaker, words) of what is said."""
    made = parse(text, "t")
    return [
        (s.speaker.name if s.speaker else None, text[s.start : s.end])
        for s in made.segments
        if s.kind == "speech"
    ]


def times(text: str) -> list[tuple[float, float] | None]:
    return [segment.at for segment in parse(text, "t").segments]


def kinds(text: str) -> list[str]:
    return [segment.kind for segment in parse(text, "t").segments]


# --- The seed -------------------------------------------------------------------------------


def test_the_seed_is_read_as_it_stands(seed: Transcript) -> None:
    sha256 = "102703653855d0774b0395625bcd47a24ba914cc84648eec85aabfa14c05191f"
    assert (seed.id, seed.title, seed.date) == ("trump-putin-call", "Trump Putin Call", None)
    assert seed.sha256 == sha256
    letters = "".join(segment.kind[0] for segment in seed.segments)
    assert letters == "hnnsnsnnsnsnnsnsnnnsnsnnsnnn"


def test_who_says_each_quoted_paragraph_of_the_seed(seed: Transcript) -> None:
    said = [
        (segment.speaker.name if segment.speaker else None, seed.text[segment.start :][:24])
        for segment in seed.segments
        if segment.kind == "speech"
    ]
    assert said == [
        ("Donald Trump", "We just spent two and a "),
        ("Donald Trump", "I think something is goi"),
        ("Vladimir Putin", "The conversation (with P"),
        ("Vladimir Putin", "The U-S president has ex"),
        ("Volodymyr Zelenskyy", "I had two calls with Pre"),
        ("Volodymyr Zelenskyy", "No one will be pulling o"),
        ("Yuri Ushakov", "It is very important tha"),
        ("Yuri Ushakov", "In the context of such a"),
        # The narration names Mr Trump only, and so do the quoted words: it is not he.
        (None, "Trump mentioned that, in"),
    ]
    bases = {segment.speaker.basis for segment in seed.segments if segment.speaker}
    assert bases == {"narration"}


def test_quotation_marks_stand_outside_of_what_is_said(seed: Transcript) -> None:
    for segment in seed.segments:
        if segment.kind == "speech":
            around = seed.text[segment.start - 1] + seed.text[segment.end]
            assert around == '""'


# --- Labels ---------------------------------------------------------------------------------

SAID = [("Ann Lee", "Good morning."), ("Bob", "Hi.")]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("Ann Lee: Good morning.\nBob: Hi.\n", [None, None]),
        ("  Ann Lee:  Good morning. \nBob:\tHi.", [None, None]),
        ("**Ann Lee:** Good morning.\n**Bob:** Hi.\n", [None, None]),
        ("**Ann Lee**: Good morning.\n**Bob**: Hi.\n", [None, None]),
        ("[00:01:02] Ann Lee: Good morning.\n[00:01:04] Bob: Hi.\n", [(62, 64), (64, 64)]),
        ("00:01 Ann Lee: Good morning.\n01:04 Bob: Hi.\n", [(1, 64), (64, 64)]),
        ("(00:01) - Ann Lee: Good morning.\n(01:04) - Bob: Hi.\n", [(1, 64), (64, 64)]),
        ("Ann Lee (00:01): Good morning.\nBob (01:02:03.5): Hi.\n", [(1, 3723.5), (3723.5,) * 2]),
        ("Ann Lee [00:01]: Good morning.\nBob: Hi.\n", [(1, 1), None]),
        ("Ann Lee 00:01\nGood morning.\n\nBob  1:04,250\nHi.\n", [(1, 64.25), (64.25, 64.25)]),
        ("Ann Lee (0:01:00)\nGood morning.\nBob [0:02:00]:\nHi.\n", [(60, 120), (120, 120)]),
    ],
)
def test_labels_and_times(text: str, at: list[tuple[float, float] | None]) -> None:
    assert turns(text) == SAID
    assert times(text) == at
    assert {s.speaker.basis for s in parse(text, "t").segments if s.speaker} == {"label"}


def test_lines_without_a_label_go_on_with_the_turn_before() -> None:
    text = "Ann (0:05): One.\nTwo.\n\nThree.\nBob: Four.\nAnn: Five.\n"
    assert turns(text) == [
        ("Ann", "One."), ("Ann", "Two."), ("Ann", "Three."), ("Bob", "Four."), ("Ann", "Five."),
    ]  # fmt: skip
    assert times(text) == [(5, 5), (5, 5), (5, 5), None, None]


def test_what_stands_before_the_first_label_is_heading() -> None:
    text = "Board meeting\nDate: 12 May\nAttendees: Ann, Bob\n\nAnn: Hello.\nBob: Hi.\nAnn: Bye."
    assert kinds(text) == ["heading"] * 3 + ["speech"] * 3
    assert turns(text) == [("Ann", "Hello."), ("Bob", "Hi."), ("Ann", "Bye.")]


@pytest.mark.parametrize(
    "line",
    [
        "As I said: no.",
        "the answer: yes",
        "Date: 12 May",
        "We went home. Then: rain.",
        "Is that so? Yes: it is",
        "http://example.org/a: b",
        "One Two Three Four Five Six Seven: too many words",
        "Ratio 3:1 it was",
    ],
)
def test_words_before_a_colon_that_are_no_name(line: str) -> None:
    assert turns(f"Ann: Well.\n{line}\nBob: Yes.\nAnn: Bye.")[1] == ("Ann", line)


@pytest.mark.parametrize(
    "name",
    [
        "Jean de la Tour",
        "Dr. O'Neil-Smith",
        "SPEAKER 2",
        "Project Manager",
        "Иван Петров",
        "李明",
        "عمر",
        "Ángel Núñez",
        "A",
    ],
)
def test_names_of_every_kind(name: str) -> None:
    assert turns(f"{name}: First.\nBob: Second.\n") == [(name, "First."), ("Bob", "Second.")]


def test_times_alone_tell_no_speaker() -> None:
    text = "[0:05] first words\n[1:00:09] second words\nmore\n"
    assert turns(text) == [(None, "first words"), (None, "second words"), (None, "more")]
    assert times(text) == [(5, 3609), (3609, 3609), (3609, 3609)]


def test_a_time_before_what_is_no_label_is_kept() -> None:
    text = "[0:05] Ann: Well.\n[0:09] As I said: no.\n"
    assert turns(text) == [("Ann", "Well."), ("Ann", "As I said: no.")]
    assert times(text) == [(5, 9), (9, 9)]


def test_a_clock_that_runs_backwards_gives_no_backward_stretch() -> None:
    assert times("[0:09] Ann: One.\n[0:05] Bob: Two.\n") == [(9, 9), (5, 5)]


NAMES = st.sampled_from(["Ann Lee", "Bob", "李明", "Jean de la Tour", "SPEAKER 2", "O’Neil"])
WORDS = st.lists(
    st.text(st.characters(categories=["L", "N"], max_codepoint=0x2FFF), min_size=1, max_size=9),
    min_size=1,
    max_size=8,
).map(" ".join)


@given(
    st.lists(st.tuples(NAMES, WORDS), min_size=2, max_size=12),
    st.sampled_from(["{}: {}", "**{}:** {}", "[00:01:02] {}: {}", "{} (1:02): {}", "  {}:   {}"]),
)
def test_turns_come_back_at_their_very_places(said: list[Turn], form: str) -> None:
    lines = [form.format(name, words) for name, words in said]
    text = "\n".join(lines)
    assert turns(text) == said
    start = 0
    for line, (_, words), segment in zip(lines, said, parse(text, "t").segments, strict=True):
        assert (segment.start, segment.end) == (start + len(line) - len(words), start + len(line))
        start += len(line) + 1


# --- Reports --------------------------------------------------------------------------------

DOE = "Mayor Jane Doe said it was time.\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'It opened.\n"The ferry will run every hour," said Jane Doe.\n',
            [("Jane Doe", "The ferry will run every hour,")],
        ),
        (
            'It opened.\n"The ferry will run hourly," Jane Doe said. "It will carry bicycles."\n',
            [("Jane Doe", "The ferry will run hourly,"), ("Jane Doe", "It will carry bicycles.")],
        ),
        (
            DOE + "“We waited for a long time.”\nMs Doe left.\n",
            [("Jane Doe", "We waited for a long time.")],
        ),
        (
            DOE + "“We waited for a long time.\n“And here it is.”\nIt rained.\n",
            [("Jane Doe", "We waited for a long time."), ("Jane Doe", "And here it is.")],
        ),
        (
            DOE + '"We waited for a long time.\n"And here it is."\nIt rained.\n',
            [("Jane Doe", "We waited for a long time."), ("Jane Doe", "And here it is.")],
        ),
        (
            DOE + '"We waited."\nShe added that it was late.\n"Two more are on their way."\n',
            [("Jane Doe", "We waited."), ("Jane Doe", "Two more are on their way.")],
        ),
        (
            "Jane Doe said: «We waited for a long time.»\n",
            [("Jane Doe", "We waited for a long time.")],
        ),
        (
            "Jane Doe said: „Wir haben lange gewartet.“\n",
            [("Jane Doe", "Wir haben lange gewartet.")],
        ),
        (
            'Jane Doe said it\nwas time.\n\n"We waited for\na long time."\n\nIt ran.\n',
            [("Jane Doe", "We waited for\na long time.")],
        ),
        (
            'It ran. Then Jane\nDoe\nsaid no.\n\n"We waited for\na long time."\n\nIt ran.\n',
            [("Jane Doe", "We waited for\na long time.")],
        ),
    ],
    ids=[
        "said after", "said between", "curly", "open curly", "open straight", "she added",
        "guillemets", "low quotes", "wrapped lines", "wrapped name",
    ],
)  # fmt: skip
def test_quoted_speech_in_a_report(text: str, said: list[Turn]) -> None:
    assert turns(text) == said


@pytest.mark.parametrize(
    "text",
    [
        DOE + '"Jane Doe waited for a long time."\n',
        'Jane Doe said no, and Tom Hale said yes.\n"We waited for a long time."\n',
        'It rained.\n"We waited for a long time."\n',
        'John Doe said no.\nIt rained.\nJane Doe said yes.\nMs Doe said it again.\n"We waited."\n',
    ],
    ids=["names the only candidate", "two candidates", "nobody", "two of that surname"],
)
def test_who_cannot_be_told_stays_unknown(text: str) -> None:
    assert [name for name, _ in turns(text)] == [None]


def test_a_few_quoted_words_are_the_narrators() -> None:
    text = 'Tom Hale called it "far too late" and left.\n'
    assert (kinds(text), turns(text)) == (["narration"], [])


def test_headings_of_a_report() -> None:
    text = "# The ferry\n\nIt opened.\n\nMORE TO COME\n\nIt rained.\n\nIt ran.\n\nno full stop\n"
    assert kinds(text) == ["heading", "narration", "heading", *["narration"] * 3]
    assert kinds("never any punctuation\nnone at all\n") == ["narration", "narration"]


def test_a_long_line_of_prose_is_read_in_linear_time() -> None:
    text = "Then Jane Doe went to sea. " * 1_000
    began = time.process_time()
    assert kinds(text) == ["narration"]
    assert time.process_time() - began < 1


@given(st.text(), st.sampled_from([".txt", ".md", ".unknown"]))
def test_any_text_is_read_or_refused(text: str, suffix: str) -> None:
    check_read_or_refused(text, suffix)


MARKS = st.lists(
    st.sampled_from(
        ["Ann", "Jane Doe", " said ", ": ", "\n", "\n\n", '"', "“", "”", "«", "»", "[00:05] ", "**",
         "(1:02)", ". ", "# ", "we waited a long time", "\t", "…", "HE", " "]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(MARKS)
def test_any_mixture_of_marks_is_read_or_refused(text: str) -> None:
    check_read_or_refused(text, ".txt")


def check_read_or_refused(text: str, suffix: str) -> None:
    # Transcript itself checks that the segments are in order and inside the text.
    try:
        made = parse(text, "t", suffix)
    except TranscriptError:
        assert not any(map(str.isalnum, text))
        return
    assert made.text == text
    for segment in made.segments:
        words = text[segment.start : segment.end]
        assert words == words.strip()


# --- Bytes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"Ann: hi", "Ann: hi"),
        (b"\xef\xbb\xbfAnn: hi", "Ann: hi"),
        ("Ann: hé 😀".encode("utf-16"), "Ann: hé 😀"),
        (b"\xfe\xff" + "Ann: hé".encode("utf-16-be"), "Ann: hé"),
        (b"a\r\nb\rc\nd\r\n", "a\nb\nc\nd\n"),
        ("a\r\nb".encode("utf-16"), "a\nb"),
        ("zero width \u200b, form feed \f, ls \u2028".encode(), None),
    ],
    ids=["utf-8", "BOM", "utf-16", "utf-16 big endian", "newlines", "utf-16 newlines", "as it is"],
)
def test_what_needs_no_guess(data: bytes, text: str | None) -> None:
    decoded = decode(data, "a.txt")
    assert decoded.text == (data.decode() if text is None else text)
    assert decoded.note is None


@pytest.mark.parametrize(
    "text",
    [
        "Ann: Das war schön, sagte die Bürgermeisterin über die Fähre.",
        "Ann: We met at the café in Zürich.\nBob: It was a naïve idea, and the fiancé left early.",
        "Ann: Il a été très étonné de l'été passé à la forêt où l'hôtel brûla.",
    ],
    ids=["German", "English", "French"],
)
def test_latin_1_is_read_with_a_note(text: str) -> None:
    decoded = decode(text.encode("latin-1"), "a.txt")
    assert decoded.text == text
    assert decoded.note
    assert decoded.note.startswith("a.txt: not UTF-8; read as ")
    assert decoded.note.endswith("Save it as UTF-8 to be sure.")


@pytest.mark.parametrize("data", [b"", b" \n\t\r\n"], ids=["empty", "white space"])
def test_an_empty_file_is_refused(data: bytes) -> None:
    with pytest.raises(TranscriptError, match=r"^a\.txt: the file is empty; give a transcript"):
        decode(data, "a.txt")


@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)),
        b"Ann: hi\0 there",
        b"\x7fELF\x01\x02\x03\x04" * 9,
        "no mark in front".encode("utf-16-le"),
    ],
    ids=["all bytes", "NUL", "binary", "utf-16 without a mark"],
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(TranscriptError, match=r"^a\.txt: not a text file; give the transcript as"):
        decode(data, "a.txt")


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    with suppress(TranscriptError):
        assert "\r" not in decode(data, "a.txt").text


# --- Files and folders ----------------------------------------------------------------------


def test_the_transcripts_below_a_folder(tmp_path: Path) -> None:
    names = [
        "b.txt", "a.md", "deep/er/c.TEXT",
        "README.md", "deep/LICENSE.txt", ".hidden.txt", ".git/d.txt", "e.pdf", "f", "g.txt.bak",
    ]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("Ann: hi")
    (tmp_path / "folder.txt").mkdir()
    found = [file.relative_to(tmp_path).as_posix() for file in find_files(tmp_path)]
    assert found == ["a.md", "b.txt", "deep/er/c.TEXT"]


def test_a_folder_inside_a_hidden_one_may_be_named(tmp_path: Path) -> None:
    file = tmp_path / ".notes" / "a.txt"
    file.parent.mkdir()
    file.write_text("Ann: hi")
    assert list(find_files(file.parent)) == [file]
    assert list(find_files(file)) == [file]


def test_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match=r"/none: no such file or folder; check the path\.$"):
        list(find_files(tmp_path / "none"))
    with pytest.raises(TranscriptError, match=r"no transcripts in this folder; On Record reads .t"):
        list(find_files(tmp_path))


def test_read_transcript_takes_title_and_date_from_the_name(tmp_path: Path) -> None:
    file = tmp_path / "2024-03-12_board-meeting.txt"
    file.write_bytes(b"\xef\xbb\xbfAnn: Hello.\r\nBob: Hi.\r\n")
    made, note = read_transcript(file, "board")
    assert (made.id, made.title, made.date) == ("board", "Board Meeting, 2024-03-12", "2024-03-12")
    assert (made.text, made.source, note) == ("Ann: Hello.\nBob: Hi.\n", str(file), None)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match=r"/none\.txt: cannot be read \(No such file"):
        read_transcript(tmp_path / "none.txt", "none")


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("Ann: hi")
    file.chmod(0)
    with pytest.raises(TranscriptError, match=r"a\.txt: cannot be read \(Permission denied\)"):
        read_transcript(file, "a")


@pytest.mark.parametrize(
    ("stem", "title", "date"),
    [
        ("trump-putin-call", "Trump Putin Call", None),
        ("2024-03-12_board_meeting", "Board Meeting, 2024-03-12", "2024-03-12"),
        ("board20240312", "Board, 2024-03-12", "2024-03-12"),
        ("2024-03-12", "2024-03-12", "2024-03-12"),
        ("NASA talk", "NASA Talk", None),
        ("call 1999-13-01", "Call 1999 13 01", None),
        ("take 12024031299", "Take 12024031299", None),
        ("___", "___", None),
    ],
)
def test_title_and_date_of_a_name(stem: str, title: str, date: str | None) -> None:
    assert (title_of(stem), date_of(stem)) == (title, date)
