"""Question sets: what is read, what is refused and in which words, and the sets that ship."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eval.questions import Gold, Question, check_golds, load, shipped
from index.errors import UsageError

SEEDS = Path(__file__).parents[2] / "seeds"
TALK = {
    "id": "talk-1",
    "split": "test",
    "kind": "when",
    "transcript": "talk",
    "question": "When did it end?",
    "answerable": True,
    "answers": [{"text": "at noon", "start": 12}, {"text": "noon", "start": 15}],
    "speaker": "Ann",
    "multi": False,
}
NOBODY = {
    **TALK,
    "id": "talk-2",
    "answerable": False,
    "answers": [],
    "speaker": None,
    "near_miss": True,
    "why": "Nobody says.",
}


def written(path: Path, *lines: object) -> Path:
    file = path / "talk.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.write_text("\n".join(texts), encoding="utf-8")
    return file


def refusal(path: Path | str) -> str:
    with pytest.raises(UsageError) as caught:
        load(path)
    return str(caught.value)


def test_a_set_is_read_whole_and_in_order(tmp_path: Path) -> None:
    assert load(written(tmp_path, TALK, "", NOBODY, "")) == [
        Question(
            id="talk-1",
            split="test",
            kind="when",
            transcript="talk",
            question="When did it end?",
            answerable=True,
            golds=(Gold("at noon", 12), Gold("noon", 15)),
            speaker="Ann",
            multi=False,
            near_miss=False,
        ),
        Question(
            id="talk-2",
            split="test",
            kind="when",
            transcript="talk",
            question="When did it end?",
            answerable=False,
            golds=(),
            speaker=None,
            multi=False,
            near_miss=True,
        ),
    ]


def test_a_line_separator_inside_a_question_does_not_end_the_line(tmp_path: Path) -> None:
    asked = "When\N{LINE SEPARATOR}did it end?"
    line = json.dumps({**TALK, "question": asked}, ensure_ascii=False)
    assert [question.question for question in load(written(tmp_path, line))] == [asked]


def test_no_such_set_lists_those_that_ship(tmp_path: Path) -> None:
    said = refusal(str(tmp_path / "sead"))
    assert said.startswith(f"There is no question set {tmp_path / 'sead'}: ")
    assert "seed" in said


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"question": ...}, '"question" is missing'),
        ({"speaker": ...}, '"speaker" is missing'),
        ({"id": " "}, '"id" is empty'),
        ({"id": 7}, '"id" must be a string, and is 7'),
        ({"answerable": 1}, '"answerable" must be true or false, and is 1'),
        ({"split": "train"}, '"split" is "train", not one of dev, test'),
        ({"answers": None}, '"answers" must be a list, and is null'),
        ({"answers": []}, 'the question is answerable but "answers" is empty'),
        ({"answerable": False}, 'the question is not answerable but has "answers"'),
        ({"answers": ["noon"]}, '"answers" has an entry that is not an object with "text" and'),
        ({"answers": [{"text": "noon"}]}, '"start" is missing'),
        (
            {"answers": [{"text": "noon", "start": -1}]},
            '"start" is -1, but characters count from 0',
        ),
        ({"answers": [{"text": "noon", "start": True}]}, '"start" must be a whole number'),
        ({"near_miss": "no"}, '"near_miss" must be true or false, and is "no"'),
    ],
)
def test_a_wrong_field_is_named_with_file_and_line(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    broken = {name: value for name, value in {**TALK, **change}.items() if value is not ...}
    file = written(tmp_path, NOBODY, broken)
    assert refusal(file).startswith(f"{file}, line 2: {fault}")


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, TALK, "", '{"id": ')
    assert refusal(file) == f"{file}, line 3: this is no JSON (Expecting value)."
    file = written(tmp_path, TALK, "[" * 100_000)
    assert refusal(file).startswith(f"{file}, line 2: this is no JSON (")
    file = written(tmp_path, "[]")
    assert refusal(file) == f"{file}, line 1: this is not a JSON object."


def test_an_id_that_comes_twice_is_named_with_both_lines(tmp_path: Path) -> None:
    file = written(tmp_path, TALK, NOBODY, TALK)
    assert refusal(file) == f'{file}, line 3: the id "talk-1" is already on line 1.'


def test_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, "", " ")
    assert refusal(file) == f"{file} has no questions: write one JSON object a line."


def test_what_is_no_text_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"The question set {tmp_path} cannot be read: Is a directory."
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes(b"\xff")
    assert refusal(latin) == f"The question set {latin} cannot be read: it is not UTF-8."


def test_golds_that_do_not_stand_are_told(tmp_path: Path) -> None:
    questions = load(written(tmp_path, TALK, NOBODY))
    assert check_golds(questions, {"talk": "We finished at noon."}) == []
    assert check_golds(questions, {"talk": "We ended at noon."}) == [
        "talk-1: at 12 in \"talk\" stands 'noon.', not 'at noon'.",
        "talk-1: at 15 in \"talk\" stands 'n.', not 'noon'.",
    ]


def test_a_transcript_that_is_not_there_is_told(tmp_path: Path) -> None:
    questions = load(written(tmp_path, TALK, NOBODY))
    assert check_golds(questions, {}) == [
        'talk-1: there is no transcript "talk".',
        'talk-2: there is no transcript "talk".',
    ]


@pytest.mark.parametrize("name", shipped())
def test_every_gold_answer_of_a_shipped_set_stands_in_the_seeds(name: str) -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in SEEDS.glob("*.txt")}
    assert check_golds(load(name), texts) == []


def test_the_seed_set_is_large_enough_and_split_in_half() -> None:
    questions = load("seed")
    dev = [question for question in questions if question.split == "dev"]
    answerable = sum(question.answerable for question in questions)
    assert len(questions) >= 80
    assert answerable >= 55
    assert len(questions) - answerable >= 25
    assert 0.4 <= len(dev) / len(questions) <= 0.6
    assert 0.4 <= sum(question.answerable for question in dev) / answerable <= 0.6
