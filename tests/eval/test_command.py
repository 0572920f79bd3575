"""The command: what it prints, how it exits, what it asks where no index is named, and that what
is wrong is one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from app.feedback import Feedback, Rating
from app.settings import Settings
from eval.figures import MEASURES, figures, parts_of
from eval.questions import load
from eval.rows import read_run
from eval.system import Index, System, index_of
from eval.tables import short_table, table
from index.errors import IndexFolderError, OnRecordError, UsageError
from tests.eval.ship import Exchange
from tests.eval.words import onrecord_eval, parse
from tests.fixtures.transcripts import MEETING, REPORT

Captured = pytest.CaptureFixture[str]


def refusal(*words: object) -> str:
    with pytest.raises(UsageError) as caught:
        onrecord_eval(*words)
    return str(caught.value)


# --- What may be typed -------------------------------------------------------------------


def test_alone_it_runs_the_set_seed() -> None:
    alone, run = parse(), parse("run")
    assert alone.evaluate is run.evaluate
    for args in (alone, run, parse("run", "seed")):
        assert (args.set, args.split, args.index, args.out, args.kinds, args.workers) == (
            "seed", "all", None, None, False, 1
        )  # fmt: skip


COMMANDS = ["run", "report r", "compare a b", "gate", "add", "lint seed"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_index_may_be_named_in_front_of_the_command_or_behind_it(command: str) -> None:
    words = command.split()
    assert parse(*words).index is None
    assert parse("--index", "mine", *words).index == Path("mine")
    assert parse(*words, "--index", "mine").index == Path("mine")
    assert parse("--index", "other", *words, "--index", "mine").index == Path("mine")


@pytest.mark.parametrize(
    "words",
    [
        "seed",
        "walk",
        "report",
        "compare a",
        "lint",
        "run --split train",
        "run --workers 0",
        "run --workers few",
        "gate seed",
        "add --split all",
        "add --at noon",
    ],
)
def test_what_is_typed_wrongly_is_wrong_usage(words: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*words.split())
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_every_command_has_help(capsys: Captured) -> None:
    for command in COMMANDS:
        with pytest.raises(SystemExit) as caught:
            parse(command.split()[0], "--help")
        assert caught.value.code == 0
        assert "--index DIR" in capsys.readouterr().out


def test_onrecord_words_what_is_wrong(tmp_path: Path, capsys: Captured) -> None:
    missing = tmp_path / "missing.jsonl"
    assert main(["eval", "report", str(missing)]) == 2
    assert capsys.readouterr().err == (
        f"onrecord: The run {missing} cannot be read: No such file or directory.\n"
    )
    assert main(["eval", "add", "--index", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("onrecord: ")


# --- run, of the ship --------------------------------------------------------------------


@pytest.fixture
def ship(exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The nine questions as a set, the last two its test split; `exchange` stands for an index."""

    @contextmanager
    def opened(_: Path | None, *, workers: int) -> Iterator[System]:
        yield exchange

    monkeypatch.setattr("eval.system.opened", opened)
    file = tmp_path / "ship.jsonl"
    lines = []
    for number, question in enumerate(exchange.questions):
        fields = asdict(question)
        fields["answers"] = fields.pop("golds")
        lines.append(json.dumps({**fields, "split": "dev" if number < 7 else "test"}))
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_the_table_is_on_standard_output_and_failures_are_counted_beside_it(
    ship: Path, capsys: Captured
) -> None:
    assert onrecord_eval("run", ship, "--split", "all") == 1
    out, err = capsys.readouterr()
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["dev", "test"]
    assert lines[1] == ["questions", "7", "2"]
    assert ["EM", "57.1", "%", "0.0", "%"] in lines
    assert ["citations", "exact", "100.0", "%", "100.0", "%"] in lines
    assert len(lines) == 1 + len(MEASURES)
    assert err == (
        "onrecord: 2 of 9 questions failed and count as wrong; "
        "the first, broken: The index is gone.\n"
    )


