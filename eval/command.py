"""Measure answers: run a question set, report, compare two runs, hold the figures.

The command `onrecord eval`: `app.cli` finds it as an entry point, gives it `--index` as it does
every command, and words its failures. Without a word after it, it runs the set `seed`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli import positive
from eval.questions import SPLITS, check_golds, load, shipped
from index.errors import UsageError

if TYPE_CHECKING:
    from eval.questions import Question
    from eval.rows import Row
    from eval.system import Index, System

SPLIT_CHOICES = [*SPLITS, "all"]
NOTE = (
    "Without --index, a fresh index of the transcripts that ship is asked, whatever "
    "ONRECORD_INDEX names: the figures can be had again by anybody."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands that `execute` runs, save `--index`, which it has."""
    parser.epilog = f"Alone it is `onrecord eval run seed`. {NOTE}"
    parser.set_defaults(evaluate=_run, set="seed", split="all", out=None, kinds=False, workers=1)
    commands = parser.add_subparsers(metavar="COMMAND")

    command = _command(commands, "run", _run, "ask a question set and print its figures", NOTE)
    _add_set(command, default="seed")
    _add_split(command, "which questions to ask (default: all; tune on dev only)")
    command.add_argument("--out", metavar="RUN.jsonl", type=Path,
                         help="keep the run; where it was begun before, it goes on")  # fmt: skip
    command.add_argument("--workers", metavar="N", type=positive, default=1,
                         help="questions asked at the same time (default: 1)")  # fmt: skip
    command.add_argument("--kinds", action="store_true",
                         help="also show the figures for each kind of question")  # fmt: skip

    command = _command(commands, "report", _report, "make a page and JSON of a run's figures")
    command.add_argument("run", metavar="RUN.jsonl", type=Path, help="what `eval run --out` wrote")
    command.add_argument("--out", metavar="DIR", type=Path,
                         help="folder for report.html and figures.json (default: beside the run, "
                         "RUN-report)")  # fmt: skip

    command = _command(
        commands, "compare", _compare, "tell what is better or worse in a second run of a set",
        "Exit code 1 where a --fail option says so.",
    )  # fmt: skip
    command.add_argument("a", metavar="A.jsonl", type=Path, help="the run before")
    command.add_argument("b", metavar="B.jsonl", type=Path, help="the run after")
    _add_split(command, "which questions to compare (default: all)")
    command.add_argument("--fail-under", metavar="FIGURE=N", action="append", default=[],
                         help="fail where this figure of B is worse (repeatable)")  # fmt: skip
    command.add_argument("--fail-if-worse", action="store_true",
                         help="fail where any figure but time is worse beyond chance")  # fmt: skip

    command = _command(
        commands, "gate", _gate, "run the shipped sets and hold their figures to their floors", NOTE
    )
    command.add_argument("--workers", metavar="N", type=positive, default=1,
                         help="questions asked at the same time (default: 1)")  # fmt: skip

    command = _command(
        commands, "add", _add, "make a question of a rating from the chat",
        "Without a candidate, those that were kept are listed.",
    )  # fmt: skip
    command.add_argument("candidate", metavar="CANDIDATE", nargs="?", help="its id, c_...")
    command.add_argument("--set", metavar="FILE.jsonl", type=Path, dest="file",
                         help="the set it is added to; made where there is none")  # fmt: skip
    answer = command.add_mutually_exclusive_group()
    answer.add_argument("--answer", metavar="WORDS", help="the exact words that answer")
    command.add_argument("--at", metavar="N", type=int,
                         help="the character they start at, if they come twice")  # fmt: skip
    answer.add_argument("--nobody", action="store_true", help="nothing answers it")
    command.add_argument("--near-miss", action="store_true",
                         help="... but the transcript speaks of the matter")  # fmt: skip
    command.add_argument("--transcript", metavar="ID", help="the transcript that they stand in")
    command.add_argument("--speaker", metavar="NAME", help="who says them, if not who it seems")
    command.add_argument("--kind", help="the kind of question (default: by its question word)")
    command.add_argument("--split", choices=SPLITS, default="dev", help="(default: dev)")

    command = _command(commands, "lint", _lint, "find what is wrong with a question set", NOTE)
    _add_set(command, default=None)


def _command(
    commands: Any,
    name: str,
    evaluate: Callable[[argparse.Namespace], int],
    help_text: str,
    note: str | None = None,
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".", epilog=note
    )
    command.set_defaults(evaluate=evaluate)
    # SUPPRESS: an --index in front of the sub-command stands.
    command.add_argument("--index", type=Path, metavar="DIR", default=argparse.SUPPRESS,
                         help="the index folder")  # fmt: skip
    return command


