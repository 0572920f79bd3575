"""Nine questions about the ship: every way to be right and wrong."""

from __future__ import annotations

import pytest

from index.errors import OnRecordError
from tests.eval.ship import Exchange, cite, question, reply


@pytest.fixture
def exchange() -> Exchange:
    """The questions, in order, and what comes back for each."""
    questions = [
        question("right", ("noon", 26), speaker="Ann"),
        question("half", ("the ship", 9), speaker="Ann", kind="who"),
        question("elsewhere", ("It sank", 70), kind="who"),
        question("too shy", ("near Crete", 58), speaker="Bob", kind="where"),
        question("broken", ("Crete", 63), speaker="Bob", kind="where"),
        question("list", ("near Crete", 58), ("noon", 26), multi=True, kind="list"),
        question("nobody knows", near_miss=True),
        question("too bold"),
        question("broken too", near_miss=True),
    ]
    replies = {
        "right?": reply(0.9, [cite("noon", "noon", "Ann")]),
        "half?": reply(0.8, [cite("noon", "ship left", "Bob")]),
        "elsewhere?": reply(0.7, [cite("sank first", "It sank"), cite("sank again", "It sank")]),
        "too shy?": reply(0.2, None, [cite("sank first", "sank"), cite("Crete", "near Crete")]),
        "broken?": OnRecordError("The index is gone."),
        "list?": reply(0.6, [cite("Crete", "near Crete"), cite("noon", "noon")]),
        "nobody knows?": reply(0.1, None, [cite("noon", "Ann")]),
        "too bold?": reply(0.75, [cite("sank first", "sank")]),
        "broken too?": ZeroDivisionError("division by zero"),
    }
    return Exchange(questions, replies)
