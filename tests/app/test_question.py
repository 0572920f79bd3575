"""What a question asks for, whom it names, and what a follow-up takes from those before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.question import asks_for_several, kind_of, named, resolve

SPEAKERS = ["Donald Trump", "Vladimir Putin", "Volodymyr Zelenskyy", "Ursula von der Leyen", "李明"]


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who called first?", "who"),
        ("Whose idea was it?", "who"),
        ("Which leader hung up?", "who"),
        ("When did it begin?", "when"),
        ("What year was that?", "when"),
        ("Where will they meet?", "where"),
        ("Which countries are possible venues?", "what"),
        ("What places were named?", "where"),
        ("How long did they talk?", "how_many"),
        ("How many died?", "how_many"),
        ("what percentage was it", "how_many"),
        ("Why was Amnesty banned?", "why"),
        ("How come he left?", "why"),
        ("What is the reason for the ban?", "why"),
        ("On what grounds was it banned?", "why"),
        ("What was said?", "what"),
        ("Tell me about the somewhat whole story.", "what"),
        ("HOW MUCH WAS PAID?", "how_many"),
        ("Кто звонил?", "what"),
        ("", "what"),
    ],
)
def test_kind_of(question: str, kind: str) -> None:
    assert kind_of(question) == kind


@pytest.mark.parametrize(
    "question",
    [
        "Which countries took part?",
        "Which two cities were named?",
        "List the conditions.",
        "Name all of them.",
        "What did both sides say?",
        "Who were the speakers?",
    ],
)
def test_asks_for_several(question: str) -> None:
    assert asks_for_several(question)


@pytest.mark.parametrize("question", ["Which country?", "Who listed it?", "What was said?", ""])
def test_asks_for_one(question: str) -> None:
    assert not asks_for_several(question)


@pytest.mark.parametrize(
    ("question", "people"),
    [
        ("What did Trump say?", ["Donald Trump"]),
        ("what did donald trump say", ["Donald Trump"]),
        ("Did Putin thank Trump?", ["Donald Trump", "Vladimir Putin"]),
        ("What is Trump's view?", ["Donald Trump"]),
        ("What is Trump’s view?", ["Donald Trump"]),
        ("What did Leyen say?", ["Ursula von der Leyen"]),
        ("What did Donald say?", []),
        ("Did he trumpet it?", []),
        ("李明 说了什么?", ["李明"]),
        ("", []),
    ],
)
def test_named(question: str, people: list[str]) -> None:
    assert named(question, SPEAKERS) == people


@pytest.mark.parametrize(
    ("before", "question", "resolved"),
    [
        ("What did Trump say?", "And Zelenskyy?", "What did Zelenskyy say?"),
        ("What did Donald Trump say?", "and Putin", "What did Putin say?"),
        ("What did Trump say?", "What about Putin?", "What did Putin say?"),
        ("What did Trump say?", "And what about Putin?", "What did Putin say?"),
        ("What did Trump say?", "How about Vladimir Putin?", "What did Vladimir Putin say?"),
        (
            "What did Trump say about the war?",
            "What about sanctions?",
            "What did Trump say about sanctions?",
        ),
        (
            "What was said about the war?",
            "And the European Union?",
            "What was said about the European Union?",
        ),
        ("Did Putin thank Trump?", "And Zelenskyy?", "Did Putin thank Zelenskyy?"),
        ("Amnesty was banned?", "Why?", "Why: Amnesty was banned?"),
        ("Did they talk?", "how long", "How long: Did they talk?"),
        ("Did they talk?", "And when??", "And when: Did they talk?"),
        ("What did Trump say?", "Why did he say it?", "Why did Trump say it?"),
        ("What did Trump say?", "What is his view?", "What is Trump's view?"),
        ("What did Leyen say?", "What is her view of her?", "What is Leyen's view of Leyen?"),
        ("What did Trump's team say?", "Did she call him?", "Did Trump call Trump?"),
        ("Did Putin thank Trump?", "What did he say?", "What did Trump say?"),
    ],
)
def test_a_follow_up_takes_what_it_lacks_from_the_question_before(
    before: str, question: str, resolved: str
) -> None:
    assert resolve(question, [before], SPEAKERS) == resolved


@pytest.mark.parametrize(
    ("before", "question", "meant"),
    [
        # A whole question that begins with "And" is not a bare name to be put in.
        (
            "What did Trump say about the war?",
            "And did he mention Putin?",
            "And did he mention Putin?",
        ),
        (
            "What did Trump say about the war?",
            "And why did he say that?",
            "And why did Trump say that?",
        ),
        (
            "What did Trump say?",
            "And what did he say about sanctions?",
            "And what did Trump say about sanctions?",
        ),
        # "her" is not possessive before every word.
        ("What did Leyen say?", "Who met her in Kyiv?", "Who met Leyen in Kyiv?"),
    ],
)
def test_a_whole_question_keeps_its_words(before: str, question: str, meant: str) -> None:
    assert resolve(question, [before], SPEAKERS) == meant


def test_a_pronoun_goes_back_to_the_last_question_that_named_somebody() -> None:
    history = ["What did Putin say?", "What did Trump say?", "How long did the call last?"]
    assert resolve("Was he angry?", history, SPEAKERS) == "Was Trump angry?"


@pytest.mark.parametrize(
    ("history", "question"),
    [
        # Nothing came before.
        ([], "And Zelenskyy?"),
        ([], "Why?"),
        ([], "What did he say?"),
        # The pronoun's person is named in the same question.
        (["What did Trump say?"], "Did Putin say he would come?"),
        # Nobody was named before, or only one who never speaks.
        (["How long was it?"], "What did he say?"),
        (["What did Merkel say?"], "Why did she say it?"),
        # Nothing in the earlier question can be exchanged.
        (["How long was it?"], "What about sanctions?"),
        # Whole in itself.
        (["What did Trump say?"], "What did Putin say?"),
        (["What did Trump say?"], "Where is the theatre?"),
    ],
)
def test_a_question_stands_as_it_is(history: list[str], question: str) -> None:
    assert resolve(question, history, SPEAKERS) == question


def test_white_space_around_a_question_goes() -> None:
    assert resolve("  Who called?\n", ["\tWho? "], SPEAKERS) == "Who called?"


@given(st.text(max_size=80), st.lists(st.text(max_size=80), max_size=3))
def test_any_text_is_resolved_to_some_text(question: str, history: list[str]) -> None:
    resolved = resolve(question, history, SPEAKERS)
    assert isinstance(resolved, str)
    assert bool(resolved) >= bool(question.strip())


@given(st.text(max_size=80))
def test_without_history_nothing_is_put_in(question: str) -> None:
    assert resolve(question, (), SPEAKERS) == question.strip()
