"""Sets of other makes: their answers get their places, and what has none is told in a sentence."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eval.formats import COLUMNS, from_csv, from_squad, kind_of, open_set, squad_passages
from eval.questions import Gold, Question, check_golds, load
from index.errors import UsageError

BRIDGE = "The bridge will cost eleven million. The county pays."
FERRY = "The ferry costs nothing on Sundays. On Mondays it costs eleven."


def question(name: str, asked: str, transcript: str, *golds: Gold, **fields: Any) -> Question:
    """A question as the formats make it where nothing more is told."""
    of_all: dict[str, Any] = {
        "split": "dev",
        "kind": kind_of(asked),
        "speaker": None,
        "multi": False,
        "near_miss": False,
        "speaker_given": False,
    }
    return Question(
        id=name,
        question=asked,
        transcript=transcript,
        answerable=bool(golds),
        golds=golds,
        **{**of_all, **fields},
    )


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ("Who pays?", "who"),
        ("Whose bridge is it?", "who"),
        ("To whom does it belong?", "who"),
        ("In what year WHERE?", "what"),
        ("How many guests came?", "how_many"),
        ("And how long did it take?", "how_many"),
        ("How did it go?", "how"),
        ("However it went?", "other"),
        ("Is it free?", "other"),
        ("", "other"),
    ],
)
def test_the_first_question_word_is_the_kind(asked: str, kind: str) -> None:
    assert kind_of(asked) == kind


# --- SQuAD -------------------------------------------------------------------------------


def squad(folder: Path, *paragraphs: tuple[str, str, list[Any]], name: str = "set.json") -> Path:
    """A file of articles with one paragraph each: title, context, questions."""
    articles = [
        {"title": title, "paragraphs": [{"context": context, "qas": asked}]}
        for title, context, asked in paragraphs
    ]
    file = folder / name
    file.write_text(json.dumps({"version": "1.1", "data": articles}), encoding="utf-8")
    return file


def asks(name: str, text: str, *answers: tuple[str, int], **more: Any) -> dict[str, Any]:
    found = [{"text": words, "answer_start": start} for words, start in answers]
    return {"id": name, "question": text, "answers": found, **more}


COST = asks(
    "a", "What does it cost?", ("eleven million", 21), ("eleven million", 21), ("eleven", 21)
)
PAYS = asks("b", "Who pays?", ("The county", 37))


def test_squad_1_1(tmp_path: Path) -> None:
    file = squad(tmp_path, ("The_Bridge", BRIDGE, [COST, PAYS]))
    questions = from_squad(file, {"bridge": BRIDGE})
    assert questions == [
        question(
            "a", "What does it cost?", "bridge", Gold("eleven million", 21), Gold("eleven", 21)
        ),
        question("b", "Who pays?", "bridge", Gold("The county", 37)),
    ]
    assert check_golds(questions, {"bridge": BRIDGE}) == []


def test_squad_2_0(tmp_path: Path) -> None:
    plausible = [{"text": "The county", "answer_start": 37}]
    nobody = asks("c", "Who is against it?", is_impossible=True, plausible_answers=plausible)
    file = squad(tmp_path, ("Bridge", BRIDGE, [{**PAYS, "is_impossible": False}, nobody]))
    assert from_squad(file, {"bridge": BRIDGE}) == [
        question("b", "Who pays?", "bridge", Gold("The county", 37)),
        question("c", "Who is against it?", "bridge", near_miss=True),
    ]


def test_questions_without_an_id_get_one_of_their_passage_and_number(tmp_path: Path) -> None:
    nameless = {"question": "Who pays?", "answers": [{"text": "county", "answer_start": 41}]}
    file = squad(tmp_path, ("t", BRIDGE, [COST, nameless]), ("u", FERRY, [{**nameless, "id": 7,
                 "answers": []}]))  # fmt: skip
    names = [asked.id for asked in from_squad(file, {"bridge": BRIDGE, "ferry": FERRY})]
    assert names == ["a", "bridge-1", "7"]


def test_a_paragraph_inside_a_longer_transcript_shifts_its_answers(tmp_path: Path) -> None:
    texts = {"news": f"Good evening. 🙂\n{FERRY}\n{BRIDGE}\nGood night.", "other": "Nothing."}
    file = squad(
        tmp_path, ("t", BRIDGE, [COST]), ("u", FERRY, [asks("d", "When?", ("Sundays", 27))])
    )
    questions = from_squad(file, texts)
    at = texts["news"].index("The bridge")
    assert [(asked.transcript, asked.golds[0]) for asked in questions] == [
        ("news", Gold("eleven million", at + 21)),
        ("news", Gold("Sundays", 16 + 27)),
    ]
    assert check_golds(questions, texts) == []


def test_a_whole_transcript_is_taken_before_one_that_holds_the_paragraph(tmp_path: Path) -> None:
    texts = {"longer": f"First: {BRIDGE}", "whole": BRIDGE}
    (cost,) = from_squad(squad(tmp_path, ("longer", BRIDGE, [COST])), texts)
    assert (cost.transcript, cost.golds[0].start) == ("whole", 21)


def test_of_several_transcripts_the_one_called_like_the_article_is_taken(tmp_path: Path) -> None:
    texts = {"one": f"First: {BRIDGE}", "two": f"Second: {BRIDGE}"}
    (cost,) = from_squad(squad(tmp_path, ("two", BRIDGE, [COST])), texts)
    assert (cost.transcript, cost.golds[0].start) == ("two", 8 + 21)
    file = squad(tmp_path, ("three", BRIDGE, [COST]))
    assert refusal(from_squad, file, texts) == (
        f'{file}: the paragraph "{BRIDGE}" stands in several transcripts; without --index, the '
        "paragraphs themselves are indexed and asked."
    )


def test_a_paragraph_that_stands_nowhere_is_told_in_short(tmp_path: Path) -> None:
    file = squad(tmp_path, ("t", f"{BRIDGE}\n\n {FERRY}", [COST]))
    assert refusal(from_squad, file, {"bridge": BRIDGE}) == (
        f'{file}: the paragraph "The bridge will cost eleven million. The county pays. The f…" '
        "stands in no transcript of the index; without --index, the paragraphs themselves are "
        "indexed and asked."
    )


def test_paragraphs_are_named_by_their_articles_each_once(tmp_path: Path) -> None:
    file = squad(
        tmp_path,
        ("Harbour Bridge (2nd)", BRIDGE, []),
        ("Ferry", FERRY, []),
        ("Ferry", BRIDGE, []),
        ("Ελλάδα", "Another.", []),
    )
    assert squad_passages(file) == {
        "harbour-bridge-2nd-0000": BRIDGE,
        "ferry-0001": FERRY,
        "passage-0002": "Another.",
    }


def test_however_long_a_title_is_its_paragraph_has_a_files_name(tmp_path: Path) -> None:
    file = squad(tmp_path, ("long " * 100, BRIDGE, []), ("long " * 100, FERRY, []))
    names = [*squad_passages(file)]
    assert [len(name) <= 200 for name in names] == [True, True]


def refusal(read: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(UsageError) as caught:
        read(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"data": 7}',
        '{"data": ["bridge"]}',
        '{"data": [{"title": "no paragraphs"}]}',
        '{"data": [{"paragraphs": [{"context": "no questions"}]}]}',
        '{"data": [{"paragraphs": [{"qas": []}]}]}',
        '{"data": [{"paragraphs": [{"context": 7, "qas": []}]}]}',
        '{"data": [{"paragraphs": [{"context": "x", "qas": {}}]}]}',
        "[" * 100_000,
    ],
)
def test_a_file_that_is_not_squads_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "set.json"
    file.write_text(content, encoding="utf-8")
    said = (
        f'{file} is not in SQuAD\'s format: an object whose "data" lists articles with '
        '"paragraphs" of "context" and "qas".'
    )
    assert refusal(from_squad, file, {}) == said
    assert refusal(squad_passages, file) == said


@pytest.mark.parametrize(
    ("broken", "name"),
    [
        ("Who pays?", "?"),
        ({"id": "b"}, "b"),
        ({"id": "b", "question": "Who?", "answers": None}, "b"),
        ({"id": "b", "question": "Who?", "answers": ["county"]}, "b"),
        ({"id": "b", "question": "Who?", "answers": [{"text": "county"}]}, "b"),
        ({"id": "b", "question": 7, "answers": []}, "b"),
        ({**PAYS, "is_impossible": True}, "b"),
        ({"id": "b", "question": "Who?", "answers": [], "is_impossible": False}, "b"),
        (asks("b", "Who?", ("county", "41")), "b"),
        (asks("b", "Who?", (7, 41)), "b"),
        (asks("b", "Who?", ("county", 41.5)), "b"),
        (asks("b", "Who?", ("", 41)), "b"),
        ({"question": "Who?", "answers": [{}]}, "bridge-1"),
    ],
)
def test_a_broken_question_is_named(tmp_path: Path, broken: Any, name: str) -> None:
    file = squad(tmp_path, ("t", BRIDGE, [COST, broken]))
    assert refusal(from_squad, file, {"bridge": BRIDGE}) == (
        f"{file}: the question {name} is not as SQuAD has them; each has "
        '"question" and "answers" with "text" and "answer_start", or "is_impossible".'
    )


def test_an_answer_at_a_wrong_place_is_found_out(tmp_path: Path) -> None:
    texts = {"bridge": BRIDGE}
    file = squad(tmp_path, ("t", BRIDGE, [asks("a", "What?", ("eleven", 22))]))
    assert check_golds(from_squad(file, texts), texts) == [
        "a: at 22 in \"bridge\" stands 'leven ', not 'eleven'."
    ]


def test_a_file_without_questions_or_with_one_twice_is_refused(tmp_path: Path) -> None:
    texts = {"bridge": BRIDGE}
    file = squad(tmp_path, ("t", BRIDGE, []))
    assert refusal(from_squad, file, texts) == f"{file} has no questions."
    file = squad(tmp_path, ("t", BRIDGE, [COST, PAYS, COST]))
    assert refusal(from_squad, file, texts) == (
        f'{file}: the id "a" comes twice; give each its own.'
    )


# --- CSV ---------------------------------------------------------------------------------

MEETING = (
    "Ada: Is the bridge on the agenda?\n"
    "Ben: Yes. It costs eleven million.\n"
    "Ada: Yes. I remember.\n"
    "Nobody claps.\n"
)
TEXTS = {"meeting": MEETING, "ferry": FERRY}


def table(folder: Path, *rows: list[str], head: str = "question,answer") -> Path:
    """A CSV file as a spreadsheet writes it."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([head.split(","), *rows])
    file = folder / "set.csv"
    file.write_bytes(out.getvalue().encode())
    return file