def test_one_split_is_one_column_and_no_failure_exits_0(
    ship: Path, exchange: Exchange, capsys: Captured
) -> None:
    exchange.replies["broken?"] = exchange.replies["nobody knows?"]
    assert onrecord_eval("run", ship, "--split", "dev") == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["dev"]
    assert out.splitlines()[1].split() == ["questions", "7"]
    assert err == ""


def test_kinds_are_shown_for_each_split(ship: Path, capsys: Captured) -> None:
    onrecord_eval("run", ship, "--kinds")
    shown, dev, test = capsys.readouterr().out.split("\n\n")
    assert len(shown.splitlines()) == 1 + len(MEASURES)
    kinds = [line.split()[0] for line in dev.splitlines()]
    assert kinds == ["dev", "kind", "list", "what", "where", "who"]
    assert [line.split()[0] for line in test.splitlines()] == ["test", "kind", "what"]


def test_two_workers_print_the_same_figures(ship: Path, capsys: Captured) -> None:
    def without_times() -> list[str]:
        return capsys.readouterr().out.splitlines()[:-2]

    onrecord_eval("run", ship)
    one = without_times()
    onrecord_eval("run", ship, "--workers", "2")
    assert without_times() == one


def test_a_split_without_questions_is_refused(ship: Path, tmp_path: Path) -> None:
    only_dev = tmp_path / "dev.jsonl"
    only_dev.write_text(ship.read_text(encoding="utf-8").splitlines()[0], encoding="utf-8")
    assert refusal("run", only_dev, "--split", "test") == (
        f'The set {only_dev} has no questions in the split "test".'
    )


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"start": 26', '"start": 27', "right: at 27 in \"ship\" stands 'oon.', not 'noon'."),
        ('"transcript": "ship"', '"transcript": "boat"', 'right: there is no transcript "boat".'),
    ],
)
def test_a_set_that_does_not_fit_the_index_is_refused(
    ship: Path, old: str, new: str, fault: str
) -> None:
    text = ship.read_text(encoding="utf-8")
    ship.write_text(text.replace(old, new, 1), encoding="utf-8")
    # Of a split that is not asked, too.
    for split in ("all", "test"):
        assert refusal("run", ship, "--split", split) == (
            f"The set does not fit the index's transcripts (faults: 1): {fault}"
        )


# --- Over an index -----------------------------------------------------------------------

TEXTS = {"meeting": MEETING, "report": REPORT}
COST = "What will the bridge cost?"
ELEVEN = MEETING.index("bridge will cost")


def line(name: str, asked: str, words: str | None, **fields: Any) -> dict[str, Any]:
    """A line of a set on the meeting."""
    answers = [{"text": words, "start": MEETING.index(words)}] if words else []
    return {
        "id": name,
        "split": "dev",
        "kind": "what",
        "transcript": "meeting",
        "question": asked,
        "answerable": bool(words),
        "answers": answers,
        "speaker": "Ben Lindqvist" if words else None,
        "multi": False,
        **fields,
    }


LINES = [
    line("cost", COST, "bridge will cost"),
    line("pays", "Who pays for the lighthouse?", "The county", split="test"),
    line("sings", "Does anybody sing?", None),
    line("vote", "Is everybody in favour?", "Is everybody in favour", speaker="Ada Okafor"),
]


def written(file: Path, *lines: dict[str, Any]) -> Path:
    file.write_text("".join(f"{json.dumps(one)}\n" for one in lines), encoding="utf-8")
    return file


@pytest.fixture
def folder(fakes: None, tmp_path: Path) -> Path:
    """An index of the meeting and the report, made with fakes."""
    return index_of(TEXTS, tmp_path)