def _add_set(command: argparse.ArgumentParser, default: str | None) -> None:
    names = ", ".join(shipped())
    command.add_argument(
        "set",
        metavar="SET",
        nargs="?" if default else None,
        default=default,
        help=f"a set that ships ({names}), or a file: our JSONL, SQuAD's JSON, or CSV with the "
        "columns question, answer, quote, speaker" + (f" (default: {default})" if default else ""),
    )


def _add_split(command: argparse.ArgumentParser, help_text: str) -> None:
    command.add_argument("--split", choices=SPLIT_CHOICES, default="all", help=help_text)


def execute(args: argparse.Namespace) -> int:
    """Run the sub-command; its exit code. Raises OnRecordError with what was wrong."""
    evaluate: Callable[[argparse.Namespace], int] = args.evaluate
    return evaluate(args)


# --- run ---------------------------------------------------------------------------------


def _run(args: argparse.Namespace) -> int:
    """0, or 1 when a question failed."""
    from eval.figures import figures, grouped
    from eval.tables import slices_table, table

    with _set_on_index(args.set, args.index, args.workers) as (index, every):
        _require_golds(every, index)
        questions = [question for question in every if args.split in (question.split, "all")]
        if not questions:
            raise UsageError(f'The set {args.set} has no questions in the split "{args.split}".')
        rows = _asked(args, index, questions)
    splits = grouped(rows, lambda row: row.split)
    print(table({split: figures(some) for split, some in splits.items()}))
    if args.kinds:
        for split, some in splits.items():
            kinds = grouped(some, lambda row: row.kind)
            shown = slices_table("kind", {kind: figures(part) for kind, part in kinds.items()})
            print(f"\n{split}\n{shown}")
    return _failures(rows)


@contextmanager
def _set_on_index(
    name: str, folder: Path | None, workers: int = 1
) -> Iterator[tuple[Index, list[Question]]]:
    """A set's questions and the index that they are asked of.

    Without a folder it is the shipped transcripts' or, for a SQuAD file, its own paragraphs'.
    """
    from eval.formats import open_set, squad_passages
    from eval.system import opened, opened_texts

    with ExitStack() as stack:
        if folder is None and name.lower().endswith(".json"):
            passages = squad_passages(Path(name))  # read before an index is made for it
            index = stack.enter_context(opened_texts(passages, workers=workers))
        else:
            if not name.lower().endswith((".json", ".csv")):
                load(name)
            index = stack.enter_context(opened(folder, workers=workers))
        yield index, open_set(name, index.texts)


def _require_golds(questions: Sequence[Question], system: System) -> None:
    """Figures against gold answers that are not there would all be low, and mean nothing."""
    faults = check_golds(questions, system.texts)
    if faults:
        raise UsageError(
            f"The set does not fit the index's transcripts (faults: {len(faults)}): {faults[0]}"
        )


def _asked(args: argparse.Namespace, index: Index, questions: Sequence[Question]) -> list[Row]:
    """The rows of all questions; those that a run in the file has already are not asked again."""
    from eval.rows import begun, write_rows
    from eval.run import run
    from eval.system import manifest_of

    if args.out is None:
        return _with_bar(run(questions, index, args.workers), len(questions))
    manifest = manifest_of(index, args.set, args.split, questions, args.workers)
    done = {row.id: row for row in begun(args.out, manifest)}
    rest = [question for question in questions if question.id not in done]
    if done:
        print(
            f"onrecord: {args.out} has {len(done)} of {len(questions)} questions already"
            + ("; delete it to ask them again." if not rest else "; going on with the rest."),
            file=sys.stderr,
        )
    rows = write_rows(run(rest, index, args.workers), args.out, manifest)
    done |= {row.id: row for row in _with_bar(rows, len(rest))}
    return [done[question.id] for question in questions]


def _with_bar(rows: Iterator[Row], total: int) -> list[Row]:
    from tqdm import tqdm

    # disable=None shows the bar on a terminal only.
    return list(tqdm(rows, total=total, unit="question", disable=None, leave=False))


def _failures(rows: Sequence[Row]) -> int:
    errors = [row for row in rows if row.error is not None]
    if errors:
        print(
            f"onrecord: {len(errors)} of {len(rows)} questions failed and count as wrong; "
            f"the first, {errors[0].id}: {errors[0].error}",
            file=sys.stderr,
        )
    return 1 if errors else 0


# --- report, compare ---------------------------------------------------------------------


