"""The command: what it prints, how it exits, and what it asks where no index is named."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.settings import Settings
from eval.command import add_arguments, execute
from eval.run import Ask, TextOf
from index.errors import OnRecordError, UsageError
from tests.eval.ship import TEXT, Exchange, cite, reply

Command = Callable[..., int]


def parse(*words: str) -> argparse.Namespace:
    """As app.cli does: it gives every command --index, and then the command its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--index", type=Path)
    add_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture
def questions(exchange: Exchange, tmp_path: Path) -> Path:
    """The nine questions as a set; the last two are its test split."""
    file = tmp_path / "ship.jsonl"
    lines = []
    for number, question in enumerate(exchange.questions):
        fields = asdict(question)
        fields["answers"] = fields.pop("golds")
        lines.append(json.dumps({**fields, "split": "dev" if number < 7 else "test"}))
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


@pytest.fixture
def onrecord_eval(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command with `exchange` in the place of an index."""

    @contextmanager
    def opened(_: argparse.Namespace) -> Iterator[tuple[Ask, TextOf]]:
        yield exchange.ask, exchange.text_of

    monkeypatch.setattr("eval.command._open", opened)
    return lambda *words: execute(parse(*map(str, words)))


def test_defaults() -> None:
    args = parse()
    assert (args.set, args.split, args.index, args.out, args.kinds) == (
        "seed",
        "all",
        None,
        None,
        False,
    )


def test_the_table_is_on_standard_output_and_failures_are_counted_beside_it(
    onrecord_eval: Command, questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert onrecord_eval(questions, "--split", "all") == 1
    out, err = capsys.readouterr()
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["dev", "test"]
    assert lines[1] == ["questions", "7", "2"]
    assert lines[5] == ["EM", "57.1", "%", "0.0", "%"]
    assert len(lines) == 24
    assert err == (
        "onrecord: 2 of 9 questions failed and count as wrong; "
        "the first, broken: The index is gone.\n"
    )


def test_one_split_is_one_column_and_no_failure_exits_0(
    onrecord_eval: Command, questions: Path, exchange: Exchange, capsys: pytest.CaptureFixture[str]
) -> None:
    exchange.replies["broken?"] = exchange.replies["nobody knows?"]
    assert onrecord_eval(questions, "--split", "dev") == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["dev"]
    assert out.splitlines()[1].split() == ["questions", "7"]
    assert err == ""


def test_kinds_are_shown_for_each_split(
    onrecord_eval: Command, questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onrecord_eval(questions, "--split", "all", "--kinds")
    figures, dev, test = capsys.readouterr().out.split("\n\n")
    assert len(figures.splitlines()) == 24
    kinds = [line.split()[0] for line in dev.splitlines()]
    assert kinds == ["dev", "kind", "list", "what", "where", "who"]
    assert [line.split()[0] for line in test.splitlines()] == ["test", "kind", "what"]


def test_rows_are_written(onrecord_eval: Command, questions: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    onrecord_eval(questions, "--split", "test", "--out", out)
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [(row["id"], row["error"]) for row in rows] == [
        ("too bold", None),
        ("broken too", "ZeroDivisionError: division by zero"),
    ]


def test_rows_that_cannot_be_written_are_one_sentence(
    onrecord_eval: Command, questions: Path, tmp_path: Path
) -> None:
    with pytest.raises(OnRecordError, match=r"^The rows cannot be written to .*: choose another"):
        onrecord_eval(questions, "--out", tmp_path)


def test_a_split_without_questions_is_refused(
    onrecord_eval: Command, questions: Path, tmp_path: Path
) -> None:
    only_dev = tmp_path / "dev.jsonl"
    only_dev.write_text(questions.read_text(encoding="utf-8").splitlines()[0], encoding="utf-8")
    with pytest.raises(UsageError, match=r'has no questions in the split "test"\.$'):
        onrecord_eval(only_dev, "--split", "test")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"start": 26', '"start": 27', "right: at 27 in \"ship\" stands 'oon.', not 'noon'."),
        ('"transcript": "ship"', '"transcript": "boat"', 'right: there is no transcript "boat".'),
    ],
)
def test_a_set_that_does_not_fit_the_index_is_refused(
    onrecord_eval: Command, questions: Path, old: str, new: str, fault: str
) -> None:
    text = questions.read_text(encoding="utf-8")
    questions.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        onrecord_eval(questions)
    assert str(caught.value) == f"The set does not fit the index's transcripts (faults: 1): {fault}"


@pytest.fixture
def assembled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """app.assemble without models: what is called on which folder."""
    called: list[tuple[str, Path]] = []

    class Library:
        @classmethod
        def open(cls, settings: Settings, *, record: bool) -> Library:
            assert not record
            assert settings.index.parent.is_dir()
            called.append(("open", settings.index))
            return cls()

        def ask(self, _: str) -> dict[str, Any]:
            return reply(0.9, [cite("noon", "noon")])

        def transcript(self, transcript_id: str) -> SimpleNamespace:
            return {"ship": SimpleNamespace(text=TEXT)}[transcript_id]

    monkeypatch.setattr("app.assemble.Library", Library)
    monkeypatch.setattr(
        "app.assemble.build_seeds", lambda path, settings: called.append(("build", path))
    )
    monkeypatch.setattr("app.answer.answer_object", lambda answer: answer)
    return called


def test_without_an_index_a_fresh_one_of_the_seeds_is_asked(
    assembled: list[tuple[str, Path]],
    questions: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("ONRECORD_INDEX", str(tmp_path / "mine"))
    assert execute(parse(str(questions))) == 0
    assert [what for what, _ in assembled] == ["build", "open"]
    built, opened = (path for _, path in assembled)
    assert built == opened
    assert built != tmp_path / "mine"
    assert not built.parent.exists()


def test_a_named_index_is_asked_as_it_is(
    assembled: list[tuple[str, Path]], questions: Path, tmp_path: Path
) -> None:
    assert execute(parse(str(questions), "--index", str(tmp_path / "named"))) == 0
    assert assembled == [("open", tmp_path / "named")]
