"""The shipped sets with the figures that they must hold: `gate.json`, set -> split -> figure.

The floors are below what was measured, by what another processor's rounding may change.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.figures import BY_KEY, Figures, Measure, shown
from eval.tables import aligned
from index.errors import OnRecordError

FLOORS = Path(__file__).parent / "gate.json"
Floors = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True, slots=True)
class Held:
    """A figure against its floor."""

    set: str
    split: str
    measure: Measure
    value: float | None
    floor: float

    @property
    def holds(self) -> bool:
        return self.measure.holds(self.value, self.floor)


def read_floors(file: Path = FLOORS) -> Floors:
    """The floors of every set. Raises OnRecordError where the file is not as it should be."""
    try:
        floors: Floors = json.loads(file.read_text(encoding="utf-8"))
        every = [
            (key, floor)
            for splits in floors.values()
            for its in splits.values()
            for key, floor in its.items()
        ]
        unknown = [key for key, _ in every if key not in BY_KEY]
        numbers = all(type(one) in (int, float) and math.isfinite(one) for _, one in every)
        if unknown or not every or not numbers:
            raise ValueError(f"no figure {unknown[0]}" if unknown else "a floor is no number")
    except (OSError, AttributeError, ValueError, RecursionError) as error:
        raise OnRecordError(f"{file}: the floors cannot be read ({error}).") from None
    return floors


def hold(name: str, measured: dict[str, Figures], floors: Floors) -> list[Held]:
    """The figures of a set, by split, against its floors. A split that is missing holds none."""
    return [
        Held(name, split, BY_KEY[key], measured.get(split, {}).get(key), floor)
        for split, its in floors.get(name, {}).items()
        for key, floor in its.items()
    ]


def gate_table(every: Sequence[Held]) -> str:
    """A line for each figure: what it is, what it must be, and whether it is."""
    lines = [["set", "split", "figure", "measured", "floor", ""]]
    for one in every:
        lines.append(
            [
                one.set,
                one.split,
                one.measure.label.strip(),
                shown(one.measure, one.value),
                shown(one.measure, one.floor),
                "holds" if one.holds else "FALLEN",
            ]
        )
    return aligned(lines)
