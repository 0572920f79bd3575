"""A run shown: a page that opens offline, and its figures as JSON.

What the figures are is in `figures`, the plots in `plots`, the page's frame in `report.html`,
what is shown in a terminal in `tables`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from errno import EISDIR
from functools import partial
from html import escape
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from markupsafe import Markup

from eval import metrics, plots
from eval.figures import (
    BY_KEY,
    LEVEL,
    MEASURES,
    Figures,
    Measure,
    Part,
    figures,
    grouped,
    shown,
)
from eval.questions import SPLITS
from eval.rows import Cited, Place, Row, Run, Span
from eval.scores import STAGES, Score, gold_texts, score
from eval.tables import HEADLINE, SHORT, SLICED, interval_shown
from index.errors import OnRecordError

HTML, JSON = "report.html", "figures.json"


# --- As files ----------------------------------------------------------------------------


def slices_of(rows: Sequence[Row]) -> dict[str, dict[str, Figures]]:
    """Figures by kind of question, by transcript, and by whether gold names a speaker."""
    slices = {
        "kind": grouped(rows, lambda row: row.kind),
        "transcript": grouped(rows, lambda row: row.transcript),
        "speaker": grouped([row for row in rows if row.answerable], _speaker),
    }
    return {
        by: {name: figures(some) for name, some in groups.items()} for by, groups in slices.items()
    }


def _speaker(row: Row) -> str:
    if not row.speaker_given:
        return "not given"
    return "nobody named" if row.speaker is None else "named"


def write_report(run: Run, parts: Sequence[Part], out: Path) -> None:
    """Write report.html and figures.json into the folder `out`, both or, if that fails, neither.

    Raises OnRecordError where they cannot be written.
    """
    slices = slices_of(run.rows)
    made = {
        JSON: json.dumps(_figures_object(run, parts, slices), indent=1) + "\n",
        HTML: _page(run, parts, slices),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in made:
            if (out / name).is_dir():
                raise IsADirectoryError(EISDIR, f"{name} is a folder")
        with TemporaryDirectory(prefix=".report-", dir=out) as new:
            for name, text in made.items():
                # A surrogate on its own has no UTF-8.
                (Path(new) / name).write_text(text, encoding="utf-8", errors="replace")
            for name in made:
                (Path(new) / name).replace(out / name)
    except OSError as error:
        raise OnRecordError(
            f"The report cannot be written to {out} ({error.strerror}): choose another --out."
        ) from None


def _figures_object(
    run: Run, parts: Sequence[Part], slices: Mapping[str, Mapping[str, Figures]]
) -> dict[str, Any]:
    scores = [score(row) for row in run.rows]
    return {
        "manifest": asdict(run.manifest),
        "interval": f"{LEVEL} % bootstrap over questions",
        "splits": {
            part.name: {
                key: {"value": value, **(asdict(its) if its else {})}
                for key, value in part.figures.items()
                for its in [part.intervals[key]]
            }
            for part in parts
        },
        "slices": slices,
        "lost": dict(_lost(scores)),
        "wrong": [one.row.id for one in scores if not one.right],
    }


def _lost(scores: Sequence[Score]) -> list[tuple[str, int]]:
    """How many answerable questions ended at each stage."""
    counts = dict.fromkeys(map(str, STAGES), 0)
    for one in scores:
        if one.stage:
            counts[one.stage] += 1
    return [(stage, count) for stage, count in counts.items() if count or stage != "failed"]


# --- The page ----------------------------------------------------------------------------


def _page(run: Run, parts: Sequence[Part], slices: Mapping[str, Mapping[str, Figures]]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scores = [score(row) for row in run.rows]
    # What was never tuned on speaks first.
    main = next((part for part in parts if part.name == SPLITS[-1]), parts[0])
    return environment.get_template("report.html").render(
        manifest=run.manifest,
        level=LEVEL,
        parts=parts,
        main=main,
        headline=[BY_KEY[key] for key in HEADLINE],
        layers=_layers(),
        shown=shown,
        range=interval_shown,
        slices={by: slices[by] for by in slices if len(slices[by]) > 1},
        sliced=[(SHORT.get(key, BY_KEY[key].label), BY_KEY[key]) for key in SLICED],
        plots=_plots(run, scores),
        wrong=_wrong(scores),
        n_wrong=sum(not one.right for one in scores),
        passages=_passages(scores),
    )


def _layers() -> dict[str, list[Measure]]:
    layers: defaultdict[str, list[Measure]] = defaultdict(list)
    for measure in MEASURES:
        layers[measure.layer].append(measure)
    return dict(layers)


def _plots(run: Run, scores: Sequence[Score]) -> list[tuple[str, str, Markup]]:
    """Each plot with its title and what it shows; over all questions of the run.

    `plots` escapes all that it is given.
    """
    confidences = [one.confidence or 0.0 for one in scores]
    right = [one.best_is_right for one in scores]
    threshold = float(run.manifest.settings["threshold"])
    answered = sum(one.confidence is not None and one.confidence >= threshold for one in scores)
    seconds = [one.seconds for one in scores if one.seconds is not None]
    p50, p95 = (metrics.percentile(seconds, q) or 0.0 for q in (50, 95))
    return [
        (
            "Where the gold answer was lost",
            "Of the questions that have an answer: no passage with it was found; found, but not "
            "among those that were read; read, but refused; or another quote came first.",
            Markup(plots.bars(_lost(scores), STAGES[-1])),  # noqa: S704
        ),
        (
            "Risk by coverage",
            "If only the most confident questions are answered: how many, and how many of those "
            "answers are wrong. An answer to a question without one is wrong.",
            Markup(  # noqa: S704
                plots.risk_coverage(metrics.risks(confidences, right), answered, threshold)
            ),
        ),
        (
            "Can confidence be believed?",
            "Questions of like confidence, and the share of them that is right. On the dashed line "
            "both agree.",
            Markup(plots.reliability(metrics.reliability(confidences, right))),  # noqa: S704
        ),
        (
            "Time an answer takes",
            f"Asked {run.manifest.workers} at a time on this machine.",
            Markup(plots.latency(seconds, p50, p95)),  # noqa: S704
        ),
    ]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong answer for the page: the question, what was wanted, and what was given instead.

    `given` is the first quote, or the nearest where it refused, the answering words marked;
    `placed` says that the first quote's words are among the passages.
    """

    row: Row
    golds: list[str]
    given: Markup | None
    speaker: str | None
    refused: bool
    placed: bool


