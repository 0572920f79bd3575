"""Asking: a row for every question whatever happens, and rows that hold all they must."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eval.questions import Gold
from eval.report import figures
from eval.run import Cited, Row, Span, read_rows, run, write_rows
from index.errors import OnRecordError, UsageError
from tests.eval.ship import Exchange, cite, question, reply, row_of


def test_a_row_holds_the_question_and_what_came_back() -> None:
    asked = question("when", ("noon", 26), speaker="Ann", kind="when", split="test")
    row = row_of(asked, reply(0.9, [cite("noon", "noon", "Ann")]))
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
        seconds=row.seconds,
        error=None,
    )
    assert 0 <= row.seconds < 1


def test_a_refusal_predicts_nothing_and_keeps_what_was_nearest() -> None:
    row = row_of(question("why"), reply(0.1, None, [cite("Crete", "sank")]))
    assert row.prediction == ""
    assert row.quotes == ()
    assert [cited.answer for cited in row.nearest] == [Span(53, 57, "sank")]


def test_the_first_quote_is_the_prediction_and_of_a_list_all_in_the_transcripts_order() -> None:
    came_back = reply(0.9, [cite("Crete", "near Crete"), cite("noon", "noon")])
    one = question("where", ("near Crete", 58))
    parts = question("which", ("near Crete", 58), ("noon", 26), multi=True)
    assert row_of(one, came_back).prediction == "near Crete"
    assert row_of(parts, came_back).prediction == "noon near Crete"


def wrong(**changes: object) -> dict[str, Any]:
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
    row = row_of(question("when", ("noon", 26)), {**wrong(), **broken})
    assert row.error == error
    assert row.prediction is None


def test_an_interrupt_is_no_row() -> None:
    def interrupted(_: str) -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run([question("when")], interrupted, str))


def test_lines_are_written_as_they_come(exchange: Exchange, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("an earlier run\n", encoding="utf-8")
    rows = write_rows(exchange.rows(), file)
    next(rows)
    next(rows)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["right", "half"]
    assert json.loads(lines[0])["quotes"][0]["answer"] == {"start": 26, "end": 30, "text": "noon"}
    assert json.loads(lines[0])["golds"] == [{"text": "noon", "start": 26}]


def test_figures_can_be_computed_again_from_the_lines(exchange: Exchange, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = list(write_rows(exchange.rows(), file))
    assert read_rows(file) == rows
    assert figures(read_rows(file)) == figures(rows)


def test_any_text_survives_the_lines(tmp_path: Path) -> None:
    odd = "caf\N{LATIN SMALL LETTER E WITH ACUTE}\N{LINE SEPARATOR}\ud83d"
    row = row_of(question("odd", kind=odd), reply(0.1))
    file = tmp_path / "rows.jsonl"
    assert list(write_rows([row], file)) == read_rows(file) == [row]


def test_rows_that_cannot_be_written_or_read_are_told(exchange: Exchange, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "rows.jsonl"
    with pytest.raises(OnRecordError) as caught:
        next(write_rows(exchange.rows(), nowhere))
    assert str(caught.value) == (
        f"The rows cannot be written to {nowhere} (No such file or directory): "
        "choose another --out."
    )
    with pytest.raises(UsageError, match=r"cannot be read: No such file or directory\.$"):
        read_rows(nowhere)
    other = tmp_path / "other.jsonl"
    for text in ("{}", "[]", "no JSON", '{"id": "x", "golds": [], "quotes": [], "nearest": []}'):
        other.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match="was not written by onrecord eval --out"):
            read_rows(other)