@pytest.fixture
def meeting(tmp_path: Path) -> Path:
    return written(tmp_path / "meeting.jsonl", *LINES)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that an index was asked."""
    every: list[str] = []
    ask = Index.ask

    def noting(self: Index, question: str, /) -> Any:
        every.append(question)
        return ask(self, question)

    monkeypatch.setattr(Index, "ask", noting)
    return every


def test_a_run_is_kept_with_its_manifest(
    folder: Path, meeting: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "run.jsonl"
    assert onrecord_eval("run", meeting, "--index", folder, "--out", out) == 0
    run = read_run(out)
    assert [row.id for row in run.rows] == ["cost", "pays", "sings", "vote"]
    assert (run.manifest.set, run.manifest.split, run.manifest.questions) == (
        str(meeting), "all", 4
    )  # fmt: skip
    dev, test = [run.rows[n] for n in (0, 2, 3)], [run.rows[1]]
    assert capsys.readouterr().out == (
        table({"dev": figures(dev), "test": figures(test)}) + "\n"
    )  # fmt: skip


def test_only_the_split_is_asked_and_kept(
    folder: Path, meeting: Path, tmp_path: Path, asked: list[str]
) -> None:
    out = tmp_path / "run.jsonl"
    onrecord_eval("--index", folder, "run", meeting, "--split", "test", "--out", out)
    assert asked == ["Who pays for the lighthouse?"]
    assert [row.id for row in read_run(out).rows] == ["pays"]


def test_a_run_that_was_cut_goes_on_with_the_rest(
    folder: Path, meeting: Path, tmp_path: Path, asked: list[str], capsys: Captured
) -> None:
    out = tmp_path / "run.jsonl"
    words = ("run", meeting, "--index", folder, "--out", out)
    onrecord_eval(*words)
    whole, shown = read_run(out), capsys.readouterr().out
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:3]) + lines[3][:50])
    asked.clear()
    assert onrecord_eval(*words) == 0
    told = capsys.readouterr()
    assert asked == ["Does anybody sing?", "Is everybody in favour?"]
    assert told.err == f"onrecord: {out} has 2 of 4 questions already; going on with the rest.\n"
    assert told.out.splitlines()[:-2] == shown.splitlines()[:-2]
    gone_on = read_run(out)
    assert gone_on.rows[:2] == whole.rows[:2]
    assert [row.id for row in gone_on.rows] == [row.id for row in whole.rows]


def test_a_run_that_is_whole_is_not_asked_again(
    folder: Path, meeting: Path, tmp_path: Path, asked: list[str], capsys: Captured
) -> None:
    out = tmp_path / "run.jsonl"
    words = ("run", meeting, "--index", folder, "--out", out)
    onrecord_eval(*words)
    before, shown = out.read_bytes(), capsys.readouterr().out
    asked.clear()
    assert onrecord_eval(*words) == 0
    told = capsys.readouterr()
    assert asked == []
    assert told.err == (
        f"onrecord: {out} has 4 of 4 questions already; delete it to ask them again.\n"
    )
    assert told.out == shown
    assert out.read_bytes() == before


def test_a_run_of_something_else_is_refused_and_left_as_it_was(
    folder: Path, meeting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run.jsonl"
    words = ("run", meeting, "--index", folder, "--out", out)
    onrecord_eval(*words)
    before = out.read_bytes()
    other = f"{out} holds a run with another {{}}: choose another --out, or delete the file."
    assert refusal(*words, "--split", "dev") == other.format("set of questions")
    assert refusal(*words, "--workers", "2") in (
        other.format("number of workers"), other.format("setting")
    )  # fmt: skip
    monkeypatch.setenv("ONRECORD_THRESHOLD", "0.75")
    assert refusal(*words) == other.format("setting")
    assert out.read_bytes() == before
    out.write_text("an essay\n", encoding="utf-8")
    assert refusal(*words) == (
        f"{out} is no run: its first line is not what `onrecord eval run --out` writes."
    )
    assert out.read_text(encoding="utf-8") == "an essay\n"


def test_a_run_that_cannot_be_written_is_one_sentence(
    folder: Path, meeting: Path, tmp_path: Path
) -> None:
    out = tmp_path / "nowhere" / "run.jsonl"
    with pytest.raises(OnRecordError) as caught:
        onrecord_eval("run", meeting, "--index", folder, "--out", out)
    assert str(caught.value) == (
        f"The run cannot be written to {out} (No such file or directory): choose another --out."
    )
    with pytest.raises(OnRecordError, match="cannot be read: Is a directory"):
        onrecord_eval("run", meeting, "--index", folder, "--out", tmp_path)


def test_a_failed_question_exits_1_each_time(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "run.jsonl"
    file = written(tmp_path / "odd.jsonl", LINES[0], line("odd", "?!", None))
    for _ in range(2):
        assert onrecord_eval("run", file, "--index", folder, "--out", out) == 1
        assert capsys.readouterr().err.splitlines()[-1] == (
            "onrecord: 1 of 2 questions failed and count as wrong; the first, odd: the question "
            "is empty; ask something in words."
        )


@pytest.mark.usefixtures("fakes")
def test_without_an_index_a_fresh_one_of_the_seeds_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("ONRECORD_INDEX", str(tmp_path / "mine"))
    assert onrecord_eval() == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split() == ["questions", "60", "60"]
    assert err == ""
    assert list(tmp_path.iterdir()) == []


def test_a_csv_set_is_run_on_a_named_index(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "set.CSV"
    file.write_text(f"question,answer\n{COST},bridge will cost\n", encoding="utf-8")
    assert onrecord_eval("run", file, "--index", folder) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["EM", "100.0", "%"] in lines
    assert ["right", "speaker", "-"] in lines


FERRY = "The ferry costs nothing on Sundays."


def squad_of(file: Path, *paragraphs: tuple[str, str, str]) -> Path:
    """A set in SQuAD's format: of each paragraph a question and its answer."""
    made = [
        {
            "context": context,
            "qas": [
                {
                    "question": asked,
                    "answers": [{"text": words, "answer_start": context.index(words)}],
                }
            ],
        }
        for context, asked, words in paragraphs
    ]
    articles = {"data": [{"title": "Harbour", "paragraphs": made}]}
    file.write_text(json.dumps(articles), encoding="utf-8")
    return file