def test_every_column(tmp_path: Path) -> None:
    file = table(
        tmp_path,
        ["What?", "eleven million", "Yes. It costs eleven million.", "Ben", "meeting", "price",
         "test", "q1"],
        head="Question, ANSWER ,quote,speaker,transcript,kind,split,id",
    )  # fmt: skip
    assert from_csv(file, TEXTS) == [
        question(
            "q1",
            "What?",
            "meeting",
            Gold("eleven million", MEETING.index("eleven")),
            kind="price",
            split="test",
            speaker="Ben",
            speaker_given=True,
        )
    ]
    assert COLUMNS == (
        "question", "answer", "quote", "speaker", "transcript", "kind", "split", "id"
    )  # fmt: skip


def test_the_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    file = table(tmp_path, ["x", "eleven million", "What?"], head="id,answer,question")
    assert from_csv(file, TEXTS) == [
        question("x", "What?", "meeting", Gold("eleven million", MEETING.index("eleven")))
    ]


def golds(folder: Path, answer: str, quote: str = "", transcript: str = "") -> list[Gold]:
    """The gold answers of a row, all of which stand where they say."""
    row = ["Who?", answer, quote, transcript]
    file = table(folder, row, head="question,answer,quote,transcript")
    questions = from_csv(file, TEXTS)
    assert check_golds(questions, TEXTS) == []
    return list(questions[0].golds)


