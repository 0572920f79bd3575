"""What one row is worth, and the stage at which its gold answer was lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eval.questions import Question
from eval.scores import STAGES, Score, score
from eval.system import Reply
from tests.eval.ship import Exchange, cite, question, reply, row_of

WHEN = question("when", ("noon", 26), speaker="Ann")
NOBODY = question("nobody")
NOON = cite("noon", "noon", "Ann")
SANK = cite("sank first", "sank")


def of(asked: Question, came_back: Reply | Exception) -> Score:
    return score(row_of(asked, came_back))


def test_a_right_answer() -> None:
    row = row_of(WHEN, reply(0.9, [NOON], hits=["noon"]))
    assert score(row) == Score(
        row=row,
        em=1.0,
        f1=1.0,
        first=True,
        top_3=True,
        ranked_first=True,
        ranked_top_3=True,
        occurrence=True,
        speaker=True,
        stage="right",
        right=True,
        best_is_right=True,
        refused=False,
        cited=1,
        exact=1,
        confidence=0.9,
        seconds=row.seconds,
    )


def test_a_right_refusal() -> None:
    row = row_of(NOBODY, reply(0.1, nearest=[NOON, SANK]))
    assert score(row) == Score(
        row=row,
        em=1.0,
        f1=1.0,
        first=None,
        top_3=None,
        ranked_first=None,
        ranked_top_3=None,
        occurrence=None,
        speaker=None,
        stage=None,
        right=True,
        best_is_right=False,
        refused=True,
        cited=2,
        exact=2,
        confidence=0.1,
        seconds=row.seconds,
    )


def test_a_failure() -> None:
    row = row_of(WHEN, RuntimeError("out of memory"))
    assert score(row) == Score(
        row=row,
        em=0.0,
        f1=0.0,
        first=False,
        top_3=False,
        ranked_first=False,
        ranked_top_3=False,
        occurrence=False,
        speaker=None,
        stage="failed",
        right=False,
        best_is_right=False,
        refused=False,
        cited=0,
        exact=0,
        confidence=None,
        seconds=None,
    )
    nobody = of(NOBODY, RuntimeError("out of memory"))
    assert (nobody.right, nobody.refused, nobody.stage, nobody.em) == (False, False, None, 0)


@pytest.mark.parametrize(
    ("came_back", "stage"),
    [
        (RuntimeError("out of memory"), "failed"),
        (reply(0.9, [SANK], hits=["sank first", "Crete"]), "not retrieved"),
        (reply(0.1, nearest=[SANK], hits=["sank first"]), "not retrieved"),
        (reply(0.1), "not retrieved"),
        (reply(0.9, [SANK], hits=["sank first", "noon"], read=1), "not read"),
        (reply(0.1, nearest=[SANK], hits=["sank first", "noon"], read=1), "not read"),
        (reply(0.1, nearest=[NOON], hits=["sank first", "noon"]), "refused"),
        (reply(0.9, [SANK, NOON], hits=["sank first", "noon"]), "wrong span"),
        (reply(0.9, [NOON], hits=["sank first", "noon"]), "right"),
    ],
)
def test_the_stage_at_which_the_gold_answer_was_lost(
    came_back: Reply | Exception, stage: str
) -> None:
    assert of(WHEN, came_back).stage == stage
    assert of(NOBODY, came_back).stage is None


def test_the_stages_of_the_nine_questions_in_the_order_of_the_pipeline(exchange: Exchange) -> None:
    stages = {row.id: score(row).stage for row in exchange.rows()}
    assert stages == {
        "right": "right",
        "half": "right",
        "elsewhere": "wrong span",
        "too shy": "refused",
        "broken": "failed",
        "list": "right",
        "nobody knows": None,
        "too bold": None,
        "broken too": None,
    }
    assert STAGES == ("failed", "not retrieved", "not read", "refused", "wrong span", "right")


def test_any_of_several_relevant_passages_will_do() -> None:
    both = question("which", ("near Crete", 58), ("noon", 26))
    assert of(both, reply(0.1, hits=["sank first", "Crete"])).stage == "refused"


def test_the_same_words_in_another_place_or_transcript_are_wrong() -> None:
    again = question("again", ("It sank", 70))
    found = of(again, reply(0.9, [cite("sank first", "It sank")]))
    assert (found.em, found.first, found.occurrence, found.right) == (1, False, False, False)
    elsewhere = question("known", ("noon", 26), transcript="another")
    found = of(elsewhere, reply(0.9, [NOON]))
    assert (found.em, found.first, found.occurrence, found.speaker) == (1, False, False, None)


def test_spans_that_only_touch_do_not_overlap() -> None:
    # Gold is "at ", the answer "noon" right behind it, in the same sentence.
    found = of(question("known", ("at ", 23)), reply(0.9, [NOON]))
    assert (found.first, found.occurrence) == (True, False)


def test_a_fourth_quote_is_not_in_the_top_3() -> None:
    third = of(WHEN, reply(0.9, [SANK, SANK, NOON]))
    fourth = of(WHEN, reply(0.9, [SANK, SANK, SANK, NOON]))
    assert (third.top_3, third.ranked_top_3) == (True, True)
    assert (fourth.top_3, fourth.ranked_top_3) == (False, False)


def test_what_was_nearest_counts_for_the_ranking_and_for_confidence_only() -> None:
    shy = of(WHEN, reply(0.2, nearest=[NOON]))
    assert (shy.first, shy.top_3, shy.right) == (False, False, False)
    assert (shy.ranked_first, shy.ranked_top_3, shy.best_is_right) == (True, True, True)


@pytest.mark.parametrize(
    ("gold", "said", "right"),
    [
        ("Ann", "Ann", True),
        ("Ann", "Bob", False),
        ("Ann", None, False),
        (None, "Bob", False),
        (None, None, True),
    ],
)
def test_the_speaker_of_a_right_quote(gold: str | None, said: str | None, right: bool) -> None:
    asked = replace(WHEN, speaker=gold)
    assert of(asked, reply(0.9, [cite("noon", "noon", said)])).speaker is right


def test_a_speaker_is_not_scored_where_the_set_tells_none_or_the_quote_is_wrong() -> None:
    untold = replace(WHEN, speaker=None, speaker_given=False)
    assert of(untold, reply(0.9, [NOON])).speaker is None
    assert of(WHEN, reply(0.9, [SANK])).speaker is None
    assert of(WHEN, reply(0.2, nearest=[NOON])).speaker is None
    assert of(NOBODY, reply(0.9, [NOON])).speaker is None


def test_gold_parts_are_joined_in_the_transcripts_order() -> None:
    asked = question("list", ("near Crete", 58), ("noon", 26), multi=True)
    both = of(asked, reply(0.9, [cite("Crete", "near Crete"), NOON]))
    assert (both.em, both.f1) == (1, 1)
    one = of(asked, reply(0.9, [NOON]))
    assert one.em == 0
    assert one.f1 == pytest.approx(2 * 1 * (1 / 3) / (1 + 1 / 3))  # 1 word of "noon near Crete"