@pytest.fixture
def squad(tmp_path: Path) -> Path:
    """Two paragraphs with a question each."""
    return squad_of(
        tmp_path / "squad.json",
        (MEETING, COST, "bridge will cost"),
        (FERRY, "Is the ferry free on Sundays?", "ferry"),
    )


@pytest.mark.usefixtures("fakes")
def test_a_squad_set_without_an_index_is_asked_of_its_own_paragraphs(
    squad: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run.jsonl"
    assert onrecord_eval("run", squad, "--out", out) == 0
    run = read_run(out)
    assert sorted(run.manifest.transcripts) == ["harbour-0000", "harbour-0001"]
    assert [(row.id, row.quotes[0].transcript) for row in run.rows] == [
        ("harbour-0000-0", "harbour-0000"), ("harbour-0001-0", "harbour-0001")
    ]  # fmt: skip


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("odd", ["One.\r\n", "\ufeff", "  ", "One.\x0c\x85\u2028"])
def test_a_squad_paragraph_of_odd_characters_is_asked_as_it_is(odd: str, tmp_path: Path) -> None:
    file = squad_of(tmp_path / "odd.json", (f"{odd}{FERRY}", "Is the ferry free?", "ferry"))
    out = tmp_path / "run.jsonl"
    assert onrecord_eval("run", file, "--out", out) == 0
    (row,) = read_run(out).rows
    assert (row.golds[0].text, row.quotes[0].answer.text) == ("ferry", "ferry")


@pytest.mark.usefixtures("fakes")
def test_a_squad_paragraph_that_no_file_can_hold_is_one_sentence(tmp_path: Path) -> None:
    file = squad_of(tmp_path / "odd.json", (f"\ud83d {FERRY}", "Is the ferry free?", "ferry"))
    with pytest.raises(OnRecordError):
        onrecord_eval("run", file)


def test_a_squad_set_on_an_index_that_lacks_a_paragraph_is_refused(
    squad: Path, folder: Path
) -> None:
    assert refusal("run", squad, "--index", folder) == (
        f'{squad}: the paragraph "The ferry costs nothing on Sundays." stands in no transcript of '
        "the index; without --index, the paragraphs themselves are indexed and asked."
    )


@pytest.mark.parametrize("command", ["run", "lint"])
@pytest.mark.parametrize("name", ["set.jsonl", "set.json", "set.csv", "sead"])
def test_a_bad_set_is_one_sentence(
    command: str, name: str, tmp_path: Path, fakes: None
) -> None:  # fmt: skip
    file = tmp_path / name
    missing = refusal(command, file)
    file.write_text("{", encoding="utf-8")
    broken = refusal(command, file)
    for said in (missing, broken):
        assert str(file) in said
        assert said.endswith(".")
        assert "\n" not in said


def test_a_bad_set_is_told_before_an_index_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: object) -> None:
        raise AssertionError("an index was made")

    monkeypatch.setattr("eval.system.build_seeds", build)
    monkeypatch.setattr("eval.system.index_of", build)
    for name in ("set.jsonl", "set.json"):
        assert str(tmp_path / name) in refusal("run", tmp_path / name)