def test_an_answer_stands_in_its_quote(tmp_path: Path) -> None:
    second = MEETING.index("Yes. I remember")
    assert golds(tmp_path, "Yes", "Yes. I remember.") == [Gold("Yes", second)]
    assert golds(tmp_path, "e", "remember") == [
        Gold("e", second + 8), Gold("e", second + 10), Gold("e", second + 13)
    ]  # fmt: skip
    assert golds(tmp_path, "Yes.", "Yes.") == [
        Gold("Yes.", MEETING.index("Yes")), Gold("Yes.", second)
    ]  # fmt: skip


def test_an_answer_alone_is_right_wherever_it_stands(tmp_path: Path) -> None:
    assert golds(tmp_path, "Yes") == [
        Gold("Yes", MEETING.index("Yes")),
        Gold("Yes", MEETING.index("Yes. I remember")),
    ]


def test_a_quote_alone_is_the_answer(tmp_path: Path) -> None:
    quote = "Yes. I remember."
    assert golds(tmp_path, "", quote) == [Gold(quote, MEETING.index(quote))]


def test_signs_of_patterns_stand_for_themselves(tmp_path: Path) -> None:
    file = table(tmp_path, ["What?", "(a|b)*."])
    (found,) = from_csv(file, {"signs": "aab. (a|b)*."})
    assert found.golds == (Gold("(a|b)*.", 5),)


