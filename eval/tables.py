"""Figures as tables of text, for a terminal.

What the figures are is in `figures`; the page that shows them is made in `report`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eval.figures import BY_KEY, MEASURES, Figures, Interval, Measure, Part, shown

HEADLINE = ("right_quote_first", "f1", "citations_exact", "auroc")
# Of a few questions; what else would say less than its interval is wide.
SLICED = (
    "n", "n_answerable", "recall_at_10", "em", "f1", "right_quote_first", "right_quote_top_3",
    "ranked_first", "refusal_recall",
)  # fmt: skip
SHORT = {
    "n": "n", "n_answerable": "answerable", "recall_at_10": "found", "right_quote_first": "first",
    "right_quote_top_3": "top 3", "ranked_first": "ranked first",
}  # fmt: skip


def table(columns: Mapping[str, Figures]) -> str:
    """All figures as lines of text, one column for each entry, in its order."""
    lines = [
        [measure.label, *(shown(measure, column[measure.key]) for column in columns.values())]
        for measure in MEASURES
    ]
    return aligned([["", *columns], *lines])


def interval_table(part: Part) -> str:
    """All figures of one part, with their intervals where they have any."""
    lines = [[measure.label, _with_interval(part, measure)] for measure in MEASURES]
    return aligned([["", part.name], *lines])


def slices_table(name: str, slices: Mapping[str, Figures]) -> str:
    """The figures that can be read from a few questions, one line for each slice, in its order."""
    head = [name, *(SHORT.get(key, BY_KEY[key].label) for key in SLICED)]
    lines = [
        [slice_, *(shown(BY_KEY[key], its[key]) for key in SLICED)]
        for slice_, its in slices.items()
    ]
    return aligned([head, *lines])


def short_table(parts: Sequence[Part]) -> str:
    """The figures of the headline with their intervals."""
    lines = [
        [BY_KEY[key].label, *(_with_interval(part, BY_KEY[key]) for part in parts)]
        for key in ("n", *HEADLINE)
    ]
    return aligned([["", *(part.name for part in parts)], *lines])


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """The first column to the left, the others to the right, two spaces between."""
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])],
        ).rstrip()
        for first, *rest in lines
    )


def _with_interval(part: Part, measure: Measure) -> str:
    value, its = shown(measure, part.figures[measure.key]), part.intervals[measure.key]
    return f"{value} ({interval_shown(measure, its)})" if its else value


def interval_shown(measure: Measure, its: Interval) -> str:
    """An interval as people read it: "69.8 - 92.9 %"."""
    low, high = shown(measure, its.low), shown(measure, its.high)
    return f"{low.split()[0]} - {high}" if " " in high else f"{low} - {high}"
