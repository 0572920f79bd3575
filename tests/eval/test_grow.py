"""From a rating to a question of a set: its gold answer gets its place, or it is told why not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.feedback import Candidate
from eval.grow import Wish, append, listing, question_of
from eval.questions import Gold, Question, check_golds, load
from index.errors import OnRecordError, UsageError
from index.formats import parse
from index.transcript import Transcript
from tests.fixtures.transcripts import MEETING, REPORT

TRANSCRIPTS = {name: parse(text, name) for name, text in
               (("meeting", MEETING), ("report", REPORT))}  # fmt: skip
ELEVEN = MEETING.index("eleven million")
YESES = [MEETING.index("Yes. The"), MEETING.index("Yes. I"), MEETING.rindex("Yes.")]


def cited(words: str, transcript: str = "meeting", start: int | None = None) -> dict[str, Any]:
    """What of a quote matters here: its answering words and where they stood."""
    at = TRANSCRIPTS[transcript].text.index(words) if start is None else start
    return {
        "transcript": {"id": transcript},
        "answer": {"start": at, "end": at + len(words), "text": words},
    }


def candidate(**fields: Any) -> Candidate:
    """A right answer to what the bridge will cost."""
    of_all: dict[str, Any] = {
        "id": "c_1",
        "at": "2026-01-02T03:04:05+00:00",
        "question": "What will the bridge cost?",
        "verdict": "right",
        "correction": "",
        "nobody": False,
        "quotes": [cited("eleven million")],
        "nearest": [],
    }
    return Candidate(**{**of_all, **fields})


def made(
    one: Candidate, wish: Wish | None = None, transcripts: dict[str, Transcript] | None = None
) -> Question:
    """The question, whose gold answers stand."""
    transcripts = transcripts or TRANSCRIPTS
    question = question_of(one, wish or Wish(), transcripts)
    texts = {name: transcript.text for name, transcript in transcripts.items()}
    assert check_golds([question], texts) == []
    return question


def refusal(
    one: Candidate, wish: Wish | None = None, transcripts: dict[str, Transcript] | None = None
) -> str:
    with pytest.raises(UsageError) as caught:
        question_of(one, wish or Wish(), transcripts or TRANSCRIPTS)
    return str(caught.value)


ANSWERED = Question(
    id="c_1",
    split="dev",
    kind="what",
    transcript="meeting",
    question="What will the bridge cost?",
    answerable=True,
    golds=(Gold("eleven million", ELEVEN),),
    speaker="Ben Lindqvist",
    multi=False,
    near_miss=False,
)
UNANSWERED = replace(ANSWERED, answerable=False, golds=(), speaker=None)


def test_a_right_answer_becomes_a_question_with_the_place_of_its_first_quote() -> None:
    assert made(candidate()) == ANSWERED
    second = [cited("Yes.", start=YESES[1]), cited("eleven million")]
    question = made(candidate(quotes=second))
    assert (question.golds, question.speaker) == ((Gold("Yes.", YESES[1]),), "Ada Okafor")


def test_words_that_nobody_is_known_to_say_have_no_speaker() -> None:
    assert made(candidate(quotes=[cited("four hundred guests", "report")])) == replace(
        ANSWERED,
        transcript="report",
        golds=(Gold("four hundred guests", REPORT.index("four hundred")),),
        speaker=None,
    )


def test_what_is_wished_stands_in_the_question() -> None:
    wish = Wish(speaker="Ada Okafor", kind="price", split="test", near_miss=True)
    assert made(candidate(), wish) == replace(
        ANSWERED, speaker="Ada Okafor", kind="price", split="test"
    )


def test_a_correction_is_looked_up_in_all_transcripts() -> None:
    wrong = candidate(
        verdict="wrong", quotes=[cited("January")], correction="four hundred guests"
    )  # fmt: skip
    assert made(wrong) == replace(
        ANSWERED,
        transcript="report",
        golds=(Gold("four hundred guests", REPORT.index("four hundred")),),
        speaker=None,
    )


def test_an_answer_that_is_given_wins_over_the_correction() -> None:
    wrong = candidate(verdict="wrong", correction="January")
    assert made(wrong, Wish(answer="eleven million")) == ANSWERED


def test_words_that_stand_nowhere_are_told() -> None:
    wrong = candidate(verdict="wrong", correction="Eleven million")
    assert refusal(wrong) == (
        'c_1: "Eleven million" does not stand, word for word, in any transcript of the index; '
        "give the transcript's own words with --answer."
    )
    assert refusal(wrong, Wish(transcript="report", answer="eleven million")) == (
        'c_1: "eleven million" does not stand, word for word, in report; give the transcript\'s '
        "own words with --answer."
    )
    assert refusal(wrong, Wish(answer="eleven million", at=ELEVEN + 1)) == (
        f'c_1: "eleven million" does not stand, word for word, at {ELEVEN + 1} in any transcript '
        "of the index; give the transcript's own words with --answer."
    )


def test_words_that_stand_in_several_places_are_listed_with_them() -> None:
    wrong = candidate(verdict="wrong", correction="Yes.")
    assert refusal(wrong) == (
        'c_1: "Yes." stands in 3 places; say which with --at (and --transcript): '
        f'meeting {YESES[0]} ("ht? [00:00:09] Ben Lindqvist: Yes. The bridge will cost eleven m"); '
        f'meeting {YESES[1]} ("nine. [00:00:31] Ada Okafor: Yes. I remember the figure from Ja"); '
        f'meeting {YESES[2]} ("ur? [00:01:24] Ben Lindqvist: Yes.")'
    )


def test_at_says_which_place() -> None:
    wrong = candidate(verdict="wrong", correction="Yes.")
    question = made(wrong, Wish(at=YESES[1]))
    assert (question.golds, question.speaker) == ((Gold("Yes.", YESES[1]),), "Ada Okafor")
    again = made(wrong, Wish(answer="Yes.", at=YESES[2]))
    assert (again.golds, again.speaker) == ((Gold("Yes.", YESES[2]),), "Ben Lindqvist")


def test_the_same_place_in_two_transcripts_needs_one_named() -> None:
    twins = {**TRANSCRIPTS, "copy": parse(MEETING, "copy")}
    one = candidate(verdict="wrong")
    wish = Wish(answer="eleven million", at=ELEVEN)
    said = refusal(one, wish, twins)
    assert said.startswith('c_1: "eleven million" stands in 2 places; say which with --at (and')
    question = made(one, replace(wish, transcript="copy"), twins)
    assert (question.transcript, question.golds[0].start) == ("copy", ELEVEN)


def test_of_many_places_six_are_told() -> None:
    many = {"many": parse("Ada: " + "So. " * 9, "many")}
    said = refusal(candidate(verdict="wrong", correction="So.", quotes=[]), None, many)
    assert said.startswith('c_1: "So." stands in 9 places; ')
    assert said.count("many ") == 6
    assert said.endswith(" and 3 more")


def test_at_alone_says_nothing() -> None:
    assert refusal(candidate(), Wish(at=ELEVEN)) == (
        "c_1: --at says where the words start; give --answer too."
    )


def test_a_wrong_answer_without_a_correction_asks_for_one() -> None:
    assert refusal(candidate(verdict="wrong")) == (
        "c_1: the answer was wrong and nobody said what is right; give the words with --answer, "
        "or --nobody."
    )


@pytest.mark.parametrize(
    ("one", "wish"),
    [
        (candidate(nobody=True, verdict="wrong"), Wish()),
        (candidate(verdict="wrong"), Wish(nobody=True)),
        (candidate(), Wish(nobody=True)),
        (candidate(quotes=[], nearest=[cited("January")]), Wish()),
        (candidate(quotes=[]), Wish()),
    ],
)
def test_what_nobody_says_becomes_a_question_without_an_answer(
    one: Candidate, wish: Wish
) -> None:  # fmt: skip
    assert made(one, wish) == UNANSWERED
    assert made(one, replace(wish, near_miss=True)) == replace(UNANSWERED, near_miss=True)


def test_it_is_filed_under_what_was_shown_or_what_is_named() -> None:
    shown = candidate(quotes=[], nearest=[cited("four hundred", "report")])
    assert made(shown).transcript == "report"
    assert made(shown, Wish(transcript="meeting")).transcript == "meeting"
    assert refusal(shown, Wish(transcript="boat")) == (
        'c_1: there is no transcript "boat" in the index; name one with --transcript.'
    )


def test_words_that_are_given_win_over_nobody_in_the_rating() -> None:
    wrong = candidate(verdict="wrong", nobody=True)
    assert made(wrong, Wish(answer="eleven million")) == ANSWERED


def test_a_wrong_refusal_needs_the_words() -> None:
    refused = candidate(verdict="wrong", quotes=[], nearest=[cited("January")])
    assert "nobody said what is right" in refusal(refused)
    assert made(refused, Wish(answer="eleven million")) == ANSWERED


# --- Transcripts that have changed -------------------------------------------------------


def edited(text: str) -> dict[str, Transcript]:
    return {**TRANSCRIPTS, "meeting": parse(text, "meeting")}


def test_words_that_have_moved_are_told_with_where_they_stand_now() -> None:
    now = edited(MEETING.replace("Good evening.", "Good evening, all."))
    assert refusal(candidate(), None, now) == (
        f'c_1: "eleven million" no longer stands at {ELEVEN} in "meeting", which has changed '
        "since; they now stand here, say which with --answer and --at: "
        f'meeting {ELEVEN + 5} ("st: Yes. The bridge will cost eleven million, not nine. '
        '[00:00:31] Ada Oka").'
    )
    question = made(candidate(), Wish(answer="eleven million"), now)
    assert question.golds == (Gold("eleven million", ELEVEN + 5),)


def test_words_that_are_gone_are_told() -> None:
    now = edited(MEETING.replace("eleven million", "twelve million"))
    assert refusal(candidate(), None, now) == (
        f'c_1: "eleven million" no longer stands at {ELEVEN} in "meeting", which has changed '
        "since; they stand nowhere in it now: give others with --answer, or --nobody."
    )


def test_a_change_behind_the_words_changes_nothing() -> None:
    now = edited(MEETING.replace("Is everybody in favour?", "Is anybody?"))
    assert made(candidate(), None, now) == ANSWERED


def test_a_transcript_that_is_gone_is_told() -> None:
    now = {"report": TRANSCRIPTS["report"]}
    for wish in (Wish(), Wish(transcript="report")):
        assert refusal(candidate(), wish, now) == (
            'c_1: the transcript "meeting" that it was answered from is no longer in the index.'
        )


def test_words_of_another_transcript_do_where_that_of_the_quotes_is_gone() -> None:
    now = {"report": TRANSCRIPTS["report"]}
    wrong = candidate(verdict="wrong", correction="four hundred guests")
    assert made(wrong, None, now).transcript == "report"


# --- The set -----------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.jsonl"


def test_a_question_that_is_added_is_read_back_as_it_is(file: Path, tmp_path: Path) -> None:
    other = replace(UNANSWERED, id="c_2", question="Qui\N{LINE SEPARATOR}paye, «Zoë»?")
    append(ANSWERED, file)
    append(other, file)
    assert load(file) == [ANSWERED, other]
    assert json.loads(file.read_text(encoding="utf-8").split("\n")[0]) == {
        "id": "c_1",
        "split": "dev",
        "kind": "what",
        "transcript": "meeting",
        "question": "What will the bridge cost?",
        "answerable": True,
        "answers": [{"text": "eleven million", "start": ELEVEN}],
        "speaker": "Ben Lindqvist",
        "multi": False,
        "near_miss": False,
    }
    assert [one.name for one in tmp_path.iterdir()] == ["mine.jsonl"]


@pytest.mark.parametrize("end", ["\n", "", "\n\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_lines_of_a_set_stay_byte_for_byte(file: Path, end: str, mark: str) -> None:
    append(replace(UNANSWERED, id="c_2", question="Who sings?"), file)
    before = (mark + file.read_text(encoding="utf-8").rstrip("\n") + end).encode()
    file.write_bytes(before)
    append(ANSWERED, file)
    assert [one.id for one in load(file)] == ["c_2", "c_1"]
    assert file.read_bytes().startswith(before)


@pytest.mark.parametrize("before", ["", "\n \n"])
def test_an_empty_file_is_a_set_without_questions_yet(tmp_path: Path, before: str) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text(before, encoding="utf-8")
    append(ANSWERED, mine)
    assert load(mine) == [ANSWERED]


@pytest.mark.parametrize(
    "again",
    [
        replace(ANSWERED, question="Another?"),
        replace(ANSWERED, id="c_2"),
        replace(ANSWERED, id="c_2", question="what will bridge cost"),
    ],
)
def test_a_question_that_is_there_already_is_refused(file: Path, again: Question) -> None:
    append(ANSWERED, file)
    before = file.read_bytes()
    with pytest.raises(UsageError) as caught:
        append(again, file)
    assert str(caught.value) == (
        f'{file} has that question already: c_1, "What will the bridge cost?".'
    )
    assert file.read_bytes() == before


def test_a_broken_set_is_told_and_left_byte_for_byte(file: Path) -> None:
    append(UNANSWERED, file)
    file.write_bytes(file.read_bytes() + b'{"id": "cut')
    before = file.read_bytes()
    with pytest.raises(UsageError, match=r"line 2: this is no JSON"):
        append(replace(ANSWERED, id="c_2", question="Another?"), file)
    assert file.read_bytes() == before


def test_a_question_that_cannot_be_written_leaves_everything_as_it_was(
    file: Path, tmp_path: Path
) -> None:
    append(UNANSWERED, file)
    before = file.read_bytes()
    half = replace(ANSWERED, id="c_2", question="Another?", speaker="\ud83d")
    with pytest.raises(OnRecordError, match=r"mine\.jsonl: the question could not be added \(.+\)"):
        append(half, file)
    assert file.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["mine.jsonl"]


def test_a_set_in_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "mine.jsonl"
    with pytest.raises(OnRecordError) as caught:
        append(ANSWERED, file)
    assert str(caught.value).startswith(f"{file}: the question could not be added (")
    assert str(caught.value).endswith(").")


# --- The list ----------------------------------------------------------------------------


def test_the_list_has_what_was_asked_answered_and_said_of_it() -> None:
    candidates = [
        candidate(),
        candidate(id="c_2", verdict="wrong", question="Who pays?", correction="The county"),
        candidate(id="c_3", verdict="wrong", question="Who sings?", nobody=True),
        candidate(id="c_4", question="Who claps?", quotes=[], nearest=[cited("January")]),
        candidate(id="c_5", question="In a set already?"),
    ]
    assert list(listing(candidates, ["c_5", "q_1"])) == [
        "c_1  right  What will the bridge cost?",
        f'    answered: "eleven million" (meeting, {ELEVEN})',
        "c_2  wrong  Who pays?",
        f'    answered: "eleven million" (meeting, {ELEVEN}); they say: "The county"',
        "c_3  wrong  Who sings?",
        f'    answered: "eleven million" (meeting, {ELEVEN}); they say: nobody says it',
        "c_4  right  Who claps?",
        "    answered: nothing",
    ]
    assert list(listing([], [])) == []