def test_with_neither_nothing_answers(tmp_path: Path) -> None:
    assert golds(tmp_path, "") == []
    file = table(
        tmp_path, ["Who sings?", " ", "ferry"], ["Why?", "", ""],
        head="question,answer,transcript",
    )  # fmt: skip
    assert from_csv(file, TEXTS) == [
        question("line-2", "Who sings?", "ferry"),
        question("line-3", "Why?", "meeting"),
    ]


def test_words_of_several_transcripts_need_one_named(tmp_path: Path) -> None:
    assert golds(tmp_path, "eleven", transcript="ferry") == [Gold("eleven", FERRY.index("eleven"))]
    file = table(tmp_path, ["What?", "eleven"])
    assert refusal(from_csv, file, TEXTS) == (
        f'{file}, line 2: the answer "eleven" stands in ferry and meeting; name one in a column '
        '"transcript".'
    )
    file = table(tmp_path, ["What?", "", "costs"], head="question,answer,quote")
    assert refusal(from_csv, file, TEXTS) == (
        f'{file}, line 2: the quote "costs" stands in ferry and meeting; name one in a column '
        '"transcript".'
    )


@pytest.mark.parametrize(
    ("said", "speaker", "given"),
    [("Ada", "Ada", True), ("nobody", None, True), ("NoBody ", None, True), ("", None, False)],
)
def test_nobody_is_narration_and_an_empty_speaker_is_not_told(
    tmp_path: Path, said: str, speaker: str | None, given: bool
) -> None:
    file = table(tmp_path, ["Who claps?", "Nobody", said], head="question,answer,speaker")
    (found,) = from_csv(file, TEXTS)
    assert (found.speaker, found.speaker_given) == (speaker, given)


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        ("", 'it has no column "question"'),
        ("answer", 'it has no column "question"'),
        ("question", 'it has no column "answer"'),
        ("question;answer", 'it has no column "question"'),
        ("question,answer,who", 'its column "who" is unknown'),
        ("question,answer,", 'its column "" is unknown'),
        ("question,answer,Answer", "a column comes twice"),
    ],
)
def test_wrong_columns_are_told(tmp_path: Path, head: str, fault: str) -> None:
    file = table(tmp_path, head=head)
    assert refusal(from_csv, file, TEXTS) == (
        f"{file}: {fault}; the columns are question, answer, quote, speaker, transcript, kind, "
        "split, id."
    )


