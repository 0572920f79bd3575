"""Two runs of one set: which figures moved beyond chance, and which questions flipped.

Figures that the same questions give twice are compared by a paired bootstrap: both runs are
resampled with the same draws of questions (Efron and Tibshirani 1993), and a difference whose
interval leaves out 0 is called better or worse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from eval.figures import BY_KEY, MEASURES, Columns, Interval, Measure, draws, middle, shown
from eval.rows import Row, Run
from eval.scores import score
from eval.tables import aligned
from index.errors import UsageError

Verdict = Literal["better", "worse", "same", "cannot tell"]
# A promise, not an average: one miss more is worse, whatever chance would say.
PROMISES = ("errors", "citations_exact")


@dataclass(frozen=True, slots=True)
class Change:
    """A figure in both runs, B minus A with its interval, and what may be said of it."""

    measure: Measure
    a: float | None
    b: float | None
    interval: Interval | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Flip:
    """A question that one run answered rightly and the other did not."""

    a: Row
    b: Row
    better: bool


def require_same_questions(a: Run, b: Run) -> None:
    """Raises UsageError where the runs did not ask the same questions."""
    if a.manifest.set_sha256 != b.manifest.set_sha256:
        raise UsageError(
            f"The runs asked different questions ({_set(a)} and {_set(b)}): compare runs of one "
            "set and split."
        )


def _set(run: Run) -> str:
    about = run.manifest
    return f"{about.set}, {about.split}, {about.questions} questions, {about.set_sha256[:8]}"


def compare(a: Sequence[Row], b: Sequence[Row]) -> list[Change]:
    """Every figure of two lists of rows over the same questions, in the same order."""
    if [row.id for row in a] != [row.id for row in b]:
        raise ValueError("the rows are of different questions")
    before, after = (Columns.of([score(row) for row in rows]) for rows in (a, b))
    pairs = [(before.take(draw), after.take(draw)) for draw in draws(len(a))] if a else []
    return [_change(measure, before, after, pairs) for measure in MEASURES]


def _change(
    measure: Measure,
    before: Columns,
    after: Columns,
    pairs: Sequence[tuple[Columns, Columns]],
) -> Change:
    a, b = measure.of(before), measure.of(after)
    if a is None or b is None:
        return Change(measure, a, b, None, "same" if a == b else "cannot tell")
    if measure.unit == "count":
        moved = (b - a) * measure.better
        verdict: Verdict = "better" if moved > 0 else "worse" if moved < 0 else "same"
        return Change(measure, a, b, None, verdict)
    values = [
        y - x
        for one, other in pairs
        if (x := measure.of(one)) is not None and (y := measure.of(other)) is not None
    ]
    its = middle(values) if values else None
    return Change(measure, a, b, its, _verdict(measure, b - a, its))


def _verdict(measure: Measure, difference: float, its: Interval | None) -> Verdict:
    if its is None:
        return "cannot tell"
    if its.low == its.high == 0:
        return "same"
    gain = difference * measure.better
    if measure.key in PROMISES and gain < 0:
        return "worse"
    if its.low <= 0 <= its.high:
        return "cannot tell"
    return "better" if gain > 0 else "worse"


def flips(a: Sequence[Row], b: Sequence[Row]) -> list[Flip]:
    """The questions that only one run got right: the first quote, or a refusal where nothing
    answers.
    """
    found = []
    for one, other in zip(a, b, strict=True):
        was, is_now = score(one).right, score(other).right
        if was != is_now:
            found.append(Flip(one, other, better=is_now))
    return found


def comparison_table(changes: Sequence[Change]) -> str:
    """A line for each figure: A, B, the difference with its interval, and the verdict."""
    lines = [["", "A", "B", "B - A", "interval", "verdict"]]
    for one in changes:
        measure = one.measure
        counted = measure.unit == "count" and one.verdict == "same"
        lines.append(
            [
                measure.label,
                shown(measure, one.a),
                shown(measure, one.b),
                "" if one.a is None or one.b is None else _signed(measure, one.b - one.a),
                ""
                if one.interval is None
                else f"{_signed(measure, one.interval.low)} .. "
                f"{_signed(measure, one.interval.high)}",
                "" if counted else one.verdict,
            ]
        )
    return aligned(lines)


def flips_table(found: Sequence[Flip]) -> Iterator[str]:
    """Each flipped question with both answers, the lost ones first."""
    for better, head in ((False, "right in A only"), (True, "right in B only")):
        some = [flip for flip in found if flip.better is better]
        if some:
            yield f"{head} ({len(some)}):"
            for flip in some:
                yield f"  {flip.a.id}  {flip.a.question}"
                yield f"    A: {_given(flip.a)}"
                yield f"    B: {_given(flip.b)}"


def fallen(changes: Sequence[Change], floors: dict[str, float]) -> Iterator[str]:
    """A sentence for each figure of B that does not hold its floor."""
    for change in changes:
        floor = floors.get(change.measure.key)
        if floor is not None and not change.measure.holds(change.b, floor):
            yield (
                f"{change.measure.key} is {shown(change.measure, change.b)}, "
                f"its floor {shown(change.measure, floor)}"
            )


def parse_floor(text: str) -> tuple[str, float]:
    """`f1=0.75` as ("f1", 0.75). Raises UsageError."""
    key, _, number = text.partition("=")
    if key not in BY_KEY:
        raise UsageError(f'there is no figure "{key}"; there are {", ".join(BY_KEY)}.')
    try:
        floor = float(number)
        if not math.isfinite(floor):
            raise ValueError(number)
        return key, floor
    except ValueError:
        raise UsageError(f'"{text}" names no number; write it as {key}=0.75.') from None


def _signed(measure: Measure, value: float) -> str:
    words = shown(measure, abs(value))
    if not any(digit in words for digit in "123456789"):
        return words
    return ("+" if value > 0 else "-") + words


def _given(row: Row) -> str:
    if row.error is not None:
        return f"failed: {row.error}"
    if not row.quotes:
        return "refused"
    return f'"{row.quotes[0].answer.text}" ({row.confidence or 0:.2f})'
