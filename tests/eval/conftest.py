"""Nine questions about the ship: every way to be right and wrong. And fakes for models."""

from __future__ import annotations

import pytest

from index.errors import OnRecordError
from tests.eval.ship import Exchange, cite, question, reply
from tests.fakes import assemble_fakes


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
        "right?": reply(0.9, [cite("noon", "noon", "Ann")], hits=["noon", "Crete"]),
        "half?": reply(0.8, [cite("noon", "ship left", "Bob")], hits=["Crete", "noon"]),
        "elsewhere?": reply(
            0.7,
            [cite("sank first", "It sank"), cite("sank again", "It sank")],
            hits=["sank first", "Crete", "sank again"],
        ),
        "too shy?": reply(
            0.2,
            nearest=[cite("sank first", "sank"), cite("Crete", "near Crete")],
            hits=["sank first", "Crete"],
        ),
        "broken?": OnRecordError("The index is gone."),
        "list?": reply(
            0.6,
            [cite("Crete", "near Crete"), cite("noon", "noon")],
            hits=["Crete", "sank first", "noon"],
        ),
        "nobody knows?": reply(0.1, nearest=[cite("noon", "Ann")], hits=["noon"]),
        "too bold?": reply(0.75, [cite("sank first", "sank")], hits=["sank first"]),
        "broken too?": ZeroDivisionError("division by zero"),
    }
    return Exchange(questions, replies)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """`app.assemble` puts the fake embedder and reader in the place of models."""
    assemble_fakes(monkeypatch.setattr)
