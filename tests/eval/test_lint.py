"""What is wrong with a set, and what a human should look at."""

from __future__ import annotations

from dataclasses import dataclass, field

from eval.lint import Finding, lint
from eval.questions import Question
from eval.system import Reply
from tests.eval.ship import Exchange, cite, question, reply


@dataclass(frozen=True)
class Noting(Exchange):
    """An Exchange that remembers what it was asked; it refuses what it was not told of."""

    asked: list[str] = field(default_factory=list)

    def ask(self, question: str, /) -> Reply:
        self.asked.append(question)
        return super().ask(question) if question in self.replies else reply(0.1)


def findings(*questions: Question, **replies: Reply) -> list[Finding]:
    return list(lint(questions, Noting([], {f"{name}?": its for name, its in replies.items()})))


def test_a_good_set_has_no_findings() -> None:
    assert findings(question("when", ("noon", 26)), question("nobody")) == []
    assert findings() == []


def test_gold_answers_that_do_not_stand_are_faults() -> None:
    assert findings(
        question("moved", ("noon", 26), ("noon", 27)), question("lost", transcript="boat")
    ) == [
        Finding(True, "moved: at 27 in \"ship\" stands 'oon.', not 'noon'."),
        Finding(True, 'lost: there is no transcript "boat".'),
    ]


def test_questions_alike_but_for_order_case_and_punctuation_are_faults() -> None:
    assert findings(
        question("a", question="Where did the ship sink?"),
        question("b", question="the SHIP did sink ... where"),
        question("c", question="Where did it sink?"),
        question("d", question="Where did a ship sink"),
    ) == [
        Finding(True, 'b: the question is that of a, "the SHIP did sink ... where".'),
        Finding(True, 'd: the question is that of a, "Where did a ship sink".'),
    ]


def test_a_question_that_says_its_answer_is_worth_a_look() -> None:
    assert findings(
        question("a", ("near Crete", 58), ("Crete", 63), question="Did it sink near CRETE?"),
        question("b", ("noon", 26), question="What happened in the afternoon?"),
        question("c", ("near Crete", 58), question="Is Crete near?"),
        question("d", (".", 30), question="Does it end?"),
    ) == [Finding(False, 'a: the question says its answer, "near Crete".')]


def test_an_unanswerable_question_that_is_answered_is_worth_a_look() -> None:
    found = reply(0.876, [cite("Crete", "near Crete"), cite("noon", "noon")])
    shy = reply(0.2, nearest=[cite("noon", "noon")])
    assert findings(question("bold"), question("shy"), bold=found, shy=shy) == [
        Finding(
            False,
            'bold: "bold?" has no answer, but the index answers "near Crete" (ship, 58, '
            "confidence 0.88).",
        )
    ]


def test_only_what_has_no_answer_is_asked() -> None:
    system = Noting([], {})
    assert list(lint([question("when", ("noon", 26)), question("nobody")], system)) == []
    assert system.asked == ["nobody?"]


def test_faults_come_first_each_kind_in_the_sets_order() -> None:
    found = findings(
        question("bold"),
        question("told", ("noon", 26), question="At noon?"),
        question("moved", ("noon", 25), question="Noon, at?"),
        bold=reply(0.9, [cite("noon", "noon")]),
    )
    assert [(one.fault, one.sentence.split(":")[0]) for one in found] == [
        (True, "moved"),
        (True, "moved"),
        (False, "told"),
        (False, "moved"),
        (False, "bold"),
    ]