def test_an_index_that_is_not_there_is_told(tmp_path: Path, meeting: Path) -> None:
    with pytest.raises(IndexFolderError):
        onrecord_eval("run", meeting, "--index", tmp_path / "nowhere")


# --- report, compare ---------------------------------------------------------------------


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.figures.RESAMPLES", 40)


@pytest.fixture
def kept(folder: Path, meeting: Path, tmp_path: Path, capsys: Captured) -> Path:
    """A run, kept."""
    out = tmp_path / "kept.jsonl"
    onrecord_eval("run", meeting, "--index", folder, "--out", out)
    capsys.readouterr()
    return out


@pytest.mark.usefixtures("few_resamples")
def test_a_report_is_made_beside_the_run_or_where_it_is_wanted(
    kept: Path, tmp_path: Path, capsys: Captured
) -> None:
    for words, out in (
        ((), tmp_path / "kept-report"),
        (("--out", tmp_path / "there" / "it"), tmp_path / "there" / "it"),
    ):
        assert onrecord_eval("report", kept, *words) == 0
        shown = short_table(parts_of(read_run(kept).rows))
        assert capsys.readouterr() == (f"{shown}\n\n{out / 'report.html'}\n", "")
        assert sorted(file.name for file in out.iterdir()) == ["figures.json", "report.html"]


@pytest.mark.usefixtures("few_resamples")
def test_a_report_that_cannot_be_made_is_one_sentence(kept: Path, tmp_path: Path) -> None:
    with pytest.raises(OnRecordError, match=r"^The report cannot be written to .+ \(File exists\)"):
        onrecord_eval("report", kept, "--out", kept)
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(kept.read_bytes()[:-10])
    assert refusal("report", cut).startswith(f"{cut} is cut off: it has 3 of 4 questions. ")
    assert not (tmp_path / "cut-report").exists()


