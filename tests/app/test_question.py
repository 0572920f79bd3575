"""What a question asks for, whom it names, and what a follow-up takes from those before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.question import asks_for_several, named, resolve

SPEAKERS = ["Donald Trump", "Vladimir Putin", "Volodymyr Zelenskyy", "SPEAKER 2"]


@pytest.mark.parametrize(
    ("question", "several"),
    [
        ("Which two countries could host the summit?", True),
        ("List the conditions.", True),
        ("Who are the speakers?", True),
        ("What did both presidents agree on?", True),
        ("Which country hosts it?", False),
        ("Why was Amnesty banned?", False),
    ],
)
def test_questions_for_several_things(question: str, several: bool) -> None:
    assert asks_for_several(question) is several


@pytest.mark.parametrize(
    ("question", "people"),
    [
        ("What did Trump say?", ["Donald Trump"]),
        ("what did trump say?", ["Donald Trump"]),
        ("What was Putin's answer to Trump’s call?", ["Donald Trump", "Vladimir Putin"]),
        ("What did Donald say?", []),
        ("Was it trumped up?", []),
        ("", []),
    ],
)
def test_who_is_named(question: str, people: list[str]) -> None:
    assert named(question, SPEAKERS) == people


@pytest.mark.parametrize(
    ("history", "question", "resolved"),
    [
        # another person in the place of the one before
        (["What did Trump say about the ceasefire?"], "And Zelenskyy?",
         "What did Zelenskyy say about the ceasefire?"),
        (["What did Trump say about the ceasefire?"], "and what about Putin?",
         "What did Putin say about the ceasefire?"),
        (["What was Trump's answer?"], "How about Zelenskyy?", "What was Zelenskyy's answer?"),
        # another topic
        (["What did Trump say about the ceasefire?"], "What about sanctions?",
         "What did Trump say about sanctions?"),
        (["What did Trump say about the ceasefire?"], "and sanctions?",
         "What did Trump say about sanctions?"),
        (["What did Trump say about the ceasefire?"], "And the sanctions?",
         "What did Trump say about the sanctions?"),
        # a bare question word
        (["Was Amnesty banned?"], "Why?", "Why: Was Amnesty banned?"),
        (["Will they meet?"], "and where?", "And where: Will they meet?"),
        (["Did they talk?"], "how long??", "How long: Did they talk?"),
        # pronouns
        (["What did Trump say about the ceasefire?"], "Did he mention sanctions?",
         "Did Trump mention sanctions?"),
        (["What did Zelenskyy say?"], "What is his position?", "What is Zelenskyy's position?"),
        (["What did Zelenskyy say?"], "Who briefed him?", "Who briefed Zelenskyy?"),
        (["What did Putin say?", "How long did it take?"], "And did he thank anyone?",
         "And did Putin thank anyone?"),
        (["Did Trump call Putin?"], "What did he say?", "What did Putin say?"),
        (["What did Putin say?", "What did Trump say?", "How long was it?"], "Was he angry?",
         "Was Trump angry?"),
        (["What did Trump say about the war?"], "And why did he say that?",
         "And why did Trump say that?"),
        # "her" is not possessive before every word
        (["What did Putin say?"], "Who met her in Kyiv?", "Who met Putin in Kyiv?"),
        (["What did Putin say?"], "Who met her father?", "Who met Putin's father?"),
    ],
)  # fmt: skip
def test_follow_ups(history: list[str], question: str, resolved: str) -> None:
    assert resolve(question, history, SPEAKERS) == resolved


@pytest.mark.parametrize(
    ("history", "question"),
    [
        (["What did Trump say?"], "Where could the summit be held?"),
        (["What did Trump say?"], "What did Putin say about his talks?"),
        (["How long did it take?"], "Did he mention sanctions?"),
        (["Will it rain?"], "What about sanctions?"),
        (["What did Trump say?"], "What did the president mean?"),
        (["What did Trump say?"], "Sherlock was here?"),
    ],
)
def test_what_stands_alone_stays(history: list[str], question: str) -> None:
    assert resolve(question, history, SPEAKERS) == question


FOLLOW_UPS = st.sampled_from(["and Zelenskyy?", "what about sanctions?", "why?", "Did he?"])


@given(st.one_of(st.text(), FOLLOW_UPS))
def test_nothing_changes_without_a_history(question: str) -> None:
    assert resolve(question, [], SPEAKERS) == question.strip()


@given(st.one_of(st.text(), FOLLOW_UPS), st.lists(st.text(), max_size=3))
def test_any_history_gives_a_question(question: str, history: list[str]) -> None:
    assert isinstance(resolve(question, history, SPEAKERS), str)


def test_a_long_follow_up_takes_no_long_time() -> None:
    for question in ("and " + "A a " * 500, "A " * 1_000 + "he", "so " * 600 + "why"):
        assert resolve(question, ["What did Trump say about it?"], SPEAKERS)
