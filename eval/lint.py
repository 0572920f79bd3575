"""What is wrong with a question set, or worth another look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eval.metrics import normalize
from eval.questions import Question, check_golds
from eval.system import System


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence on one question. A `fault` must be mended; the rest is for a human to judge."""

    fault: bool
    sentence: str


def lint(questions: Sequence[Question], system: System) -> Iterator[Finding]:
    """Golds that do not stand verbatim, questions that come twice, answers that stand in their
    question, and unanswerable questions that the index answers.
    """
    for sentence in check_golds(questions, system.texts):
        yield Finding(True, sentence)
    for sentence in _duplicates(questions):
        yield Finding(True, sentence)
    for question in questions:
        for gold in question.golds:
            if _gives_away(question.question, gold.text):
                yield Finding(False, f'{question.id}: the question says its answer, "{gold.text}".')
                break
    for question in questions:
        if not question.answerable:
            answer = system.ask(question.question).answer
            if answer["answerable"]:
                first = answer["quotes"][0]
                yield Finding(
                    False,
                    f'{question.id}: "{question.question}" has no answer, but the index answers '
                    f'"{first["answer"]["text"]}" ({first["transcript"]["id"]}, '
                    f"{first['answer']['start']}, confidence {answer['confidence']:.2f}).",
                )


def _duplicates(questions: Sequence[Question]) -> Iterator[str]:
    """Questions alike in all but case, punctuation, articles and the order of their words."""
    seen: dict[tuple[str, ...], str] = {}
    for question in questions:
        words = tuple(sorted(normalize(question.question).split()))
        if words in seen:
            yield f'{question.id}: the question is that of {seen[words]}, "{question.question}".'
        else:
            seen[words] = question.id


def _gives_away(question: str, gold: str) -> bool:
    """Whether the answer's words stand, as they are, in the question."""
    words = normalize(gold)
    return bool(words) and f" {words} " in f" {normalize(question)} "