@pytest.mark.usefixtures("few_resamples")
def test_runs_of_different_sets_are_not_compared(
    kept: Path, folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    other = tmp_path / "other.jsonl"
    onrecord_eval(
        "run", written(tmp_path / "o.jsonl", *LINES[:2]), "--index", folder, "--out", other
    )
    assert refusal("compare", kept, other).startswith("The runs asked different questions (")
    assert refusal("compare", kept, tmp_path / "none.jsonl").startswith("The run ")
    assert onrecord_eval("compare", kept, kept, "--split", "test", "--fail-if-worse") == 0
    capsys.readouterr()


# --- gate --------------------------------------------------------------------------------


@pytest.fixture
def floors(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts other floors in the place of those that ship."""

    def put(**sets: dict[str, dict[str, float]]) -> None:
        monkeypatch.setattr("eval.gate.read_floors", lambda: sets)

    return put


def test_figures_at_their_floors_hold(
    folder: Path, meeting: Path, floors: Callable[..., None], capsys: Captured
) -> None:
    floors(**{str(meeting): {"dev": {"citations_exact": 1.0, "errors": 0}, "test": {"em": 0.0}}})
    assert onrecord_eval("gate", "--index", folder, "--workers", "2") == 0
    out, err = capsys.readouterr()
    assert [line.split()[1] for line in out.splitlines()[1:]] == ["dev", "dev", "test"]
    assert out.count("holds") == 3
    assert err == ""


def test_one_figure_below_its_floor_exits_1(
    folder: Path, meeting: Path, floors: Callable[..., None], capsys: Captured
) -> None:
    floors(**{str(meeting): {"dev": {"citations_exact": 1.0, "em": 1.01}, "train": {"em": 0.0}}})
    assert onrecord_eval("gate", "--index", folder) == 1
    out, err = capsys.readouterr()
    assert [line.split()[-1] for line in out.splitlines()[1:]] == ["holds", "FALLEN", "FALLEN"]
    assert err == "onrecord: 2 of 3 figures fell below their floors.\n"


def test_a_failed_question_fails_the_gate(
    folder: Path, tmp_path: Path, floors: Callable[..., None], capsys: Captured
) -> None:
    odd = written(tmp_path / "odd.jsonl", LINES[0], line("odd", "?!", None))
    floors(**{str(odd): {"dev": {"citations_exact": 1.0}}})
    assert onrecord_eval("gate", "--index", folder) == 1
    out, err = capsys.readouterr()
    assert "FALLEN" not in out
    assert err.startswith("onrecord: 1 of 2 questions failed and count as wrong; the first, odd: ")


def test_a_gate_over_a_set_that_does_not_fit_is_refused(
    folder: Path, floors: Callable[..., None]
) -> None:
    floors(seed={"dev": {"em": 0.0}})
    assert refusal("gate", "--index", folder).startswith("The set does not fit the index's")


# --- add ---------------------------------------------------------------------------------


def rated(folder: Path, **fields: Any) -> str:
    """Keep a rating of what is answered to COST; its id."""
    index = Index.open(Settings.from_environment(index=folder))
    quotes = index.ask(COST).answer["quotes"]
    rating = Rating(**{"question": COST, "verdict": "right", **fields})
    return Feedback(folder).keep(rating, quotes).id


def test_without_a_candidate_they_are_listed(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert onrecord_eval("add", "--index", folder) == 0
    assert capsys.readouterr().out == f"{folder} has no ratings that are not in a set.\n"
    name = rated(folder)
    assert onrecord_eval("add", "--index", folder) == 0
    listed = (
        f'{name}  right  {COST}\n    answered: "bridge will cost" (meeting, {ELEVEN})\n'
    )  # fmt: skip
    assert capsys.readouterr().out == listed
    mine = tmp_path / "mine.jsonl"
    onrecord_eval("add", "--index", folder, "--set", mine)
    assert capsys.readouterr().out == listed
    onrecord_eval("add", name, "--index", folder, "--set", mine)
    capsys.readouterr()
    assert onrecord_eval("add", "--index", folder, "--set", mine) == 0
    assert capsys.readouterr().out == f"{folder} has no ratings that are not in a set.\n"


def test_a_rating_becomes_a_question_that_can_be_run(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    mine = tmp_path / "mine.jsonl"
    name = rated(folder)
    words = ("add", name, "--index", folder, "--set", mine, "--split", "test", "--kind", "price")
    assert onrecord_eval(*words) == 0
    assert capsys.readouterr().out == (
        f'meeting {ELEVEN}-{ELEVEN + 16}: "bridge will cost", said by Ben Lindqvist\n'
        f"{mine}: added {name} (price, test).\n"
    )
    before = mine.read_bytes()
    assert refusal(*words) == f'{mine} has that question already: {name}, "{COST}".'
    assert mine.read_bytes() == before
    assert onrecord_eval("run", mine, "--index", folder) == 0
    assert ["EM", "100.0", "%"] in [line.split() for line in capsys.readouterr().out.splitlines()]


def test_a_correction_is_looked_up_and_nobody_is_written_as_nobody(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    mine = tmp_path / "mine.jsonl"
    yes = rated(folder, verdict="wrong", correction="Yes.")
    nobody = rated(folder, question="Who sings?", verdict="wrong", nobody=True)
    words = ("--index", folder, "--set", mine)
    assert refusal("add", yes, *words).startswith(f'{yes}: "Yes." stands in 3 places; say which')
    assert not mine.exists()
    last = MEETING.rindex("Yes.")
    assert onrecord_eval("add", yes, *words, "--at", last, "--speaker", "Ada Okafor") == 0
    assert onrecord_eval("add", nobody, *words, "--near-miss", "--transcript", "report") == 0
    assert capsys.readouterr().out == (
        f'meeting {last}-{last + 4}: "Yes.", said by Ada Okafor\n'
        f"{mine}: added {yes} (what, dev).\n"
        "report: nothing answers it\n"
        f"{mine}: added {nobody} (who, dev).\n"
    )
    first, second = load(mine)
    assert (first.golds[0].start, first.speaker, first.near_miss) == (last, "Ada Okafor", False)
    assert (second.answerable, second.transcript, second.near_miss) == (False, "report", True)


def test_a_rating_that_is_not_there_or_a_set_that_is_not_named_is_told(
    folder: Path, tmp_path: Path
) -> None:
    name = rated(folder)
    assert refusal("add", name, "--index", folder) == (
        "name the set that the question is added to with --set."
    )
    assert refusal("add", "c_0", "--index", folder, "--set", tmp_path / "mine.jsonl") == (
        f"{folder} has no rating c_0; `onrecord eval add` lists them."
    )
    with pytest.raises(IndexFolderError):
        onrecord_eval("add", "--index", tmp_path / "nowhere")


def test_ratings_are_those_of_the_users_own_index(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    name = rated(folder)
    monkeypatch.setenv("ONRECORD_INDEX", str(folder))
    assert onrecord_eval("add") == 0
    assert capsys.readouterr().out.startswith(f"{name}  right  ")


# --- lint --------------------------------------------------------------------------------


def test_a_good_set_has_nothing_to_mend(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    file = written(tmp_path / "good.jsonl", LINES[1], LINES[2])
    assert onrecord_eval("lint", file, "--index", folder) == 0
    assert capsys.readouterr().out == f"{file}: 2 questions, 0 faults, 0 to look at.\n"


def test_what_is_only_worth_a_look_exits_0(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    file = written(
        tmp_path / "look.jsonl", LINES[3], line("bridge", "Is the bridge on the agenda?", None)
    )
    assert onrecord_eval("lint", file, "--index", folder) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == 'look  vote: the question says its answer, "Is everybody in favour".'
    assert told[1].startswith(
        'look  bridge: "Is the bridge on the agenda?" has no answer, but the index answers '
        '"bridge still on the agenda" (meeting, '
    )
    assert told[2] == f"{file}: 2 questions, 0 faults, 2 to look at."


def test_what_must_be_mended_exits_1(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    moved = {**LINES[0], "answers": [{"text": "eleven million", "start": 0}]}
    file = written(
        tmp_path / "faults.jsonl", moved, line("again", "the bridge: what will it? Cost", None)
    )
    assert onrecord_eval("lint", file, "--index", folder) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == (
        "fault  cost: at 0 in \"meeting\" stands '[00:00:04] Ada', not 'eleven million'."
    )
    assert told[-1].startswith(f"{file}: 2 questions, 1 faults, ")
