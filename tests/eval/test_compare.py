"""Two runs compared: the same is the same, and what was broken on purpose is called worse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from app.answer import Policy
from app.assemble import index_transcripts, open_parts, seeds_folder
from app.reader import Passage, Span
from app.settings import Settings
from eval.compare import (
    Change,
    compare,
    comparison_table,
    fallen,
    flips,
    flips_table,
    parse_floor,
    require_same_questions,
)
from eval.figures import BY_KEY, MEASURES, Interval, figures
from eval.gate import gate_table, hold
from eval.questions import load
from eval.rows import Row, read_run, write_rows
from eval.run import run
from eval.system import Index, Reply, System, manifest_of
from index.chunk import Chunk
from index.errors import UsageError
from index.retrieve import Hit, Query, Retriever
from tests.eval.ship import Exchange, changed, cite, manifest, question, reply, row_of
from tests.eval.words import onrecord_eval
from tests.fakes import assemble_fakes

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to tell what is plain."""
    monkeypatch.setattr("eval.figures.RESAMPLES", 100)


def verdicts(a: Sequence[Row], b: Sequence[Row]) -> dict[str, str]:
    return {change.measure.key: change.verdict for change in compare(a, b)}


def right(n: int, **fields: Any) -> Row:
    """A right answer to question n."""
    asked = question(f"q{n}", ("noon", 26), speaker="Ann", **fields)
    return row_of(asked, reply(0.9, [cite("noon", "noon", "Ann")], hits=["noon"]))


def wrong(n: int) -> Row:
    """A wrong answer to the same."""
    asked = question(f"q{n}", ("noon", 26), speaker="Ann")
    return row_of(asked, reply(0.9, [cite("Crete", "Crete")], hits=["Crete", "noon"]))


# --- By hand -----------------------------------------------------------------------------


def test_a_run_is_the_same_as_itself(exchange: Exchange) -> None:
    rows = exchange.rows()
    changes = compare(rows, rows)
    assert [change.measure for change in changes] == list(MEASURES)
    for change in changes:
        assert change.a == change.b == figures(rows)[change.measure.key]
        counted = change.measure.unit == "count"
        assert change.interval == (None if counted else Interval(0.0, 0.0))
        assert change.verdict == "same"
    assert flips(rows, rows) == []
    assert list(flips_table([])) == []


def test_no_rows_are_the_same_as_no_rows() -> None:
    assert set(verdicts([], []).values()) == {"same"}


def test_rows_of_different_questions_are_not_compared() -> None:
    with pytest.raises(ValueError, match="different questions"):
        compare([right(1)], [right(2)])
    with pytest.raises(ValueError, match="different questions"):
        compare([right(1), right(2)], [right(2), right(1)])


def test_runs_of_different_sets_are_refused(exchange: Exchange) -> None:
    a = exchange.run()
    require_same_questions(a, replace(a, manifest=manifest(set="renamed.jsonl", index="0")))
    b = replace(a, manifest=manifest(set="boat.jsonl", set_sha256="b0a7" * 16, split="dev"))
    with pytest.raises(UsageError) as caught:
        require_same_questions(a, b)
    assert str(caught.value) == (
        "The runs asked different questions (ship.jsonl, all, 9 questions, 5e75e75e and "
        "boat.jsonl, dev, 9 questions, b0a7b0a7): compare runs of one set and split."
    )


def test_what_is_plain_is_told_and_what_may_be_chance_is_not() -> None:
    a = [right(n) for n in range(40)]
    one = [wrong(0), *a[1:]]
    half = [*map(wrong, range(20)), *a[20:]]
    assert verdicts(a, half)["right_quote_first"] == "worse"
    assert verdicts(half, a)["right_quote_first"] == "better"
    assert verdicts(a, half)["em"] == verdicts(a, half)["recall_at_1"] == "worse"
    assert verdicts(a, half)["recall_at_5"] == "same"
    assert verdicts(a, half)["aurc"] == "worse"  # more, where less is better
    assert verdicts(half, a)["aurc"] == "better"
    assert verdicts(a, one)["right_quote_first"] == "cannot tell"
    assert verdicts(one, a)["right_quote_first"] == "cannot tell"


def test_pairs_of_questions_tell_what_two_shares_would_not() -> None:
    # 20 of 40 against 26 of 40: taken each by itself, their intervals overlap.
    a = [right(n) if n < 20 else wrong(n) for n in range(40)]
    b = [right(n) if n < 26 else wrong(n) for n in range(40)]
    assert verdicts(a, b)["right_quote_first"] == "better"
    # The same shares, but of other questions: nothing can be told.
    c = [right(n) if n >= 14 else wrong(n) for n in range(40)]
    assert verdicts(a, c)["right_quote_first"] == "cannot tell"


