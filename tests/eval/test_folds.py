"""A set in training too: no document is learned from and read in one fold."""

from __future__ import annotations

import importlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.reader.span import MODEL
from app.training.sets import HELD_TITLES, Row, part_of, read_set
from eval.folds import FOLDS, read_fold

pytestmark = pytest.mark.model  # the trainer's module imports torch


def test_a_fold_is_read_by_what_learned_from_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[Row] = []

    def train(data: Path, run: Path, settings: Any, start: Path | None) -> None:
        (stage,) = settings.stages
        ((name, count),) = stage.rows.items()
        learned[:] = read_set(data, name)
        assert count == 2 * len(learned)
        assert start == MODEL

    def export(model: None, run: Path) -> None:
        shutil.copytree(MODEL, run / "model")

    trainer = importlib.import_module("app.training.reader")
    monkeypatch.setattr(trainer, "train", train)
    monkeypatch.setattr(trainer, "export", export)
    context = "Ada: The county pays for the bridge."
    # Of a set, too, some of whose articles no training may read elsewhere.
    rows = [Row("squad_dev", f"{n}", f"Who pays, {n}?", context, ((5, 15),)) for n in range(9)]
    assert any(part_of(row.title, HELD_TITLES) == 0 for row in rows)
    read = 0
    for fold in range(FOLDS):
        found = read_fold(rows, fold, tmp_path / str(fold), 2)
        held = [row for row in rows if part_of(row.title, FOLDS) == fold]
        assert [one.golds for one in found] == [("The county",)] * len(held)
        others = [replace(row, dataset="others") for row in rows if row not in held]
        assert learned == others
        read += len(found)
    assert read == len(rows)
