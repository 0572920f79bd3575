"""Example questions: made of what stands in the transcripts, and each of them answered."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from app.answer import Answerer, Policy
from app.assemble import Library
from app.examples import MOST, TOPICS, examples, topics
from app.settings import Settings
from index.folder import Folder
from index.retrieve import HybridRetriever
from tests.fakes import Everything, Marker, OverlapReader
from tests.fixtures.shelf import Shelf

PORT = """\
Ann Lee: We own the ferry. Is the ferry in use? I took a boat, and then the ferry.
Bob Ray: I like the harbour at night. They dug the harbour for us, and the old pier.
Cal Fox: Nobody asked me. The end. And so on.
Dee Orr: They sold the lighthouse to a bank in town. I want the lighthouse.
Eve Noe: I cross the county bridge in any weather. We like the county bridge.
Flo Pym: They filled the market with fish.
"""
# The reader counts the speaker's name among the words asked for, which stand in no sentence.
BOLD = Policy(threshold=0.2)


@pytest.fixture
def port(shelf: Shelf) -> Shelf:
    shelf.build(shelf.write("port.txt", PORT))
    return shelf


def answerer(shelf: Shelf, folder: Folder) -> Answerer:
    retriever = HybridRetriever(folder, shelf.embedder)
    return Answerer(folder, retriever, OverlapReader(), BOLD)


def test_every_example_is_answered_by_the_one_it_names(port: Shelf) -> None:
    folder = port.open()
    found = examples(folder, answerer(port, folder))
    assert len(found) == MOST
    names = []
    for question in found:
        frame = re.fullmatch(r"What did (\w+ \w+) say about ((?:the|an?) [a-z ]+)\?", question)
        assert frame is not None
        name, thing = frame.groups()
        (first, *_) = answerer(port, folder).ask(question).quotes
        assert first.speaker is not None
        assert first.speaker.name == name
        assert thing in PORT
        names.append(name)
    assert len(set(names)) == MOST
    assert "Cal Fox" not in names


def test_examples_are_the_same_each_time(port: Shelf) -> None:
    folder = port.open()
    first = examples(folder, answerer(port, folder))
    assert examples(folder, answerer(port, folder)) == first


def test_where_nobody_speaks_the_narration_is_asked(shelf: Shelf) -> None:
    prose = "On Monday they closed the old harbour.\nIt rained in May.\n"
    shelf.build(shelf.write("prose.txt", prose))
    folder = shelf.open()
    (question,) = examples(folder, answerer(shelf, folder))
    assert question == "What is said about the old harbour?"


def test_what_is_not_answered_is_not_offered(port: Shelf) -> None:
    folder = port.open()
    everything = Everything(folder)
    silent = Answerer(folder, everything, Marker(everything), BOLD)
    assert examples(folder, silent) == []
    # The only words that answer are another's than the one who is asked for.
    start = PORT.index("Nobody asked me")
    wrong = Marker(everything, ("port", start, start + 15, 9.0))
    assert examples(folder, Answerer(folder, everything, wrong, BOLD)) == []


def test_topics_are_what_a_speaker_names_most(port: Shelf) -> None:
    folder = port.open()
    assert topics(folder, "Ann Lee") == ["the ferry", "a boat"]
    assert topics(folder, "Bob Ray") == ["the harbour", "the old pier"]
    assert topics(folder, "Eve Noe") == ["the county bridge"]
    assert topics(folder, "Cal Fox") == []
    assert topics(folder, "Nobody") == []
    assert all(len(topics(folder, name)) <= TOPICS for name in folder.speakers())


@pytest.mark.usefixtures("fakes")
def test_a_library_makes_them_once_for_each_version(
    port: Shelf, settings_for: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def counted(folder: Folder, of: Answerer) -> list[str]:
        made.append(folder.manifest.generation)
        return examples(folder, of)

    monkeypatch.setattr("app.assemble.examples", counted)
    library = Library.open(settings_for(port.index, threshold=0.2))
    assert library.examples() == library.examples() != []
    assert made == [1]
    port.write("port.txt", "Ann Lee: Yes.\nBob Ray: No.\n")
    port.build()
    assert library.examples() == []
    assert made == [1, 2]