def test_promises_are_broken_by_one_question() -> None:
    a = [right(n) for n in range(40)]
    asked = question("q0", ("noon", 26), speaker="Ann")
    false = {**cite("noon", "noon", "Ann"), "start": 1}
    one_false = [row_of(asked, reply(0.9, [false], hits=["noon"])), *a[1:]]
    assert verdicts(a, one_false)["citations_exact"] == "worse"
    assert verdicts(one_false, a)["citations_exact"] == "cannot tell"
    one_failed = [row_of(asked, RuntimeError("out of memory")), *a[1:]]
    assert verdicts(a, one_failed)["errors"] == "worse"
    assert verdicts(one_failed, a)["errors"] == "better"


def test_what_only_one_run_has_cannot_be_told() -> None:
    refused = [row_of(question("q", ("noon", 26)), reply(0.1))]
    answered = [row_of(question("q", ("noon", 26)), reply(0.9, [cite("noon", "noon")]))]
    its = {change.measure.key: change for change in compare(refused, answered)}
    assert its["citations_exact"].verdict == "cannot tell"
    assert (its["citations_exact"].a, its["citations_exact"].b) == (None, 1.0)
    assert its["citations_exact"].interval is None
    assert its["auroc"].verdict == "same"  # neither has it


def test_flips_are_the_questions_that_one_run_alone_got_right(exchange: Exchange) -> None:
    a = exchange.rows()
    exchange.replies["right?"] = reply(0.1)
    exchange.replies["half?"] = RuntimeError("out of memory")
    exchange.replies["too bold?"] = reply(0.2, nearest=[cite("noon", "noon")])
    exchange.replies["elsewhere?"] = reply(0.4, [cite("sank again", "It sank")])
    exchange.replies["list?"] = reply(0.9, [cite("Crete", "Crete")])  # otherwise, but right
    b = exchange.rows()
    assert [(flip.a.id, flip.b.id, flip.better) for flip in flips(a, b)] == [
        ("right", "right", False),
        ("half", "half", False),
        ("elsewhere", "elsewhere", True),
        ("too bold", "too bold", True),
    ]
    assert list(flips_table(flips(a, b))) == [
        "right in A only (2):",
        "  right  right?",
        '    A: "noon" (0.90)',
        "    B: refused",
        "  half  half?",
        '    A: "ship left" (0.80)',
        "    B: failed: RuntimeError: out of memory",
        "right in B only (2):",
        "  elsewhere  elsewhere?",
        '    A: "It sank" (0.70)',
        '    B: "It sank" (0.40)',
        "  too bold  too bold?",
        '    A: "sank" (0.75)',
        "    B: refused",
    ]


def test_the_table_has_a_line_for_each_figure() -> None:
    em, n, errors, f1, auroc = (BY_KEY[key] for key in ("em", "n", "errors", "f1", "auroc"))
    assert comparison_table(
        [
            Change(n, 9.0, 9.0, None, "same"),
            Change(errors, 0.0, 2.0, None, "worse"),
            Change(em, 0.5, 0.25, Interval(-0.375, -0.125), "worse"),
            Change(f1, 0.5, 0.5, Interval(0.0, 0.0), "same"),
            Change(auroc, None, 0.75, None, "cannot tell"),
            Change(auroc, 0.5, 0.75, Interval(-0.1, 0.4), "cannot tell"),
        ]
    ) == (
        "                          A       B    B - A            interval      verdict\n"
        "questions                 9       9        0\n"
        "errors                    0       2       +2                            worse\n"
        "EM                   50.0 %  25.0 %  -25.0 %  -37.5 % .. -12.5 %        worse\n"
        "F1                   50.0 %  50.0 %    0.0 %      0.0 % .. 0.0 %         same\n"
        "AUROC of confidence       -   0.750                               cannot tell\n"
        "AUROC of confidence   0.500   0.750   +0.250    -0.100 .. +0.400  cannot tell"
    )


# --- Floors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "floor"),
    [("f1=0.75", ("f1", 0.75)), ("errors=0", ("errors", 0.0)), ("aurc= .5 ", ("aurc", 0.5))],
)
def test_a_floor_is_a_figure_and_a_number(text: str, floor: tuple[str, float]) -> None:
    assert parse_floor(text) == floor


