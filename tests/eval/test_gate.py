"""The floors: what is read as such, what holds, what falls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eval.figures import BY_KEY, figures
from eval.gate import Held, gate_table, hold, read_floors
from eval.questions import SPLITS, shipped
from index.errors import OnRecordError
from tests.eval.ship import Exchange


def written(folder: Path, content: Any) -> Path:
    file = folder / "gate.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def test_floors_are_read_by_set_split_and_figure(tmp_path: Path) -> None:
    floors = {"seed": {"dev": {"f1": 0.5, "errors": 0}, "test": {"f1": 0.4}}}
    assert read_floors(written(tmp_path, floors)) == floors


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "Expecting property name"),
        ("", "Expecting value"),
        ("[" * 100_000, "maximum recursion depth exceeded"),
        ("[]", "'list' object has no attribute 'values'"),
        ({}, "a floor is no number"),
        ({"seed": {}}, "a floor is no number"),
        ({"seed": {"dev": {}}}, "a floor is no number"),
        ({"seed": []}, "'list' object has no attribute 'values'"),
        ({"seed": {"dev": 0.5}}, "'float' object has no attribute 'items'"),
        ({"seed": {"dev": {"f2": 0.5}}}, "no figure f2"),
        ({"seed": {"dev": {"f1": "0.5"}}}, "a floor is no number"),
        ({"seed": {"dev": {"f1": None}}}, "a floor is no number"),
        ('{"seed": {"dev": {"f1": NaN}}}', "a floor is no number"),
    ],
)
def test_floors_that_are_not_as_they_should_be_are_refused(
    tmp_path: Path, content: Any, fault: str
) -> None:
    file = written(tmp_path, content)
    with pytest.raises(OnRecordError) as caught:
        read_floors(file)
    assert str(caught.value).startswith(f"{file}: the floors cannot be read ({fault}")
    assert str(caught.value).endswith(").")


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "nowhere.json"):
        with pytest.raises(OnRecordError, match=r"the floors cannot be read \(.+\)\.$"):
            read_floors(file)
    latin = tmp_path / "latin.json"
    latin.write_bytes(b'{"caf\xe9": {}}')
    with pytest.raises(OnRecordError, match=r"latin\.json: the floors cannot be read \(.+\)\.$"):
        read_floors(latin)


def test_the_shipped_floors_are_of_every_shipped_set_and_split() -> None:
    floors = read_floors()
    assert sorted(floors) == shipped()
    for splits in floors.values():
        assert sorted(splits) == sorted(SPLITS)
        for its in splits.values():
            assert its["citations_exact"] == 1
            assert its["errors"] == 0


def test_figures_hold_at_their_floors_and_fall_below_them(exchange: Exchange) -> None:
    measured = {"dev": figures(exchange.rows())}
    floors = {"ship": {"dev": {"em": 4 / 9, "f1": 0.52, "auroc": 0.3}}, "boat": {"dev": {"f1": 1}}}
    held = hold("ship", measured, floors)
    assert [(one.set, one.split, one.measure.key, one.floor, one.holds) for one in held] == [
        ("ship", "dev", "em", 4 / 9, True),
        ("ship", "dev", "f1", 0.52, False),
        ("ship", "dev", "auroc", 0.3, True),
    ]
    assert [one.value for one in held] == pytest.approx([4 / 9, 14 / 27, 7 / 18])


def test_where_less_is_better_more_falls(exchange: Exchange) -> None:
    measured = {"dev": figures(exchange.rows())}
    for key, value in (("errors", 2), ("aurc", 0.4), ("ece", 0.2723)):
        (at,) = hold("ship", measured, {"ship": {"dev": {key: value}}})
        (under,) = hold("ship", measured, {"ship": {"dev": {key: value - 0.01}}})
        assert (at.holds, under.holds) == (True, False), key


def test_a_split_or_a_figure_that_is_missing_falls(exchange: Exchange) -> None:
    floors = {"ship": {"dev": {"f1": 0.0}, "test": {"f1": 0.0, "errors": 9}}}
    dev, f1, errors = hold("ship", {"dev": figures(exchange.rows())}, floors)
    assert (dev.holds, f1.holds, errors.holds) == (True, False, False)
    assert (f1.value, errors.value) == (None, None)
    (nothing,) = hold("ship", {"dev": figures([])}, {"ship": {"dev": {"f1": 0.0}}})
    assert not nothing.holds


def test_a_set_without_floors_holds_nothing() -> None:
    assert hold("ship", {"dev": figures([])}, {"boat": {"dev": {"f1": 1.0}}}) == []


def test_the_table_says_what_holds_and_what_has_fallen() -> None:
    assert gate_table(
        [
            Held("seed", "dev", BY_KEY["recall_at_10"], 0.95, 0.9),
            Held("seed", "test", BY_KEY["errors"], 1.0, 0.0),
            Held("desk", "dev", BY_KEY["aurc"], None, 0.4),
        ]
    ) == (
        "set   split         figure  measured   floor\n"
        "seed    dev  in the top 10    95.0 %  90.0 %   holds\n"
        "seed   test         errors         1       0  FALLEN\n"
        "desk    dev           AURC         -   0.400  FALLEN"
    )
