"""Reports in prose: what is heading, narration and quoted speech, and who says the quoted words."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import TranscriptError
from index.formats import parse, report
from tests.fixtures.transcripts import REPORT


def kinds(text: str) -> list[tuple[str, str]]:
    """(kind, words) of every segment."""
    return [(s.kind, text[s.start : s.end]) for s in parse(text, "t").segments]


def quoted(text: str) -> list[tuple[str | None, str]]:
    """(speaker, words) of every segment of speech."""
    segments = [s for s in parse(text, "t").segments if s.kind == "speech"]
    assert {s.speaker.basis for s in segments if s.speaker} <= {"narration"}
    return [(s.speaker.name if s.speaker else None, text[s.start : s.end]) for s in segments]


def test_a_small_report() -> None:
    assert kinds(REPORT) == [
        ("heading", "HARBOUR NEWS"),
        ("narration", REPORT.split("\n")[1]),
        ("speech", "The ferry will run every single hour from May,"),
        ("narration", "said Jane Doe."),
        ("speech", "It will carry bicycles free."),
        ("narration", 'Some guests called it "far too late" and left.'),
        ("narration", "Ferry captain Tom Hale praised the crew."),
        (
            "speech",
            "My crew has waited eleven years for this terminal. We are very proud of it.",
        ),
    ]
    assert [speaker for speaker, _ in quoted(REPORT)] == ["Jane Doe", "Jane Doe", "Tom Hale"]


@pytest.mark.parametrize(
    ("opening", "closing"), [('"', '"'), ("“", "”"), ("„", "“"), ("„", "”"), ("«", "»")]
)
def test_quotation_marks_of_every_kind(opening: str, closing: str) -> None:
    text = f"Jane Doe said: {opening}The ferry runs every hour.{closing} Nobody else spoke."
    assert kinds(text) == [
        ("narration", "Jane Doe said:"),
        ("speech", "The ferry runs every hour."),
        ("narration", "Nobody else spoke."),
    ]
    assert quoted(text) == [("Jane Doe", "The ferry runs every hour.")]


def test_a_phrase_in_quotation_marks_is_the_narrators() -> None:
    text = 'Some guests called it "far too late" and left.'
    assert kinds(text) == [("narration", text)]


def test_a_quoted_paragraph_is_speech_however_short() -> None:
    assert kinds('They were asked.\n"Yes."\n')[1] == ("speech", "Yes.")


def test_single_quotation_marks_and_apostrophes_stay_inside() -> None:
    text = "\"So Trump said: ‘Vladimir, it's five o'clock.’ This was the end.\""
    assert kinds(text) == [("speech", text[1:-1])]


def test_a_paragraph_left_open_goes_on_in_the_next() -> None:
    text = (
        "Mayor Jane Doe spoke to us.\n"
        '"We have won the game.\n'
        '"And we will win again," she said.\n'
        "That was it."
    )
    assert quoted(text) == [
        ("Jane Doe", "We have won the game."),
        ("Jane Doe", "And we will win again,"),
    ] or quoted(text) == [(None, "We have won the game."), (None, "And we will win again,")]


def test_wrapped_lines_are_one_paragraph() -> None:
    text = (
        "THE NEWS\n\n"
        'Mayor Jane Doe opened\nthe new hall today. "We have\nwon the game," Doe said.\n\n'
        "Then all went home.\n"
    )
    assert kinds(text) == [
        ("heading", "THE NEWS"),
        ("narration", "Mayor Jane Doe opened\nthe new hall today."),
        ("speech", "We have\nwon the game,"),
        ("narration", "Doe said."),
        ("narration", "Then all went home."),
    ]
    assert quoted(text) == [("Jane Doe", "We have\nwon the game,")]


@pytest.mark.parametrize(
    "before",
    ["Then Jane Doe\nsaid no.", "Then Jane\nDoe said no.", "Jane Doe, the\nmayor, said\nno."],
)
def test_a_line_may_break_between_a_name_and_its_verb(before: str) -> None:
    assert quoted(f'{before}\n\n"We have\nwon the game."\n\nIt rained.\n') == [
        ("Jane Doe", "We have\nwon the game.")
    ]


def test_headings() -> None:
    assert kinds("# Title\n\nSome text here.\n\n## Part two\n\nMore.\n\nPART THREE\n\nEnd.\n") == [
        ("heading", "# Title"),
        ("narration", "Some text here."),
        ("heading", "## Part two"),
        ("narration", "More."),
        ("heading", "PART THREE"),
        ("narration", "End."),
    ]


def test_unpunctuated_lines_are_not_all_headings() -> None:
    text = "so we went there\nand came back\nand that was it\n"
    assert {kind for kind, _ in kinds(text)} == {"narration"}


# --- who says it -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "speakers"),
    [
        ('"We won the big game," said Jane Doe. "It was very hard."', ["Jane Doe"] * 2),
        ('"We won the big game," Jane Doe told them. "It was very hard."', ["Jane Doe"] * 2),
        ('Jane Doe, the mayor of Rye, said: "We won the big game."', ["Jane Doe"]),
        ('President Jane Doe came. "We won the big game," Mrs Doe said.', ["Jane Doe"]),
        ('Jane Doe said so.\n"We won the big game."\n', ["Jane Doe"]),
        ('Jane Doe is the mayor of Rye.\n"We won the big game."\n', ["Jane Doe"]),
        (
            'Jane Doe said so. "We won the big game."\nShe added: "It was very hard."',
            ["Jane Doe"] * 2,
        ),
        ('Anna van Rijn said: "We won the big game."', ["Anna van Rijn"]),
        ('On Monday Jane Doe said: "We won the big game."', ["Jane Doe"]),
        ('Jane Doe told Tom Hale: "We won the big game."', [None]),
        ('Jane Doe was told by Tom Hale: "We won the big game."', [None]),
        ('Nobody was there.\n"We won the big game."\n', [None]),
        ('"We won the big game."\n', [None]),
        ('Tom Hale said so.\n"It is over."\nNobody spoke.\n"It is not yet."', ["Tom Hale", None]),
        ('A spokesman said: "We won the big game."', [None]),
        ('Jane Doe said: "Jane Doe has won the big game."', [None]),
        ('Frau Müller sagte: „Wir haben das Spiel gewonnen.“', [None]),
    ],
)  # fmt: skip
def test_the_narration_tells_the_speaker(text: str, speakers: list[str | None]) -> None:
    assert [speaker for speaker, _ in quoted(text)] == speakers


@pytest.mark.parametrize(
    ("text", "words", "speaker"),
    [
        (
            '"It is over for us all," Jane Doe said. "I do not think so," Tom Hale replied.',
            "I do not think so,",
            "Tom Hale",
        ),
        ('Jane Doe said little. "I do not think so," Tom Hale replied.',
         "I do not think so,", "Tom Hale"),
        ('Jane Doe said: "It is over for us all." Tom Hale said: "I do not think so."',
         "I do not think so.", "Tom Hale"),
        ('Jane Doe said: "It is over now."\nCaptain Tom Hale came. "I do not think so," he said.',
         "I do not think so,", "Tom Hale"),
        ('Jane Doe said little. Tom Hale was angry.\n"I do not think so," he said.',
         "I do not think so,", "Tom Hale"),
        ('Mr Smith and Ms Jones said they agree.\n"We agree on all of it."\n',
         "We agree on all of it.", None),
        ('A spokesman for Mayor Jane Doe said it was over. "It is over for us all."',
         "It is over for us all.", None),
    ],
    ids=["two in a line", "before and after", "twice before", "he who came", "he who was angry",
         "both", "spokesman"],
)  # fmt: skip
def test_nobody_is_given_the_words_of_another(text: str, words: str, speaker: str | None) -> None:
    """To leave the speaker open is allowed, to name another person is not."""
    found = {said: name for name, said in quoted(text)}
    assert found[words] in (speaker, None)


# --- any text ----------------------------------------------------------------------------

PIECES = st.sampled_from(
    ["Jane Doe", " said", " he said", '"', "“", "”", "„", "«", "»", "\n", "\n\n", ". ", ", ", " ",
     "We won the game", "Mr Hale", "NEWS", "# ", ": ", "[00:01] ", "Ada: ", "**", "...", "é", "—"]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join))


@given(TEXTS)
def test_any_text_gives_segments_in_order_or_a_sentence(text: str) -> None:
    try:
        made = parse(text, "t")
    except TranscriptError:
        assert not text.strip() or not any(map(str.isalnum, text))
        return
    assert made.text == text
    previous = 0
    for segment in made.segments:
        words = text[segment.start : segment.end]
        assert previous <= segment.start < segment.end <= len(text)
        assert words == words.strip()
        previous = segment.end


@given(TEXTS)
def test_a_report_loses_no_word(text: str) -> None:
    outside = list(text)
    for segment in report.parse(text) or []:
        outside[segment.start : segment.end] = " " * (segment.end - segment.start)
    assert not any(map(str.isalnum, outside))


@pytest.mark.parametrize(
    "text",
    [
        "So Jane Doe said it And went on to Rome where Tom was " * 500,
        "Words.\n" + "\n" * 20_000,
        ("A" + " " * 200 + "b\n") * 200,
        '"They won the game," she said.\n' * 1_000,
    ],
    ids=["one line of names", "blank lines at the end", "spaces", "quotations"],
)
def test_a_long_text_takes_no_long_time(text: str) -> None:
    """About 30,000 characters, of a shape where a careless pattern takes the square of that."""
    began = time.process_time()
    parse(text, "t")
    assert time.process_time() - began < 1
