"""Finding alone, with fakes: what is asked of which passages, and what counts as found."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from app.assemble import open_parts
from app.settings import Settings
from eval.retrieval import (
    Collected,
    Search,
    found,
    heading,
    line,
    meetings,
    passages,
    program,
)
from eval.system import index_of

BRIDGE = "Ada: The bridge will cost eleven million.\nBen: Nobody objected to the bridge."
PIER = "Ada: The pier is closed until the spring.\nBen: The storm took it."


def write(file: Path, *rows: dict[str, Any]) -> None:
    file.parent.mkdir(exist_ok=True)
    with gzip.open(file, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)


def row(question: str, context: str, answer: str | None) -> dict[str, Any]:
    answers = [{"text": answer, "start": context.index(answer)}] if answer else []
    about = {"title": "t", "context": context, "question": question}
    return {**about, "answers": answers, "answerable": bool(answer)}


def test_the_passages_of_training_lie_beside_those_that_are_asked_about(tmp_path: Path) -> None:
    asked = [row("What will it cost?", BRIDGE, "eleven million"), row("Who sings?", BRIDGE, None)]
    write(tmp_path / "dev" / "speech_dev.jsonl.gz", *asked)
    write(tmp_path / "train" / "speech.jsonl.gz", row("What is closed?", PIER, "The pier"))
    given = passages(tmp_path, "speech_dev")
    assert sorted(given.texts.values()) == sorted([BRIDGE, PIER])
    (search,) = given.searches
    ((name, start, end),) = search.relevant
    assert (search.question, given.texts[name][start:end]) == ("What will it cost?", BRIDGE)


def test_a_meeting_is_searched_for_its_relevant_stretches(tmp_path: Path) -> None:
    text = f"{BRIDGE}\n{PIER}"
    write(
        tmp_path / "dev" / "qmsum_dev.jsonl.gz",
        {**row("What of the pier?", text, PIER), "title": "Bed002"},
    )
    given = meetings(tmp_path)
    assert given.texts == {"bed002": text}
    assert given.searches == [
        Search("What of the pier?", (("bed002", text.index(PIER), len(text)),))
    ]


@pytest.mark.usefixtures("fakes")
def test_what_is_found_and_what_should_be(tmp_path: Path) -> None:
    texts = {"bridge": BRIDGE, "pier": PIER}
    searches = [
        Search("What will the bridge cost?", (("bridge", 0, len(BRIDGE)),)),
        Search("Is the bridge closed by the storm?", (("pier", 0, len(PIER)),)),
    ]
    parts = open_parts(Settings.from_environment(index=index_of(texts, tmp_path)))
    everything, find = parts.folder.all_chunks(), program(parts, {})
    whole = Collected(texts, searches, whole=True)
    first, _ = found(whole, everything, find)
    assert (first[0][0], first[1]) == ("bridge", {"bridge"})
    stretch = Collected(texts, [Search("the storm", (("pier", 0, 4),))], whole=False)
    ((chunks, should),) = found(stretch, everything, find)
    assert {chunk.transcript_id for chunk in chunks} == {"pier"}
    assert {chunk.transcript_id for chunk in should} == {"pier"}
    assert chunks[0] in should
    head, rule = heading(whole).splitlines()
    way = line("both", whole, everything, find)
    assert head.startswith("| 2 questions | Success@1 ")
    assert head.count("|") == rule.count("|") == way.count("|")
    assert way.startswith("| both | ")
    assert "100.0%" in way  # among the first five at least
