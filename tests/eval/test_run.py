"""Asking: a row for every question whatever happens, and rows that hold all they must."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from eval.questions import Gold
from eval.rows import Cited, Place, Row, Span
from eval.run import AROUND, run
from eval.system import Reply
from tests.eval.ship import SENTENCES, TEXT, Exchange, changed, cite, place, question, reply, row_of


def test_a_row_holds_the_question_and_what_came_back() -> None:
    asked = question("when", ("noon", 26), speaker="Ann", kind="when", split="test")
    found = reply(0.9, [cite("noon", "noon", "Ann")], hits=["Crete", "noon", "sank first"], read=2)
    row = row_of(asked, found)
    assert row == Row(
        id="when",
        split="test",
        kind="when",
        transcript="ship",
        question="when?",
        resolved_question="as understood",
        answerable=True,
        near_miss=False,
        golds=(Gold("noon", 26),),
        speaker="Ann",
        speaker_given=True,
        multi=False,
        prediction="noon",
        quotes=(
            Cited(
                id="q_26_30",
                transcript="ship",
                start=0,
                end=31,
                text="Ann says the ship left at noon.",
                answer=Span(26, 30, "noon"),
                speaker="Ann",
                exact=True,
            ),
        ),
        nearest=(),
        confidence=0.9,
        hits=(place("Crete"), place("noon"), place("sank first")),
        read=2,
        relevant=(place("noon"),),
        seconds=row.seconds,
        error=None,
        context={"ship": (Span(0, 78, TEXT),)},
    )
    assert 0 <= row.seconds < 1


def test_a_refusal_predicts_nothing_and_keeps_what_was_nearest() -> None:
    row = row_of(question("why"), reply(0.1, nearest=[cite("Crete", "sank")]))
    assert row.prediction == ""
    assert row.quotes == ()
    assert [cited.answer for cited in row.nearest] == [Span(53, 57, "sank")]
    assert row.context == {}


def test_the_first_quote_is_the_prediction_and_of_a_list_all_in_the_transcripts_order() -> None:
    came_back = reply(0.9, [cite("Crete", "near Crete"), cite("noon", "noon")])
    one = question("where", ("near Crete", 58))
    parts = question("which", ("near Crete", 58), ("noon", 26), multi=True)
    assert row_of(one, came_back).prediction == "near Crete"
    assert row_of(parts, came_back).prediction == "noon near Crete"


def test_relevant_are_the_passages_that_hold_some_of_a_gold_answer() -> None:
    assert row_of(question("nobody"), reply(0.1)).relevant == ()
    # From "noon." to "It": one gold over two sentences, and a third in another.
    over_two = question("two", ("noon. It", 26), ("sank", 73))
    assert row_of(over_two, reply(0.1)).relevant == (
        place("noon"),
        place("sank first"),
        place("sank again"),
    )
    touching = question("touching", (" ", 31))
    assert row_of(touching, reply(0.1)).relevant == ()
    elsewhere = question("elsewhere", ("noon", 26), transcript="boat")
    assert row_of(elsewhere, reply(0.1)).relevant == ()


LONG = "".join(f"{n:04} " for n in range(400))  # 2,000 characters; n stands at 5 n


def long_row(*golds: int, quote: int | None = None) -> Row:
    """A row over LONG, with golds at these numbers and the first quote at another."""
    asked = question("long", *((f"{n:04}", 5 * n) for n in golds), transcript="long")
    quotes = []
    if quote is not None:
        at = 5 * quote
        quotes = [
            {
                **cite("noon", "noon"),
                "transcript": {"id": "long", "sha256": "0" * 64},
                "start": at,
                "end": at + 4,
                "text": f"{quote:04}",
                "answer": {"start": at, "end": at + 4, "text": f"{quote:04}"},
            }
        ]
    exchange = Exchange([asked], {asked.question: reply(0.9, quotes)}, {"long": LONG})
    return exchange.rows()[0]


def test_context_is_the_words_around_gold_and_first_quote_joined_where_they_overlap() -> None:
    def span(start: int, end: int) -> Span:
        return Span(start, end, LONG[start:end])

    assert AROUND == 200
    assert long_row(100).context == {"long": (span(300, 704),)}
    assert long_row(0, 399).context == {"long": (span(0, 204), span(1795, 2000))}
    assert long_row(200, quote=100).context == {"long": (span(300, 704), span(800, 1204))}
    # 80 numbers are 400 characters: the ends of 704 and 700 overlap.
    assert long_row(180, quote=100).context == {"long": (span(300, 1104),)}
    assert long_row(180, 100, 101).context == {"long": (span(300, 1104),)}


def wrong(**changes: object) -> Reply:
    """A reply whose one quote has some of its fields changed."""
    return reply(0.9, [{**cite("noon", "noon"), **changes}])


@pytest.mark.parametrize(
    "changes",
    [
        {"start": 1},
        {"end": 30, "answer": {"start": 26, "end": 31, "text": "noon."}},
        {"text": "Ann says the ship left at night."},
        {"answer": {"start": 25, "end": 29, "text": "noon"}},
        {"answer": {"start": 26, "end": 26, "text": ""}},
        {"answer": {"start": 53, "end": 57, "text": "sank"}},
        {"start": -78, "end": -47},
        {"end": 1000},
        {"transcript": {"id": "ship", "sha256": "0" * 64}},
        {"transcript": {"id": "nobody's", "sha256": "0" * 64}},
    ],
)
def test_a_citation_is_exact_only_if_the_transcript_proves_it(changes: dict[str, Any]) -> None:
    asked = question("when", ("noon", 26))
    assert [cited.exact for cited in row_of(asked, wrong()).quotes] == [True]
    assert [cited.exact for cited in row_of(asked, wrong(**changes)).quotes] == [False]


def test_a_question_that_raises_is_a_row_and_the_others_are_asked(exchange: Exchange) -> None:
    rows = exchange.rows()
    assert [row.id for row in rows] == [question.id for question in exchange.questions]
    assert {row.id: row.error for row in rows if row.error} == {
        "broken": "The index is gone.",
        "broken too": "ZeroDivisionError: division by zero",
    }
    broken = next(row for row in rows if row.id == "broken")
    assert (broken.prediction, broken.confidence, broken.quotes) == (None, None, ())
    assert (broken.hits, broken.read, broken.relevant) == ((), 0, (place("Crete"),))
    assert broken.context == {"ship": (Span(0, 78, TEXT),)}


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ({"confidence": float("nan")}, "ValueError: confidence nan"),
        ({"answerable": False}, "ValueError: answerable False with 1 quotes"),
        ({"nearest": None}, "TypeError: 'NoneType' object is not iterable"),
        ({"quotes": [{}]}, "KeyError: 'transcript'"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_an_error(broken: dict[str, Any], error: str) -> None:
    row = row_of(question("when", ("noon", 26)), changed(wrong(), **broken))
    assert row.error == error
    assert row.prediction is None


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_is_no_row(exchange: Exchange, workers: int) -> None:
    class Interrupted(Exchange):
        def ask(self, question: str, /) -> Reply:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run(exchange.questions, Interrupted([], {}), workers))


def untimed(rows: list[Row]) -> list[Row]:
    return [replace(row, seconds=0.0) for row in rows]


def test_two_workers_give_the_rows_of_one_in_the_questions_order(exchange: Exchange) -> None:
    assert untimed(exchange.rows(workers=2)) == untimed(exchange.rows())


def test_two_workers_ask_at_the_same_time_and_keep_the_order() -> None:
    met = threading.Barrier(2, timeout=30)

    class Meeting(Exchange):
        def ask(self, question: str, /) -> Reply:
            met.wait()  # nobody gets on before a second question is asked
            return super().ask(question)

    questions = [question(name) for name in SENTENCES]
    replies: dict[str, Reply | Exception] = {
        asked.question: reply(0.1, nearest=[cite(asked.id, TEXT[slice(*SENTENCES[asked.id])])])
        for asked in questions
    }
    rows = Meeting(questions, replies).rows(workers=2)
    assert [(row.id, row.nearest[0].text, row.error) for row in rows] == [
        (name, TEXT[slice(*ends)], None) for name, ends in SENTENCES.items()
    ]


def test_a_row_is_there_before_the_next_question_is_asked(exchange: Exchange) -> None:
    asked = []

    class Listening(Exchange):
        def ask(self, question: str, /) -> Reply:
            asked.append(question)
            return super().ask(question)

    rows = run(exchange.questions, Listening([], exchange.replies))
    assert next(rows).id == "right"
    assert asked == ["right?"]
    assert next(rows).hits == (Place("ship", 41, 69), Place("ship", 0, 31))
