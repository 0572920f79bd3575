"""Figures over the rows of a run, each with its textbook name, and their bootstrap intervals.

MEASURES is the one list of them: tables, reports, comparisons and gates all go by it. What a
single row is worth is in `scores`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eval import metrics
from eval.rows import Row
from eval.scores import Score, score

RESAMPLES = 1000
LEVEL = 95  # per cent of the resamples that an interval holds
_SEED = 20261125

Layer = Literal[
    "questions", "retrieval", "reader", "citation", "speaker", "refusal", "calibration", "time"
]
Unit = Literal["count", "share", "decimal", "seconds"]
# A figure by its key; None is a share of nothing, never 0 or 1.
Figures = dict[str, float | None]


class Columns:
    """The values of many scores as arrays of float64, shape (n,); nan where a value is None.

    `ranking` are those of `metrics.RANKING`, by name, for questions with a gold answer.
    """

    def __init__(self, values: Mapping[str, NDArray[np.float64]]) -> None:
        self._values = values

    @classmethod
    def of(cls, scores: Sequence[Score]) -> Columns:
        names = (
            "em f1 first top_3 ranked_first ranked_top_3 occurrence speaker right best_is_right "
            "refused cited exact confidence seconds"
        ).split()
        values = {name: _array([getattr(one, name) for one in scores]) for name in names}
        values["answerable"] = _array([one.row.answerable for one in scores])
        values["near_miss"] = _array([one.row.near_miss for one in scores])
        values["error"] = _array([one.row.error is not None for one in scores])
        ranked = metrics.ranking(
            [one.row.hits for one in scores], [one.row.relevant for one in scores]
        )
        for name in metrics.RANKING:
            values[name] = _array(
                [its[name] if one.row.relevant else None
                 for its, one in zip(ranked, scores, strict=True)]
            )  # fmt: skip
        return cls(values)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        return self._values[name]

    def __len__(self) -> int:
        return len(self._values["answerable"])

    def flags(self, name: str) -> NDArray[np.bool_]:
        """Where a value is true."""
        flags: NDArray[np.bool_] = self._values[name] > 0
        return flags

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Columns:
        """The rows of these numbers, as often as they are named."""
        return Columns({name: array[rows] for name, array in self._values.items()})


def _array(values: Sequence[float | bool | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else float(value) for value in values], dtype=float)


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure: how it is called, where it belongs, and what it is of some rows.

    `better` is 1 where more is better, -1 where less is, 0 where neither.
    """

    key: str
    label: str
    layer: Layer
    unit: Unit
    better: int
    of: Callable[[Columns], float | None]

    def holds(self, value: float | None, floor: float) -> bool:
        """Whether a value is no worse than a floor: not less, or not more where less is better.

        Nothing measured holds nothing.
        """
        if value is None:
            return False
        slack = 1e-9
        return value <= floor + slack if self.better < 0 else value >= floor - slack


def _mean(name: str, among: Callable[[Columns], NDArray[np.bool_]] | None = None) -> _Of:
    def of(columns: Columns) -> float | None:
        values = columns[name] if among is None else columns[name][among(columns)]
        values = values[~np.isnan(values)]
        return float(values.mean()) if len(values) else None

    return of


def _able(columns: Columns) -> NDArray[np.bool_]:
    return columns.flags("answerable")


def _unable(columns: Columns) -> NDArray[np.bool_]:
    return ~columns.flags("answerable")


def _refused(columns: Columns) -> NDArray[np.bool_]:
    return columns.flags("refused")


def _near_miss(columns: Columns) -> NDArray[np.bool_]:
    return _unable(columns) & columns.flags("near_miss")


def _sum(among: Callable[[Columns], NDArray[np.bool_]]) -> _Of:
    return lambda columns: float(among(columns).sum())


def _exact(columns: Columns) -> float | None:
    cited = columns["cited"].sum()
    return float(columns["exact"].sum() / cited) if cited else None


def _refusal_precision(columns: Columns) -> float | None:
    right = _unable(columns)[_refused(columns)]
    return float(right.mean()) if len(right) else None


def _auroc(columns: Columns) -> float | None:
    confidences = [None if np.isnan(one) else float(one) for one in columns["confidence"]]
    return metrics.auroc(confidences, [bool(one) for one in columns["answerable"]])


def _sureness(columns: Columns) -> tuple[list[float], list[bool]]:
    """Confidences, a failure's being 0, and whether the best quote is right."""
    return np.nan_to_num(columns["confidence"]).tolist(), columns.flags("best_is_right").tolist()


def _percentile(q: float) -> _Of:
    def of(columns: Columns) -> float | None:
        seconds = columns["seconds"]
        return metrics.percentile(seconds[~np.isnan(seconds)].tolist(), q)

    return of


_Of = Callable[[Columns], float | None]