@pytest.mark.parametrize("cells", [["What?"], ["What?", "eleven", "million"]])
def test_a_wrong_number_of_cells_is_told_with_the_line(tmp_path: Path, cells: list[str]) -> None:
    file = table(tmp_path, ["Who?", "I remember"], [], cells)
    assert refusal(from_csv, file, TEXTS) == (
        f"{file}, line 4: {len(cells)} cells under 2 columns; put cells with commas in quotation "
        "marks."
    )


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (["", "I remember", "", "", ""], "the question is empty"),
        (["Q?", "a", "", "boat", ""], 'there is no transcript "boat"'),
        (["Q?", "", "", "boat", ""], 'there is no transcript "boat"'),
        (["Q?", "I remember", "", "", "train"], 'the split is "train", not one of dev, test'),
        (
            ["Q?", "Eleven", "", "", ""],
            'the answer "Eleven" does not stand, word for word, in any transcript of the index',
        ),
        (
            ["Q?", "Sundays", "", "meeting", ""],
            'the answer "Sundays" does not stand, word for word, in "meeting"',
        ),
        (
            ["Q?", "eleven", "It cost eleven", "", ""],
            'the quote "It cost eleven" does not stand, word for word, in any transcript of the '
            "index",
        ),
        (
            ["Q?", "twelve", "It costs eleven", "", ""],
            'the answer "twelve" does not stand in its quote',
        ),
        (
            ["Q?", "", f"It {'really ' * 9}costs", "", ""],
            'the quote "It really really really really really really really really …" does not '
            "stand, word for word, in any transcript of the index",
        ),
    ],
)
def test_a_row_that_does_not_fit_is_told_with_its_line(
    tmp_path: Path, row: list[str], fault: str
) -> None:
    file = table(tmp_path, row, head="question,answer,quote,transcript,split")
    assert refusal(from_csv, file, TEXTS) == f"{file}, line 2: {fault}."


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    file = table(tmp_path, ["Who?", "I remember"])
    plain = from_csv(file, TEXTS)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert from_csv(file, TEXTS) == plain


def test_line_ends_and_separators_inside_of_cells_stay(tmp_path: Path) -> None:
    texts = {"odd": "Ada: One\N{LINE SEPARATOR}two,\nthree.\nBen: Four \x0b\x1c five.\n"}
    file = table(
        tmp_path,
        ["What\N{LINE SEPARATOR}then?", "One\N{LINE SEPARATOR}two,\nthree."],
        ["And\nthen?", "Four \x0b\x1c five"],
        ["Last?", "Four"],
    )
    assert from_csv(file, texts) == [
        question(
            "line-3",
            "What\N{LINE SEPARATOR}then?",
            "odd",
            Gold("One\N{LINE SEPARATOR}two,\nthree.", 5),
        ),
        question("line-5", "And\nthen?", "odd", Gold("Four \x0b\x1c five", 26)),
        question("line-6", "Last?", "odd", Gold("Four", 26)),
    ]


def test_rows_without_words_are_passed_over(tmp_path: Path) -> None:
    file = table(tmp_path, ["", ""], [" "], ["Who?", "I remember"], [])
    assert [found.id for found in from_csv(file, TEXTS)] == ["line-4"]
    file = table(tmp_path, ["", ""])
    assert refusal(from_csv, file, TEXTS) == f"{file} has no questions."


def test_an_id_that_comes_twice_is_refused(tmp_path: Path) -> None:
    file = table(
        tmp_path, ["Who?", "I remember", "line-3"], ["What?", "claps", ""],
        head="question,answer,id",
    )  # fmt: skip
    assert refusal(from_csv, file, TEXTS) == (
        f'{file}: the id "line-3" comes twice; give each its own.'
    )


@pytest.mark.parametrize(
    ("content", "line"),
    [('question,answer\n"Who?" pays?,county\n', 2), ('question,answer\nWho?,"county\n', 2)],
)
def test_what_is_no_csv_is_told_with_its_line(tmp_path: Path, content: str, line: int) -> None:
    file = tmp_path / "set.csv"
    file.write_text(content, encoding="utf-8")
    said = refusal(from_csv, file, TEXTS)
    assert said.startswith(f"{file}, line {line}: this is no CSV (")
    assert said.endswith(").")


# --- Any of them -------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["json", "csv", "JSON", "Csv"])
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"set.{suffix}"
    assert refusal(open_set, str(file), TEXTS) == (
        f"The question set {file} cannot be read: No such file or directory."
    )
    file.write_bytes(b"caf\xe9")
    assert refusal(open_set, str(file), TEXTS) == (
        f"The question set {file} cannot be read: it is not UTF-8."
    )


def test_the_ending_tells_the_format(tmp_path: Path) -> None:
    assert open_set("seed", {}) == load("seed")
    file = table(tmp_path, ["Who?", "I remember"]).rename(tmp_path / "SET.CSV")
    assert open_set(str(file), TEXTS) == from_csv(file, TEXTS)
    file = squad(tmp_path, ("t", BRIDGE, [COST]), name="SET.JSON")
    assert open_set(str(file), {"b": BRIDGE}) == from_squad(file, {"b": BRIDGE})
