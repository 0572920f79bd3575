"""Questions over all passages at once, with fakes: what is left out, and what counts as right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.training.sets import Row
from eval.collection import Without, ask_all, questions_of
from eval.figures import figures
from eval.system import index_of
from index.chunk import Chunk
from index.errors import OnRecordError
from index.retrieve import Hit, Query

BRIDGE = "Ada: The bridge will cost eleven million.\nBen: And who pays for it?\n"
FERRY = "Ada: The ferry costs nothing on Sundays.\nBen: And on Mondays?\n"


def row(question: str, context: str, words: str | None) -> Row:
    start = context.index(words) if words else 0
    return Row("s", "t", question, context, ((start, start + len(words)),) if words else ())


ROWS = [
    row("What will the bridge cost?", BRIDGE, "eleven million"),
    row("Is the ferry free on Sundays?", FERRY, "nothing"),
]


def test_passages_are_named_once_and_golds_stand_in_them() -> None:
    texts, questions = questions_of([*ROWS, row("Who sings?", FERRY, None)])
    assert texts == {"passage-0000": BRIDGE, "passage-0001": FERRY}
    assert [question.transcript for question in questions] == [
        "passage-0000",
        "passage-0001",
        "passage-0001",
    ]
    assert [question.answerable for question in questions] == [True, True, False]
    assert [question.near_miss for question in questions] == [False, False, True]
    assert not any(question.speaker_given for question in questions)
    gold = questions[0].golds[0]
    assert BRIDGE[gold.start : gold.end] == gold.text == "eleven million"


def test_without_never_finds_the_one() -> None:
    class Both:
        def retrieve(self, query: Query, k: int, /) -> list[Hit]:
            names = ["a", "b"] * 9
            return [Hit(Chunk(name, n, n + 1), 1.0, 1.0, ()) for n, name in enumerate(names)][:k]

    found = Without(Both(), "a").retrieve(Query("?"), 4)
    assert [hit.chunk.start for hit in found] == [1, 3, 5, 7]


@pytest.mark.usefixtures("fakes")
def test_half_of_the_questions_are_asked_without_their_passage(tmp_path: Path) -> None:
    texts, questions = questions_of(ROWS)
    index = index_of(texts, tmp_path)
    whole = list(ask_all(questions, half=False, raw=False, folder=index))
    assert [rows.quotes[0].transcript for rows in whole] == ["passage-0000", "passage-0001"]
    assert all(cited.exact for rows in whole for cited in rows.quotes)
    first, second = ask_all(questions, half=True, raw=False, folder=index)
    assert replace(first, seconds=0) == replace(whole[0], seconds=0)
    assert (second.answerable, second.golds, second.relevant) == (False, (), ())
    assert all(cited.transcript == "passage-0000" for cited in (*second.quotes, *second.nearest))


@pytest.mark.usefixtures("fakes")
def test_golds_that_do_not_stand_are_refused(tmp_path: Path) -> None:
    texts, _ = questions_of(ROWS)
    index = index_of(texts, tmp_path)
    moved = [row("What will the bridge cost?", f"x{BRIDGE}", "eleven million")]
    with pytest.raises(OnRecordError, match="the passages do not hold their golds"):
        list(ask_all(questions_of(moved)[1], half=False, raw=False, folder=index))


@pytest.mark.usefixtures("fakes")
def test_an_answer_to_what_has_none_is_wrong(tmp_path: Path) -> None:
    texts, questions = questions_of(ROWS)
    index = index_of(texts, tmp_path)
    whole = figures(list(ask_all(questions, half=False, raw=False, folder=index)))
    assert (whole["aurc"], whole["coverage_at_5_risk"], whole["recall_at_1"]) == (0, 1, 1)
    halved = figures(list(ask_all(questions, half=True, raw=False, folder=index)))
    # Of the two, the one that has an answer is the surer, and right.
    assert (halved["n_unanswerable"], halved["aurc"]) == (1, 1 / 4)
    assert halved["speaker_accuracy"] is None