MEASURES: tuple[Measure, ...] = (
    Measure("n", "questions", "questions", "count", 0, lambda c: float(len(c))),
    Measure("n_answerable", "  answerable", "questions", "count", 0, _sum(_able)),
    Measure("n_unanswerable", "  unanswerable", "questions", "count", 0, _sum(_unable)),
    Measure("errors", "errors", "questions", "count", -1, _sum(lambda c: c.flags("error"))),
    Measure("recall_at_1", "passage found, first", "retrieval", "share", 1, _mean("Success@1")),
    Measure("recall_at_5", "  in the top 5", "retrieval", "share", 1, _mean("Success@5")),
    Measure("recall_at_10", "  in the top 10", "retrieval", "share", 1, _mean("Success@10")),
    Measure("recall_at_30", "  in the top 30", "retrieval", "share", 1, _mean("Success@30")),
    Measure("mrr", "MRR", "retrieval", "decimal", 1, _mean("RR")),
    Measure("ndcg_at_10", "nDCG@10", "retrieval", "decimal", 1, _mean("nDCG@10")),
    Measure("em", "EM", "reader", "share", 1, _mean("em")),
    Measure("em_has_ans", "  answerable", "reader", "share", 1, _mean("em", _able)),
    Measure("em_no_ans", "  unanswerable", "reader", "share", 1, _mean("em", _unable)),
    Measure("f1", "F1", "reader", "share", 1, _mean("f1")),
    Measure("f1_has_ans", "  answerable", "reader", "share", 1, _mean("f1", _able)),
    Measure("f1_no_ans", "  unanswerable", "reader", "share", 1, _mean("f1", _unable)),
    Measure("right_quote_first", "right quote first", "citation", "share", 1, _mean("first")),
    Measure("right_quote_top_3", "  in the top 3", "citation", "share", 1, _mean("top_3")),
    Measure("ranked_first", "ranked first", "citation", "share", 1, _mean("ranked_first")),
    Measure("ranked_top_3", "  in the top 3", "citation", "share", 1, _mean("ranked_top_3")),
    Measure("right_occurrence", "right occurrence", "citation", "share", 1, _mean("occurrence")),
    Measure("citations_exact", "citations exact", "citation", "share", 1, _exact),
    Measure("speaker_accuracy", "right speaker", "speaker", "share", 1, _mean("speaker")),
    Measure("refusal_precision", "refusal precision", "refusal", "share", 1, _refusal_precision),
    Measure("refusal_recall", "refusal recall", "refusal", "share", 1, _mean("refused", _unable)),
    Measure("refusal_recall_near_miss", "  near misses", "refusal", "share", 1,
            _mean("refused", _near_miss)),
    Measure("auroc", "AUROC of confidence", "refusal", "decimal", 1, _auroc),
    Measure("aurc", "AURC", "refusal", "decimal", -1, lambda c: metrics.aurc(*_sureness(c))),
    Measure("coverage_at_5_risk", "coverage at 5 % risk", "refusal", "share", 1,
            lambda c: metrics.coverage_at_risk(*_sureness(c), 0.05)),
    Measure("coverage_at_10_risk", "coverage at 10 % risk", "refusal", "share", 1,
            lambda c: metrics.coverage_at_risk(*_sureness(c), 0.1)),
    Measure("ece", "ECE", "calibration", "decimal", -1, lambda c: metrics.ece(*_sureness(c))),
    Measure("seconds_p50", "seconds, p50", "time", "seconds", -1, _percentile(50)),
    Measure("seconds_p95", "seconds, p95", "time", "seconds", -1, _percentile(95)),
)  # fmt: skip
BY_KEY: Mapping[str, Measure] = {measure.key: measure for measure in MEASURES}


@dataclass(frozen=True, slots=True)
class Interval:
    """The middle LEVEL per cent of a figure over resamples of the questions."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a run with their figures and intervals."""

    name: str
    figures: Figures
    intervals: Mapping[str, Interval | None]


def figures(rows: Sequence[Row]) -> Figures:
    """All figures over any list of rows, an empty one too.

    A row with an error is wrong: its EM and F1 are 0, it found no quote and refused nothing. Its
    confidence counts as wrong for AUROC and as 0 elsewhere, its time not at all.
    """
    return figures_of(Columns.of([score(row) for row in rows]))


def figures_of(columns: Columns) -> Figures:
    """All figures of some columns."""
    return {measure.key: measure.of(columns) for measure in MEASURES}


def intervals(columns: Columns) -> dict[str, Interval | None]:
    """For each figure its bootstrap interval (Efron 1979, percentiles); None for counts, and
    where there is too little to resample. Seeded: the same rows give the same interval.
    """
    resampled = [columns.take(draw) for draw in draws(len(columns))] if len(columns) else []
    found: dict[str, Interval | None] = {}
    for measure in MEASURES:
        found[measure.key] = None
        if measure.unit != "count":
            values = [value for one in resampled if (value := measure.of(one)) is not None]
            if len(values) > RESAMPLES // 2:
                found[measure.key] = middle(values)
    return found


def parts_of(rows: Sequence[Row]) -> list[Part]:
    """The splits of a run, in alphabetical order."""
    parts = []
    for split, some in grouped(rows, lambda row: row.split).items():
        columns = Columns.of([score(row) for row in some])
        parts.append(Part(split, figures_of(columns), intervals(columns)))
    return parts


def draws(n: int) -> Iterable[NDArray[np.int64]]:
    """RESAMPLES times n numbers from 0 to n - 1, with repeats; always the same."""
    random = np.random.default_rng(_SEED)
    return (random.integers(0, n, n) for _ in range(RESAMPLES))


def middle(values: Sequence[float]) -> Interval:
    """The middle LEVEL per cent of some values."""
    low, high = np.percentile(values, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Interval(float(low), float(high))


def grouped(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """The rows by a key, the keys in alphabetical order."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return dict(sorted(groups.items()))


def shown(measure: Measure, value: float | None) -> str:
    """A figure as people read it; "-" where there is nothing to measure."""
    if value is None:
        return "-"
    return {
        "count": f"{value:.0f}",
        "share": f"{100 * value:.1f} %",
        "decimal": f"{value:.3f}",
        "seconds": f"{value:.3f} s",
    }[measure.unit]
