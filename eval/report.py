"""Figures of a run, and the table that shows them in a terminal.

The single measures are in `metrics`; here is what of a row goes into each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from eval import metrics
from eval.run import Cited, Row

DASH = "-"  # stands where there is nothing to measure


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured over a list of rows. Shares are 0 to 1; None is a share of nothing.

    A row with an error is wrong: its EM and F1 are 0, it found no quote and refused nothing.

    em, f1: SQuAD 2.0, where a refusal scores 1 on an unanswerable question and 0 on any other.
        `has_ans` and `no_ans` are the same over the answerable and the unanswerable questions.
        A `multi` question's gold is all its parts in the transcript's order, joined by spaces,
        against the prediction joined likewise (see `Row.prediction`).

    Over the answerable questions:

    right_quote_first: the first quote's sentence overlaps a gold span. A refusal is wrong.
    right_quote_top_3: one of the first three quotes' does.
    ranked_first, ranked_top_3: the same, over the nearest quotes where it refused: what the
        ranking found, whatever was then decided.
    right_occurrence: the first quote's answering words overlap a gold span where it stands.
        The same words elsewhere in the transcript are wrong.
    speaker_accuracy: where the first quote is right, its speaker is the gold one. Nobody is
        right where gold has nobody.

    citations_exact: of all quotes and nearest quotes returned, those proved by the transcript.
    refusal_precision: of the refused questions, those that are unanswerable.
    refusal_recall: of the unanswerable questions, those that were refused; `near_miss`: of
        those of which the transcript speaks without answering.
    auroc: of the confidence, answerable questions against unanswerable ones.
    seconds_p50, seconds_p95: percentiles of the wall time of the calls that gave an answer.
    """

    n: int
    n_answerable: int
    n_unanswerable: int
    em: float | None
    f1: float | None
    em_has_ans: float | None
    f1_has_ans: float | None
    em_no_ans: float | None
    f1_no_ans: float | None
    right_quote_first: float | None
    right_quote_top_3: float | None
    ranked_first: float | None
    ranked_top_3: float | None
    right_occurrence: float | None
    speaker_accuracy: float | None
    citations_exact: float | None
    refusal_precision: float | None
    refusal_recall: float | None
    refusal_recall_near_miss: float | None
    auroc: float | None
    seconds_p50: float | None
    seconds_p95: float | None
    errors: int


def figures(rows: Sequence[Row]) -> Figures:
    """The figures over any list of rows, an empty one too."""
    has_ans = [row for row in rows if row.answerable]
    no_ans = [row for row in rows if not row.answerable]
    unanswerable = [not row.answerable for row in rows]
    found_first = [row for row in has_ans if is_right(row, row.quotes[:1])]
    seconds = [row.seconds for row in rows if row.error is None]
    return Figures(
        n=len(rows),
        n_answerable=len(has_ans),
        n_unanswerable=len(no_ans),
        em=_em(rows),
        f1=_f1(rows),
        em_has_ans=_em(has_ans),
        f1_has_ans=_f1(has_ans),
        em_no_ans=_em(no_ans),
        f1_no_ans=_f1(no_ans),
        right_quote_first=metrics.share([is_right(row, row.quotes[:1]) for row in has_ans]),
        right_quote_top_3=metrics.share([is_right(row, row.quotes[:3]) for row in has_ans]),
        ranked_first=metrics.share([is_right(row, _ranked(row)[:1]) for row in has_ans]),
        ranked_top_3=metrics.share([is_right(row, _ranked(row)[:3]) for row in has_ans]),
        right_occurrence=metrics.share([_is_right_occurrence(row) for row in has_ans]),
        speaker_accuracy=metrics.share(
            [row.quotes[0].speaker == row.speaker for row in found_first]
        ),
        citations_exact=metrics.share(
            [cited.exact for row in rows for cited in (*row.quotes, *row.nearest)]
        ),
        refusal_precision=metrics.precision([_is_refused(row) for row in rows], unanswerable),
        refusal_recall=metrics.recall([_is_refused(row) for row in rows], unanswerable),
        refusal_recall_near_miss=metrics.share(
            [_is_refused(row) for row in no_ans if row.near_miss]
        ),
        auroc=metrics.auroc([row.confidence for row in rows], [row.answerable for row in rows]),
        seconds_p50=metrics.percentile(seconds, 50),
        seconds_p95=metrics.percentile(seconds, 95),
        errors=sum(row.error is not None for row in rows),
    )


