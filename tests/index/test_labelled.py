"""Dialogues: whose turn it is, which words are said in it, and when."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.formats import labelled, parse
from index.transcript import Transcript

Said = tuple[str | None, str, tuple[float, float] | None]


def said(text: str) -> list[Said]:
    """(speaker, words, seconds) of every segment of a labelled transcript."""
    assert labelled.parse(text), "not read as a dialogue"
    made = parse(text, "t")
    assert {s.speaker.basis for s in made.segments if s.speaker} <= {"label"}
    return [(name_of(made, n), words, made.segments[n].at) for n, words in enumerate(slices(made))]


def name_of(made: Transcript, n: int) -> str | None:
    speaker = made.segments[n].speaker
    return speaker.name if speaker else None


def slices(made: Transcript) -> list[str]:
    return [made.text[segment.start : segment.end] for segment in made.segments]


@pytest.mark.parametrize(
    "text",
    [
        "Ada Okafor: Good evening.\nBen: Hi, all.\n",
        "**Ada Okafor:** Good evening.\n\n**Ben:** Hi, all.\n",
        "**Ada Okafor**: Good evening.\n\n**Ben**: Hi, all.\n",
        "Ada Okafor:\nGood evening.\n\nBen:\n  Hi, all.  \n",
        "  Ada Okafor:   Good evening.\n\tBen:\tHi, all.\n",
        "Ada Okafor : Good evening.\nBen : Hi, all.",
    ],
)
def test_a_name_before_the_words(text: str) -> None:
    assert said(text) == [("Ada Okafor", "Good evening.", None), ("Ben", "Hi, all.", None)]


@pytest.mark.parametrize(
    "text",
    [
        "[00:01:02] Ada: Good evening.\n[00:01:05.5] Ben: Hi, all.\n",
        "(00:01:02) Ada: Good evening.\n(00:01:05,500) Ben: Hi, all.\n",
        "01:02 Ada: Good evening.\n01:05.5 Ben: Hi, all.\n",
        "1:02 - Ada: Good evening.\n1:05.5 - Ben: Hi, all.\n",
        "Ada (01:02): Good evening.\nBen (01:05.5): Hi, all.\n",
        "Ada [0:01:02]: Good evening.\nBen [0:01:05.5]: Hi, all.\n",
        "**Ada (01:02):** Good evening.\n\n**Ben (01:05.5):** Hi, all.\n",
        "[01:02] **Ada:** Good evening.\n[01:05.5] **Ben:** Hi, all.\n",
        "Ada  01:02\nGood evening.\n\nBen  01:05.5\nHi, all.\n",
        "Ada (01:02)\nGood evening.\n\nBen [01:05.5]\nHi, all.\n",
    ],
)
def test_times_are_seconds_and_a_turn_lasts_until_the_next(text: str) -> None:
    assert said(text) == [
        ("Ada", "Good evening.", (62.0, 65.5)),
        ("Ben", "Hi, all.", (65.5, 65.5)),
    ]


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("0:00", 0), ("1:02:03", 3723), ("75:10", 4510), ("00:00:01,250", 1.25), ("10:30.5", 630.5)],
)
def test_seconds(time: str, seconds: float) -> None:
    assert labelled.seconds(time) == seconds


def test_times_that_run_backwards_give_no_negative_turn() -> None:
    assert [at for *_, at in said("[01:00] Ada: Later.\n[00:10] Ben: Earlier.\n")] == [
        (60.0, 60.0),
        (10.0, 10.0),
    ]


def test_a_turn_without_a_time_does_not_take_the_one_before() -> None:
    assert said("[00:05] Ada: Timed.\nBen: Not.\n[00:09] Ada: Timed again.\n")[1] == (
        "Ben",
        "Not.",
        None,
    )


def test_lines_without_a_label_go_on_with_the_turn() -> None:
    assert said("[00:04] Ada: First.\nSecond.\n\nThird.\n[00:09] Ben: Yes.\n") == [
        ("Ada", "First.", (4.0, 9.0)),
        ("Ada", "Second.", (4.0, 9.0)),
        ("Ada", "Third.", (4.0, 9.0)),
        ("Ben", "Yes.", (9.0, 9.0)),
    ]


def test_times_alone_are_enough() -> None:
    assert said("[00:01] The first line.\n[00:05] The second.\n[00:09] The third.") == [
        (None, "The first line.", (1.0, 5.0)),
        (None, "The second.", (5.0, 9.0)),
        (None, "The third.", (9.0, 9.0)),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Date: 2 May 2024",
        "Attendees: Ada, Ben",
        "Location: Town hall",
        "Title: The bridge",
        "Duration: 1:02:03",
        "https://example.org/call",
        "Subject: bridge, lighthouse",
        "The second meeting of the year: 2024",
    ],
)
def test_metadata_names_no_speaker(line: str) -> None:
    made = parse(f"{line}\nAda: Good evening.\nBen: Hi.\nAda: So.\n", "t")
    assert [(s.kind, name_of(made, n)) for n, s in enumerate(made.segments)] == [
        ("heading", None),
        ("speech", "Ada"),
        ("speech", "Ben"),
        ("speech", "Ada"),
    ]
    assert slices(made)[0] == line


@pytest.mark.parametrize(
    "line",
    [
        "As I said: no. Never.",
        "We meet at 10:30 or so: yes.",
        "Is it true? Yes: it is.",
        "One thing is clear: it will be built.",
        "http://example.org",
        "Note: this is off the record.",
        "He said that in a very long sentence with a lot of names like Ada and Ben: no",
    ],
)
def test_words_with_a_colon_in_them_are_no_label(line: str) -> None:
    assert said(f"Ada: Good evening.\n{line}\nBen: Hi.\nAda: So.\n")[1] == ("Ada", line, None)


@pytest.mark.parametrize(
    "name",
    [
        "Project Manager",
        "SPEAKER 2",
        "Dr. van den Berg",
        "Siobhán O'Neill-Smith",
        "J.R. Smith",
        "Ada Okafor (Chair)",
        "王小明",
        "Мария Иванова",
        "Žofia Šťastná",
        "محمد علي",
        "Q",
        "UNIDENTIFIED MALE",
    ],
)
def test_names(name: str) -> None:
    assert said(f"{name}: One.\nBen: Two.\n{name}: Three.\n") == [
        (name, "One.", None),
        ("Ben", "Two.", None),
        (name, "Three.", None),
    ]


@pytest.mark.parametrize("name", ["ada-okafor", "saulius", "žofia.š", "bot_2"])
@pytest.mark.parametrize("form", ["{}: {}", "[00:01] {}: {}", "**{}:** {}", "{} (00:01): {}"])
def test_a_word_without_a_capital_is_a_name_where_it_takes_turns(name: str, form: str) -> None:
    """Else its words would be those of the speaker before it."""
    turns = [(who, f"It is number {n}.") for n, who in enumerate(["Ben", name, "Ben", name])]
    found = said("\n".join(form.format(*turn) for turn in turns))
    assert [(speaker, words) for speaker, words, _ in found] == turns


@pytest.mark.parametrize(
    "lines",
    [
        ["anyway: it was not so."],  # once
        ["so: it was not so.", "so: it was not so."],  # short
        ["e.g.: it was not so.", "e.g.: it was not so."],
        ["note: it was not so.", "note: it was not so."],  # tells of the text
        ["Note: it was not so.", "Note: it was not so."],
        ["well, so: it was not so.", "well, so: it was not so."],
        ["price: 5", "price: 9"],  # says nothing
        ["[00:01] price: it was not so.", "[00:01] price: it was not so."],  # not as the names do
        ["**price:** it was not so.", "**price:** it was not so."],
    ],
)
def test_other_words_before_a_colon_are_none(lines: list[str]) -> None:
    text = "\n".join(["Ada: It is one.", *lines, "Ben: It is two.", "Ada: It is three."])
    found = said(text)
    assert [speaker for speaker, *_ in found] == ["Ada", *["Ada"] * len(lines), "Ben", "Ada"]


def test_a_line_without_a_time_is_no_turn_among_turns_with_one() -> None:
    words = "price: that is what they said"
    found = said(f"[00:01] Ada: We sold.\n{words}\n[00:02] Ben: I bought.\n{words}\nI paid.\n")
    assert [speaker for speaker, *_ in found] == ["Ada", "Ada", "Ben", "Ben", "Ben"]


@pytest.mark.parametrize(
    "text",
    ["ada: It is one.\nben: It is two.\nada: It is three.\n", "name: Ada\nage: 5\nname: Ben\n"],
)
def test_where_no_name_has_a_capital_nobody_is_told(text: str) -> None:
    """Of a word that stands once it cannot be told whether it speaks, so of none."""
    assert labelled.parse(text) is None


@pytest.mark.parametrize(("one", "other"), [("Host", "Guest"), ("HOST", "GUEST 1")])
def test_a_role_that_takes_turns_is_a_speaker(one: str, other: str) -> None:
    """ "Host: Ada" is metadata; a host who talks all along is somebody."""
    turns = [f"{one}: Welcome.", f"{other}: Thanks.", f"{one}: How are you?", f"{other}: Well."]
    for front in ("", "[00:00:0{}] ", "00:0{} - "):
        text = "".join(f"{front.format(n)}{turn}\n" for n, turn in enumerate(turns))
        assert [speaker for speaker, *_ in said(text)] == [one, other, one, other]


def test_a_title_with_a_colon_is_no_label_where_every_label_has_a_time() -> None:
    turns = "[00:01] Ada: Can it?\n[00:05] Ben: It can.\n"
    made = parse(f"\nThe Old Mill: Can It Turn?\n\n{turns}", "t")
    assert slices(made) == ["The Old Mill: Can It Turn?", "Can it?", "It can."]
    assert [segment.kind for segment in made.segments] == ["heading", "speech", "speech"]
    assert made.segments[0].speaker is None
    assert said(f"Ada: The mill.\n{turns}")[0][0] == "Ada"
    assert said(f"Cy: The mill.\n{turns}Dee: And so?\n")[0][0] == "Cy"


@pytest.mark.parametrize(
    "text",
    [
        "They met at noon.\nNobody said anything.\n",
        "The result: nothing was agreed.\nThe talks go on.\nThe war goes on.\n",
        "Only: one label\nand then prose.\nAnd more prose.\n",
        "They sold two.\nprice: 5\nThe other was dear.\nprice: 9\nNobody came.\nIt rained.\n",
        "",
        "\n \n",
    ],
)
def test_prose_is_no_dialogue(text: str) -> None:
    assert labelled.parse(text) is None


# --- properties --------------------------------------------------------------------------

LETTERS = st.characters(categories=["Lu", "Lt", "Lo"])
CAPITALISED = st.builds(
    lambda first, rest: first + rest.lower(), LETTERS, st.text(st.sampled_from("aábцs"), max_size=6)
)
NAMES = st.one_of(
    st.lists(CAPITALISED, min_size=1, max_size=3).map(" ".join),
    st.builds("Speaker {}".format, st.integers(0, 99)),
    st.builds("{} van {}".format, CAPITALISED, CAPITALISED),
).filter(labelled.is_label)
WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40).map(
    str.strip
).filter(bool)  # fmt: skip
GOING_ON = st.text(st.sampled_from("abc é,.?"), max_size=20).map(lambda words: f"and {words}.")
FORMS = [
    "{name}: {words}",
    "[{time}] {name}: {words}",
    "{time} {name}: {words}",
    "{name} ({time}): {words}",
    "**{name}:** {words}",
    "[{time}] **{name}:** {words}",
    "{name}  {time}\n{words}",
]


@dataclass(frozen=True)
class Turn:
    name: str
    seconds: int
    words: str
    more: list[str]


TURNS = st.lists(
    st.builds(Turn, NAMES, st.integers(0, 9 * 3600), WORDS, st.lists(GOING_ON, max_size=1)),
    min_size=2,
    max_size=6,
)


@given(TURNS, st.sampled_from(FORMS), st.sampled_from(["\n", "\n\n"]))
def test_turns_come_back_at_their_places(turns: list[Turn], form: str, between: str) -> None:
    text, expected = "", []
    for turn in turns:
        hours, minutes = divmod(turn.seconds // 60, 60)
        time = f"{hours}:{minutes:02}:{turn.seconds % 60:02}"
        # A header's words stand on a line of their own, where they could be a label themselves.
        words = f"so {turn.words}".replace(":", ";") if form.endswith("\n{words}") else turn.words
        text += form.format(name=turn.name, time=time, words=words)
        begin = float(turn.seconds) if "{time}" in form else None
        expected.append((turn.name, begin, len(text) - len(words), words))
        for line in turn.more:
            text += "\n" + line
            expected.append((turn.name, begin, len(text) - len(line), line))
        text += between
    made = parse(text, "t")
    assert [
        (name_of(made, n), s.at[0] if s.at else None, s.start, text[s.start : s.end])
        for n, s in enumerate(made.segments)
    ] == expected
