"""Words of a quote in a newer version of its transcript: where they stand, and whose they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.answer import quote_object, quote_of
from app.ledger import Handed, State
from app.standing import standing
from tests.fixtures.shelf import Shelf

COUNCIL = """\
Ada Okafor: Good evening. Is everybody here?
Ben Lindqvist: Yes.
Ada Okafor: The bridge will cost eleven million, not nine.
Ben Lindqvist: Yes.
Ada Okafor: Then we vote.
Ben Lindqvist: 5 boats came in today.
"""
COST = "The bridge will cost eleven million, not nine."


def handed(shelf: Shelf, words: str, nth: int = 0, state: State = "changed") -> Handed:
    """A quote whose answer is the nth place of these words in the council as it was first."""
    shelf.write("council.txt", COUNCIL)
    shelf.build_all()
    folder = shelf.open()
    transcript = folder.transcript("council")
    start = -1
    for _ in range(nth + 1):
        start = transcript.text.index(words, start + 1)
    quote = quote_of(folder, transcript, start, start + len(words), 1.0)
    return Handed(quote_object(quote, 1), transcript.text, state)


def now(shelf: Shelf, text: str, was: Handed) -> list[tuple[str | None, int, str, str]]:
    """Who says the words in the new text, where, in which sentence, and the answering words."""
    shelf.write("council.txt", text)
    shelf.build()
    folder = shelf.open()
    found = standing(was, folder)
    for quote in found:
        assert folder.transcript("council").text[quote.start : quote.end] == quote.text
        assert quote.source.sha256 == folder.transcript("council").sha256
    return [
        (one.speaker.name if one.speaker else None, one.start, one.text, one.answer)
        for one in found
    ]


def test_words_that_have_moved_are_found_with_the_answer_in_them(shelf: Shelf) -> None:
    was = handed(shelf, "eleven million")
    text = "Ada Okafor: Come in, all of you.\n" + COUNCIL
    assert now(shelf, text, was) == [("Ada Okafor", text.index(COST), COST, "eleven million")]


def test_words_that_are_no_longer_there_are_not_found(shelf: Shelf) -> None:
    was = handed(shelf, "eleven million")
    assert now(shelf, COUNCIL.replace("eleven", "twelve"), was) == []
    assert now(shelf, COUNCIL.replace("will cost", "will not cost"), was) == []


def test_a_number_is_not_found_in_a_longer_one(shelf: Shelf) -> None:
    was = handed(shelf, "5 boats")
    assert len(now(shelf, COUNCIL + "Cy Moe: So.\n", was)) == 1
    assert now(shelf, COUNCIL.replace("5 boats", "2.5 boats"), was) == []


def test_broken_lines_and_other_quotation_marks_are_the_same_words(shelf: Shelf) -> None:
    was = handed(shelf, "eleven million")
    text = COUNCIL.replace("eleven million", "eleven  million")
    ((who, _, sentence, answer),) = now(shelf, text, was)
    assert (who, answer) == ("Ada Okafor", "eleven  million")
    assert sentence == COST.replace(" million", "  million")


def test_another_speaker_of_the_words_is_told(shelf: Shelf) -> None:
    was = handed(shelf, "eleven million")
    ((who, *_),) = now(shelf, COUNCIL.replace("Ada Okafor: The", "Cy Moe: The"), was)
    assert who == "Cy Moe"


@pytest.mark.parametrize("nth", [0, 1])
def test_of_words_said_twice_those_with_the_same_around_them_come_first(
    shelf: Shelf, nth: int
) -> None:
    was = handed(shelf, "Yes.", nth)
    text = "Ada Okafor: Come in, all of you, and sit down.\n" * 2 + COUNCIL
    places = [text.index("Yes."), text.rindex("Yes.")]
    found = now(shelf, text, was)
    assert [start for _, start, *_ in found] == [places[nth], places[1 - nth]]


@pytest.mark.parametrize("state", ["unchanged", "gone"])
def test_nothing_is_searched_unless_the_transcript_has_changed(shelf: Shelf, state: State) -> None:
    was = handed(shelf, "eleven million", state=state)
    assert standing(was, shelf.open()) == []


def test_a_transcript_taken_out_meanwhile_has_no_words(shelf: Shelf) -> None:
    was = handed(shelf, "eleven million")
    elsewhere = {**was.quote, "transcript": {**was.quote["transcript"], "id": "gone"}}
    assert standing(replace(was, quote=elsewhere), shelf.open()) == []
