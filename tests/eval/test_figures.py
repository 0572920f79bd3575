"""Figures against values computed by hand from the nine questions of `exchange`."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from eval.figures import (
    BY_KEY,
    MEASURES,
    RESAMPLES,
    Columns,
    Interval,
    draws,
    figures,
    figures_of,
    grouped,
    intervals,
    middle,
    shown,
)
from eval.rows import Row
from eval.scores import score
from tests.eval.ship import Exchange, changed, cite, question, reply, row_of

SECOND = 1 / math.log2(3)  # what a hit at the second rank is worth to nDCG
# By confidence, the best first: right, half, too bold, elsewhere, list, too shy, nobody knows and
# the two that are broken. The best quote is right in right, half and list.
RISKS = [0, 0, 1 / 3, 2 / 4, 2 / 5, 3 / 6, 4 / 7, 5 / 8, 6 / 9]

EXPECTED = {
    "n": 9,
    "n_answerable": 6,
    "n_unanswerable": 3,
    "errors": 2,
    "recall_at_1": 2 / 6,  # right, list
    "recall_at_5": 5 / 6,  # and half, elsewhere, too shy; broken found nothing
    "recall_at_10": 5 / 6,
    "recall_at_30": 5 / 6,
    "mrr": (1 + 1 / 2 + 1 / 3 + 1 / 2 + 0 + 1) / 6,
    # elsewhere has it third; list has one part first and the other third.
    "ndcg_at_10": (1 + SECOND + 1 / 2 + SECOND + 0 + (1 + 1 / 2) / (1 + SECOND)) / 6,
    "em": 4 / 9,  # right, elsewhere, list, nobody knows
    "em_has_ans": 3 / 6,
    "em_no_ans": 1 / 3,
    "f1": 14 / 27,  # and "ship left" for "the ship": 2/3
    "f1_has_ans": 11 / 18,
    "f1_no_ans": 1 / 3,
    "right_quote_first": 3 / 6,  # right, half, list
    "right_quote_top_3": 4 / 6,  # and elsewhere
    "ranked_first": 3 / 6,
    "ranked_top_3": 5 / 6,  # and too shy
    "right_occurrence": 3 / 6,  # elsewhere has the right words in the wrong place
    "citations_exact": 1.0,
    "speaker_accuracy": 2 / 3,  # of right, half, list; half names Bob for Ann
    "refusal_precision": 1 / 2,  # too shy, nobody knows
    "refusal_recall": 1 / 3,  # nobody knows
    "refusal_recall_near_miss": 1 / 2,  # nobody knows; broken too refused nothing
    "auroc": 7 / 18,  # of 6 x 3 pairs: 5 with nobody knows, 2 with too bold, 0 with broken too
    "aurc": sum(RISKS) / 9,
    "coverage_at_5_risk": 2 / 9,
    "coverage_at_10_risk": 2 / 9,
    # By bins: right 0.1, half 0.2, too bold and elsewhere 2 x 0.725, list 0.4, too shy 0.2,
    # nobody knows 0.1, and the two broken ones, sure of nothing, 0.
    "ece": (0.1 + 0.2 + 2 * 0.725 + 0.4 + 0.2 + 0.1) / 9,
    "seconds_p50": 0.4,
    "seconds_p95": 0.67,
}
COUNTS = {"n", "n_answerable", "n_unanswerable", "errors"}


@pytest.fixture
def rows(exchange: Exchange) -> list[Row]:
    """Its rows; those that answered took 0.1, 0.2 ... 0.7 seconds, the failures 99."""
    times = iter([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    return [
        replace(row, seconds=next(times) if row.error is None else 99.0) for row in exchange.rows()
    ]


@pytest.fixture
def columns(rows: list[Row]) -> Columns:
    return Columns.of([score(row) for row in rows])


def test_figures(rows: list[Row]) -> None:
    assert figures(rows) == pytest.approx(EXPECTED)


def test_every_measure_has_a_key_of_its_own_and_a_value_computed_by_hand() -> None:
    keys = [measure.key for measure in MEASURES]
    assert sorted(keys) == sorted(set(keys)) == sorted(EXPECTED)
    assert list(BY_KEY) == keys
    assert {key for key in keys if BY_KEY[key].unit == "count"} == COUNTS


def test_less_is_better_of_errors_risk_calibration_error_and_time() -> None:
    less = {measure.key for measure in MEASURES if measure.better < 0}
    assert less == {"errors", "aurc", "ece", "seconds_p50", "seconds_p95"}
    assert {measure.key for measure in MEASURES if measure.better == 0} == COUNTS - {"errors"}


def test_nothing_measured_is_none_and_never_nought_or_one() -> None:
    empty = figures([])
    assert {key: empty[key] for key in COUNTS} == dict.fromkeys(COUNTS, 0)
    assert {empty[key] for key in EXPECTED if key not in COUNTS} == {None}
    assert set(intervals(Columns.of([])).values()) == {None}


def test_without_answerable_questions_only_refusals_are_measured() -> None:
    its = figures([row_of(question("nobody"), reply(0.1, hits=["noon"]))])
    of_answers = "recall_at_1 mrr ndcg_at_10 em_has_ans f1_has_ans right_quote_first ranked_top_3"
    for key in (*of_answers.split(), "speaker_accuracy", "citations_exact", "auroc"):
        assert its[key] is None, key
    assert (its["em"], its["refusal_recall"], its["refusal_precision"]) == (1, 1, 1)
    assert its["refusal_recall_near_miss"] is None


def test_one_planted_offset_lowers_citations_exact(exchange: Exchange) -> None:
    found = exchange.replies["right?"]
    assert not isinstance(found, Exception)
    quote = found.answer["quotes"][0]
    exchange.replies["right?"] = changed(found, quotes=[{**quote, "start": quote["start"] + 1}])
    # 7 quotes and 3 nearest ones came back.
    assert figures(exchange.rows())["citations_exact"] == pytest.approx(9 / 10)


def test_a_failure_is_wrong_wherever_it_is_counted() -> None:
    known, nobody = question("known", ("noon", 26)), question("nobody")
    good = [
        row_of(known, reply(0.9, [cite("noon", "noon")], hits=["noon"])),
        row_of(nobody, reply(0.1)),
    ]
    failed = [row_of(asked, RuntimeError("out of memory")) for asked in (known, nobody)]
    whole, half = figures(good), figures([*good, *failed])
    for key in ("em", "f1", "right_quote_first", "refusal_recall", "recall_at_1", "mrr"):
        assert (whole[key], half[key]) == (1, 1 / 2), key
    assert (whole["auroc"], half["auroc"]) == (1, 1 / 4)
    assert half["refusal_precision"] == 1
    assert half["errors"] == 2


def test_a_failure_takes_no_time(rows: list[Row]) -> None:
    failed = [row for row in rows if row.error is not None]
    assert (figures(failed)["seconds_p50"], figures(failed)["seconds_p95"]) == (None, None)


def test_a_speaker_that_the_set_does_not_tell_is_not_scored(rows: list[Row]) -> None:
    untold = [replace(row, speaker=None, speaker_given=False) for row in rows]
    its = figures(untold)
    assert its.pop("speaker_accuracy") is None
    assert its == pytest.approx(
        {key: value for key, value in EXPECTED.items() if key != "speaker_accuracy"}
    )


# --- Intervals ---------------------------------------------------------------------------


def test_intervals_hold_their_figures_and_counts_have_none(columns: Columns) -> None:
    its = intervals(columns)
    assert {key for key in its if its[key] is None} == COUNTS
    for key, value in figures_of(columns).items():
        interval = its[key]
        if interval is not None:
            assert value is not None
            assert interval.low - 1e-9 <= value <= interval.high + 1e-9, key
    assert its["citations_exact"] == Interval(1.0, 1.0)
    em = its["em"]
    assert em is not None
    assert 0 <= em.low < 4 / 9 < em.high <= 1


def test_intervals_are_the_same_each_time(
    rows: list[Row], columns: Columns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eval.figures.RESAMPLES", 100)
    assert intervals(columns) == intervals(Columns.of([score(row) for row in rows]))


def test_an_interval_narrows_as_the_questions_grow_in_number() -> None:
    right = row_of(question("right", ("noon", 26)), reply(0.9, [cite("noon", "noon")]))
    wrong = row_of(question("wrong", ("noon", 26)), reply(0.9, [cite("Crete", "Crete")]))
    widths = []
    for times in (5, 50):
        its = intervals(Columns.of([score(row) for row in [right, wrong] * times]))
        first = its["right_quote_first"]
        assert first is not None
        widths.append(first.high - first.low)
    # Of a share of a half, 1.96 standard errors on either side: 0.62 of 10, 0.196 of 100.
    assert widths[0] == pytest.approx(0.6, abs=0.05)
    assert widths[1] == pytest.approx(0.196, abs=0.03)


def test_an_interval_is_of_the_resamples_that_have_the_figure() -> None:
    # A single answerable question among nine is missing from 35 of 100 resamples.
    one = [row_of(question("one", ("noon", 26)), reply(0.9, [cite("noon", "noon")]))]
    others = [row_of(question(f"none {n}"), reply(0.1)) for n in range(8)]
    its = intervals(Columns.of([score(row) for row in one + others]))
    assert its["right_quote_first"] == Interval(1.0, 1.0)
    assert its["refusal_recall_near_miss"] is None


def test_draws_are_with_repeats_and_always_the_same() -> None:
    drawn = [draw.tolist() for draw in draws(5)]
    assert drawn == [draw.tolist() for draw in draws(5)]
    assert len(drawn) == RESAMPLES == 1000
    assert {number for draw in drawn for number in draw} == {0, 1, 2, 3, 4}
    assert {len(draw) for draw in drawn} == {5}
    assert any(len(set(draw)) < 5 for draw in drawn)


def test_the_middle_is_what_is_left_without_the_ends() -> None:
    assert middle([float(n) for n in range(1001)]) == Interval(25.0, 975.0)
    assert middle([0.5]) == Interval(0.5, 0.5)


def test_columns_are_taken_by_number_or_by_flag(columns: Columns) -> None:
    twice = columns.take(np.array([0, 0, 4]))
    assert len(twice) == 3
    assert figures_of(twice)["em"] == pytest.approx(2 / 3)
    answered = columns.take(~columns.flags("error"))
    assert figures_of(answered)["errors"] == 0
    assert len(answered) == 7


# --- Shown -------------------------------------------------------------------------------


def test_rows_are_grouped_by_a_key_in_alphabetical_order(rows: list[Row]) -> None:
    kinds = grouped(rows, lambda row: row.kind)
    assert list(kinds) == ["list", "what", "where", "who"]
    assert {kind: [row.id for row in some] for kind, some in kinds.items()} == {
        "list": ["list"],
        "what": ["right", "nobody knows", "too bold", "broken too"],
        "where": ["too shy", "broken"],
        "who": ["half", "elsewhere"],
    }
    moved = [replace(rows[0], split="test"), rows[1]]
    assert grouped(moved, lambda row: row.split) == {"dev": [rows[1]], "test": [moved[0]]}
    assert grouped([], lambda row: row.split) == {}


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("n", 9.0, "9"),
        ("em", 4 / 9, "44.4 %"),
        ("em", 0.0, "0.0 %"),
        ("em", 1.0, "100.0 %"),
        ("auroc", 7 / 18, "0.389"),
        ("seconds_p95", 0.67, "0.670 s"),
        ("seconds_p95", None, "-"),
    ],
)
def test_a_figure_is_shown_in_its_unit(key: str, value: float | None, text: str) -> None:
    assert shown(BY_KEY[key], value) == text
