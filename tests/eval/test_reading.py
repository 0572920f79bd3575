"""The reader alone, over its own passage: what is read, what counts, which rows."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from app.training.sets import Row
from eval import reading
from eval.reading import Figures, Read, figures, for_fitting, line, main, read, rows_of
from index.errors import or_exit
from tests.fakes import MarkReader

TEXT = "The bridge will cost eleven million. The county pays."


def test_the_words_of_the_best_span_are_read() -> None:
    row = Row("s", "t", "Who pays?", TEXT, ((TEXT.index("The county"), len(TEXT) - 6),))
    assert read(MarkReader("county", 3.0), row) == Read(("The county",), "county", 3.0)
    assert read(MarkReader("nobody"), row) == Read(("The county",), "", float("-inf"))


def test_figures_force_an_answer_and_refuse_below_no_margin() -> None:
    found = [
        Read(("eleven million",), "eleven million", 2.0),
        Read(("the county pays",), "county", -1.0),  # F1 2/3 by force, refused in f1_all
        Read((), "county", -1.0),
        Read((), "county", 1.0),
    ]
    its = figures(found)
    assert its == Figures(2, 2, f1=pytest.approx((1 + 2 / 3) / 2), em=0.5, f1_all=0.5)
    assert figures(found[:2]).f1_all is None
    assert line("set", its) == (
        "set                2 answerable: F1  83.3%  EM  50.0%; with 2 unanswerable: F1 50.0%"
    )


def write(data: Path, name: str, titles: list[str]) -> None:
    file = data / reading.FILES[name]
    file.parent.mkdir(exist_ok=True)
    with gzip.open(file, "wt", encoding="utf-8") as out:
        for title in titles:
            row = {"title": title, "context": TEXT, "question": "?", "answers": []}
            out.write(json.dumps({**row, "answerable": False}) + "\n")


def test_of_squad_only_the_articles_count_that_are_not_trained_on(tmp_path: Path) -> None:
    letters = [chr(code) for code in range(97, 123)]
    write(tmp_path, "squad_held", letters)
    write(tmp_path, "xquad_en", letters)
    assert 0 < len(rows_of(tmp_path, "squad_held")) < len(letters)
    assert len(rows_of(tmp_path, "xquad_en")) == len(letters)


def test_a_sample_is_always_the_same(tmp_path: Path) -> None:
    write(tmp_path, "xquad_en", [f"title {n}" for n in range(50)])
    sample = rows_of(tmp_path, "xquad_en", 10)
    assert sample == rows_of(tmp_path, "xquad_en", 10)
    assert len(sample) == 10
    assert rows_of(tmp_path, "xquad_en", 99) == rows_of(tmp_path, "xquad_en")


def test_a_document_is_fitted_on_or_asked_about_as_a_whole() -> None:
    rows = [Row("s", title, question, TEXT, ()) for title in "abcdef" for question in "12"]
    kept = {row.title for row in rows if for_fitting(row)}
    assert 0 < len(kept) < 6
    assert not kept & {row.title for row in rows if not for_fitting(row)}


def test_a_folder_without_the_sets_ends_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["reading", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        or_exit(main)
    assert re.fullmatch(r"[^\n]*xquad_en.jsonl.gz: cannot be read \([^\n]*\.", str(stopped.value))