def by_split(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each split, the splits in alphabetical order."""
    return _grouped(rows, lambda row: row.split)


def by_kind(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each kind of question, the kinds in alphabetical order."""
    return _grouped(rows, lambda row: row.kind)


def table(columns: Mapping[str, Figures]) -> str:
    """All figures as lines of text, one column for each entry, in its order."""
    head = ["", *columns]
    lines = [[label, *(show(column) for column in columns.values())] for label, show in _LINES]
    return _aligned([head, *lines])


def kinds_table(kinds: Mapping[str, Figures]) -> str:
    """The figures that can be read from a few questions, one line for each kind, in its order."""
    head = ["kind", *(label for label, _ in _KIND_COLUMNS)]
    lines = [
        [kind, *(show(figures) for _, show in _KIND_COLUMNS)] for kind, figures in kinds.items()
    ]
    return _aligned([head, *lines])


def _em(rows: Sequence[Row]) -> float | None:
    return metrics.mean([metrics.exact_match(row.prediction, _golds(row)) for row in rows])


def _f1(rows: Sequence[Row]) -> float | None:
    return metrics.mean([metrics.f1(row.prediction, _golds(row)) for row in rows])


def _golds(row: Row) -> list[str]:
    """The texts of which any is right."""
    if not row.multi:
        return [gold.text for gold in row.golds]
    return [" ".join(gold.text for gold in sorted(row.golds, key=lambda gold: gold.start))]


def _is_refused(row: Row) -> bool:
    return row.error is None and not row.quotes


def _ranked(row: Row) -> tuple[Cited, ...]:
    return row.quotes or row.nearest


def is_right(row: Row, shown: Sequence[Cited]) -> bool:
    """Whether the sentence of any quote shown overlaps a gold span."""
    return any(_overlaps_gold(row, cited, cited.start, cited.end) for cited in shown)


def _is_right_occurrence(row: Row) -> bool:
    return any(
        _overlaps_gold(row, cited, cited.answer.start, cited.answer.end) for cited in row.quotes[:1]
    )


def _overlaps_gold(row: Row, cited: Cited, start: int, end: int) -> bool:
    return cited.transcript == row.transcript and any(
        start < gold.end and gold.start < end for gold in row.golds
    )


def _grouped(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return dict(sorted(groups.items()))


def _percent(value: float | None) -> str:
    return DASH if value is None else f"{100 * value:.1f} %"


def _decimal(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"


def _seconds(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f} s"


_Show = Callable[[Figures], str]

_LINES: tuple[tuple[str, _Show], ...] = (
    ("questions", lambda f: str(f.n)),
    ("  answerable", lambda f: str(f.n_answerable)),
    ("  unanswerable", lambda f: str(f.n_unanswerable)),
    ("errors", lambda f: str(f.errors)),
    ("EM", lambda f: _percent(f.em)),
    ("  answerable", lambda f: _percent(f.em_has_ans)),
    ("  unanswerable", lambda f: _percent(f.em_no_ans)),
    ("F1", lambda f: _percent(f.f1)),
    ("  answerable", lambda f: _percent(f.f1_has_ans)),
    ("  unanswerable", lambda f: _percent(f.f1_no_ans)),
    ("right quote first", lambda f: _percent(f.right_quote_first)),
    ("right quote in top 3", lambda f: _percent(f.right_quote_top_3)),
    ("ranked first", lambda f: _percent(f.ranked_first)),
    ("ranked in top 3", lambda f: _percent(f.ranked_top_3)),
    ("right occurrence", lambda f: _percent(f.right_occurrence)),
    ("right speaker", lambda f: _percent(f.speaker_accuracy)),
    ("citations exact", lambda f: _percent(f.citations_exact)),
    ("refusal precision", lambda f: _percent(f.refusal_precision)),
    ("refusal recall", lambda f: _percent(f.refusal_recall)),
    ("  near misses", lambda f: _percent(f.refusal_recall_near_miss)),
    ("AUROC of confidence", lambda f: _decimal(f.auroc)),
    ("seconds, p50", lambda f: _seconds(f.seconds_p50)),
    ("seconds, p95", lambda f: _seconds(f.seconds_p95)),
)

_KIND_COLUMNS: tuple[tuple[str, _Show], ...] = (
    ("n", lambda f: str(f.n)),
    ("answerable", lambda f: str(f.n_answerable)),
    ("EM", lambda f: _percent(f.em)),
    ("F1", lambda f: _percent(f.f1)),
    ("first", lambda f: _percent(f.right_quote_first)),
    ("top 3", lambda f: _percent(f.right_quote_top_3)),
    ("ranked first", lambda f: _percent(f.ranked_first)),
    ("refusal recall", lambda f: _percent(f.refusal_recall)),
)


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    """The first column to the left, the others to the right, two spaces between."""
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])],
        ).rstrip()
        for first, *rest in lines
    )
