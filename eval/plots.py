"""The report's plots as SVG: values in, markup out.

Drawn by hand because they take the page's colours, light or dark, open offline and carry each
value as a tooltip; there is no script and no plotting library to load.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from eval.metrics import Bin

WIDTH, HEIGHT = 440, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 16, 42
BAR = 34  # height of a bar with its gap
LABELS = 110  # width of the bars' labels
LATENCY_BINS = 24


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear scale from `low` to `high`, its ticks with their labels, and its title."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    title: str

    def share(self, value: float) -> float:
        """How far along the axis a value stands, 0 to 1 where it is on it."""
        return (value - self.low) / ((self.high - self.low) or 1)


def per_cent(title: str, high: float = 1.0) -> Axis:
    """From 0 to `high`, at most five steps of 5, 10, 20 or 25 per cent."""
    step = next(step for step in (0.05, 0.1, 0.2, 0.25) if high / step <= 5.001 or step == 0.25)
    count = round(high / step)
    return Axis(0, high, [(n * step, f"{100 * n * step:.0f} %") for n in range(count + 1)], title)


def risk_coverage(risks: Sequence[float], answered: int, threshold: float) -> str:
    """The share of wrong answers among the n most confident questions, by the share they are.

    `risks` are those for n from 1; `answered` is how many stand above the threshold.
    """
    n = len(risks)
    if not n:
        return _nothing()
    most = next((step for step in (0.25, 0.5, 0.75) if max(risks) <= step), 1.0)
    x, y = per_cent("questions answered"), per_cent("of these, wrong", most)
    points = [((m + 1) / n, risk) for m, risk in enumerate(risks)]
    marks = [_line(x, y, points, "curve")]
    if answered:
        share, risk = points[answered - 1]
        words = f"at the threshold {threshold:g}: {share:.0%} answered, {risk:.0%} of these wrong"
        marks.append(_dot(x, y, share, risk, 5, "here", words))
        marks.append(_note(x, y, share, risk, f"threshold {threshold:g}", -10))
    return _framed(x, y, marks, "Risk by coverage")


def reliability(bins: Sequence[Bin]) -> str:
    """The share that is right of questions of like confidence; on the diagonal, both agree."""
    if not bins:
        return _nothing()
    x, y = per_cent("confidence"), per_cent("right")
    largest = max(one.n for one in bins)
    marks = [_line(x, y, [(0, 0), (1, 1)], "ideal")]
    marks.append(_line(x, y, [(one.confidence, one.right) for one in bins], "thin"))
    for one in bins:
        words = f"{one.n} questions: confidence {one.confidence:.0%}, right {one.right:.0%}"
        size = 3 + 8 * (one.n / largest) ** 0.5
        marks.append(_dot(x, y, one.confidence, one.right, size, "curve", words))
    return _framed(x, y, marks, "Right answers by confidence")


def bars(counts: Sequence[tuple[str, int]], good: str) -> str:
    """A bar for each count, with its number and share; `good` is the one that is wanted."""
    total = sum(count for _, count in counts)
    if not total:
        return _nothing()
    room = WIDTH - LABELS - 86
    height = BAR * len(counts) + 8
    parts = []
    for n, (name, count) in enumerate(counts):
        y, width = 8 + BAR * n, max(room * count / total, 1 if count else 0)
        kind = "good" if name == good else "bad"
        parts.append(
            f'<text x="{LABELS - 8}" y="{y + 16}" class="end">{escape(name)}</text>'
            f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{width:.1f}" height="{BAR - 10}" '
            f'rx="2"/><text x="{LABELS + width + 8:.1f}" y="{y + 16}">{count} '
            f'<tspan class="soft">{count / total:.0%}</tspan></text>'
        )
    return _svg("".join(parts), "Where the gold answer was lost", height)


def latency(seconds: Sequence[float], p50: float, p95: float) -> str:
    """How many questions took how long."""
    if not seconds:
        return _nothing()
    high = max(*seconds, 1e-3) * 1.02
    counts = [0] * LATENCY_BINS
    for value in seconds:
        counts[min(int(value / high * LATENCY_BINS), LATENCY_BINS - 1)] += 1
    most = max(counts)
    x = Axis(0, high, [(high * n / 4, _seconds(high * n / 4)) for n in range(5)], "time an answer")
    y = Axis(0, most, sorted({(0.0, "0"), (float(most), str(most))}), "questions")
    marks = []
    for n, count in enumerate(counts):
        if count:
            left, right = _x(x, high * n / LATENCY_BINS), _x(x, high * (n + 1) / LATENCY_BINS)
            top = _y(y, count)
            words = f"{count} in {_seconds(high * n / LATENCY_BINS)} to "
            words += _seconds(high * (n + 1) / LATENCY_BINS)
            marks.append(
                f'<rect class="good" x="{left + 0.5:.1f}" y="{top:.1f}" '
                f'width="{right - left - 1:.1f}" height="{_y(y, 0) - top:.1f}">'
                f"<title>{escape(words)}</title></rect>"
            )
    for name, value, down in (("p50", p50, 10), ("p95", p95, 26)):
        marks.append(_line(x, y, [(value, 0), (value, most)], "ideal"))
        marks.append(_note(x, y, value, most, f"{name} {_seconds(value)}", down))
    return _framed(x, y, marks, "Time an answer takes")


def _seconds(value: float) -> str:
    return f"{1000 * value:.0f} ms" if value < 2 else f"{value:.1f} s"


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - TOP - BOTTOM)


def _line(x: Axis, y: Axis, points: Iterable[tuple[float, float]], kind: str) -> str:
    places = " ".join(f"{_x(x, a):.1f},{_y(y, b):.1f}" for a, b in points)
    return f'<polyline class="{kind}" points="{places}"/>'


def _dot(x: Axis, y: Axis, a: float, b: float, size: float, kind: str, words: str) -> str:  # noqa: PLR0913, PLR0917
    return (
        f'<circle class="{kind}" cx="{_x(x, a):.1f}" cy="{_y(y, b):.1f}" r="{size:.1f}">'
        f"<title>{escape(words)}</title></circle>"
    )


def _note(x: Axis, y: Axis, a: float, b: float, words: str, down: float) -> str:  # noqa: PLR0913, PLR0917
    """Words beside a point, so many units below it, on the side where there is room."""
    left = x.share(a) < 0.6
    side, place = ("", _x(x, a) + 8) if left else (" end", _x(x, a) - 8)
    at = f'x="{place:.1f}" y="{_y(y, b) + down:.1f}"'
    return f'<text class="note{side}" {at}>{escape(words)}</text>'


def _framed(x: Axis, y: Axis, marks: Iterable[str], title: str) -> str:
    """The marks between a horizontal and a vertical axis."""
    base, end = _y(y, y.low), WIDTH - RIGHT
    lines = [
        f'<text class="soft middle" x="{(LEFT + end) / 2:.0f}" y="{HEIGHT - 6}">'
        f"{escape(x.title)}</text>",
        f'<text class="soft middle" transform="rotate(-90)" x="{-(TOP + base) / 2:.0f}" y="12">'
        f"{escape(y.title)}</text>",
    ]
    for value, label in y.ticks:
        at = _y(y, value)
        lines.append(
            f'<line class="grid" x1="{LEFT}" x2="{end}" y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text class="soft end" x="{LEFT - 6}" y="{at + 4:.1f}">{escape(label)}</text>'
        )
    for value, label in x.ticks:
        lines.append(
            f'<text class="soft middle" x="{_x(x, value):.1f}" y="{base + 16:.1f}">'
            f"{escape(label)}</text>"
        )
    return _svg("".join([*lines, *marks]), title, HEIGHT)


def _svg(inside: str, title: str, height: int) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"{inside}</svg>"
    )


def _nothing() -> str:
    return '<p class="soft">Nothing to show.</p>'