def _report(args: argparse.Namespace) -> int:
    from eval.figures import parts_of
    from eval.report import HTML, write_report
    from eval.rows import read_run
    from eval.tables import short_table

    run = read_run(args.run)
    parts = parts_of(run.rows)
    out = args.out or args.run.with_name(f"{args.run.stem}-report")
    write_report(run, parts, out)
    print(short_table(parts))
    print(f"\n{out / HTML}")
    return 0


def _compare(args: argparse.Namespace) -> int:
    from eval.compare import (
        compare,
        comparison_table,
        fallen,
        flips,
        flips_table,
        parse_floor,
        require_same_questions,
    )
    from eval.rows import read_run

    floors = dict(parse_floor(text) for text in args.fail_under)
    a, b = read_run(args.a), read_run(args.b)
    require_same_questions(a, b)
    before, after = (
        [row for row in run.rows if args.split in (row.split, "all")] for run in (a, b)
    )
    if not before:
        raise UsageError(f'The runs have no questions in the split "{args.split}".')
    changes = compare(before, after)
    print(comparison_table(changes))
    for line in flips_table(flips(before, after)):
        print(line)
    faults = list(fallen(changes, floors))
    if args.fail_if_worse:
        faults += [
            f"{change.measure.key} is worse"
            for change in changes
            if change.verdict == "worse" and change.measure.layer != "time"
        ]
    for fault in faults:
        print(f"onrecord: {fault}.", file=sys.stderr)
    return 1 if faults else 0


# --- gate --------------------------------------------------------------------------------


def _gate(args: argparse.Namespace) -> int:
    from eval.figures import figures, grouped
    from eval.gate import gate_table, hold, read_floors
    from eval.run import run
    from eval.system import opened

    floors = read_floors()
    held, failed = [], 0
    with opened(args.index, workers=args.workers) as index:
        for name in floors:
            questions = load(name)
            _require_golds(questions, index)
            rows = _with_bar(run(questions, index, args.workers), len(questions))
            splits = grouped(rows, lambda row: row.split)
            held += hold(name, {split: figures(some) for split, some in splits.items()}, floors)
            failed |= _failures(rows)
    print(gate_table(held))
    fallen = sum(not one.holds for one in held)
    if fallen:
        print(
            f"onrecord: {fallen} of {len(held)} figures fell below their floors.", file=sys.stderr
        )
    return 1 if fallen or failed else 0


# --- add, lint ---------------------------------------------------------------------------


def _add(args: argparse.Namespace) -> int:
    from app.cli import settings_of
    from app.feedback import Feedback
    from eval.grow import Wish, append, listing, question_of, questions_in
    from index.folder import Folder

    folder = Folder.open(settings_of(args).index)
    candidates = Feedback(folder.path).candidates()
    taken = [one.id for one in questions_in(args.file)] if args.file else []
    if args.candidate is None:
        lines = list(listing(candidates, taken))
        print("\n".join(lines) or f"{folder.path} has no ratings that are not in a set.")
        return 0
    if args.file is None:
        raise UsageError("name the set that the question is added to with --set.")
    candidate = next((one for one in candidates if one.id == args.candidate), None)
    if candidate is None:
        raise UsageError(
            f"{folder.path} has no rating {args.candidate}; `onrecord eval add` lists them."
        )
    wish = Wish(
        answer=args.answer,
        at=args.at,
        nobody=args.nobody,
        transcript=args.transcript,
        speaker=args.speaker,
        kind=args.kind,
        split=args.split,
        near_miss=args.near_miss,
    )
    transcripts = {one.id: folder.transcript(one.id) for one in folder.summaries()}
    question = question_of(candidate, wish, transcripts)
    append(question, args.file)
    for gold in question.golds:
        said_by = f", said by {question.speaker}" if question.speaker else ""
        print(f'{question.transcript} {gold.start}-{gold.end}: "{gold.text}"{said_by}')
    if not question.golds:
        print(f"{question.transcript}: nothing answers it")
    print(f"{args.file}: added {question.id} ({question.kind}, {question.split}).")
    return 0


def _lint(args: argparse.Namespace) -> int:
    """0, or 1 where something must be mended; what is only worth a look does not count."""
    from eval.lint import lint

    with _set_on_index(args.set, args.index) as (index, questions):
        faults = notes = 0
        for finding in lint(questions, index):
            faults += finding.fault
            notes += not finding.fault
            print(f"{'fault' if finding.fault else 'look'}  {finding.sentence}")
    print(f"{args.set}: {len(questions)} questions, {faults} faults, {notes} to look at.")
    return 1 if faults else 0
