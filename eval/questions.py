"""Question sets: JSON lines of questions with their gold answers, loaded and checked.

Sets in other formats are read in `formats`; asking is in `run`, scoring in `scores`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from index.errors import UsageError

SETS = Path(__file__).parent / "sets"
SPLITS = ("dev", "test")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gold:
    """Words that answer, and the character of the transcript's text they start at."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """The character after the last one."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Question:
    """One line of a set.

    `golds` are alternatives, any of which is right; when `multi`, they are the parts of one
    answer, all of which are asked for. They are empty exactly when not `answerable`, and
    `near_miss` then says that the transcript speaks of the matter but does not answer.
    `speaker` is who says the answer, None for narration; `speaker_given` is False in sets that
    do not tell, and speakers are not scored then. `split` is "dev" or "test".
    """

    id: str
    split: str
    kind: str
    transcript: str
    question: str
    answerable: bool
    golds: tuple[Gold, ...]
    speaker: str | None
    multi: bool
    near_miss: bool
    speaker_given: bool = True


def shipped() -> list[str]:
    """The names of the sets that ship, in alphabetical order."""
    return sorted(path.stem for path in SETS.glob("*.jsonl"))


def load(name: str | Path) -> list[Question]:
    """The questions of a shipped set, by name, or of a JSONL file, in order.

    Raises UsageError, naming the file and the line: no such set, a line that is no JSON object,
    a field that is missing or of the wrong type, an answerable question without answers (or the
    reverse), an id that comes twice, a file without questions.
    """
    path = SETS / f"{name}.jsonl" if name in shipped() else Path(name)
    questions: list[Question] = []
    lines: dict[str, int] = {}
    for number, line in _lines(path):
        try:
            question = _question(json.loads(line))
            if question.id in lines:
                raise ValueError(f'the id "{question.id}" is already on line {lines[question.id]}')
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}, line {number}: this is no JSON ({error.msg}).") from None
        except RecursionError:
            raise UsageError(f"{path}, line {number}: this is no JSON (too deep).") from None
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: {error}.") from None
        lines[question.id] = number
        questions.append(question)
    if not questions:
        raise UsageError(f"{path} has no questions: write one JSON object a line.")
    return questions


def check_golds(questions: Iterable[Question], texts: Mapping[str, str]) -> list[str]:
    """A sentence for every gold answer that does not stand at its offset, in order.

    `texts` are the transcripts' texts by id. Empty when all golds stand.
    """
    return list(_faults(questions, texts))


def _faults(questions: Iterable[Question], texts: Mapping[str, str]) -> Iterator[str]:
    for question in questions:
        text = texts.get(question.transcript)
        if text is None:
            yield f'{question.id}: there is no transcript "{question.transcript}".'
            continue
        for gold in question.golds:
            stands = text[gold.start : gold.end]
            if stands != gold.text:
                yield (
                    f'{question.id}: at {gold.start} in "{question.transcript}" stands '
                    f"{stands!r}, not {gold.text!r}."
                )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        names = ", ".join(shipped())
        raise UsageError(
            f"There is no question set {path}: name one that ships ({names}) or a JSONL file."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"The question set {path} cannot be read: {reason}.") from None
    # Not splitlines(): it also breaks at U+2028, which may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line


def _question(fields: object) -> Question:
    """Raises ValueError with what is wrong, as the end of a sentence."""
    if not isinstance(fields, dict):
        raise ValueError("this is not a JSON object")
    question = Question(
        id=_text(fields, "id"),
        split=_text(fields, "split"),
        kind=_text(fields, "kind"),
        transcript=_text(fields, "transcript"),
        question=_text(fields, "question"),
        answerable=_field(fields, "answerable", bool),
        golds=tuple(_gold(answer) for answer in _field(fields, "answers", list)),
        speaker=None if fields.get("speaker", "") is None else _text(fields, "speaker"),
        multi=_field(fields, "multi", bool),
        near_miss="near_miss" in fields and _field(fields, "near_miss", bool),
    )
    if question.split not in SPLITS:
        raise ValueError(f'"split" is "{question.split}", not one of {", ".join(SPLITS)}')
    if question.answerable and not question.golds:
        raise ValueError('the question is answerable but "answers" is empty')
    if question.golds and not question.answerable:
        raise ValueError('the question is not answerable but has "answers"')
    return question


def _gold(fields: object) -> Gold:
    if not isinstance(fields, dict):
        raise ValueError('"answers" has an entry that is not an object with "text" and "start"')
    gold = Gold(text=_text(fields, "text"), start=_field(fields, "start", int))
    if gold.start < 0:
        raise ValueError(f'"start" is {gold.start}, but characters count from 0')
    return gold


def _text(fields: Mapping[str, Any], name: str) -> str:
    text = _field(fields, name, str)
    if not text.strip():
        raise ValueError(f'"{name}" is empty')
    return text


def _field(fields: Mapping[str, Any], name: str, kind: type[T]) -> T:
    if name not in fields:
        raise ValueError(f'"{name}" is missing')
    value = fields[name]
    # type(), not isinstance(): True is an int to isinstance, and 1 must not pass for true.
    if type(value) is not kind:
        raise ValueError(f'"{name}" must be {_JSON_NAMES[kind]}, and is {json.dumps(value)}')
    return value


_JSON_NAMES = {str: "a string", bool: "true or false", int: "a whole number", list: "a list"}
