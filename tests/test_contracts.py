"""The contracts that others rely on, with the real model over the transcripts that ship.

No plain answer is asserted beyond what any good reader finds.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.answer import MAX_QUESTION
from app.assemble import seeds_folder
from app.cli import main
from index.transcript import text_sha256

SEEDS = {file.stem: file.read_text(encoding="utf-8") for file in seeds_folder().glob("*.txt")}
BASES = {"label", "cue", "narration", "filename"}

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(seed_index: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """`onrecord ask --json`, which must print one object and nothing else."""

    def run(question: str, *words: str) -> dict[str, Any]:
        assert main(["ask", question, "--json", "--index", str(seed_index), *words]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert out.count("\n") == 1
        found: dict[str, Any] = json.loads(out)
        return found

    return run


def exactly(value: Any, **kinds: Any) -> None:
    """The object has these keys and no others, each of the kind given: a type, or a check."""
    assert type(value) is dict
    assert value.keys() == kinds.keys()
    for key, kind in kinds.items():
        if isinstance(kind, type):
            assert type(value[key]) is kind, key
        else:
            kind(value[key])


def number(value: Any) -> None:
    assert type(value) in (int, float)


def optional_date(value: Any) -> None:
    assert value is None or re.fullmatch(r"\d{4}-\d\d-\d\d", value)


def optional_speaker(value: Any) -> None:
    if value is not None:
        exactly(value, name=str, basis=str)
        assert value["basis"] in BASES


def optional_time(value: Any) -> None:
    if value is not None:
        assert type(value) is list
        start, end = value
        assert 0 <= start <= end


def is_answer(found: Any, **more: Any) -> None:
    """An object of `ask --json`, down to its last key, over the seeds."""
    exactly(
        found,
        **more,
        question=str,
        resolved_question=str,
        answerable=bool,
        confidence=float,
        quotes=list,
        nearest=list,
        searched=lambda value: exactly(value, transcripts=int, segments=int),
        seconds=float,
    )
    assert 0 <= found["confidence"] <= 1
    assert found["answerable"] is bool(found["quotes"])
    assert not (found["quotes"] and found["nearest"])
    assert len(found["nearest"]) <= 3
    for quotes in (found["quotes"], found["nearest"]):
        for n, quote in enumerate(quotes, 1):
            is_quote(quote)
            assert quote["n"] == n
        scores = [quote["score"] for quote in quotes]
        assert scores == sorted(scores, reverse=True)


def is_quote(quote: Any) -> None:
    exactly(
        quote,
        id=str,
        n=int,
        transcript=lambda value: exactly(value, id=str, title=str, sha256=str, date=optional_date),
        start=int,
        end=int,
        text=str,
        answer=lambda value: exactly(value, start=int, end=int, text=str),
        speaker=optional_speaker,
        said_at=optional_time,
        prefix=str,
        suffix=str,
        score=number,
        url=str,
    )
    start, end, answer = quote["start"], quote["end"], quote["answer"]
    text = SEEDS[quote["transcript"]["id"]]
    assert start <= answer["start"] < answer["end"] <= end
    assert quote["text"] == text[start:end]
    assert answer["text"] == text[answer["start"] : answer["end"]]
    assert quote["prefix"] == text[max(0, start - 32) : start]
    assert quote["suffix"] == text[end : end + 32]
    assert quote["transcript"]["sha256"] == text_sha256(text)
    assert re.fullmatch("q_[0-9a-f]{16}", quote["id"])
    assert quote["url"] == f"/q/{quote['id']}"


# --- ask --json -----------------------------------------------------------------------------------


@pytest.mark.model
@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Why was Amnesty banned?", "support for Ukraine"),
        ("How long did Trump and Putin talk?", "hours"),
        ("Which countries are possible venues for the summit?", "Turkiye or Switzerland"),
    ],
)
def test_a_plain_question_is_answered_with_exact_words(ask: Ask, question: str, words: str) -> None:
    found = ask(question)
    is_answer(found)
    assert found["answerable"]
    assert found["question"] == found["resolved_question"] == question
    assert words in found["quotes"][0]["answer"]["text"]
    assert found["searched"]["transcripts"] >= 1
    assert found["searched"]["segments"] > 20


@pytest.mark.model
@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of Australia?",
        "Who won the football match on Saturday?",
        "How many moons does Jupiter have?",
    ],
)
def test_what_nobody_said_is_refused(ask: Ask, question: str) -> None:
    found = ask(question)
    is_answer(found)
    assert (found["answerable"], found["quotes"]) == (False, [])


@pytest.mark.model
@pytest.mark.parametrize(
    "question",
    [
        "Чому заборонили Amnesty?",
        "普京说了什么？",
        "?!a",
        "why " * (MAX_QUESTION // 4),
        "<script>alert(1)</script>",
        'NEAR("a" OR',
        "What did he say?\nAnd she?",
        "Wer hat angerufen?",
    ],
)
def test_whatever_is_asked_the_answer_keeps_its_shape(ask: Ask, question: str) -> None:
    is_answer(ask(question))


@pytest.mark.model
def test_a_speakers_words_are_all_that_is_given(ask: Ask) -> None:
    found = ask("What about the ceasefire?", "--speaker", "Zelenskyy", "--k", "5")
    is_answer(found)
    quotes = found["quotes"] or found["nearest"]
    assert {quote["speaker"]["name"] for quote in quotes} == {"Volodymyr Zelenskyy"}


@pytest.mark.model
def test_the_same_question_gives_the_same_quotes(ask: Ask) -> None:
    first, second = ask("Why was Amnesty banned?"), ask("Why was Amnesty banned?")
    assert first["quotes"] == second["quotes"]


# --- verify --json, cite --------------------------------------------------------------------------


@pytest.mark.model
@pytest.mark.parametrize(
    ("claim", "speaker", "verdict"),
    [
        ("no one will be pulling our troops out of our own territory.", None, "exact"),
        ("No one will be pulling our troops out of our own territory", "Zelenskyy", "exact"),
        ("No one will be pulling our troops out of our own territory", "Putin", "other_speaker"),
        ("No one will be pulling your troops out of our own territory", None, "altered"),
        ("The moon landing was a great success for all of us", None, "not_found"),
    ],
)
def test_a_claim_is_verified(
    seed_index: Path,
    capsys: pytest.CaptureFixture[str],
    claim: str,
    speaker: str | None,
    verdict: str,
) -> None:
    words = ["--speaker", speaker] if speaker else []
    assert main(["verify", claim, "--json", "--index", str(seed_index), *words]) == 0
    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (1, "")
    found = json.loads(out)
    exactly(found, claim=str, verdict=str, quotes=list, diff=list)
    assert (found["claim"], found["verdict"]) == (claim, verdict)
    for n, quote in enumerate(found["quotes"], 1):
        is_quote(quote)
        assert quote["n"] == n
    assert bool(found["quotes"]) is bool(found["diff"]) is (verdict != "not_found")
    for kind, claimed, recorded in found["diff"]:
        assert kind in {"equal", "insert", "delete", "replace"}
        assert claimed in claim
        assert recorded in found["quotes"][0]["text"]


@pytest.mark.model
@pytest.mark.parametrize("form", ["markdown", "wikitext", "html", "json", "text"])
def test_a_quote_that_was_handed_out_is_cited(
    ask: Ask, seed_index: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    found = ask("Why was Amnesty banned?")
    quote = (found["quotes"] or found["nearest"])[0]
    assert main(["cite", quote["id"], "--as", form, "--index", str(seed_index)]) == 0
    out, err = capsys.readouterr()
    assert set(re.findall("q_[0-9a-f]{16}", out)) == {quote["id"]}
    assert err == ""


# --- ask --batch ----------------------------------------------------------------------------------


@pytest.mark.model
def test_a_batch_gives_the_same_objects_with_their_ids(
    ask: Ask, seed_index: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = [
        {"id": "q1", "question": "Why was Amnesty banned?", "kind": "why"},
        {"id": "q2", "question": "What is the capital of Australia?"},
        {"id": "q3", "question": "And Zelenskyy?", "history": ["What did Trump say?"]},
        {"id": "q4", "question": "What of it?", "transcript": "none"},
        {"id": "q5", "question": "How long did they talk?", "transcript": "trump-putin-call"},
    ]
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert main(["ask", "--batch", "-", "--index", str(seed_index)]) == 1
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["id"] for result in results] == ["q1", "q2", "q3", "q4", "q5"]
    exactly(results.pop(3), id=str, error=str)
    for result in results:
        is_answer(result, id=str)
    assert results[2]["resolved_question"] == "What did Zelenskyy say?"
    del results[0]["id"], results[0]["seconds"]
    alone = ask("Why was Amnesty banned?")
    assert results[0] == {key: value for key, value in alone.items() if key != "seconds"}


# --- Whose modules these are ----------------------------------------------------------------------


@pytest.mark.parametrize("package", ["app", "index", "eval"])
def test_nobody_else_installs_a_package_of_our_names(package: str) -> None:
    owners = importlib.metadata.packages_distributions().get(package, ["on-record"])
    assert set(owners) == {"on-record"}
