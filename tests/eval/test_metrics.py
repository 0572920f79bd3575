"""Measures against values written down; EM and F1 against SQuAD 2.0's official scorer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.metrics import (
    aurc,
    auroc,
    coverage_at_risk,
    exact_match,
    f1,
    mean,
    normalize,
    percentile,
    precision,
    recall,
    share,
)

# Prediction, golds, EM and F1 as the official evaluate-v2.0.py scores them.
OFFICIAL = [
    pytest.param("the cat", ["a cat"], 1, 1, id="articles go"),
    pytest.param("The  Cat!", ["cat"], 1, 1, id="case, punctuation, spaces go"),
    pytest.param("cat sat", ["the cat sat down"], 0, 4 / 5, id="part of the gold"),
    pytest.param("he said two hours", ["two hours"], 0, 2 / 3, id="more than the gold"),
    pytest.param("b b b", ["b b"], 0, 4 / 5, id="a repeated word counts as often as in both"),
    pytest.param("very very", ["very frank"], 0, 1 / 2, id="a repeated word counts once here"),
    pytest.param("hours two", ["two hours"], 0, 1, id="order matters to EM only"),
    pytest.param("dog", ["cat"], 0, 0, id="nothing in common"),
    pytest.param("5,000", ["5000"], 1, 1, id="commas in numbers go"),
    pytest.param("U.S. troops", ["US troops"], 1, 1, id="full stops join"),
    pytest.param("peace-deal", ["peace deal"], 0, 0, id="hyphens join"),
    pytest.param(
        "it's", ["it\N{RIGHT SINGLE QUOTATION MARK}s"], 0, 0, id="a typographic mark stays"
    ),
    pytest.param("Zürich", ["zürich"], 1, 1, id="not only ASCII has lower case"),
    pytest.param("Zurich", ["Zürich"], 0, 0, id="accents stay"),
    pytest.param("in\N{NO-BREAK SPACE}Sochi", ["in Sochi"], 1, 1, id="any white space"),
    pytest.param("another", ["other"], 0, 0, id="articles are whole words"),
    pytest.param("two", ["over two hours", "two hours", "2"], 0, 2 / 3, id="the best gold"),
    pytest.param("", [""], 1, 1, id="refused, unanswerable"),
    pytest.param("", [], 1, 1, id="refused, no golds"),
    pytest.param("noon", [""], 0, 0, id="answered, unanswerable"),
    pytest.param("", ["noon"], 0, 0, id="refused, answerable"),
    pytest.param("the", ["the cat"], 0, 0, id="nothing left of the prediction"),
    pytest.param("?!", [""], 1, 1, id="nothing left of it is a refusal"),
    pytest.param("", ["the", "cat"], 0, 0, id="a gold of which nothing is left does not count"),
    pytest.param("", ["the"], 1, 1, id="no gold of which anything is left"),
]


@pytest.mark.parametrize(("prediction", "golds", "em", "expected_f1"), OFFICIAL)
def test_em_and_f1_are_those_of_the_official_scorer(
    prediction: str, golds: list[str], em: float, expected_f1: float
) -> None:
    assert exact_match(prediction, golds) == em
    assert f1(prediction, golds) == pytest.approx(expected_f1)


@pytest.mark.parametrize("golds", [["noon"], [""], []])
def test_no_prediction_is_wrong_even_where_a_refusal_is_right(golds: list[str]) -> None:
    assert exact_match(None, golds) == 0
    assert f1(None, golds) == 0


def test_normalize() -> None:
    assert normalize(" The U.S., an\tally - of  A man's. ") == "us ally of mans"


@given(st.text(), st.text())
def test_f1_of_one_gold_is_a_share_and_symmetric(a: str, b: str) -> None:
    assert 0 <= f1(a, [b]) <= 1
    assert f1(a, [b]) == pytest.approx(f1(b, [a]))


words = st.lists(st.sampled_from(["the", "Cat", "cat,", "sat", "on", "a", "mat."])).map(" ".join)


@given(words, st.lists(words))
def test_em_implies_f1_and_never_exceeds_it(prediction: str, golds: list[str]) -> None:
    em, best = exact_match(prediction, golds), f1(prediction, golds)
    assert em in (0, 1)
    assert em <= best <= 1
    if em:
        assert best == 1


@given(words)
def test_every_text_matches_itself(text: str) -> None:
    assert exact_match(text, [text]) == 1


def test_precision_and_recall() -> None:
    predicted = [True, True, True, False, False]
    true = [True, False, False, True, False]
    assert precision(predicted, true) == pytest.approx(1 / 3)
    assert recall(predicted, true) == pytest.approx(1 / 2)
    assert precision([False], [True]) is None
    assert recall([True], [False]) is None
    with pytest.raises(ValueError, match="zip"):
        precision([True], [True, False])


def test_auroc() -> None:
    assert auroc([0.9, 0.8, 0.3, 0.1], [True, False, True, False]) == pytest.approx(3 / 4)
    assert auroc([0.5, 0.5], [True, False]) == pytest.approx(1 / 2)
    assert auroc([0.5, 0.6], [True, True]) is None
    assert auroc([], []) is None


def test_auroc_ranks_a_missing_score_as_wrong() -> None:
    # Of the 2 x 2 pairs only (0.9, 0.1) is in order.
    assert auroc([0.9, None, 0.1, None], [True, True, False, False]) == pytest.approx(1 / 4)
    assert auroc([None, None], [True, False]) == 0


def test_percentile_mean_share() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 50) == pytest.approx(2.5)
    assert percentile([1.0, 2.0], 95) == pytest.approx(1.95)
    assert percentile([], 50) is None
    assert mean([1.0, 2.0]) == pytest.approx(1.5)
    assert mean([]) is None
    assert share([True, False, False, False]) == pytest.approx(1 / 4)
    assert share([]) is None


def test_aurc_is_the_mean_risk_over_all_coverages() -> None:
    # Answered in this order: right, wrong, right; the risks are 0, 1/2 and 1/3.
    assert aurc([0.9, 0.8, 0.1], [True, False, True]) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)
    assert aurc([0.1, 0.9, 0.8], [True, True, True]) == 0
    assert aurc([], []) is None
    with pytest.raises(ValueError, match="zip"):
        aurc([0.5], [])


def test_aurc_takes_the_wrong_one_of_equal_confidences_first() -> None:
    assert aurc([0.5, 0.5], [True, False]) == pytest.approx((1 + 1 / 2) / 2)


def test_coverage_at_risk() -> None:
    confidences = [0.9, 0.8, 0.7, 0.6, 0.5]
    right = [True, True, True, False, True]
    assert coverage_at_risk(confidences, right, 0.0) == pytest.approx(3 / 5)
    assert coverage_at_risk(confidences, right, 0.2) == 1
    assert coverage_at_risk(confidences, [False, *right[1:]], 0.05) == 0
    assert coverage_at_risk([], [], 0.05) is None