def _wrong(scores: Sequence[Score]) -> dict[str, list[Wrong]]:
    """The wrong answers by what went wrong."""
    found: dict[str, list[Wrong]] = {stage: [] for stage in (*STAGES, "answered in vain")}
    for one in scores:
        if one.right:
            continue
        row = one.row
        stage = one.stage or ("failed" if row.error is not None else "answered in vain")
        first = next(iter((*row.quotes, *row.nearest)), None)
        given = None
        if first:
            start, end = first.answer.start - first.start, first.answer.end - first.start
            given = Markup("{}<mark>{}</mark>{}").format(
                first.text[:start], first.text[start:end], first.text[end:]
            )
        found[stage].append(
            Wrong(
                row,
                gold_texts(row),
                given,
                first.speaker if first else None,
                one.refused,
                placed=any(_stands(row, cited) for cited in row.quotes[:1]),
            )
        )
    return {stage: some for stage, some in found.items() if some}


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a transcript around gold answers and quotes, those marked in it."""

    start: int
    end: int
    html: Markup


def _passages(scores: Sequence[Score]) -> dict[str, list[Passage]]:
    """The passages that the wrong answers lead to, by transcript, in order, without overlaps."""
    spans: defaultdict[str, list[Span]] = defaultdict(list)
    marks: defaultdict[str, list[tuple[Place, str, str]]] = defaultdict(list)
    for one in scores:
        if one.right:
            continue
        row = one.row
        for name, some in row.context.items():
            spans[name] += some
        for n, gold in enumerate(row.golds):
            place = Place(row.transcript, gold.start, gold.end)
            marks[row.transcript].append((place, "gold", f"gold-{row.id}" if n == 0 else ""))
        for cited in filter(partial(_stands, row), row.quotes[:1]):
            place = Place(cited.transcript, cited.answer.start, cited.answer.end)
            marks[cited.transcript].append((place, "given", f"given-{row.id}"))
    return {
        name: [Passage(span.start, span.end, _marked(span, marks[name])) for span in _joined(its)]
        for name, its in sorted(spans.items())
    }


def _stands(row: Row, cited: Cited) -> bool:
    """Whether the answering words of a quote stand in the row's context."""
    answer = cited.answer
    return any(
        span.start <= answer.start < answer.end <= span.end
        for span in row.context.get(cited.transcript, ())
    )


def _joined(spans: Sequence[Span]) -> Iterator[Span]:
    """Spans of one text as stretches that do not touch."""
    last: Span | None = None
    for span in sorted(spans, key=lambda one: (one.start, one.end)):
        if last is None or span.start > last.end:
            if last:
                yield last
            last = span
        elif span.end > last.end:
            last = Span(last.start, span.end, last.text + span.text[last.end - span.start :])
    if last:
        yield last


def _marked(span: Span, marks: Sequence[tuple[Place, str, str]]) -> Markup:
    """The text of a span with its marks; where marks overlap, each stretch is of all of them."""
    inside = [one for one in marks if span.start <= one[0].start and one[0].end <= span.end]
    edges = {span.start, span.end} | {e for place, *_ in inside for e in (place.start, place.end)}
    parts = []
    for start, end in pairwise(sorted(edges)):
        words = escape(span.text[start - span.start : end - span.start])
        over = [one for one in inside if one[0].start <= start and end <= one[0].end]
        # An anchor of its own for each: one place may be the gold of several questions.
        anchors = "".join(
            f'<a id="{escape(name)}"></a>' for place, _, name in over
            if name and place.start == start
        )  # fmt: skip
        kinds = " ".join(sorted({kind for _, kind, _ in over}))
        parts.append(anchors + (f'<mark class="{kinds}">{words}</mark>' if kinds else words))
    return Markup("".join(parts))  # noqa: S704