@pytest.mark.parametrize("text", ["f2=0.5", "=0.5", "", "F1=0.5", "f1 =0.5"])
def test_a_floor_of_no_figure_lists_those_there_are(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_floor(text)
    assert str(caught.value) == (
        f'there is no figure "{text.partition("=")[0]}"; there are {", ".join(BY_KEY)}.'
    )


@pytest.mark.parametrize("text", ["f1", "f1=", "f1=75 %", "f1=0,75", "f1=nan"])
def test_a_floor_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_floor(text)
    assert str(caught.value) == f'"{text}" names no number; write it as f1=0.75.'


def test_a_figure_falls_below_its_floor_or_above_where_less_is_better() -> None:
    f1, errors = BY_KEY["f1"], BY_KEY["errors"]
    assert f1.holds(0.75, 0.75)
    assert f1.holds(0.1 + 0.2, 0.3)
    assert f1.holds(0.3, 0.1 + 0.2)  # what rounding does is no fall
    assert not f1.holds(0.7499, 0.75)
    assert errors.holds(0.0, 0.0)
    assert not errors.holds(1.0, 0.0)
    assert not f1.holds(None, 0.0)
    assert not errors.holds(None, 9.0)


def test_what_has_fallen_is_a_sentence() -> None:
    changes = compare([right(0), right(1)], [right(0), wrong(1)])
    floors = {"em": 0.75, "right_quote_first": 0.5, "aurc": 0.1, "auroc": 0.5, "errors": 0.0}
    assert list(fallen(changes, floors)) == [
        "em is 50.0 %, its floor 75.0 %",
        "auroc is -, its floor 0.500",
        "aurc is 0.750, its floor 0.100",
    ]
    assert list(fallen(changes, {})) == []


# --- Planted regressions -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Knowing:
    """A Reader that knows the answers and is sure of them: it marks one in each passage that has
    any.
    """

    golds: Mapping[str, Sequence[str]]

    def read(self, question: str, passages: Sequence[Passage], /) -> list[list[Span]]:
        return [[*self._spans(question, passage.text)] for passage in passages]

    def _spans(self, question: str, text: str) -> Iterator[Span]:
        for gold in self.golds[question]:
            if gold in text:
                start = text.index(gold)
                yield Span(start, start + len(gold), 40.0)
                return


@dataclass(frozen=True, slots=True)
class FromTheTail:
    """A Retriever that gives the least likely passages first."""

    retriever: Retriever

    def retrieve(self, query: Query, k: int, /) -> list[Hit]:
        return self.retriever.retrieve(query, 1000)[::-1][:k]


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A System whose every quote has something of it changed."""

    system: System
    spoil: Any

    @property
    def texts(self) -> Mapping[str, str]:
        return self.system.texts

    @property
    def chunks(self) -> Mapping[str, Sequence[Chunk]]:
        return self.system.chunks

    def ask(self, question: str, /) -> Reply:
        found = self.system.ask(question)
        return changed(
            found,
            quotes=[self.spoil(quote) for quote in found.answer["quotes"]],
            nearest=[self.spoil(quote) for quote in found.answer["nearest"]],
        )


def shifted(quote: dict[str, Any]) -> dict[str, Any]:
    return {**quote, "start": quote["start"] + 1}


def speechless(quote: dict[str, Any]) -> dict[str, Any]:
    return {**quote, "speaker": None}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The development half of the set `seed`, asked of a good system and of each broken one."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        assemble_fakes(patch.setattr)
        # So few passages are read that it matters which.
        settings = replace(
            Settings.from_environment(index=folder / "index"), policy=Policy(passages=3)
        )
        index_transcripts(settings, [seeds_folder() / "trump-putin-call.txt"])
        questions = [asked for asked in load("seed") if asked.split == "dev"]
        golds = {asked.question: [gold.text for gold in asked.golds] for asked in questions}
        parts = replace(open_parts(settings), reader=Knowing(golds))
        good = Index(parts, settings)
        tail = replace(parts, retriever=FromTheTail(parts.retriever))
        systems = {
            "good": good,
            "again": good,
            "retriever": Index(tail, settings),
            "offset": Spoiled(good, shifted),
            "speaker": Spoiled(good, speechless),
        }
        about = manifest_of(good, "seed", "dev", questions, 1)
        files = {name: folder / f"{name}.jsonl" for name in systems}
        for name, system in systems.items():
            assert all(write_rows(run(questions, system), files[name], about))
        yield files


PLANTED = [
    pytest.param(
        "retriever", {"recall_at_1", "mrr", "ndcg_at_10", "right_quote_first"}, id="retriever"
    ),
    pytest.param("offset", {"citations_exact"}, id="offset"),
    pytest.param("speaker", {"speaker_accuracy"}, id="speaker"),
]


@pytest.mark.parametrize(("broken", "figures_hit"), PLANTED)
def test_a_planted_regression_is_called_worse_and_fails(
    runs: dict[str, Path], broken: str, figures_hit: set[str], capsys: Captured
) -> None:
    assert onrecord_eval("compare", runs["good"], runs[broken], "--fail-if-worse") == 1
    out, err = capsys.readouterr()
    changes = compare(*(read_run(runs[name]).rows for name in ("good", broken)))
    assert out.startswith(comparison_table(changes))
    # Time is let be: the machine is not the system's.
    its = {one.measure.key: one.verdict for one in changes if one.measure.layer != "time"}
    worse = [key for key, verdict in its.items() if verdict == "worse"]
    assert figures_hit <= set(worse)
    assert "better" not in its.values()
    assert err.splitlines() == [f"onrecord: {key} is worse." for key in worse]


@pytest.mark.parametrize(
    ("broken", "only"), [("offset", "citations_exact"), ("speaker", "speaker_accuracy")]
)
def test_a_planted_regression_moves_nothing_else(
    runs: dict[str, Path], broken: str, only: str
) -> None:
    a, b = (figures(read_run(runs[name]).rows) for name in ("good", broken))
    moved = {key for key in a if a[key] != b[key] and "seconds" not in key}
    assert moved == {only}


@pytest.mark.parametrize(("broken", "figures_hit"), PLANTED)
def test_what_mends_a_regression_is_called_better(
    runs: dict[str, Path], broken: str, figures_hit: set[str]
) -> None:
    its = verdicts(*(read_run(runs[name]).rows for name in (broken, "good")))
    better = {key for key, verdict in its.items() if verdict == "better"}
    assert figures_hit <= better
    assert "worse" not in {its[key] for key in its if BY_KEY[key].layer != "time"}


@pytest.mark.parametrize(("broken", "figures_hit"), PLANTED)
def test_floors_at_the_good_runs_figures_fall(
    runs: dict[str, Path], broken: str, figures_hit: set[str]
) -> None:
    good, bad = (figures(read_run(runs[name]).rows) for name in ("good", broken))
    floors = {
        "seed": {
            "dev": {
                key: value
                for key, value in good.items()
                if value is not None and BY_KEY[key].better and BY_KEY[key].layer != "time"
            }
        }
    }
    held = hold("seed", {"dev": good}, floors)
    assert all(one.holds for one in held)
    assert "FALLEN" not in gate_table(held)
    lost = {one.measure.key for one in hold("seed", {"dev": bad}, floors) if not one.holds}
    assert figures_hit <= lost
    assert "FALLEN" in gate_table(hold("seed", {"dev": bad}, floors))


def test_the_same_system_asked_again_is_the_same_but_for_time(
    runs: dict[str, Path], capsys: Captured
) -> None:
    assert onrecord_eval("compare", runs["good"], runs["again"], "--fail-if-worse") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "right in" not in out
    its = verdicts(*(read_run(runs[name]).rows for name in ("good", "again")))
    assert {verdict for key, verdict in its.items() if "seconds" not in key} == {"same"}


def test_time_alone_does_not_fail(runs: dict[str, Path], tmp_path: Path) -> None:
    good = read_run(runs["good"])
    slow = [replace(row, seconds=row.seconds + 100) for row in good.rows]
    assert verdicts(good.rows, slow)["seconds_p50"] == "worse"
    file = tmp_path / "slow.jsonl"
    assert all(write_rows(slow, file, good.manifest))
    assert onrecord_eval("compare", runs["good"], file, "--fail-if-worse") == 0


def test_a_figure_under_its_floor_fails(
    runs: dict[str, Path], capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eval.figures.RESAMPLES", 10)  # floors are of the figures themselves
    words = ("compare", runs["good"], runs["offset"])
    floors = ("--fail-under", "f1=0.0", "--fail-under", "citations_exact=1")
    assert onrecord_eval(*words) == 0
    assert onrecord_eval(*words, "--fail-under", "f1=0.0") == 0
    assert capsys.readouterr().err == ""
    assert onrecord_eval(*words, *floors) == 1
    assert capsys.readouterr().err == (
        "onrecord: citations_exact is 0.0 %, its floor 100.0 %.\n"
    )  # fmt: skip


@pytest.mark.parametrize("floor", ["f2=0.5", "f1", "f1=much"])
def test_a_wrong_floor_is_told_before_the_runs_are_read(floor: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no figure|names no number"):
        onrecord_eval("compare", tmp_path / "a", tmp_path / "b", "--fail-under", floor)


def test_a_split_that_the_runs_lack_is_refused(runs: dict[str, Path], capsys: Captured) -> None:
    assert onrecord_eval("compare", runs["good"], runs["good"], "--split", "dev") == 0
    capsys.readouterr()
    with pytest.raises(UsageError) as caught:
        onrecord_eval("compare", runs["good"], runs["good"], "--split", "test")
    assert str(caught.value) == 'The runs have no questions in the split "test".'
