"""What is indexed, tried: each way shows what its name says, and the first does as the program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.assemble import open_parts
from app.settings import Settings
from eval.indexed import WAYS, Searched, Way, just_asked, titled, who_speaks, words_alone
from eval.retrieval import program
from eval.system import index_of
from index.build import spoken
from index.chunk import chunks, sentence_spans
from index.formats import parse
from tests.fakes import BagOfWords
from tests.fixtures.transcripts import MEETING

PIER = "Ada: The pier is closed until the spring.\nBen: The storm took it."


def searched(way: Way, texts: dict[str, str]) -> Searched:
    transcripts = [parse(text, name) for name, text in texts.items()]
    spans = [sentence_spans(transcript) for transcript in transcripts]
    embedder = BagOfWords()
    said = [spoken(t, span) for t, its in zip(transcripts, spans, strict=True) for span in its]
    return Searched(way, transcripts, spans, embedder.embed_passages(said), embedder)


def test_what_each_way_shows() -> None:
    transcript = parse(PIER, "pier-2026-03-04", source="pier-2026-03-04.txt")
    (whole,) = chunks(transcript, sentence_spans(transcript))
    assert (
        words_alone(transcript, whole) == "The pier is closed until the spring.\nThe storm took it."
    )
    assert who_speaks(transcript, whole) == PIER
    assert titled(transcript, whole) == f"{transcript.title}, 2026-03-04\n{PIER}"
    assert just_asked(transcript, whole) == PIER
    talk = parse("Ada: Is it closed? I ask. Why so?\nBen: It is. The storm took it.", "talk")
    *_, last = chunks(talk, sentence_spans(talk), size=20, overlap=0)
    assert talk.text[last.start : last.end] == "The storm took it."
    assert who_speaks(talk, last) == "Ben: The storm took it."
    assert just_asked(talk, last) == "Why so?\nThe storm took it."


@pytest.mark.usefixtures("fakes")
def test_the_first_way_finds_as_the_program_does(tmp_path: Path) -> None:
    texts = {"meeting": MEETING, "pier": PIER}
    parts = open_parts(Settings.from_environment(index=index_of(texts, tmp_path)))
    as_the_program_does, tried = program(parts, {}), searched(WAYS[0], texts)
    for question in ("What will the bridge cost?", "Who pays for the lighthouse?", "the storm"):
        for within in (None, "meeting", "pier"):
            found = tried.find(question, within)
            assert found == as_the_program_does(question, within)
            assert found


def test_chunks_beside_a_good_one_gain_where_neighbours_count() -> None:
    texts = {
        "talk": "Ada: The gulls sing.\nBen: The storm took it.\nCy: Nobody minds.",
        "alone": "Di: Rain.",
    }
    small = {"size": 20, "overlap": 0, "vouching": 0.0}
    beside = searched(Way("beside", **small, neighbours=0.5), texts)
    assert len(beside.chunks) == 4
    given = beside.better_beside(np.array([1.0, 5.0, 2.0, 4.0]))
    # At an end there is one neighbour; another transcript's chunk is none.
    assert given.tolist() == [5.0, 2.0, 5.0, 0.0]
    plain = searched(Way("plain", **small), texts)
    found = [
        [way.chunks.index(chunk) for chunk in way.find("storm", None)] for way in (plain, beside)
    ]
    assert found[0][0] == found[1][0] == 1
    assert found[1][3] == 3  # nobody beside it
