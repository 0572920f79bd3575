"""Measures with their textbook names: texts, flags and numbers in, one number out.

Nothing here knows of questions, quotes or the system that is scored. Shares are 0 to 1. A share
of nothing is None, never 0 or 1.
"""

from __future__ import annotations

import re
import string
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from itertools import accumulate

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalize(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, single spaces.

    In this order, as SQuAD's scorer does it: "U.S." becomes "us", "the-end" becomes "theend".
    """
    words = _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION))
    return " ".join(words.split())


def exact_match(prediction: str | None, golds: Sequence[str]) -> float:
    """EM of SQuAD 2.0 (Rajpurkar et al. 2018): 1 if equal to any gold when normalized, else 0.

    For an unanswerable question `golds` is [""] or empty, and "" is the refusal. None is no
    prediction at all, and wrong even there; the official scorer leaves such a question out.
    """
    if prediction is None:
        return 0.0
    normal = normalize(prediction)
    return float(any(normal == gold for gold in _normal_golds(golds)))


def f1(prediction: str | None, golds: Sequence[str]) -> float:
    """F1 of SQuAD 2.0 over bags of normalized words, the best over all golds.

    When gold or prediction has no words it is 1 if both have none, else 0. An empty `golds` and
    a prediction of None are treated as `exact_match` treats them.
    """
    if prediction is None:
        return 0.0
    words = normalize(prediction).split()
    return max(_bag_f1(words, gold.split()) for gold in _normal_golds(golds))


def precision(predicted: Sequence[bool], true: Sequence[bool]) -> float | None:
    """Of what was predicted, the share that is true. None when nothing was predicted."""
    return share([is_so for said, is_so in zip(predicted, true, strict=True) if said])


def recall(predicted: Sequence[bool], true: Sequence[bool]) -> float | None:
    """Of what is true, the share that was predicted. None when nothing is true."""
    return precision(true, predicted)


def auroc(scores: Sequence[float | None], positive: Sequence[bool]) -> float | None:
    """Area under the ROC curve: the chance that a positive is scored above a negative, ties half.

    A score of None, no prediction, ranks as wrong: a positive below all, a negative above all.
    None unless there are positives and negatives.
    """
    if all(positive) or not any(positive):
        return None
    from sklearn.metrics import roc_auc_score  # here: a second to import

    known = [score for score in scores if score is not None]
    below, above = min(known, default=0.0) - 1, max(known, default=0.0) + 1
    ranked = [
        (below if is_positive else above) if score is None else score
        for score, is_positive in zip(scores, positive, strict=True)
    ]
    return float(roc_auc_score(positive, ranked))


def aurc(confidences: Sequence[float], right: Sequence[bool]) -> float | None:
    """Area under the risk-coverage curve (Geifman and El-Yaniv 2017): the mean, over all numbers of
    questions answered, of the share that is wrong when the most confident are answered first.

    Of equal confidences the wrong one comes first. 0 is best; None without questions.
    """
    return mean(risks(confidences, right))


def coverage_at_risk(
    confidences: Sequence[float], right: Sequence[bool], risk: float
) -> float | None:
    """The largest share of questions that a threshold on confidence can leave answered with at
    most a share of `risk` of the answers wrong. None without questions.
    """
    curve = risks(confidences, right)
    ranked = [*sorted(confidences, reverse=True), None]
    covered = [
        n
        for n, its_risk in enumerate(curve, 1)
        if its_risk <= risk and ranked[n - 1] != ranked[n]  # equal ones are answered together
    ]
    return max(covered, default=0) / len(curve) if curve else None


def risks(confidences: Sequence[float], right: Sequence[bool]) -> list[float]:
    """The share of wrong answers among the n most confident, for n from 1."""
    ranked = sorted(zip(confidences, right, strict=True), key=lambda one: (-one[0], one[1]))
    wrong = accumulate(not is_right for _, is_right in ranked)
    return [count / n for n, count in enumerate(wrong, 1)]


def ece(confidences: Sequence[float], right: Sequence[bool], bins: int = 10) -> float | None:
    """Expected calibration error (Naeini et al. 2015): how far confidence is from the share that is
    right, the mean over `bins` bins of equal width weighed by their sizes. None without questions.
    """
    return mean(
        [
            abs(one.right - one.confidence)
            for one in reliability(confidences, right, bins)
            for _ in range(one.n)
        ]
    )


@dataclass(frozen=True, slots=True)
class Bin:
    """`n` questions of like confidence: their mean confidence, and the share that is right."""

    n: int
    confidence: float
    right: float


def reliability(confidences: Sequence[float], right: Sequence[bool], bins: int = 10) -> list[Bin]:
    """The bins of equal width that are not empty, the least confident first."""
    groups: defaultdict[int, list[tuple[float, bool]]] = defaultdict(list)
    for confidence, is_right in zip(confidences, right, strict=True):
        groups[min(int(confidence * bins), bins - 1)].append((confidence, is_right))
    return [
        Bin(
            len(group),
            sum(confidence for confidence, _ in group) / len(group),
            sum(is_right for _, is_right in group) / len(group),
        )
        for _, group in sorted(groups.items())
    ]


RANKING = ("Success@1", "Success@5", "Success@10", "Success@30", "RR", "nDCG@10")


def ranking(
    found: Sequence[Sequence[Hashable]], relevant: Sequence[Collection[Hashable]]
) -> list[dict[str, float]]:
    """For each search the measures of RANKING, by the ir_measures library (trec_eval's values).

    `found` are the items of each search, best first, `relevant` those that should be.
    """
    import ir_measures  # here: a fifth of a second to import

    qrels = {str(n): {str(item): 1 for item in items} for n, items in enumerate(relevant)}
    run = {
        str(n): {str(item): -float(rank) for rank, item in enumerate(items)}
        for n, items in enumerate(found)
    }
    values = [dict.fromkeys(RANKING, 0.0) for _ in found]
    measures = [ir_measures.parse_measure(name) for name in RANKING]
    for value in ir_measures.iter_calc(measures, qrels, run):
        values[int(value.query_id)][str(value.measure)] = value.value
    return values


def percentile(values: Sequence[float], q: float) -> float | None:
    """The q-th percentile, 0 to 100, by linear interpolation. None when there are no values."""
    if not values:
        return None
    import numpy as np  # here: `onrecord --help` reads this room's command

    return float(np.percentile(values, q))


def mean(values: Sequence[float]) -> float | None:
    """The arithmetic mean, or None when there are no values."""
    return sum(values) / len(values) if values else None


def share(flags: Sequence[bool]) -> float | None:
    """The share that is true, or None when there are no flags."""
    return mean([float(flag) for flag in flags])


def _normal_golds(golds: Sequence[str]) -> list[str]:
    """Golds that are nothing but articles and punctuation do not count, as in SQuAD 2.0."""
    return [normal for gold in golds if (normal := normalize(gold))] or [""]


def _bag_f1(prediction: Sequence[str], gold: Sequence[str]) -> float:
    if not prediction or not gold:
        return float(prediction == gold)
    same = (Counter(prediction) & Counter(gold)).total()
    if not same:
        return 0.0
    of_prediction, of_gold = same / len(prediction), same / len(gold)
    return 2 * of_prediction * of_gold / (of_prediction + of_gold)
