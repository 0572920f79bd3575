"""What one row is worth: which of it is right, and where its gold answer was lost.

Figures over many rows are in `figures`; the measures themselves in `metrics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eval import metrics
from eval.rows import Cited, Place, Row

# Where an answerable question's gold answer was lost, in the order of the pipeline.
Stage = Literal["failed", "not retrieved", "not read", "refused", "wrong span", "right"]
STAGES: tuple[Stage, ...] = (
    "failed", "not retrieved", "not read", "refused", "wrong span", "right"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Score:
    """A row's values; None where a value says nothing of it. A row with an error is wrong.

    em, f1: SQuAD 2.0, where a refusal scores 1 on an unanswerable question and 0 on any other.
        A `multi` question's gold is all its parts in the transcript's order, joined by spaces,
        against the prediction joined likewise (see `Row.prediction`).

    Of an answerable question:

    first: the first quote's sentence overlaps a gold span. A refusal is wrong. `top_3`: one of
        the first three quotes' does.
    ranked_first, ranked_top_3: the same, over the nearest quotes where it refused: what the
        ranking found, whatever was then decided.
    occurrence: the first quote's answering words overlap a gold span where it stands. The same
        words elsewhere in the transcript are wrong.
    speaker: where `first`, and the set tells speakers, its speaker is the gold one. Nobody is
        right where gold has nobody.
    stage: where the gold was lost: no passage that holds it was found; it was found but not read;
        it was read but the question refused; something else was answered first; or it is right.

    Of any question:

    right: `first`, or refused where nothing answers.
    best_is_right: the first quote, or the nearest where it refused, is right; nothing is where
        nothing answers. What confidence is the probability of.
    refused, cited (quotes and nearest quotes returned), exact (of those, proved by the
    transcript), confidence, seconds.
    """

    row: Row
    em: float
    f1: float
    first: bool | None
    top_3: bool | None
    ranked_first: bool | None
    ranked_top_3: bool | None
    occurrence: bool | None
    speaker: bool | None
    stage: Stage | None
    right: bool
    best_is_right: bool
    refused: bool
    cited: int
    exact: int
    confidence: float | None
    seconds: float | None


def score(row: Row) -> Score:
    """The values of one row."""
    ranked = row.quotes or row.nearest
    refused = row.error is None and not row.quotes
    first = is_right(row, row.quotes[:1])
    able = row.answerable
    return Score(
        row=row,
        em=metrics.exact_match(row.prediction, gold_texts(row)),
        f1=metrics.f1(row.prediction, gold_texts(row)),
        first=first if able else None,
        top_3=is_right(row, row.quotes[:3]) if able else None,
        ranked_first=is_right(row, ranked[:1]) if able else None,
        ranked_top_3=is_right(row, ranked[:3]) if able else None,
        occurrence=_is_right_occurrence(row) if able else None,
        speaker=(
            row.quotes[0].speaker == row.speaker if able and first and row.speaker_given else None
        ),
        stage=_stage(row, refused, first) if able else None,
        right=first if able else refused,
        best_is_right=able and is_right(row, ranked[:1]),
        refused=refused,
        cited=len(row.quotes) + len(row.nearest),
        exact=sum(cited.exact for cited in (*row.quotes, *row.nearest)),
        confidence=row.confidence,
        seconds=row.seconds if row.error is None else None,
    )


def gold_texts(row: Row) -> list[str]:
    """The texts of which any is right."""
    if not row.multi:
        return [gold.text for gold in row.golds]
    return [" ".join(gold.text for gold in sorted(row.golds, key=lambda gold: gold.start))]


def is_right(row: Row, shown: Sequence[Cited]) -> bool:
    """Whether the sentence of any quote shown overlaps a gold span."""
    return any(_overlaps_gold(row, Place(one.transcript, one.start, one.end)) for one in shown)


def _is_right_occurrence(row: Row) -> bool:
    return any(
        _overlaps_gold(row, Place(one.transcript, one.answer.start, one.answer.end))
        for one in row.quotes[:1]
    )


def _overlaps_gold(row: Row, place: Place) -> bool:
    return any(place.overlaps(Place(row.transcript, g.start, g.end)) for g in row.golds)


def _stage(row: Row, refused: bool, first: bool) -> Stage:
    if row.error is not None:
        return "failed"
    if first:
        return "right"
    relevant = set(row.relevant)
    if not relevant & set(row.hits):
        return "not retrieved"
    if not relevant & set(row.hits[: row.read]):
        return "not read"
    return "refused" if refused else "wrong span"
