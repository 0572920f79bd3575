"""Fitting the weights: what speaks for the right spans is found, and so are the odds."""

from __future__ import annotations

import math
import random

from app.reader import Span
from app.reader.evidence import Evidence, Found, lead, ranking
from eval.calibrate import Case, fit, fit_ranking, thresholds


def cases(count: int = 120, seed: int = 1) -> list[Case]:
    """Questions with five spans each: the right one has the most meaning, and a half has none.

    The margin tells whether there is a right one; words and length tell nothing.
    """
    rng = random.Random(seed)
    made = []
    for n in range(count):
        able = n % 2 == 0
        found = []
        for m in range(5):
            right = able and m == 2
            evidence = Evidence(
                margin=(2 if able else -2) + rng.gauss(0, 1),
                meaning=(0.8 if right else 0.4) + rng.gauss(0, 0.1),
                likeness=0.5,
                behind=0.0,
                words=rng.random(),
                speaker=0.0,
                length=rng.random(),
            )
            found.append(Found(m, Span(0, 1, evidence.margin), f"{n} {m}", evidence))
        made.append(Case(tuple(found), tuple(able and m == 2 for m in range(5)), 1 / count))
    return made


def test_the_ranking_is_by_what_tells_right_from_wrong() -> None:
    weights = fit_ranking(cases())
    assert weights.meaning > 5
    assert abs(weights.words) < weights.meaning / 10
    assert abs(weights.length) < weights.meaning / 10
    assert (
        weights.likeness == weights.behind == weights.speaker == 0
    )  # the same for all: nothing to tell


def test_the_odds_follow_the_share_of_right_ones() -> None:
    weights = fit(cases())
    assert weights.answering.margin > 0.3
    chances = []
    right = []
    for case in cases(seed=2):
        ranked = ranking(weights, case.found)
        odds = weights.log_odds(ranked[0][1].evidence, lead(ranked))
        chances.append(1 / (1 + math.exp(-odds)))
        right.append(case.is_right(ranked[0][1]))
    assert sum(right) > 0.45 * len(right)
    assert abs(sum(chances) - sum(right)) < 0.1 * len(right)
    sure = [is_right for chance, is_right in zip(chances, right, strict=True) if chance > 0.9]
    assert len(sure) > 20
    assert sum(sure) > 0.85 * len(sure)


def test_a_higher_threshold_answers_less_and_is_righter() -> None:
    head, _, *lines = "\n".join(thresholds(cases())).splitlines()
    assert head == "| threshold | answered | right of those |"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    answered = [int(cell[1].rstrip("%")) for cell in cells]
    right = [int(cell[2].rstrip("%")) for cell in cells]
    assert [cell[0] for cell in cells] == ["0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"]
    assert answered == sorted(answered, reverse=True)
    assert answered[0] > answered[-1]
    assert right[-1] > right[0]
