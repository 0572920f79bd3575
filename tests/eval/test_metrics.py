"""Measures against values written down; EM and F1 against SQuAD 2.0's official scorer, nDCG
against scikit-learn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from eval.metrics import (
    RANKING,
    Bin,
    aurc,
    auroc,
    coverage_at_risk,
    ece,
    exact_match,
    f1,
    mean,
    normalize,
    percentile,
    precision,
    ranking,
    recall,
    reliability,
    risks,
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


def test_of_equal_confidences_all_are_answered_or_none() -> None:
    # The first two are right, but a threshold that lets them in lets the third in as well.
    assert coverage_at_risk([0.9, 0.5, 0.5], [True, True, False], 0.1) == pytest.approx(1 / 3)
    assert coverage_at_risk([0.5, 0.5, 0.5], [True, True, False], 0.4) == 1


def test_risks_are_of_the_most_confident_first() -> None:
    assert risks([0.1, 0.9, 0.8], [True, False, True]) == pytest.approx([1, 1 / 2, 1 / 3])
    assert risks([], []) == []


def test_reliability_is_of_bins_of_equal_width_that_are_not_empty() -> None:
    confidences = [0.95, 0.05, 0.92, 1.0, 0.61, 0.0]
    right = [True, False, False, True, False, True]
    assert reliability(confidences, right) == [
        Bin(2, pytest.approx(0.025), 0.5),
        Bin(1, 0.61, 0.0),
        Bin(3, pytest.approx(2.87 / 3), pytest.approx(2 / 3)),
    ]
    assert reliability(confidences, right, bins=1) == [
        Bin(6, pytest.approx(3.53 / 6), pytest.approx(1 / 2))
    ]
    assert reliability([], []) == []


def test_a_confidence_on_the_edge_of_two_bins_is_of_the_upper_one() -> None:
    assert reliability([0.5, 0.4], [True, True], bins=2) == [Bin(1, 0.4, 1.0), Bin(1, 0.5, 1.0)]


def test_ece_is_the_gap_of_each_bin_weighed_by_its_size() -> None:
    confidences = [0.95, 0.05, 0.92, 1.0, 0.61, 0.0]
    right = [True, False, False, True, False, True]
    # 2 x |0.5 - 0.025|, 1 x |0 - 0.61|, 3 x |2/3 - 2.87/3|, over 6.
    assert ece(confidences, right) == pytest.approx((0.95 + 0.61 + 0.87) / 6)
    assert ece([1.0, 0.0], [True, False]) == 0
    assert ece([1.0, 0.0], [False, True]) == 1
    assert ece([0.5, 0.5], [True, False]) == 0
    assert ece([], []) is None
    with pytest.raises(ValueError, match="zip"):
        ece([0.5], [])


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_ece_and_its_bins_are_of_all_questions(answered: list[tuple[float, bool]]) -> None:
    confidences, right = [c for c, _ in answered], [r for _, r in answered]
    bins = reliability(confidences, right)
    assert sum(one.n for one in bins) == len(answered)
    assert sum(one.n * one.right for one in bins) == pytest.approx(sum(right))
    error = ece(confidences, right)
    assert error is not None
    assert 0 <= error <= 1
    # One bin alone hides what cancels out; it never shows more.
    whole = ece(confidences, right, bins=1)
    assert whole is not None
    assert whole <= error + 1e-9


def log2(rank: int) -> float:
    """The discount of a rank from 1."""
    return 1 / math.log2(rank + 1)


# What was found, what is relevant, and then Success@1, 5, 10, 30, RR and nDCG@10.
RANKED = [
    pytest.param("ab", "a", [1, 1, 1, 1, 1, 1], id="first"),
    pytest.param("ba", "a", [0, 1, 1, 1, 1 / 2, log2(2)], id="second"),
    pytest.param("bcdefa", "a", [0, 0, 1, 1, 1 / 6, log2(6)], id="sixth"),
    pytest.param("bcdefghijka", "a", [0, 0, 0, 1, 1 / 11, 0], id="eleventh"),
    pytest.param("bc", "a", [0, 0, 0, 0, 0, 0], id="not found"),
    pytest.param("", "a", [0, 0, 0, 0, 0, 0], id="nothing found"),
    pytest.param(
        "abc", "ac", [1, 1, 1, 1, 1, (1 + log2(3)) / (1 + log2(2))], id="first and third of two"
    ),
    pytest.param("ba", "ac", [0, 1, 1, 1, 1 / 2, log2(2) / (1 + log2(2))], id="one of two"),
    pytest.param("ab", "", [0, 0, 0, 0, 0, 0], id="nothing to find"),
]


@pytest.mark.parametrize(("found", "relevant", "values"), RANKED)
def test_ranking(found: str, relevant: str, values: list[float]) -> None:
    (its,) = ranking([list(found)], [list(relevant)])
    assert its == pytest.approx(dict(zip(RANKING, values, strict=True)))


def test_searches_are_ranked_each_for_itself() -> None:
    # More than ten: their numbers as text are in another order.
    found = [["a", "b"] if n % 3 else ["b", "a"] for n in range(12)]
    rows = ranking(found, [["a"]] * 12)
    assert [row["RR"] for row in rows] == [1 if n % 3 else 1 / 2 for n in range(12)]
    assert ranking([], []) == []


def test_no_more_than_thirty_count() -> None:
    (its,) = ranking([range(40)], [[30]])
    assert (its["Success@30"], its["RR"]) == (0, pytest.approx(1 / 31))
    (its,) = ranking([range(40)], [[29]])
    assert (its["Success@30"], its["RR"]) == (1, pytest.approx(1 / 30))


@given(
    st.permutations(range(14)),
    st.lists(st.integers(0, 13), min_size=1, unique=True),
)
def test_ndcg_is_that_of_scikit_learn(found: Sequence[int], relevant: list[int]) -> None:
    (its,) = ranking([found], [relevant])
    gains = np.array([[float(item in relevant) for item in found]])
    ranks = np.array([[-float(rank) for rank in range(len(found))]])
    assert its["nDCG@10"] == pytest.approx(ndcg_score(gains, ranks, k=10))
